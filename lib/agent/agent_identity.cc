// SPDX-License-Identifier: Apache-2.0
// Changes of who this agent is: it joins another cluster, or an admin makes it the only member.
#include <algorithm>
#include <utility>

#include "agent/sockets.h"

namespace distcron::agent {

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

Status Agent::force_quorum() {
  if (log_->raft().has_quorum()) {
    return fail_hint(ErrorCode::kConflict, "the cluster has a majority: there is nothing to force",
                     "members that are gone for good: distcronctl node remove NODE --force");
  }
  Identity forced = identity_;
  ++forced.incarnation;
  forced.is_forced = true;
  DC_CHECK_OK(save_identity(options_.layout.storage_dir, forced));
  restarts_ = true;
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
