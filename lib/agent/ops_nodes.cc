// SPDX-License-Identifier: Apache-2.0
// Operations about hosts that need no more than the state and a command of the log.
#include <algorithm>
#include <utility>

#include "agent/operations.h"
#include "base/suggest.h"

namespace distcron::agent {

namespace {

constexpr Micros kShowWait{500'000};

}  // namespace

Result<const planner::Node*> Operations::resolve_node(const std::string& name) const {
  if (const planner::Node* node = state_.find_node(std::string_view(name))) return node;
  std::vector<std::string> names;
  for (const planner::Node& node : state_.nodes())
    names.push_back(node.name);
  std::string hint;
  for (const std::string& near : suggest(name, names)) {
    hint += (hint.empty() ? "did you mean: " : ", ") + near;
  }
  if (!hint.empty()) hint += "\n";
  return fail_hint(ErrorCode::kNotFound, "no node named \"" + name + "\"",
                   hint + "all nodes: distcronctl node list");
}

wire::NodeItem Operations::node_item(const planner::Node& node) const {
  wire::NodeItem item;
  item.id = node.id;
  item.name = node.name;
  item.address = node.address;
  item.version = node.version;
  item.labels = node.labels;
  item.draining = node.state == model::NodeState::kDraining;
  for (const model::Run* run : state_.live_runs()) {
    const bool is_there = run->state == model::RunState::kRunning && run->node_id == node.id;
    if (is_there) ++item.running;
  }
  fleet_.look_at(item, now_);
  if (item.draining && item.state == "alive") item.state = "draining";
  return item;
}

void Operations::node_list(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  ask_scheduler(call, [this, call](const wire::Reply* theirs) {
    if (theirs != nullptr) return call.answer_as(*theirs);
    wire::NodeList out;
    for (const planner::Node& node : state_.nodes())
      out.items.push_back(node_item(node));
    call.answer(out);
  });
}

void Operations::node_show(const Call& call, const wire::NameRequest& request) {
  ask_scheduler(call, [this, call, name = request.name](const wire::Reply* theirs) {
    if (theirs != nullptr) {
      auto reply = wire::decode<wire::NodeShowReply>(theirs->body);
      if (!reply) return call.answer_as(*theirs);
      return finish_node_show(call, std::move(*reply));
    }
    const auto node = resolve_node(name);
    if (!node) return call.refuse(node.error());
    finish_node_show(call, wire::NodeShowReply{node_item(**node), **node, {}});
  });
}

void Operations::finish_node_show(const Call& call, wire::NodeShowReply reply) {
  const std::int64_t id = reply.node.id;
  if (id == facts_.node_id) reply.refused = facts_.refused();
  if (id == facts_.node_id || reply.refused || call.is_relayed() || !fleet_.is_reachable(id)) {
    return call.answer(reply);
  }
  fleet_.call(id, call.caller().public_key, wire::encode(call.request()), kShowWait,
              [call, reply = std::move(reply)](const Result<std::string>& bytes) mutable {
                const auto theirs = bytes ? wire::decode<wire::Reply>(*bytes)
                                          : Result<wire::Reply>(fail(bytes.error()));
                if (theirs && theirs->code == 0) {
                  auto own = wire::decode<wire::NodeShowReply>(theirs->body);
                  if (own) reply.refused = std::move(own->refused);
                }
                call.answer(reply);
              });
}

void Operations::node_set(const Call& call, const wire::NodeSetRequest& request) {
  const auto node = resolve_node(request.node);
  if (!node) return call.refuse(node.error());
  model::SetNode command;
  command.node_id = (*node)->id;
  command.put_labels = request.put_labels;
  command.drop_labels = request.drop_labels;
  command.kind = request.kind;
  command.eligible = request.eligible;
  command.rank = request.rank;
  submit(call, std::move(command));
}

void Operations::node_drain(const Call& call, const wire::NodeDrainRequest& request) {
  const auto node = resolve_node(request.node);
  if (!node) return call.refuse(node.error());
  submit(call, model::DrainNode{.node_id = (*node)->id, .kill = request.kill});
}

void Operations::node_undrain(const Call& call, const wire::NameRequest& request) {
  const auto node = resolve_node(request.name);
  if (!node) return call.refuse(node.error());
  submit(call, model::UndrainNode{.node_id = (*node)->id});
}

void Operations::cluster_pause(const Call& call, const wire::PauseRequest& request) {
  submit(call, model::Pause{.until = request.until});
}

void Operations::cluster_resume(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  submit(call, model::Resume{});
}

/// Whether one more agent may be stopped for its upgrade: all others are there, and their versions
/// can work together.
void Operations::cluster_upgrade(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  wire::UpgradeReply out;
  out.ready = true;
  const auto object = [&out](std::string why) {
    out.ready = false;
    if (out.why.empty()) out.why = std::move(why);
  };
  std::int32_t newest = 0;
  std::int64_t voters = 0;
  for (const planner::Node& node : state_.nodes()) {
    const wire::NodeItem item = node_item(node);
    out.items.push_back({node.id, node.name, node.version, node.feature_level});
    const bool is_first = out.items.size() == 1;
    out.feature_level =
        is_first ? node.feature_level : std::min(out.feature_level, node.feature_level);
    newest = std::max(newest, node.feature_level);
    if (item.role == "voter" || item.role == "witness") ++voters;
    if (item.state == "suspect" || item.state == "dead") {
      object("node " + node.name + " is " + item.state);
    }
    if (item.lag_entries > 1'000) object("node " + node.name + " is catching up");
  }
  if (voters < 3) {
    object("there are fewer than 3 voters: while one agent restarts nothing is scheduled");
  }
  if (newest > out.feature_level + 1) {
    object("versions are more than one feature level apart: upgrade the oldest first");
  }
  call.answer(out);
}

}  // namespace distcron::agent
