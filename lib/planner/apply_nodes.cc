// SPDX-License-Identifier: Apache-2.0
// Commands about hosts, join tokens and the pause of the cluster (planner/applier.h).
#include <algorithm>
#include <utility>

#include "model/selector.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::NodeState;
using model::Reason;
using model::Role;
using model::RunState;

namespace {

constexpr std::size_t kMeshKeysMax = 2;
constexpr std::size_t kKeyBytes = 40;
constexpr std::size_t kTokensMax = 1'000;

std::string quoted(const Node& node) {
  return "node \"" + node.name + "\"";
}

bool has_key(const Node& node, const model::TextList& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return std::find(node.mesh_keys.begin(), node.mesh_keys.end(), key) != node.mesh_keys.end();
  });
}

/// A label of the configuration that changed wins over what a command set; the others stay.
void take_config_labels(Node& node, const model::TextMap& labels) {
  for (const auto& [key, value] : node.config_labels) {
    if (!labels.contains(key)) node.labels.erase(key);
  }
  for (const auto& [key, value] : labels) {
    const auto old = node.config_labels.find(key);
    if (old == node.config_labels.end() || old->second != value) node.labels[key] = value;
  }
  node.config_labels = labels;
}

}  // namespace

Result<Node*> Applier::find_member(std::int64_t id) {
  const auto found = state_.nodes.find(id);
  if (found != state_.nodes.end() && model::is_member(found->second)) return &found->second;
  std::string text = "no node with the id " + std::to_string(id);
  if (found != state_.nodes.end()) {
    text = quoted(found->second) +
           (found->second.state == NodeState::kLeft ? " left the cluster" : " was removed");
  }
  return fail_hint(ErrorCode::kNotFound, std::move(text), "all nodes: distcronctl node list");
}

void Applier::node_item(const Node& node, std::string_view action) {
  item(node.name, action);
  out_.items.back().node_id = node.id;
}

void Applier::wake_all_queued() {
  for (const auto& [uid, ids] : state_.runs_of)
    state_.wake_queued(uid);
}

Status Applier::run(const model::PutNode& command) {
  if (command.id <= 0 || command.name.empty()) {
    return fail(ErrorCode::kInvalid, "cannot add a node: it needs a positive id and a name");
  }
  const Node* namesake = state_.member(command.name);
  if (namesake != nullptr && namesake->id != command.id) {
    return fail(ErrorCode::kConflict, "cannot add node \"" + command.name +
                                          "\": the name belongs to node " +
                                          std::to_string(namesake->id));
  }
  const auto known = state_.nodes.find(command.id);
  const bool is_new = known == state_.nodes.end();
  if (!is_new && !model::is_member(known->second)) {
    return fail_hint(ErrorCode::kDenied,
                     quoted(known->second) + " is no member of the cluster any more",
                     "empty its storage and join again: distcronctl node join-token");
  }
  Node& node = state_.nodes[command.id];
  const bool has_booted = !is_new && node.boot_id != command.boot_id;
  if (is_new) node.joined_at = entry_.at;
  if (has_booted) node.booted_at = entry_.at;
  node.id = command.id;
  node.name = command.name;
  node.boot_id = command.boot_id;
  node.address = command.address;
  node.version = command.version;
  take_config_labels(node, command.labels);
  if (!command.mesh_addresses.empty()) node.mesh_addresses = command.mesh_addresses;
  if (!command.mesh_keys.empty()) node.mesh_keys = command.mesh_keys;
  if (command.feature_level > 0) node.feature_level = command.feature_level;
  if (command.start_rate > 0) node.start_rate = command.start_rate;
  put_node(node);
  node_item(node, is_new ? "created" : "updated");
  event(is_new       ? "node.joined"
        : has_booted ? "node.booted"
                     : "node.restarted",
        command.name, command.version);
  if (has_booted) release_holds_of(node.id);
  strand_runs();
  // To join is not to boot: a job that is already there was not meant for it.
  if (has_booted) start_reboot_runs(node);
  wake_all_queued();
  return {};
}

