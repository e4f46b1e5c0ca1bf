// SPDX-License-Identifier: Apache-2.0
// Requests and replies about runs, logs, explanations, keys and the cluster. As wire/messages.h.
#pragma once

#include "wire/messages.h"

namespace distcron::wire {

#define DC_VISIT(Type)                                  \
  template <class T, class Visitor>                     \
  requires std::is_same_v<std::remove_const_t<T>, Type> \
  void visit_fields(T& m, Visitor&& visit)

struct RunRequest {
  std::string job;
  std::optional<WallTime> scheduled_at;
  std::optional<std::string> param;
  TextMap env;
  TextList argv;
  bool force = false;
};

DC_VISIT(RunRequest) {
  visit(Field{"job", ""}, m.job);
  visit(Field{"scheduled_at", ""}, m.scheduled_at);
  visit(Field{"param", ""}, m.param);
  visit(Field{"env", ""}, m.env);
  visit(Field{"argv", ""}, m.argv);
  visit(Field{"force", ""}, m.force);
}

/// A run as people name it: an id, or a job with `back` (0 newest, 1 the one before) or an instant.
struct RunRef {
  std::int64_t run_id = 0;
  std::string job;
  std::int64_t back = 0;
  std::optional<WallTime> at;
};

DC_VISIT(RunRef) {
  visit(Field{"run_id", ""}, m.run_id);
  visit(Field{"job", ""}, m.job);
  visit(Field{"back", ""}, m.back);
  visit(Field{"at", ""}, m.at);
}

/// A rerun makes a new run of the same job with the same parameters.
struct RerunRequest {
  RunRef run;
  bool failed_only = false;
};

DC_VISIT(RerunRequest) {
  visit(Field{"run", ""}, m.run);
  visit(Field{"failed_only", ""}, m.failed_only);
}

struct KillRequest {
  std::vector<RunRef> runs;  ///< With only `job` set: every live run of the job.
  std::int32_t signal = 15;
  std::optional<Millis> grace;
};

DC_VISIT(KillRequest) {
  visit(Field{"runs", ""}, m.runs);
  visit(Field{"signal", ""}, m.signal);
  visit(Field{"grace", ""}, m.grace);
}

struct HistoryRequest {
  TextList jobs;
  bool active = false;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  TextList outcomes;
  std::string node;
  std::string reason;
  bool attempts = false;
  std::int64_t before_run_id = 0;
  std::int64_t limit = 100;
};

DC_VISIT(HistoryRequest) {
  visit(Field{"jobs", ""}, m.jobs);
  visit(Field{"active", ""}, m.active);
  visit(Field{"since", ""}, m.since);
  visit(Field{"until", ""}, m.until);
  visit(Field{"outcomes", ""}, m.outcomes);
  visit(Field{"node", ""}, m.node);
  visit(Field{"reason", ""}, m.reason);
  visit(Field{"attempts", ""}, m.attempts);
  visit(Field{"before_run_id", ""}, m.before_run_id);
  visit(Field{"limit", ""}, m.limit);
}

struct RunItem {
  std::int64_t run_id = 0;
  std::string job;
  WallTime scheduled_at{};
  std::string state;
  std::string reason;
  std::string detail;
  std::string node;
  std::optional<std::int64_t> node_id;
  std::optional<std::int64_t> attempt;
  std::optional<std::int64_t> shard;
  std::string trigger;
  std::optional<std::int64_t> term;
  std::optional<WallTime> dispatched_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> ended_at;
  std::optional<std::int64_t> exit_code;
  std::optional<std::int64_t> signal;
  std::optional<std::int64_t> lateness_ms;
  std::optional<std::int64_t> output_bytes;
  std::optional<bool> output_truncated;
  std::optional<std::int64_t> pid;
  std::string tail;
  std::string killed_by;
  std::optional<double> cpu_seconds;
  std::optional<std::int64_t> maxrss_kb;
  std::optional<bool> suspect;
};

DC_VISIT(RunItem) {
  visit(Field{"run_id", "run"}, m.run_id);
  visit(Field{"job", "job"}, m.job);
  visit(Field{"scheduled_at", "scheduled"}, m.scheduled_at);
  visit(Field{"state", "state"}, m.state);
  visit(Field{"reason", "reason"}, m.reason);
  visit(Field{"detail", "detail"}, m.detail);
  visit(Field{"node", "node"}, m.node);
  visit(Field{"node_id", "node id"}, m.node_id);
  visit(Field{"attempt", "attempt"}, m.attempt);
  visit(Field{"shard", "shard"}, m.shard);
  visit(Field{"trigger", "trigger"}, m.trigger);
  visit(Field{"term", "term"}, m.term);
  visit(Field{"dispatched_at", "dispatched"}, m.dispatched_at);
  visit(Field{"started_at", "started"}, m.started_at);
  visit(Field{"ended_at", "ended"}, m.ended_at);
  visit(Field{"exit_code", "exit code"}, m.exit_code);
  visit(Field{"signal", "signal"}, m.signal);
  visit(Field{"lateness_ms", "lateness"}, m.lateness_ms);
  visit(Field{"output_bytes", "output"}, m.output_bytes);
  visit(Field{"output_truncated", "output cut"}, m.output_truncated);
  visit(Field{"pid", "supervisor"}, m.pid);
  visit(Field{"tail", "end of its output"}, m.tail);
  visit(Field{"killed_by", "killed by"}, m.killed_by);
  visit(Field{"cpu_seconds", "CPU time"}, m.cpu_seconds);
  visit(Field{"maxrss_kb", "peak memory"}, m.maxrss_kb);
  visit(Field{"suspect", "its host is silent"}, m.suspect);
}

struct RunList {
  std::vector<RunItem> items;
  std::optional<std::int64_t> next;  ///< before_run_id of the next page.
};

DC_VISIT(RunList) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"next", ""}, m.next);
}

