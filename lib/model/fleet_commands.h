// SPDX-License-Identifier: Apache-2.0
// Commands of the log about the hosts of the cluster (model/command.h). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/fleet.h"
#include "model/visit.h"

namespace distcron::model {

/// A host joins with a token. Its id is assigned by apply. The same mesh key again is the same
/// host: nothing changes and the token keeps its use.
struct AddNode {
  Node node;  ///< As the host describes itself; id 0: the next free one.
  std::string token_id;
  std::string token_hash;
  std::string admin_key;  ///< Public keys of the host's own key files; may be empty.
  std::string operator_key;
};

DC_VISIT(AddNode, c) {
  visit(Field{"node", ""}, c.node);
  visit(Field{"token_id", ""}, c.token_id);
  visit(Field{"token_hash", ""}, c.token_hash);
  visit(Field{"admin_key", ""}, c.admin_key);
  visit(Field{"operator_key", ""}, c.operator_key);
}

/// What is unset stays.
struct SetNode {
  std::int64_t node_id = 0;
  TextMap put_labels;
  TextList drop_labels;
  std::optional<MemberKind> kind;
  std::optional<bool> eligible;
  std::optional<std::int32_t> rank;
};

DC_VISIT(SetNode, c) {
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"put_labels", ""}, c.put_labels);
  visit(Field{"drop_labels", ""}, c.drop_labels);
  visit(Field{"kind", ""}, c.kind);
  visit(Field{"eligible", ""}, c.eligible);
  visit(Field{"rank", ""}, c.rank);
}

/// The host takes no new runs; claims that have not started go elsewhere.
struct DrainNode {
  std::int64_t node_id = 0;
  bool kill = false;  ///< What runs there is ended as at a shutdown of the host.
};

DC_VISIT(DrainNode, c) {
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"kill", ""}, c.kill);
}

struct UndrainNode {
  std::int64_t node_id = 0;
};

DC_VISIT(UndrainNode, c) {
  visit(Field{"node_id", ""}, c.node_id);
}

/// The host is no member any more: its keys go, its live runs are lost(host_removed) or, when at
/// least once, get another attempt.
struct RemoveNode {
  std::int64_t node_id = 0;
  bool leaves = false;  ///< It asked for it.
};

DC_VISIT(RemoveNode, c) {
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"leaves", ""}, c.leaves);
}

struct PutToken {
  JoinToken token;
};

DC_VISIT(PutToken, c) {
  visit(Field{"token", ""}, c.token);
}

struct RemoveToken {
  std::string id;
};

DC_VISIT(RemoveToken, c) {
  visit(Field{"id", ""}, c.id);
}

/// Slots of schedules are skipped(paused) from now on; what waits goes on waiting.
struct Pause {
  std::optional<WallTime> until;  ///< Unset: until Resume.
};

DC_VISIT(Pause, c) {
  visit(Field{"until", ""}, c.until);
}

struct Resume {};

DC_VISIT(Resume, c) {
  static_cast<void>(c);
  static_cast<void>(visit);
}

/// After a restore or a forced majority: what happened since the stored state is not known. Id
/// counters jump; runs that may have happened end as unknown(restored) when at most once.
struct RaiseIncarnation {
  std::int64_t incarnation = 0;  ///< Larger than the present one.
  std::int64_t node_id = 0;      ///< The only member that is left; 0: all stay.
  bool keeps_runs = false;       ///< Runs on that member are known to it and go on.
  std::string name;              ///< Of a new cluster; empty: the same one.
  std::string cluster_id;
};

DC_VISIT(RaiseIncarnation, c) {
  visit(Field{"incarnation", ""}, c.incarnation);
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"keeps_runs", ""}, c.keeps_runs);
  visit(Field{"name", ""}, c.name);
  visit(Field{"cluster_id", ""}, c.cluster_id);
}

}  // namespace distcron::model