void Applier::start_reboot_runs(const Node& node) {
  for (const auto& [name, uid] : state_.names) {
    const Job& job = state_.job(uid)->job;
    bool wants_boot = false;
    for (const cron::Schedule& schedule : job.schedules) {
      wants_boot = wants_boot || schedule.kind == cron::ScheduleKind::kReboot;
    }
    if (!wants_boot || !job.spec->enabled) continue;
    const std::string& origin_host = job.spec->origin_host;
    if (!origin_host.empty() && origin_host != node.name) continue;
    if (!model::matches(job.spec->on, node.name, node.labels)) continue;
    model::Run run;
    run.run_id = state_.next_run_id++;
    run.job_uid = uid;
    run.job = name;
    run.job_version = job.version;
    run.origin = "reboot:" + std::to_string(node.id) + ":" + node.boot_id;
    run.scheduled_at = entry_.at;
    run.trigger = model::Trigger::kReboot;
    run.node_id = node.id;
    run.node = node.name;
    run.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
    run.created_at = entry_.at;
    run.facts.push_back({"schedule", true, "@reboot: host " + node.name + " was booted"});
    put(run);
    state_.add_run(std::move(run));
  }
}

/// An admin has said that the cluster is to stay one node.
Status Applier::check_may_grow() const {
  const auto found = state_.settings.find(kSingleSetting);
  if (found == state_.settings.end() || found->second != "true") return {};
  return fail_hint(ErrorCode::kConflict, "this cluster is to stay one node: no host may join",
                   "let hosts join again: distcronctl cluster settings single false");
}

Status Applier::check_token(const model::AddNode& command) const {
  const auto found = state_.tokens.find(command.token_id);
  const std::string hint = "make a new one on a member: distcronctl node join-token";
  if (found == state_.tokens.end() || found->second.hash != command.token_hash) {
    return fail_hint(ErrorCode::kDenied, "the join token is not known, or was used up", hint);
  }
  if (found->second.expires_at <= entry_.at) {
    return fail_hint(ErrorCode::kDenied, "the join token is too old", hint);
  }
  return {};
}

Status Applier::check_joining(const model::AddNode& command) const {
  const Node& node = command.node;
  DC_CHECK_OK(check_may_grow());
  DC_CHECK_OK(check_token(command));
  DC_CHECK_OK(model::check_node_name(node.name));
  DC_CHECK_OK(model::check_labels(node.labels));
  const bool are_keys = !node.mesh_keys.empty() && node.mesh_keys.size() <= kMeshKeysMax &&
                        std::all_of(node.mesh_keys.begin(), node.mesh_keys.end(),
                                    [](const auto& key) { return key.size() == kKeyBytes; });
  if (!are_keys) {
    return fail(ErrorCode::kInvalid, "cannot add " + quoted(node) + ": it has no mesh key");
  }
  if (const Node* other = state_.member(node.name)) {
    return fail_hint(
        ErrorCode::kConflict,
        "cannot add " + quoted(node) + ": the name belongs to node " + std::to_string(other->id),
        "give it another one with: node.name, or distcronctl node join --name");
  }
  // After a restore ids may have been given that this state has not heard of.
  const bool is_open =
      node.id == 0 || (node.id >= state_.lowest_open_node_id() && !state_.nodes.contains(node.id));
  if (node.id < 0 || !is_open) {
    return fail_hint(
        ErrorCode::kConflict,
        "cannot add " + quoted(node) + ": the id " + std::to_string(node.id) +
            " was given before, or may have been",
        "leave node.id unset; the next free id is " + std::to_string(state_.next_node_id()));
  }
  for (const auto& [name, key] : state_.keys) {
    if (key.public_key == command.admin_key || key.public_key == command.operator_key) {
      return fail_hint(
          ErrorCode::kConflict,
          "cannot add " + quoted(node) + ": one of its keys is known as \"" + name + "\"",
          "do not copy keys between hosts");
    }
  }
  return {};
}

