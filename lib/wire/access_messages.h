// SPDX-License-Identifier: Apache-2.0
// Requests and replies about the cluster, keys, settings and events. As wire/messages.h.
#pragma once

#include "wire/messages.h"

namespace distcron::wire {

struct NodeItem {
  std::int64_t id = 0;
  std::string name;
  std::string state;
  std::string role;
  std::string address;
  std::string version;
  std::int64_t running = 0;
  std::int64_t lag_entries = 0;
  double clock_offset_ms = 0;
  double rtt_ms = 0;
  TextMap labels;
  bool draining = false;  ///< Also where `state` says suspect or dead.
  /// The way of the answering member to it: ok, lossy (three connections), refused (it does not
  /// know that member's key), down; empty: itself.
  std::string link;
};

DC_VISIT(NodeItem, m) {
  visit(Field{"id", "id"}, m.id);
  visit(Field{"name", "name"}, m.name);
  visit(Field{"state", "state"}, m.state);
  visit(Field{"role", "role"}, m.role);
  visit(Field{"address", "address"}, m.address);
  visit(Field{"version", "version"}, m.version);
  visit(Field{"running", "live runs"}, m.running);
  visit(Field{"lag_entries", "entries behind"}, m.lag_entries);
  visit(Field{"clock_offset_ms", "clock offset"}, m.clock_offset_ms);
  visit(Field{"rtt_ms", "round trip"}, m.rtt_ms);
  visit(Field{"labels", "labels"}, m.labels);
  visit(Field{"draining", "whether it takes no new runs"}, m.draining);
  visit(Field{"link", "the way to it"}, m.link);
}

struct SchedulerItem {
  std::int64_t id = 0;
  std::string name;
};

DC_VISIT(SchedulerItem, m) {
  visit(Field{"id", "id"}, m.id);
  visit(Field{"name", "name"}, m.name);
}

struct StatusReply {
  std::string name;
  std::optional<SchedulerItem> scheduler;
  std::int64_t term = 0;
  bool quorum = false;
  std::vector<NodeItem> nodes;
  std::string version;
  std::int64_t jobs = 0;
  std::int64_t running = 0;
  std::int64_t queued = 0;
  std::int64_t failing = 0;
  std::string cgroup;  ///< How jobs are contained: cgroup2, or process-group with a reason.
  TextList warnings;   ///< Empty: healthy; each is a sentence.
  bool paused = false;
  std::optional<WallTime> paused_until;  ///< Unset while paused: until somebody resumes.
};

DC_VISIT(StatusReply, m) {
  visit(Field{"name", "cluster"}, m.name);
  visit(Field{"scheduler", "scheduler"}, m.scheduler);
  visit(Field{"term", "term"}, m.term);
  visit(Field{"quorum", "whether a majority is there"}, m.quorum);
  visit(Field{"nodes", "nodes"}, m.nodes);
  visit(Field{"version", "version of the asked agent"}, m.version);
  visit(Field{"jobs", "jobs"}, m.jobs);
  visit(Field{"running", "live runs"}, m.running);
  visit(Field{"queued", "queued runs"}, m.queued);
  visit(Field{"failing", "failing jobs"}, m.failing);
  visit(Field{"cgroup", "containment"}, m.cgroup);
  visit(Field{"warnings", "warnings"}, m.warnings);
  visit(Field{"paused", "whether slots are skipped"}, m.paused);
  visit(Field{"paused_until", "until when"}, m.paused_until);
}

struct VersionReply {
  std::string version;
  std::string node;
  std::int64_t node_id = 0;
  std::string tz;  ///< The cluster's default zone.
};

DC_VISIT(VersionReply, m) {
  visit(Field{"version", "version"}, m.version);
  visit(Field{"node", "node"}, m.node);
  visit(Field{"node_id", "node id"}, m.node_id);
  visit(Field{"tz", "default zone"}, m.tz);
}

struct KeyRequest {
  model::AccessKey key;
};

DC_VISIT(KeyRequest, m) {
  visit(Field{"key", ""}, m.key);
}

struct NameRequest {
  std::string name;
};

DC_VISIT(NameRequest, m) {
  visit(Field{"name", ""}, m.name);
}

struct KeyList {
  std::vector<model::AccessKey> items;
};

DC_VISIT(KeyList, m) {
  visit(Field{"items", ""}, m.items);
}

struct WhoamiReply {
  std::string name;
  std::string role;  ///< In the whole cluster.
  TextList run_as;
  std::string host;       ///< Of a host's own key: its jobs are under `host_role`.
  std::string host_role;  ///< Empty without `host`.
};

DC_VISIT(WhoamiReply, m) {
  visit(Field{"name", "key"}, m.name);
  visit(Field{"role", "role"}, m.role);
  visit(Field{"run_as", "users"}, m.run_as);
  visit(Field{"host", "host of its own"}, m.host);
  visit(Field{"host_role", "role for jobs pinned there"}, m.host_role);
}

struct SettingRequest {
  std::string key;
  std::optional<std::string> value;  ///< Unset: read.
};

DC_VISIT(SettingRequest, m) {
  visit(Field{"key", ""}, m.key);
  visit(Field{"value", ""}, m.value);
}

struct SettingItem {
  std::string key;
  std::string value;
};

DC_VISIT(SettingItem, m) {
  visit(Field{"key", "key"}, m.key);
  visit(Field{"value", "value"}, m.value);
}

struct SettingList {
  std::vector<SettingItem> items;
};

DC_VISIT(SettingList, m) {
  visit(Field{"items", ""}, m.items);
}

struct EventsRequest {
  std::optional<WallTime> since;
  std::int64_t limit = 100;
};

DC_VISIT(EventsRequest, m) {
  visit(Field{"since", ""}, m.since);
  visit(Field{"limit", ""}, m.limit);
}

struct EventItem {
  WallTime at{};
  std::string type;
  std::string actor;
  std::string object;
  std::string text;
};

DC_VISIT(EventItem, m) {
  visit(Field{"at", "when"}, m.at);
  visit(Field{"type", "what"}, m.type);
  visit(Field{"actor", "who"}, m.actor);
  visit(Field{"object", "on what"}, m.object);
  visit(Field{"text", "more"}, m.text);
}

struct EventList {
  std::vector<EventItem> items;
};

DC_VISIT(EventList, m) {
  visit(Field{"items", ""}, m.items);
}

}  // namespace distcron::wire
