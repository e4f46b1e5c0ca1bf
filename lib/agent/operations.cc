// SPDX-License-Identifier: Apache-2.0
#include "agent/operations.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/suggest.h"
#include "model/glob.h"
#include "model/selector.h"

namespace distcron::agent {

void Call::refuse(const Error& error) const {
  wire::Reply reply;
  reply.id = request_.id;
  reply.code = static_cast<std::int32_t>(error.code) + 1;
  reply.message = error.message;
  reply.hint = error.hint;
  send_(reply);
}

void Call::answer_bytes(std::string body) const {
  wire::Reply reply;
  reply.id = request_.id;
  reply.body = std::move(body);
  send_(reply);
}

bool may_use(model::Role role, const wire::Operation& operation) {
  if (role == model::Role::kSelf) return operation.self;
  return static_cast<int>(role) >= static_cast<int>(operation.role);
}

namespace {

/// Whether the job can run on no other host.
bool is_pinned(const model::JobSpec& spec, const std::string& host) {
  if (spec.on == host || spec.on == "name=" + host || spec.on == "host=" + host) return true;
  return spec.origin_host == host && (spec.on.empty() || spec.managed);
}

}  // namespace

bool may_touch(const Caller& caller, const model::JobSpec& spec) {
  if (!caller.host.empty() && !is_pinned(spec, caller.host)) return false;
  if (!caller.jobs.empty() && !model::glob_match(caller.jobs, spec.name)) return false;
  if (caller.role != model::Role::kSelf) return true;
  return std::find(caller.run_as.begin(), caller.run_as.end(), spec.user) != caller.run_as.end();
}

void Call::answer_as(const wire::Reply& reply) const {
  wire::Reply own = reply;
  own.id = request_.id;
  send_(own);
}

namespace {

/// What is answered from this agent's own state, as it is: also without a majority.
bool reads_as_it_is(wire::Op op) {
  return op == wire::Op::kVersion || op == wire::Op::kWhoami || op == wire::Op::kClusterStatus ||
         op == wire::Op::kClusterForceQuorum || op == wire::Op::kNodePing;
}

}  // namespace

void Operations::receive(const std::string& public_key, std::string_view bytes, bool is_relayed,
                         const std::function<void(std::string)>& send) {
  const auto way_back = [send](const wire::Reply& reply) { send(wire::encode(reply)); };
  auto request = wire::decode<wire::Request>(bytes);
  if (!request) {
    facts_.refuse(is_relayed, mesh::Refusal::kMalformed, "key=" + public_key);
    Call(Caller{}, wire::Request{}, is_relayed, way_back).refuse(request.error());
    return;
  }
  const model::AccessKey* key = state_.find_key(public_key);
  const wire::Operation* operation = wire::find_operation(request->op);
  Caller caller;
  if (key != nullptr) {
    caller = Caller{public_key, key->name, key->role, key->run_as, key->jobs, {}};
  }
  if (key != nullptr && !key->host.empty() && operation != nullptr) {
    // Rules the jobs of its host, and looks at the rest.
    const bool rules = operation->role != model::Role::kViewer && operation->self;
    if (rules) caller.host = key->host;
    if (!rules) caller.role = model::Role::kViewer;
  }
  const Call call(std::move(caller), std::move(*request), is_relayed, way_back);
  if (key == nullptr) {
    facts_.refuse(is_relayed, mesh::Refusal::kRemovedKey, "key=" + public_key);
    call.refuse(Error{ErrorCode::kDenied, "this key is not known here", 0,
                      "an admin adds it with: distcronctl key add NAME PUBLIC_KEY --role ROLE"});
    return;
  }
  if (operation == nullptr) {
    call.refuse(Error{ErrorCode::kInvalid,
                      "no operation has the number " + std::to_string(call.request().op), 0,
                      "distcronctl and distcrond are of different versions"});
    return;
  }
  if (!may_use(call.caller().role, *operation)) {
    facts_.refuse(is_relayed, mesh::Refusal::kForbidden,
                  "key=" + public_key + " operation=" + std::string(operation->name));
    call.refuse(Error{ErrorCode::kDenied,
                      "key \"" + call.caller().name + "\" has the role " +
                          std::string(model::name_of(call.caller().role)) + "; " +
                          std::string(operation->name) + " needs " +
                          std::string(model::name_of(operation->role)),
                      0,
                      {}});
    return;
  }
  // Output lies on hosts: it can be read without a majority.
  const bool reads_files = operation->op == wire::Op::kRunLogs && !log_.raft().has_quorum();
  if (call.request().stale || reads_as_it_is(operation->op) || reads_files) {
    dispatch(*operation, call);
    return;
  }
  // Everything else sees what was acknowledged before it was asked, whichever member was.
  log_.barrier([this, operation, call](const Status& reached) {
    if (reached) {
      dispatch(*operation, call);
    } else {
      call.refuse(reached.error());
    }
  });
}

void Operations::relay(const Call& call, std::int64_t node_id, Micros wait) {
  fleet_.call(node_id, call.caller().public_key, wire::encode(call.request()), wait,
              [call](const Result<std::string>& bytes) {
                if (!bytes) {
                  call.refuse(bytes.error());
                  return;
                }
                const auto reply = wire::decode<wire::Reply>(*bytes);
                if (reply) {
                  call.answer_as(*reply);
                } else {
                  call.refuse(reply.error());
                }
              });
}

template <wire::Op op>
void Operations::serve(
    const Call& call,
    void (Operations::*handler)(const Call&, const typename wire::OpTypes<op>::RequestBody&)) {
  auto body = wire::decode<typename wire::OpTypes<op>::RequestBody>(call.request().body);
  if (!body) {
    call.refuse(body.error());
    return;
  }
  (this->*handler)(call, *body);
}

void Operations::dispatch(const wire::Operation& operation, const Call& call) {
  using wire::Op;
  switch (operation.op) {
    case Op::kVersion:
      return serve<Op::kVersion>(call, &Operations::version);
    case Op::kWhoami:
      return serve<Op::kWhoami>(call, &Operations::whoami);
    case Op::kClusterStatus:
      return serve<Op::kClusterStatus>(call, &Operations::cluster_status);
    case Op::kJobPut:
      return serve<Op::kJobPut>(call, &Operations::job_put);
    case Op::kJobRemove:
      return serve<Op::kJobRemove>(call, &Operations::job_remove);
    case Op::kJobRename:
      return serve<Op::kJobRename>(call, &Operations::job_rename);
    case Op::kJobEnable:
      return serve<Op::kJobEnable>(call, &Operations::job_enable);
    case Op::kJobList:
      return serve<Op::kJobList>(call, &Operations::job_list);
    case Op::kJobShow:
      return serve<Op::kJobShow>(call, &Operations::job_show);
    case Op::kJobVersions:
      return serve<Op::kJobVersions>(call, &Operations::job_versions);
    case Op::kJobNext:
      return serve<Op::kJobNext>(call, &Operations::job_next);
    case Op::kRunStart:
      return serve<Op::kRunStart>(call, &Operations::run_start);
    case Op::kRunRerun:
      return serve<Op::kRunRerun>(call, &Operations::run_rerun);
    case Op::kRunKill:
      return serve<Op::kRunKill>(call, &Operations::run_kill);
    case Op::kRunHistory:
      return serve<Op::kRunHistory>(call, &Operations::run_history);
    case Op::kRunWait:
      return serve<Op::kRunWait>(call, &Operations::run_wait);
    case Op::kRunLogs:
      return serve<Op::kRunLogs>(call, &Operations::run_logs);
    case Op::kExplain:
      return serve<Op::kExplain>(call, &Operations::explain);
    case Op::kKeyList:
      return serve<Op::kKeyList>(call, &Operations::key_list);
    case Op::kKeyAdd:
      return serve<Op::kKeyAdd>(call, &Operations::key_add);
    case Op::kKeyRemove:
      return serve<Op::kKeyRemove>(call, &Operations::key_remove);
    case Op::kSettings:
      return serve<Op::kSettings>(call, &Operations::settings);
    case Op::kEvents:
      return serve<Op::kEvents>(call, &Operations::events);
    case Op::kNodeList:
      return serve<Op::kNodeList>(call, &Operations::node_list);
    case Op::kNodeShow:
      return serve<Op::kNodeShow>(call, &Operations::node_show);
    case Op::kNodeSet:
      return serve<Op::kNodeSet>(call, &Operations::node_set);
    case Op::kNodeDrain:
      return serve<Op::kNodeDrain>(call, &Operations::node_drain);
    case Op::kNodeUndrain:
      return serve<Op::kNodeUndrain>(call, &Operations::node_undrain);
    case Op::kNodeRemove:
      return serve<Op::kNodeRemove>(call, &Operations::node_remove);
    case Op::kNodeJoinToken:
      return serve<Op::kNodeJoinToken>(call, &Operations::node_join_token);
    case Op::kNodeJoin:
      return serve<Op::kNodeJoin>(call, &Operations::node_join);
    case Op::kNodePing:
      return serve<Op::kNodePing>(call, &Operations::node_ping);
    case Op::kClusterPause:
      return serve<Op::kClusterPause>(call, &Operations::cluster_pause);
    case Op::kClusterResume:
      return serve<Op::kClusterResume>(call, &Operations::cluster_resume);
    case Op::kClusterStepdown:
      return serve<Op::kClusterStepdown>(call, &Operations::cluster_stepdown);
    case Op::kClusterBackup:
      return serve<Op::kClusterBackup>(call, &Operations::cluster_backup);
    case Op::kClusterForceQuorum:
      return serve<Op::kClusterForceQuorum>(call, &Operations::cluster_force_quorum);
    case Op::kClusterUpgrade:
      return serve<Op::kClusterUpgrade>(call, &Operations::cluster_upgrade);
    case Op::kClusterInit:
      return serve<Op::kClusterInit>(call, &Operations::cluster_init);
    case Op::kLockList:
      return serve<Op::kLockList>(call, &Operations::lock_list);
    case Op::kLockRelease:
      return serve<Op::kLockRelease>(call, &Operations::lock_release);
  }
}

/// The same id with another question, or from somebody else, is another request.
std::string Operations::request_key(const Call& call, const model::Command& command) {
  const wire::Request& request = call.request();
  std::string body = request.body;
  if (const auto* put = std::get_if<model::PutJobs>(&command)) {
    wire::PutJobsRequest same{put->puts};
    for (model::JobPut& each : same.puts)
      each.new_uid = 0;  // drawn afresh by each asking
    body = wire::encode(same);
  }
  const std::string asked = call.caller().name + '\0' + std::to_string(request.op) + '\0' + body;
  return request.request_id + "#" + std::to_string(stable_hash(asked));
}

void Operations::submit(const Call& call, model::Command command) {
  if (call.request().request_id.empty() || call.request().dry_run) {
    propose(call, std::move(command), {});
    return;
  }
  const std::string key = request_key(call, command);
  const auto [under_way, is_first] = under_way_.try_emplace(key);
  if (!is_first) {
    under_way->second.push_back(call);  // answered together with the first
    return;
  }
  // The same request again gets the first answer. The question stands in the store's queue behind
  // every row that was applied before.
  store_.query([this, call, command = std::move(command),
                key](store::Reader& reader) -> std::function<void()> {
    auto known = reader.request_reply(key);
    return [this, call, command, key, known = std::move(known)]() {
      if (!known) {
        conclude(call, key, [&known](const Call& asked) { asked.refuse(known.error()); });
      } else if (known->has_value()) {
        conclude(call, key, [&known](const Call& asked) { asked.answer_bytes(**known); });
      } else {
        propose(call, command, key);
      }
    };
  });
}

void Operations::conclude(const Call& call, const std::string& key,
                          const std::function<void(const Call&)>& answer) {
  answer(call);
  const auto same = under_way_.extract(key);
  if (same.empty()) return;
  for (const Call& again : same.mapped())
    answer(again);
}

/// Another member has carried out the same request meanwhile: its reply stands in the store.
void Operations::answer_again(const Call& call, const std::string& key,
                              const std::string& request_id) {
  store_.query([this, call, key, request_id](store::Reader& reader) -> std::function<void()> {
    auto known = reader.request_reply(request_id);
    return [this, call, key, known = std::move(known)]() {
      conclude(call, key, [&known](const Call& asked) {
        if (known && known->has_value()) {
          asked.answer_bytes(**known);
        } else {
          asked.refuse(known ? unconfirmed_change("the reply of the first asking is not kept")
                             : known.error());
        }
      });
    };
  });
}

void Operations::propose(const Call& call, model::Command command, const std::string& key) {
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = call.caller().name;
  entry.request_id = key;
  entry.note = call.request().note;
  if (entry.request_id.empty()) entry.request_id = random_hex(random_, 16);
  entry.command = std::move(command);
  if (call.request().dry_run) {
    const planner::Applied tried = state_.dry_run(entry);
    if (!tried.status) {
      call.refuse(tried.status.error());
      return;
    }
    wire::ChangeReply reply = reply_of(tried, state_, now_.wall);
    reply.dry_run = true;
    call.answer(reply);
    return;
  }
  const std::string request_id = entry.request_id;
  log_.propose(
      std::move(entry),
      [this, call, key, request_id](const planner::Applied& applied) {
        if (applied.is_repeat) {
          answer_again(call, key, request_id);
          return;
        }
        conclude(call, key, [this, &applied](const Call& asked) {
          if (!applied.status) {
            asked.refuse(applied.status.error());
          } else {
            asked.answer(reply_of(applied, state_, now_.wall));
          }
        });
      },
      Patience::kClient);
}

Error Operations::no_such_job(const std::string& name) const {
  std::vector<std::string> names;
  for (const planner::Job* job : state_.jobs_by_name())
    names.push_back(job->spec->name);
  std::string hint;
  for (const std::string& near : suggest(name, names)) {
    hint += (hint.empty() ? "did you mean: " : ", ") + near;
  }
  if (!hint.empty()) hint += "\n";
  hint += "all jobs: distcronctl list";
  return Error{ErrorCode::kNotFound, "no job named \"" + name + "\"", 0, hint};
}

Result<const planner::Job*> Operations::resolve_one(const Caller& caller,
                                                    const std::string& name) const {
  const planner::Job* job = state_.find_job(name);
  if (job == nullptr || (caller.role == model::Role::kSelf && !may_touch(caller, *job->spec))) {
    return fail(no_such_job(name));
  }
  if (!may_touch(caller, *job->spec)) {
    return fail(ErrorCode::kDenied,
                "key \"" + caller.name + "\" may not touch the job \"" + name + "\"");
  }
  return job;
}

Result<std::vector<const planner::Job*>> Operations::resolve(
    const Caller& caller, const wire::JobTargets& targets) const {
  std::vector<const planner::Job*> out;
  const auto add = [&out](const planner::Job* job) {
    if (std::find(out.begin(), out.end(), job) == out.end()) out.push_back(job);
  };
  for (const std::string& name : targets.names) {
    if (!model::is_glob(name)) {
      DC_TRY(const planner::Job* job, resolve_one(caller, name));
      add(job);
      continue;
    }
    for (const planner::Job* job : state_.jobs_by_name()) {
      if (may_touch(caller, *job->spec) && model::glob_match(name, job->spec->name)) add(job);
    }
  }
  if (targets.all || !targets.selector.empty()) {
    DC_TRY(const model::Selector selector, model::parse_selector(targets.selector));
    for (const planner::Job* job : state_.jobs_by_name()) {
      if (!may_touch(caller, *job->spec)) continue;
      if (model::matches(selector, job->spec->name, job->spec->labels)) add(job);
    }
  }
  return out;
}

}  // namespace distcron::agent