/// Long poll: answers when the run has come that far, or after wait_ms (at most 30 s) with
/// done = false.
struct WaitRequest {
  RunRef run;
  std::string until = "finished";  ///< finished | started
  std::int64_t wait_ms = 0;
};

DC_VISIT(WaitRequest) {
  visit(Field{"run", ""}, m.run);
  visit(Field{"until", ""}, m.until);
  visit(Field{"wait_ms", ""}, m.wait_ms);
}

struct WaitReply {
  bool done = false;
  RunItem run;
};

DC_VISIT(WaitReply) {
  visit(Field{"done", ""}, m.done);
  visit(Field{"run", ""}, m.run);
}

/// One piece of a run's output; `offset` counts bytes as the job wrote them. Long poll as above:
/// waits for bytes after `offset` up to wait_ms.
struct LogsRequest {
  RunRef run;
  std::int32_t attempt = 0;    ///< 0: the latest.
  std::string stream = "out";  ///< out (both, unless output.split) | err
  std::int64_t offset = 0;     ///< -1: start so that the last `lines` lines come.
  std::int64_t lines = 0;
  std::int64_t max_bytes = 262144;
  std::int64_t wait_ms = 0;
};

DC_VISIT(LogsRequest) {
  visit(Field{"run", ""}, m.run);
  visit(Field{"attempt", ""}, m.attempt);
  visit(Field{"stream", ""}, m.stream);
  visit(Field{"offset", ""}, m.offset);
  visit(Field{"lines", ""}, m.lines);
  visit(Field{"max_bytes", ""}, m.max_bytes);
  visit(Field{"wait_ms", ""}, m.wait_ms);
}

struct LogsReply {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::string bytes;
  std::int64_t offset = 0;  ///< Of the first byte.
  std::int64_t next_offset = 0;
  std::int64_t dropped = 0;  ///< Bytes cut just before `bytes`.
  bool end = false;          ///< The attempt has ended and nothing follows.
  std::string state;         ///< Of the run.
};

