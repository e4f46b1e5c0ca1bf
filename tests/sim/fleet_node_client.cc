// SPDX-License-Identifier: Apache-2.0
// What clients, admins and hosts that want to join ask of a simulated agent.
#include <utility>

#include "sim/fleet_agent.h"
#include "wire/codec.h"

namespace distcron::sim {

void FleetNode::hand_over() {
  if (!agent_ || !agent_->log->is_scheduler() || frozen_until_ > agenda_.now()) return;
  trace("hands the role over");
  agent_->log->begin_turn(agent_->now = now());
  agent_->fleet->step_down(0);
  wake();
}

void FleetNode::client(model::Command command, const std::string& request_id,
                       std::function<void(const Status&)> then) {
  if (!agent_ || frozen_until_ > agenda_.now()) return;
  agent_->now = now();
  agent_->log->begin_turn(agent_->now);
  model::Entry entry;
  entry.at = agent_->now.wall;
  entry.actor = "client";
  entry.request_id = request_id;
  entry.command = std::move(command);
  agent_->log->propose(
      std::move(entry),
      [this, request_id, then = std::move(then)](const planner::Applied& applied) {
        judge_.on_acked(request_id, applied.status.has_value());
        if (then) then(applied.status);
      },
      agent::Patience::kClient);
  wake();
}

/// As Operations::lock_release(): only the scheduler knows who is silent.
void FleetNode::release_places(const std::string& request_id, bool by_force) {
  if (!is_scheduler() || frozen_until_ > agenda_.now()) return;
  model::ReleaseRuns command;
  for (const planner::Place& place : agent_->state.places()) {
    wire::NodeItem item;
    item.id = place.node_id;
    agent_->fleet->look_at(item, agent_->now);
    const bool is_lost = place.live == nullptr || item.state != "alive";
    if (is_lost || by_force) command.run_ids.push_back(place.run_id);
  }
  if (!command.run_ids.empty()) client(std::move(command), request_id);
}

const planner::State* FleetNode::state() const {
  return agent_ ? &agent_->state : nullptr;
}

std::int64_t FleetNode::applied() const {
  return agent_ ? agent_->log->last_applied() : 0;
}

std::string FleetNode::describe() const {
  std::string text = node_name(id_);
  if (!agent_) return text + " down";
  const consensus::Raft& raft = agent_->log->raft();
  text += raft.role() == consensus::Role::kLeader ? " leads" : " follows";
  text += " in term " + std::to_string(raft.term()) + ", applied " +
          std::to_string(agent_->log->last_applied()) + " of " + std::to_string(raft.last_index()) +
          ", members";
  for (const consensus::Member& member : raft.config().members) {
    text += " " + std::to_string(member.id);
    if (member.kind == consensus::MemberKind::kLearner) text += " (standby)";
    if (member.kind == consensus::MemberKind::kWitness) text += " (witness)";
  }
  return text + (agent_->is_leaving ? ", leaves" : "");
}

bool FleetNode::is_scheduler() const {
  return agent_ && agent_->schedules();
}

consensus::Config FleetNode::config() const {
  return agent_ ? agent_->log->raft().config() : consensus::Config{};
}

// --- joining -------------------------------------------------------------------------------------

wire::JoinRequest FleetNode::join_request() const {
  wire::JoinRequest request;
  request.node.id = id_;
  request.node.name = node_name(id_);
  request.node.boot_id = "boot-" + std::to_string(id_) + "-1";
  constexpr std::size_t kKeyBytes = 40;
  request.node.mesh_keys = {"key of " + request.node.name};
  request.node.mesh_keys.front().resize(kKeyBytes, '.');
  return request;
}

void FleetNode::take_in(const wire::JoinRequest& request, const std::string& token_hash,
                        const std::function<void(const wire::JoinReply&)>& answer) {
  Agent& a = *agent_;
  model::AddNode add;
  add.node = request.node;
  add.token_hash = token_hash;
  for (const model::JoinToken& token : a.state.tokens()) {
    if (token.hash == token_hash) add.token_id = token.id;
  }
  model::Entry entry;
  entry.at = a.now.wall;
  entry.actor = "token:" + add.token_id;
  entry.command = std::move(add);
  a.log->propose(
      std::move(entry),
      [this, answer](const planner::Applied& applied) {
        wire::JoinReply reply;
        if (applied.status) {
          reply.node_id = applied.items.front().node_id;
          reply.members = agent_->fleet->members_to_know();
        } else {
          reply.code = static_cast<std::int32_t>(applied.status.error().code) + 1;
          reply.message = applied.status.error().message;
        }
        answer(reply);
      },
      agent::Patience::kClient);
}

void FleetNode::join(const wire::JoinReply& reply) {
  if (is_member_) return;
  trace("joins");
  is_member_ = true;
  first_members_ = reply.members;
  power_on();
}

}  // namespace distcron::sim
