// SPDX-License-Identifier: Apache-2.0
// Who this agent is, and changes of that: it joins another cluster, a backup becomes its state, an
// admin makes it the only member.
#include <algorithm>
#include <utility>

#include "agent/mesh_addresses.h"
#include "agent/sockets.h"
#include "cron/zone.h"
#include "store/file_io.h"

namespace distcron::agent {

/// A backup has become the state: this agent is the whole cluster in a new incarnation, under the
/// id that it had in the backup if it had one. An empty file `as-new` beside it makes it another
/// cluster than the one that the backup is of.
void Agent::restore_identity(std::optional<Identity>& known) {
  Identity restored = known.value_or(Identity{});
  const std::string as_new = options_.layout.storage_dir + "/as-new";
  makes_new_cluster_ = store::is_there(as_new);
  restored.cluster_id = makes_new_cluster_ ? random_hex(random_, 16) : state_.cluster().cluster_id;
  std::int64_t last_node = 0;
  std::int64_t node_id = options_.node_id;
  for (const planner::Node& node : state_.all_nodes()) {
    last_node = std::max(last_node, node.id);
    const bool is_self = known ? node.id == known->node_id : node.name == options_.node_name;
    if (node_id == 0 && is_self && model::is_member(node)) node_id = node.id;
  }
  restored.node_id = node_id != 0 ? node_id : last_node + 1;
  restored.incarnation = std::max(restored.incarnation, state_.cluster().incarnation) + 1;
  restored.has_joined = false;
  restored.is_forced = true;
  restored.is_restored = true;
  restored.members.clear();
  known = std::move(restored);
}

/// Who this agent is: what it was before, else the first node of a cluster of its own.
Status Agent::open_identity(std::optional<Identity> known) {
  if (known) {
    identity_ = std::move(*known);
    if (options_.node_id != 0 && options_.node_id != identity_.node_id) {
      return fail_hint(ErrorCode::kInvalid,
                       "node.id is " + std::to_string(options_.node_id) +
                           ", but this storage belongs to node " +
                           std::to_string(identity_.node_id),
                       "an id is never changed: leave node.id out, or use another storage.dir");
    }
  } else {
    identity_.cluster_id =
        state_.cluster().cluster_id.empty() ? random_hex(random_, 16) : state_.cluster().cluster_id;
    std::int64_t last_node = 0;
    for (const planner::Node& node : state_.all_nodes()) {
      last_node = std::max(last_node, node.id);
      if (options_.node_id == 0 && node.name == options_.node_name) options_.node_id = node.id;
    }
    identity_.node_id = options_.node_id != 0 ? options_.node_id : last_node + 1;
  }
  identity_.incarnation =
      std::max({identity_.incarnation, state_.cluster().incarnation, std::int64_t{1}});
  options_.node_id = identity_.node_id;
  return save_identity(options_.layout.storage_dir, identity_);
}

void Agent::put_key(std::string name, const std::string& public_key, model::Role role) {
  const model::AccessKey* known = state_.find_key(public_key);
  if (known != nullptr && known->role == role) return;
  for (const model::AccessKey& key : state_.keys()) {
    // A restored state has the keys of the host that made the cluster: those stay good.
    if (key.name == name && identity_.is_restored) name += "@" + options_.node_name;
  }
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = "host:" + options_.node_name;
  entry.command = model::PutKey{model::AccessKey{name, public_key, role, {}, {}, {}}};
  log_->propose(std::move(entry), [](const planner::Applied&) {});
}

/// Says who this is. What is proposed here waits until there is somebody to lead.
void Agent::introduce() {
  const auto propose = [this](model::Command command, Replica::Done done) {
    model::Entry entry;
    entry.at = now_.wall;
    entry.actor = "host:" + options_.node_name;
    entry.command = std::move(command);
    log_->propose(std::move(entry), std::move(done));
  };
  if (!identity_.has_joined) {
    if (state_.cluster().cluster_id.empty()) {
      propose(model::InitCluster{"distcron", identity_.cluster_id, identity_.incarnation,
                                 cron::host_zone_name()},
              [](const planner::Applied&) {});
    }
    put_key("admin", options_.keys.admin_public_key, model::Role::kAdmin);
    put_key("operator", options_.keys.operator_public_key, model::Role::kOperator);
  }
  introduce_node();
  if (!identity_.is_forced) return;
  model::RaiseIncarnation raise;
  raise.incarnation = identity_.incarnation;
  raise.node_id = identity_.node_id;
  raise.keeps_runs = !identity_.is_restored;
  if (makes_new_cluster_) raise.cluster_id = identity_.cluster_id;
  propose(std::move(raise), [this](const planner::Applied& applied) {
    // kConflict: done already, before a crash.
    if (!applied.status && applied.status.error().code != ErrorCode::kConflict) {
      return stop_for(applied.status.error());
    }
    identity_.is_forced = false;
    identity_.is_restored = false;
    if (Status saved = save_identity(options_.layout.storage_dir, identity_); !saved) {
      return stop_for(saved.error());
    }
    static_cast<void>(store::remove_file(options_.layout.storage_dir + "/as-new"));
    scheduler_->wake();
  });
}

/// Until it is stored: a disk that is full now has room again some day.
void Agent::introduce_node() {
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = "host:" + options_.node_name;
  entry.command = describe_node();
  log_->propose(std::move(entry), [this](const planner::Applied& applied) {
    if (applied.status) {
      is_introduced_ = true;
    } else if (applied.status.error().code == ErrorCode::kUnavailable) {
      introduce_node();
    } else {
      const model::Node* self = state_.find_node(identity_.node_id);
      if (self != nullptr && !model::is_member(*self)) return;  // it leaves when it may
      stop_for(applied.status.error());
    }
  });
}

void Agent::start_joining(const wire::NodeJoinRequest& request, JoinDone done) {
  if (joining_) {
    done(fail(ErrorCode::kConflict, "this agent is about to join already"));
    return;
  }
  JoinPlan plan = options_.join;
  if (request.id != 0) plan.node_id = request.id;
  if (!request.name.empty()) plan.node_name = request.name;
  for (const auto& [key, value] : request.labels)
    plan.labels[key] = value;
  auto joining = Joining::make(plan, request.token, mesh_->endpoints(), options_.keys);
  if (!joining) {
    done(fail(joining.error()));
    return;
  }
  joining_ = std::move(*joining);
  join_done_ = std::move(done);
}

void Agent::poll_joining() {
  if (!joining_) return;
  const auto reply = joining_->poll(now_.mono);
  if (!reply) return;
  const std::unique_ptr<Joining> joining = std::move(joining_);
  const JoinDone done = std::exchange(join_done_, nullptr);
  if (!*reply) {
    done(fail(reply->error()));
    return;
  }
  if (const Status taken = joining->take_over(**reply); !taken) {
    done(fail(taken.error()));
    return;
  }
  done(wire::NodeJoinReply{(*reply)->node_id, (*reply)->cluster_name, (*reply)->server_public_key});
  restarts_ = true;
}

Status Agent::force_quorum(bool dry_run) {
  if (log_->raft().has_quorum()) {
    return fail_hint(ErrorCode::kConflict, "the cluster has a majority: there is nothing to force",
                     "members that are gone for good: distcronctl node remove NODE --force");
  }
  if (dry_run) return {};
  Identity forced = identity_;
  ++forced.incarnation;
  forced.is_forced = true;
  DC_CHECK_OK(save_identity(options_.layout.storage_dir, forced));
  restarts_ = true;
  return {};
}

Status Agent::advertise(const std::string& address, bool dry_run) {
  DC_TRY(const std::string full, advertised_address(address, mesh_->endpoints()));
  if (!options_.mesh_advertise.empty() && options_.mesh_advertise != full) {
    return fail_hint(ErrorCode::kConflict,
                     "mesh.advertise = \"" + options_.mesh_advertise +
                         "\" of the agent's settings goes before " + full,
                     "change or remove it there, and restart the agent");
  }
  if (dry_run || identity_.mesh_advertise == full) return {};
  Identity changed = identity_;
  changed.mesh_advertise = full;
  DC_CHECK_OK(save_identity(options_.layout.storage_dir, changed));
  identity_ = std::move(changed);
  fleet_->set_addresses({full});
  introduce_node();
  return {};
}

/// What this member has becomes what the cluster has: it alone is the configuration from the next
/// entry on, in a term of its own.
void Agent::force(consensus::Stored& stored) {
  const consensus::Entry* last = stored.entries.empty() ? nullptr : &stored.entries.back();
  const consensus::Index last_index = last == nullptr ? stored.base_index : last->index;
  const consensus::Term last_term = last == nullptr ? stored.base_term : last->term;
  consensus::Config alone;
  alone.members = {consensus::Member{identity_.node_id, consensus::MemberKind::kVoter, 0}};
  const consensus::Entry entry{last_index + 1, std::max(stored.hard.term, last_term) + 1,
                               consensus::EntryKind::kConfig, consensus::encode_config(alone)};
  stored.hard = consensus::HardState{entry.term, identity_.node_id};
  store::DurableBatch batch;
  batch.hard = store::HardState{entry.term, identity_.node_id};
  batch.entries.push_back(
      store::LogEntry{entry.index, entry.term, entry.data, static_cast<std::uint8_t>(entry.kind)});
  store_->post(std::move(batch));
  stored.entries.push_back(entry);
}

}  // namespace distcron::agent
