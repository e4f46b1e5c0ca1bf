// SPDX-License-Identifier: Apache-2.0
#include "agent/log_members.h"

#include <algorithm>
#include <variant>

#include "consensus/message.h"
#include "model/command.h"
#include "planner/state.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

/// Whether it can change who is a member, or what decides about that.
bool is_about_members(const model::Command& command) {
  return std::holds_alternative<model::AddNode>(command) ||
         std::holds_alternative<model::PutNode>(command) ||
         std::holds_alternative<model::RemoveNode>(command) ||
         std::holds_alternative<model::PutToken>(command) ||
         std::holds_alternative<model::RemoveToken>(command) ||
         std::holds_alternative<model::RaiseIncarnation>(command);
}

}  // namespace

std::vector<model::Node> nodes_of_log(const store::Loaded& loaded) {
  const std::vector<store::LogEntry> unapplied = loaded.unapplied();
  if (unapplied.empty()) return {};
  planner::State state([](std::string_view) -> const cron::Zone* { return nullptr; });
  for (const planner::Node& node : loaded.nodes)
    state.load_node(node);
  for (const planner::JoinToken& token : loaded.tokens)
    state.load_token(token);
  for (const model::AccessKey& key : loaded.keys)
    state.load_key(key);
  for (const auto& [key, value] : loaded.settings)
    state.load_setting(key, value);
  if (loaded.cluster) state.load_cluster(*loaded.cluster);
  for (const store::LogEntry& stored : unapplied) {
    if (stored.kind != static_cast<std::uint8_t>(consensus::EntryKind::kCommand)) continue;
    const auto entry = wire::decode<model::Entry>(stored.bytes);
    if (entry && is_about_members(entry->command)) {
      static_cast<void>(state.apply(*entry, stored.index));
    }
  }
  return state.all_nodes();
}

std::vector<model::Node> members_of_log(const store::Loaded& loaded) {
  std::vector<model::Node> members = nodes_of_log(loaded);
  std::erase_if(members, [](const model::Node& node) { return !model::is_member(node); });
  return members;
}

bool is_removed(const std::vector<model::Node>& nodes, std::int64_t node_id) {
  return std::any_of(nodes.begin(), nodes.end(), [node_id](const model::Node& node) {
    return node.id == node_id && !model::is_member(node);
  });
}

}  // namespace distcron::agent