DC_VISIT(LogsReply) {
  visit(Field{"run_id", ""}, m.run_id);
  visit(Field{"attempt", ""}, m.attempt);
  visit(Field{"bytes", ""}, m.bytes);
  visit(Field{"offset", ""}, m.offset);
  visit(Field{"next_offset", ""}, m.next_offset);
  visit(Field{"dropped", ""}, m.dropped);
  visit(Field{"end", ""}, m.end);
  visit(Field{"state", ""}, m.state);
}

/// Either `job` and `at` (unset: now), or `run_id`.
struct ExplainRequest {
  std::string job;
  std::optional<WallTime> at;
  std::int64_t run_id = 0;
};

DC_VISIT(ExplainRequest) {
  visit(Field{"job", ""}, m.job);
  visit(Field{"at", ""}, m.at);
  visit(Field{"run_id", ""}, m.run_id);
}

struct ExplainReply {
  std::string job;
  WallTime at{};
  std::string verdict;
  std::string reason;
  std::vector<model::Fact> facts;
  std::optional<std::int64_t> run_id;
};

DC_VISIT(ExplainReply) {
  visit(Field{"job", "job"}, m.job);
  visit(Field{"at", "instant"}, m.at);
  visit(Field{"verdict", "verdict"}, m.verdict);
  visit(Field{"reason", "reason"}, m.reason);
  visit(Field{"facts", "facts"}, m.facts);
  visit(Field{"run_id", "run"}, m.run_id);
}

// --- cluster and access -------------------------------------------------------------------------

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
};

DC_VISIT(NodeItem) {
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
}

struct SchedulerItem {
  std::int64_t id = 0;
  std::string name;
};

DC_VISIT(SchedulerItem) {
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
};

DC_VISIT(StatusReply) {
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
}

struct VersionReply {
  std::string version;
  std::string node;
  std::int64_t node_id = 0;
  std::string tz;  ///< The cluster's default zone.
};

DC_VISIT(VersionReply) {
  visit(Field{"version", "version"}, m.version);
  visit(Field{"node", "node"}, m.node);
  visit(Field{"node_id", "node id"}, m.node_id);
  visit(Field{"tz", "default zone"}, m.tz);
}

struct KeyRequest {
  model::AccessKey key;
};

DC_VISIT(KeyRequest) {
  visit(Field{"key", ""}, m.key);
}

struct NameRequest {
  std::string name;
};

DC_VISIT(NameRequest) {
  visit(Field{"name", ""}, m.name);
}

struct KeyList {
  std::vector<model::AccessKey> items;
};

DC_VISIT(KeyList) {
  visit(Field{"items", ""}, m.items);
}

struct WhoamiReply {
  std::string name;
  std::string role;
  TextList run_as;
};

DC_VISIT(WhoamiReply) {
  visit(Field{"name", "key"}, m.name);
  visit(Field{"role", "role"}, m.role);
  visit(Field{"run_as", "users"}, m.run_as);
}

struct SettingRequest {
  std::string key;
  std::optional<std::string> value;  ///< Unset: read.
};

DC_VISIT(SettingRequest) {
  visit(Field{"key", ""}, m.key);
  visit(Field{"value", ""}, m.value);
}

struct SettingItem {
  std::string key;
  std::string value;
};

DC_VISIT(SettingItem) {
  visit(Field{"key", "key"}, m.key);
  visit(Field{"value", "value"}, m.value);
}

struct SettingList {
  std::vector<SettingItem> items;
};

DC_VISIT(SettingList) {
  visit(Field{"items", ""}, m.items);
}

struct EventsRequest {
  std::optional<WallTime> since;
  std::int64_t limit = 100;
};

DC_VISIT(EventsRequest) {
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

DC_VISIT(EventItem) {
  visit(Field{"at", "when"}, m.at);
  visit(Field{"type", "what"}, m.type);
  visit(Field{"actor", "who"}, m.actor);
  visit(Field{"object", "on what"}, m.object);
  visit(Field{"text", "more"}, m.text);
}

struct EventList {
  std::vector<EventItem> items;
};

DC_VISIT(EventList) {
  visit(Field{"items", ""}, m.items);
}

#undef DC_VISIT

}  // namespace distcron::wire
