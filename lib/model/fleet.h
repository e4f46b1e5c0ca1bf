// SPDX-License-Identifier: Apache-2.0
// Node: a host of the cluster as the replicated state knows it; JoinToken: leave for a host to
// become one. What is measured (alive, load, clock) is no part of them. Plain values, pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/enums.h"
#include "model/job_spec.h"
#include "model/visit.h"

namespace distcron::model {

/// What part in the majority a host shall have: as the cluster needs, or never a vote, or a vote
/// without ever being the scheduler and without jobs.
enum class MemberKind : std::uint8_t { kAuto, kStandby, kWitness };

template <>
struct EnumNames<MemberKind> {
  static constexpr std::array<std::string_view, 3> kNames{"auto", "standby", "witness"};
};

/// Members are active or draining. The rest are tombstones: an id is never given again.
enum class NodeState : std::uint8_t {
  kActive,
  kDraining,  ///< Takes no new runs.
  kLeft,      ///< Went in order.
  kRemoved,   ///< Was taken out.
};

template <>
struct EnumNames<NodeState> {
  static constexpr std::array<std::string_view, 4> kNames{"active", "draining", "left", "removed"};
};

/// What this version can do, for clusters of different versions. A feature is used once the lowest
/// level of all members is at least the one that the feature names.
inline constexpr std::int32_t kFeatureLevel = 3;
inline constexpr std::int32_t kPermitLevel = 2;   ///< Claims count from permits: StartPermit.
inline constexpr std::int32_t kRepeatLevel = 2;   ///< A repeated request is carried out once.
inline constexpr std::int32_t kReleaseLevel = 2;  ///< ReleaseRuns.
inline constexpr std::int32_t kLocalLevel = 3;    ///< LocalRuns, on_no_quorum = run-local.
inline constexpr std::int32_t kStrandLevel = 3;   ///< What only a removed host may repeat is lost.

struct Node {
  std::int64_t id = 0;
  std::string name;  ///< Unique among members.
  std::string boot_id;
  std::string address;  ///< First endpoint of its control door.
  std::string version;
  TextMap labels;
  TextMap config_labels;    ///< What its configuration said last; a change there wins.
  TextList mesh_addresses;  ///< HOST:PORT, tried in this order.
  TextList mesh_keys;       ///< z85; two while a key is exchanged, the newer one last.
  std::int32_t feature_level = 1;
  MemberKind kind = MemberKind::kAuto;
  bool eligible = true;  ///< May be the scheduler.
  NodeState state = NodeState::kActive;
  std::int32_t rank = 0;        ///< Order of preference is (rank, id), the lower first.
  std::int64_t start_rate = 0;  ///< Jobs that it can start a second; 0: not measured.
  WallTime joined_at{};
  std::optional<WallTime> booted_at;  ///< When its present boot id was first seen, but not at join.
  std::optional<WallTime> left_at;
  friend bool operator==(const Node&, const Node&) = default;
};

DC_VISIT(Node, c) {
  visit(Field{"id", "id"}, c.id);
  visit(Field{"name", "name"}, c.name);
  visit(Field{"boot_id", "boot id of its kernel"}, c.boot_id);
  visit(Field{"address", "control endpoint"}, c.address);
  visit(Field{"version", "version"}, c.version);
  visit(Field{"labels", "labels"}, c.labels);
  visit(Field{"config_labels", "labels of its configuration"}, c.config_labels);
  visit(Field{"mesh_addresses", "mesh addresses"}, c.mesh_addresses);
  visit(Field{"mesh_keys", "mesh keys"}, c.mesh_keys);
  visit(Field{"feature_level", "feature level"}, c.feature_level);
  visit(Field{"kind", "part in the majority"}, c.kind);
  visit(Field{"eligible", "whether it may be the scheduler"}, c.eligible);
  visit(Field{"state", "state"}, c.state);
  visit(Field{"rank", "order of preference"}, c.rank);
  visit(Field{"start_rate", "jobs that it can start a second"}, c.start_rate);
  visit(Field{"joined_at", "when it joined"}, c.joined_at);
  visit(Field{"booted_at", "when it was booted"}, c.booted_at);
  visit(Field{"left_at", "when it left"}, c.left_at);
}

[[nodiscard]] inline bool is_member(const Node& node) {
  return node.state == NodeState::kActive || node.state == NodeState::kDraining;
}

struct JoinToken {
  std::string id;    ///< Public part.
  std::string hash;  ///< Of the secret part, hex.
  /// Of the keys that the joining host brings along. Unset: they rule the jobs that are pinned to
  /// that host and may look at the rest.
  std::optional<Role> role;
  WallTime expires_at{};
  std::int32_t uses_left = 1;
  std::string by;  ///< Who made it.
  friend bool operator==(const JoinToken&, const JoinToken&) = default;
};

DC_VISIT(JoinToken, c) {
  visit(Field{"id", "id"}, c.id);
  visit(Field{"hash", "hash of its secret"}, c.hash);
  visit(Field{"role", "role of the keys of who joins"}, c.role);
  visit(Field{"expires_at", "when it ends"}, c.expires_at);
  visit(Field{"uses_left", "hosts that may still join with it"}, c.uses_left);
  visit(Field{"by", "who made it"}, c.by);
}

/// For nodes and clusters: letters, digits, '.', '_' and '-', at most 64 bytes, not all digits (it
/// would read as an id).
[[nodiscard]] Status check_node_name(std::string_view name);

/// Keys and values of labels as selectors can name them.
[[nodiscard]] Status check_labels(const TextMap& labels);

}  // namespace distcron::model
