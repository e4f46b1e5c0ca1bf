// SPDX-License-Identifier: Apache-2.0
// Requests and replies about the hosts of the cluster and about its scheduler. As wire/messages.h.
// Nodes are named by name or id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/fleet.h"
#include "wire/access_messages.h"
#include "wire/refused_messages.h"

namespace distcron::wire {

struct NodeList {
  std::vector<NodeItem> items;
};

DC_VISIT(NodeList, m) {
  visit(Field{"items", ""}, m.items);
}

struct NodeShowReply {
  NodeItem item;
  model::Node node;
  std::optional<RefusedReport> refused;  ///< As that host itself says; unset: it does not answer.
};

DC_VISIT(NodeShowReply, m) {
  visit(Field{"item", ""}, m.item);
  visit(Field{"node", ""}, m.node);
  visit(Field{"refused", ""}, m.refused);
}

struct NodeSetRequest {
  std::string node;
  TextMap put_labels;
  TextList drop_labels;
  std::optional<model::MemberKind> kind;
  std::optional<bool> eligible;
  std::optional<std::int32_t> rank;
};

DC_VISIT(NodeSetRequest, m) {
  visit(Field{"node", ""}, m.node);
  visit(Field{"put_labels", ""}, m.put_labels);
  visit(Field{"drop_labels", ""}, m.drop_labels);
  visit(Field{"kind", ""}, m.kind);
  visit(Field{"eligible", ""}, m.eligible);
  visit(Field{"rank", ""}, m.rank);
}

struct NodeDrainRequest {
  std::string node;
  bool kill = false;  ///< What runs there is ended.
};

DC_VISIT(NodeDrainRequest, m) {
  visit(Field{"node", ""}, m.node);
  visit(Field{"kill", ""}, m.kill);
}

struct NodeRemoveRequest {
  std::string node;    ///< Empty: the asked agent itself, which leaves.
  bool force = false;  ///< Also one that is alive.
};

DC_VISIT(NodeRemoveRequest, m) {
  visit(Field{"node", ""}, m.node);
  visit(Field{"force", ""}, m.force);
}

struct JoinTokenRequest {
  Millis ttl{3'600'000};
  std::int32_t uses = 1;
  std::optional<model::Role> role;
};

DC_VISIT(JoinTokenRequest, m) {
  visit(Field{"ttl", ""}, m.ttl);
  visit(Field{"uses", ""}, m.uses);
  visit(Field{"role", ""}, m.role);
}

/// The only time that the whole token is shown.
struct JoinTokenReply {
  std::string token;
  std::string id;
  WallTime expires_at{};
  std::int32_t uses = 1;
  std::string warning;  ///< Why it may be of no use.
};

DC_VISIT(JoinTokenReply, m) {
  visit(Field{"token", "token"}, m.token);
  visit(Field{"id", "id"}, m.id);
  visit(Field{"expires_at", "when it ends"}, m.expires_at);
  visit(Field{"uses", "hosts that may join with it"}, m.uses);
  visit(Field{"warning", "why it may be of no use"}, m.warning);
}

/// The asked agent, which is alone, becomes a member of another cluster.
struct NodeJoinRequest {
  std::string token;
  std::int64_t id = 0;
  std::string name;
  TextMap labels;
};

DC_VISIT(NodeJoinRequest, m) {
  visit(Field{"token", ""}, m.token);
  visit(Field{"id", ""}, m.id);
  visit(Field{"name", ""}, m.name);
  visit(Field{"labels", ""}, m.labels);
}

/// `server_key`: what the key files of the host must name from now on.
struct NodeJoinReply {
  std::int64_t node_id = 0;
  std::string cluster;
  std::string server_key;
};

DC_VISIT(NodeJoinReply, m) {
  visit(Field{"node_id", "node id"}, m.node_id);
  visit(Field{"cluster", "cluster"}, m.cluster);
  visit(Field{"server_key", "public key of the control doors"}, m.server_key);
}

struct NodePingRequest {
  std::string node;
};

DC_VISIT(NodePingRequest, m) {
  visit(Field{"node", ""}, m.node);
}

struct NodePingReply {
  std::int64_t node_id = 0;
  std::string name;
  double rtt_ms = 0;
};

DC_VISIT(NodePingReply, m) {
  visit(Field{"node_id", "id"}, m.node_id);
  visit(Field{"name", "name"}, m.name);
  visit(Field{"rtt_ms", "round trip"}, m.rtt_ms);
}

struct PauseRequest {
  std::optional<WallTime> until;
};

DC_VISIT(PauseRequest, m) {
  visit(Field{"until", ""}, m.until);
}

/// Hands the role on: to `node`, or to the best other voter when that is empty.
struct StepdownRequest {
  std::string node;
};

DC_VISIT(StepdownRequest, m) {
  visit(Field{"node", ""}, m.node);
}

/// One piece of a backup of the asked agent's state. `id` empty: make one.
struct BackupRequest {
  std::string id;
  std::int64_t offset = 0;
};

DC_VISIT(BackupRequest, m) {
  visit(Field{"id", ""}, m.id);
  visit(Field{"offset", ""}, m.offset);
}

struct BackupReply {
  std::string id;
  std::int64_t index = 0;  ///< Last entry whose effects it contains.
  std::int64_t size = 0;
  std::int64_t crc = 0;  ///< CRC-32C of the whole.
  std::int64_t offset = 0;
  std::string bytes;
};

DC_VISIT(BackupReply, m) {
  visit(Field{"id", ""}, m.id);
  visit(Field{"index", ""}, m.index);
  visit(Field{"size", ""}, m.size);
  visit(Field{"crc", ""}, m.crc);
  visit(Field{"offset", ""}, m.offset);
  visit(Field{"bytes", ""}, m.bytes);
}

/// Of a cluster of one node.
struct InitRequest {
  std::string name;       ///< Empty: as it is.
  std::string advertise;  ///< Empty: as it is.
  bool single = false;    ///< From now on no other host may join.
};

DC_VISIT(InitRequest, m) {
  visit(Field{"name", ""}, m.name);
  visit(Field{"advertise", ""}, m.advertise);
  visit(Field{"single", ""}, m.single);
}

/// The name of the cluster stands for "I know what I am doing".
struct ForceQuorumRequest {
  std::string confirm;
};

DC_VISIT(ForceQuorumRequest, m) {
  visit(Field{"confirm", ""}, m.confirm);
}

struct UpgradeItem {
  std::int64_t id = 0;
  std::string name;
  std::string version;
  std::int32_t feature_level = 0;
};

DC_VISIT(UpgradeItem, m) {
  visit(Field{"id", "id"}, m.id);
  visit(Field{"name", "name"}, m.name);
  visit(Field{"version", "version"}, m.version);
  visit(Field{"feature_level", "feature level"}, m.feature_level);
}

struct UpgradeReply {
  std::int32_t feature_level = 0;  ///< In use: the lowest of all members.
  bool ready = false;              ///< One more agent may be stopped now.
  std::string why;                 ///< Why not.
  std::vector<UpgradeItem> items;
};

DC_VISIT(UpgradeReply, m) {
  visit(Field{"feature_level", "feature level in use"}, m.feature_level);
  visit(Field{"ready", "whether one more agent may be stopped"}, m.ready);
  visit(Field{"why", "why not"}, m.why);
  visit(Field{"items", ""}, m.items);
}

}  // namespace distcron::wire