Status Applier::run(const model::AddNode& command) {
  for (auto& [id, known] : state_.nodes) {
    const bool is_same = model::is_member(known) && known.name == command.node.name &&
                         has_key(known, command.node.mesh_keys);
    if (!is_same) continue;
    node_item(known, "unchanged");
    return {};
  }
  DC_CHECK_OK(check_joining(command));
  for (auto& [id, known] : state_.nodes) {
    if (!has_key(known, command.node.mesh_keys)) continue;
    if (model::is_member(known)) {
      return fail(ErrorCode::kConflict, "cannot add " + quoted(command.node) +
                                            ": its mesh key belongs to " + quoted(known));
    }
    known.mesh_keys.clear();  // the key has a new life
    put_node(known);
  }
  Node node = command.node;
  if (node.id == 0) node.id = state_.next_node_id();
  node.config_labels = node.labels;
  node.state = NodeState::kActive;
  node.joined_at = entry_.at;
  node.booted_at.reset();
  node.left_at.reset();
  const JoinToken token = state_.tokens.find(command.token_id)->second;
  use_token(command.token_id);
  add_host_key("admin", node, command.admin_key, token.role);
  const std::optional<Role> lesser =
      token.role ? std::optional<Role>(std::min(*token.role, Role::kOperator)) : std::nullopt;
  add_host_key("operator", node, command.operator_key, lesser);
  put_node(node);
  node_item(node, "joined");
  event("node.joined", node.name,
        "id " + std::to_string(node.id) + ", token " + token.id + " of " + token.by);
  state_.nodes[node.id] = std::move(node);
  wake_all_queued();
  return {};
}

void Applier::use_token(const std::string& id) {
  const auto found = state_.tokens.find(id);
  if (--found->second.uses_left > 0) {
    out_.changes.tokens.push_back(found->second);
    return;
  }
  state_.tokens.erase(found);
  out_.changes.removed_tokens.push_back(id);
}

/// Without a role from the token the key rules only what is pinned to its host.
void Applier::add_host_key(std::string_view user, const Node& node, const std::string& public_key,
                           std::optional<Role> role) {
  if (public_key.size() != kKeyBytes) return;
  model::AccessKey key;
  key.name = std::string(user) + "@" + node.name;
  key.public_key = public_key;
  key.role = role.value_or(user == "admin" ? Role::kAdmin : Role::kOperator);
  if (!role) key.host = node.name;
  out_.changes.keys.push_back(key);
  event("key.added", key.name, model::name_of(key.role));
  std::string name = key.name;
  state_.keys[std::move(name)] = std::move(key);
}

void Applier::drop_keys_of(const Node& node) {
  const std::string suffix = "@" + node.name;
  for (auto at = state_.keys.begin(); at != state_.keys.end();) {
    const bool goes = at->first.ends_with(suffix);
    if (goes) out_.changes.removed_keys.push_back(at->first);
    at = goes ? state_.keys.erase(at) : std::next(at);
  }
}

Status Applier::run(const model::SetNode& command) {
  DC_TRY(Node* const node, find_member(command.node_id));
  Node changed = *node;
  for (const std::string& key : command.drop_labels)
    changed.labels.erase(key);
  for (const auto& [key, value] : command.put_labels)
    changed.labels[key] = value;
  DC_CHECK_OK(model::check_labels(changed.labels));
  changed.kind = command.kind.value_or(changed.kind);
  changed.eligible = command.eligible.value_or(changed.eligible);
  changed.rank = command.rank.value_or(changed.rank);
  const bool is_same = changed == *node;
  node_item(changed, is_same ? "unchanged" : "updated");
  if (is_same) return {};
  *node = std::move(changed);
  put_node(*node);
  event("node.changed", node->name, "");
  wake_all_queued();
  return {};
}

