// SPDX-License-Identifier: Apache-2.0
// Requests and replies about runs. As wire/messages.h.
#pragma once

#include "wire/job_messages.h"

namespace distcron::wire {

struct RunRequest {
  std::string job;
  std::optional<WallTime> scheduled_at;
  std::optional<std::string> param;
  TextMap env;
  TextList argv;
  bool force = false;
};

DC_VISIT(RunRequest, m) {
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

DC_VISIT(RunRef, m) {
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

DC_VISIT(RerunRequest, m) {
  visit(Field{"run", ""}, m.run);
  visit(Field{"failed_only", ""}, m.failed_only);
}

struct KillRequest {
  std::vector<RunRef> runs;  ///< With only `job` set: every live run of the job.
  std::int32_t signal = 15;
  std::optional<Millis> grace;
};

DC_VISIT(KillRequest, m) {
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

DC_VISIT(HistoryRequest, m) {
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

DC_VISIT(RunItem, m) {
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

/// Most runs of one RunList.
inline constexpr std::int64_t kRunListMax = 1'000;

struct RunList {
  std::vector<RunItem> items;
  std::optional<std::int64_t> next;  ///< before_run_id of the next page.
};

DC_VISIT(RunList, m) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"next", ""}, m.next);
}

/// Whose places: of the job or run that `name` is; empty: all.
struct LockRequest {
  std::string name;
  bool force = false;  ///< Releasing: also what its host still reports about.
};

DC_VISIT(LockRequest, m) {
  visit(Field{"name", ""}, m.name);
  visit(Field{"force", ""}, m.force);
}

/// A run that keeps the place of its job, so that no other run of it starts.
struct LockItem {
  std::string name;  ///< Of the job.
  std::int64_t run_id = 0;
  std::string state;  ///< dispatched, running, or unknown: it may be alive on a silent host.
  std::string node;
  std::int64_t node_id = 0;
  std::int64_t attempt = 0;
  std::optional<WallTime> since;
  std::optional<bool> suspect;
};

DC_VISIT(LockItem, m) {
  visit(Field{"name", "job"}, m.name);
  visit(Field{"run_id", "run"}, m.run_id);
  visit(Field{"state", "state of the run"}, m.state);
  visit(Field{"node", "node"}, m.node);
  visit(Field{"node_id", "node id"}, m.node_id);
  visit(Field{"attempt", "attempt"}, m.attempt);
  visit(Field{"since", "since"}, m.since);
  visit(Field{"suspect", "its host is silent"}, m.suspect);
}

struct LockList {
  std::vector<LockItem> items;
};

DC_VISIT(LockList, m) {
  visit(Field{"items", ""}, m.items);
}

}  // namespace distcron::wire
