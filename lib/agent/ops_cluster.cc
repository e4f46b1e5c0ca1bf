// SPDX-License-Identifier: Apache-2.0
// Operations about the cluster as a whole: how it is, who joins.
#include <algorithm>
#include <fstream>
#include <utility>

#include <unistd.h>

#include "agent/operations.h"

namespace distcron::agent {

namespace {

constexpr Micros kStatusWait{500'000};
constexpr Micros kStepdownWait{3'000'000};
constexpr std::size_t kBackupPiece = 1U << 20U;
constexpr std::size_t kBackupsMax = 4;

wire::JoinReply refused(const Error& error) {
  wire::JoinReply reply;
  reply.code = static_cast<std::int32_t>(error.code) + 1;
  reply.message = error.message;
  reply.hint = error.hint;
  return reply;
}

}  // namespace

wire::StatusReply Operations::own_status() const {
  wire::StatusReply out;
  out.name = state_.cluster().name;
  out.scheduler = fleet_.scheduler();
  out.term = log_.term();
  out.quorum = log_.raft().has_quorum();
  out.version = facts_.version;
  out.jobs = static_cast<std::int64_t>(state_.job_count());
  for (const model::Run* run : state_.live_runs()) {
    if (run->state == model::RunState::kRunning) ++out.running;
    if (run->state == model::RunState::kQueued) ++out.queued;
  }
  for (const planner::Job* job : state_.jobs_by_name()) {
    if (job->failures > 0) ++out.failing;
  }
  for (const planner::Node& node : state_.nodes())
    out.nodes.push_back(node_item(node));
  const std::optional<WallTime> paused_until = state_.paused_until(now_.wall);
  out.paused = paused_until.has_value();
  if (paused_until != WallTime::max()) out.paused_until = paused_until;
  if (const auto& hello = host_.hello()) {
    out.cgroup = hello->has_cgroup ? "cgroup2" : "process-group: " + hello->fallback_reason;
  }
  out.warnings = facts_.warnings();
  return out;
}

void Operations::ask_scheduler(const Call& call,
                               const std::function<void(const wire::Reply* theirs)>& answer) {
  const std::int64_t leader = log_.raft().leader();
  const bool asks =
      !call.is_relayed() && leader != 0 && leader != facts_.node_id && fleet_.is_reachable(leader);
  if (!asks) {
    answer(nullptr);
    return;
  }
  fleet_.call(leader, call.caller().public_key, wire::encode(call.request()), kStatusWait,
              [answer](const Result<std::string>& bytes) {
                const auto reply = bytes ? wire::decode<wire::Reply>(*bytes)
                                         : Result<wire::Reply>(fail(bytes.error()));
                answer(reply && reply->code == 0 ? &*reply : nullptr);
              });
}

/// Every agent answers, also without a majority; how the members are the scheduler knows best.
void Operations::cluster_status(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  ask_scheduler(call, [this, call](const wire::Reply* theirs) {
    wire::StatusReply out = own_status();
    if (theirs != nullptr) {
      auto status = wire::decode<wire::StatusReply>(theirs->body);
      if (status) out.nodes = std::move(status->nodes);
    }
    call.answer(out);
  });
}

void Operations::join(const wire::JoinRequest& request, const std::string& token_hash,
                      const std::function<void(const wire::JoinReply&)>& answer) {
  model::AddNode add;
  add.node = request.node;
  add.token_hash = token_hash;
  add.admin_key = request.admin_key;
  add.operator_key = request.operator_key;
  for (const model::JoinToken& token : state_.tokens()) {
    if (token.hash == token_hash) add.token_id = token.id;
  }
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = "token:" + add.token_id;
  entry.command = std::move(add);
  log_.propose(
      std::move(entry),
      [this, answer](const planner::Applied& applied) {
        if (!applied.status) {
          answer(refused(applied.status.error()));
          return;
        }
        wire::JoinReply reply;
        reply.node_id = applied.items.front().node_id;
        reply.cluster_id = state_.cluster().cluster_id;
        reply.cluster_name = state_.cluster().name;
        reply.incarnation = state_.cluster().incarnation;
        reply.server_public_key = facts_.server.public_key;
        reply.server_secret_key = facts_.server.secret_key;
        reply.members = fleet_.members_to_know();
        answer(reply);
      },
      Patience::kClient);
}

void Operations::cluster_stepdown(const Call& call, const wire::StepdownRequest& request) {
  std::int64_t to = 0;
  if (!request.node.empty()) {
    const auto node = resolve_node(request.node);
    if (!node) {
      call.refuse(node.error());
      return;
    }
    to = (*node)->id;
  }
  if (!log_.is_scheduler()) {
    const std::int64_t leader = log_.raft().leader();
    if (call.is_relayed() || leader == 0) {
      call.refuse(Error{ErrorCode::kUnavailable, "the cluster has no scheduler now", 0, {}});
      return;
    }
    relay(call, leader, kStepdownWait);
    return;
  }
  if (log_.is_alone()) {
    call.refuse(
        Error{ErrorCode::kConflict, "there is no other member to take the role over", 0, {}});
    return;
  }
  wire::ChangeReply reply;
  reply.dry_run = call.request().dry_run;
  if (!reply.dry_run) fleet_.step_down(to);
  wire::ChangeItem item;
  item.name = facts_.node_name;
  item.action = "stepped down";
  reply.items.push_back(std::move(item));
  call.answer(reply);
}

void Operations::cluster_backup(const Call& call, const wire::BackupRequest& request) {
  if (request.id.empty()) {
    const std::uint64_t tag = random_.draw() >> 1U;
    backups_.emplace(tag, call);
    store_.back_up(facts_.storage_dir + "/backup-" + std::to_string(tag) + ".db", tag);
    return;
  }
  send_piece(call, request);
}

void Operations::send_piece(const Call& call, const wire::BackupRequest& request) {
  const auto found = backup_files_.find(request.id);
  if (found == backup_files_.end()) {
    call.refuse(
        Error{ErrorCode::kNotFound, "no backup has the id " + request.id, 0, "ask for a new one"});
    return;
  }
  const store::StateCopy& copy = found->second;
  wire::BackupReply reply;
  reply.id = request.id;
  reply.index = copy.index;
  reply.size = static_cast<std::int64_t>(copy.size);
  reply.crc = copy.crc;
  reply.offset = request.offset;
  std::ifstream file(copy.path, std::ios::binary);
  file.seekg(request.offset);
  reply.bytes.resize(kBackupPiece);
  file.read(reply.bytes.data(), static_cast<std::streamsize>(reply.bytes.size()));
  reply.bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  const bool is_last = request.offset + static_cast<std::int64_t>(reply.bytes.size()) >= reply.size;
  call.answer(reply);
  if (is_last) {
    static_cast<void>(::unlink(copy.path.c_str()));
    backup_files_.erase(found);
  }
}

void Operations::on_backed_up(const store::BackedUp& backed_up) {
  const auto found = backups_.extract(backed_up.tag);
  if (found.empty()) return;
  if (!backed_up.status) {
    found.mapped().refuse(backed_up.status.error());
    return;
  }
  // A client that went away leaves its file behind: the newest few are kept, no more.
  while (backup_files_.size() >= kBackupsMax) {
    static_cast<void>(::unlink(backup_files_.begin()->second.path.c_str()));
    backup_files_.erase(backup_files_.begin());
  }
  const std::string id = std::to_string(backed_up.tag);
  backup_files_[id] = backed_up.copy;
  send_piece(found.mapped(), wire::BackupRequest{id, 0});
}

/// The asked agent must be the whole cluster. All or nothing but for the disk: what can be refused
/// is looked at first.
void Operations::cluster_init(const Call& call, const wire::InitRequest& request) {
  if (!log_.is_alone()) {
    call.refuse(Error{ErrorCode::kConflict,
                      "cluster \"" + state_.cluster().name + "\" has more than one node", 0,
                      "its name can be changed with: distcronctl cluster settings name NAME"});
    return;
  }
  if (!request.name.empty()) {
    if (const Status good = model::check_node_name(request.name); !good) {
      call.refuse(good.error());
      return;
    }
  }
  std::vector<model::PutSetting> settings;
  if (request.single) settings.push_back({std::string(planner::kSingleSetting), "true"});
  if (!request.name.empty()) settings.push_back({"name", request.name});
  for (const model::PutSetting& setting : settings) {
    model::Entry entry;
    entry.at = now_.wall;
    entry.command = setting;
    if (const Status good = state_.dry_run(entry).status; !good) {
      call.refuse(good.error());
      return;
    }
  }
  const bool is_dry = call.request().dry_run;
  if (!request.advertise.empty()) {
    if (const Status done = facts_.advertise(request.advertise, is_dry); !done) {
      call.refuse(done.error());
      return;
    }
  }
  if (is_dry) {
    wire::ChangeReply reply;
    reply.dry_run = true;
    call.answer(reply);
    return;
  }
  put_in_turn(call, std::move(settings));
}

void Operations::put_in_turn(const Call& call, std::vector<model::PutSetting> settings) {
  if (settings.empty()) {
    call.answer(wire::ChangeReply{});
    return;
  }
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = call.caller().name;
  entry.note = call.request().note;
  entry.command = std::move(settings.front());
  settings.erase(settings.begin());
  log_.propose(std::move(entry), [this, call, settings](const planner::Applied& applied) {
    if (applied.status) {
      put_in_turn(call, settings);
    } else {
      call.refuse(applied.status.error());
    }
  });
}

void Operations::cluster_force_quorum(const Call& call, const wire::ForceQuorumRequest& request) {
  if (request.confirm != state_.cluster().name) {
    call.refuse(Error{ErrorCode::kInvalid,
                      "the name of the cluster is \"" + state_.cluster().name + "\", not \"" +
                          request.confirm + "\"",
                      0, "name it to show that this is the cluster you mean"});
    return;
  }
  wire::ChangeReply reply;
  reply.dry_run = call.request().dry_run;
  if (const Status forced = facts_.force_quorum(reply.dry_run); !forced) {
    call.refuse(forced.error());
    return;
  }
  wire::ChangeItem item;
  item.name = facts_.node_name;
  item.action = "forced";
  reply.items.push_back(std::move(item));
  call.answer(reply);
}

}  // namespace distcron::agent