Status Applier::run(const model::DrainNode& command) {
  DC_TRY(Node* const node, find_member(command.node_id));
  const bool was_draining = node->state == NodeState::kDraining;
  node->state = NodeState::kDraining;
  if (!was_draining) {
    put_node(*node);
    event("node.drained", node->name, command.kill ? "and its runs are ended" : "");
  }
  std::int32_t busy = 0;
  for (auto& [id, live] : state_.runs) {
    if (live.run.node_id != node->id || !is_busy(live.run.state)) continue;
    ++busy;
    const bool is_claim = live.run.state == RunState::kDispatched;
    if (is_claim && live.run.reason == Reason::kNone) revoke(live, Reason::kHostDown);
    if (is_claim || !command.kill) continue;
    live.run.reason = Reason::kHostShutdown;
    put(live.run);
    order_kill(live.run, 15, std::nullopt);
  }
  node_item(*node, was_draining && !command.kill ? "unchanged" : "draining");
  out_.items.back().live_runs = busy;
  return {};
}

Status Applier::run(const model::UndrainNode& command) {
  DC_TRY(Node* const node, find_member(command.node_id));
  if (node->state == NodeState::kActive) {
    node_item(*node, "unchanged");
    return {};
  }
  node->state = NodeState::kActive;
  put_node(*node);
  node_item(*node, "undrained");
  event("node.undrained", node->name, "");
  wake_all_queued();
  return {};
}

Status Applier::run(const model::PutToken& command) {
  DC_CHECK_OK(check_may_grow());
  const JoinToken& token = command.token;
  if (token.id.empty() || token.hash.empty() || token.uses_left < 1) {
    return fail(ErrorCode::kInvalid, "cannot make a join token: it needs an id, a hash and a use");
  }
  if (token.expires_at <= entry_.at) {
    return fail(ErrorCode::kInvalid, "cannot make a join token that is over at once");
  }
  std::erase_if(state_.tokens, [this](const auto& known) {
    const bool is_over = known.second.expires_at <= entry_.at;
    if (is_over) out_.changes.removed_tokens.push_back(known.first);
    return is_over;
  });
  if (state_.tokens.size() >= kTokensMax) {
    return fail(
        ErrorCode::kUnavailable,
        "cannot make a join token: " + std::to_string(state_.tokens.size()) + " are open already");
  }
  const bool is_new = state_.tokens.insert_or_assign(token.id, token).second;
  out_.changes.tokens.push_back(token);
  item(token.id, is_new ? "created" : "updated");
  event("token.created", token.id, std::to_string(token.uses_left) + " uses");
  return {};
}

Status Applier::run(const model::RemoveToken& command) {
  const auto found = state_.tokens.find(command.id);
  if (found == state_.tokens.end()) {
    return fail(ErrorCode::kNotFound, "no join token \"" + command.id + "\"");
  }
  state_.tokens.erase(found);
  out_.changes.removed_tokens.push_back(command.id);
  item(command.id, "removed");
  event("token.removed", command.id, "");
  return {};
}

Status Applier::run(const model::Pause& command) {
  if (command.until && *command.until <= entry_.at) {
    return fail(ErrorCode::kInvalid, "cannot pause until a time that is over");
  }
  const std::string text = std::to_string(epoch_micros(command.until.value_or(kNever)));
  const auto known = state_.settings.find(kPausedSetting);
  const bool is_same = known != state_.settings.end() && known->second == text;
  put_setting(std::string(kPausedSetting), text);
  // What was claimed ahead of its time is taken back.
  for (auto& [id, live] : state_.runs) {
    const model::Run& run = live.run;
    const bool is_ahead = run.state == RunState::kDispatched && run.scheduled_at > entry_.at &&
                          run.trigger == model::Trigger::kSchedule;
    if (is_ahead && run.reason == Reason::kNone) revoke(live, Reason::kPaused);
  }
  item("", is_same ? "unchanged" : "paused");
  if (!is_same) event("cluster.paused", state_.cluster ? state_.cluster->name : "", "");
  return {};
}

Status Applier::run(const model::Resume& /*command*/) {
  const bool was_paused = state_.is_paused(entry_.at);
  drop_setting(kPausedSetting);
  wake_all_queued();
  item("", was_paused ? "resumed" : "unchanged");
  if (was_paused) event("cluster.resumed", state_.cluster ? state_.cluster->name : "", "");
  return {};
}

}  // namespace distcron::planner
