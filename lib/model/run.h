// SPDX-License-Identifier: Apache-2.0
// Run: one slot of a job, from the moment it is known to its final state; Attempt: one process.
// These are the rows of state.db and what `history` shows. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/enums.h"
#include "model/job_spec.h"

namespace distcron::model {

/// One line of an explanation: what was looked at, whether it let the run happen, and the facts.
struct Fact {
  std::string check;
  bool ok = true;
  std::string text;
  friend bool operator==(const Fact&, const Fact&) = default;
};

template <class T, class Visitor>
requires std::is_same_v<std::remove_const_t<T>, Fact>

void visit_fields(T& f, Visitor&& visit) {
  visit(Field{"check", "what was looked at"}, f.check);
  visit(Field{"ok", "whether it let the run happen"}, f.ok);
  visit(Field{"text", "the facts"}, f.text);
}

/// A slot with the facts of its latest attempt.
struct Run {
  std::int64_t run_id = 0;
  std::uint64_t job_uid = 0;
  std::string job;  ///< Name of the job when the run was made.
  std::int64_t job_version = 0;
  std::string origin;  ///< "schedule", or the request id of a trigger.
  WallTime scheduled_at{};
  std::int32_t shard = 0;
  Trigger trigger = Trigger::kSchedule;
  RunState state = RunState::kQueued;
  Reason reason = Reason::kNone;
  std::string detail;        ///< setup step, refusal text, who killed it.
  std::int32_t attempt = 0;  ///< 0 before the first claim.
  std::int64_t node_id = 0;
  std::string node;
  std::int64_t incarnation = 0;
  std::int64_t term = 0;
  std::int64_t fence_index = 0;  ///< Log index of the claim.
  std::optional<WallTime> created_at;
  std::optional<WallTime> not_before;  ///< For queued: earliest next claim (retry, jitter).
  std::optional<WallTime> dispatched_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> ended_at;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::int64_t pid = 0;
  std::int64_t output_bytes = 0;
  bool output_truncated = false;
  std::string tail;  ///< At most 256 bytes of the end of its output.
  std::int64_t cpu_user_us = 0;
  std::int64_t cpu_sys_us = 0;
  std::int64_t maxrss_kb = 0;
  std::string kill_by;  ///< Who asked for its end; empty when nobody did.
  std::optional<std::string> param;
  TextMap extra_env;
  TextList extra_argv;
  bool force = false;       ///< Ignores the concurrency policy.
  std::int32_t starts = 0;  ///< Attempts of which a process was started, or may have been.
  std::optional<WallTime> first_started_at;  ///< Of all attempts; max_runtime counts from here.
  std::vector<Fact> facts;                   ///< The decision, as `explain` shows it.
  std::int32_t shards = 0;        ///< Of the slot; 0: one run on one host, not bound to it.
  bool possible_overlap = false;  ///< An attempt was given up that may have gone on.
  friend bool operator==(const Run&, const Run&) = default;
};

template <class T, class Visitor>
requires std::is_same_v<std::remove_const_t<T>, Run>

void visit_fields(T& r, Visitor&& visit) {
  visit(Field{"run_id", "id"}, r.run_id);
  visit(Field{"job_uid", "uid of the job"}, r.job_uid);
  visit(Field{"job", "name of the job"}, r.job);
  visit(Field{"job_version", "version of the job"}, r.job_version);
  visit(Field{"origin", "schedule, or the request id of a trigger"}, r.origin);
  visit(Field{"scheduled_at", "the instant it belongs to"}, r.scheduled_at);
  visit(Field{"shard", "shard index"}, r.shard);
  visit(Field{"trigger", "what made it"}, r.trigger);
  visit(Field{"state", "state"}, r.state);
  visit(Field{"reason", "why it did not run, or was ended"}, r.reason);
  visit(Field{"detail", "more about the reason"}, r.detail);
  visit(Field{"attempt", "attempt"}, r.attempt);
  visit(Field{"node_id", "id of the node"}, r.node_id);
  visit(Field{"node", "name of the node"}, r.node);
  visit(Field{"incarnation", "incarnation of the cluster"}, r.incarnation);
  visit(Field{"term", "term of the claim"}, r.term);
  visit(Field{"fence_index", "log index of the claim"}, r.fence_index);
  visit(Field{"created_at", "when it became known"}, r.created_at);
  visit(Field{"not_before", "earliest next claim"}, r.not_before);
  visit(Field{"dispatched_at", "when it was claimed"}, r.dispatched_at);
  visit(Field{"started_at", "when its process started"}, r.started_at);
  visit(Field{"ended_at", "when it ended"}, r.ended_at);
  visit(Field{"exit_code", "exit code"}, r.exit_code);
  visit(Field{"signal", "signal that ended it"}, r.signal);
  visit(Field{"pid", "process id of its supervisor"}, r.pid);
  visit(Field{"output_bytes", "bytes that it wrote"}, r.output_bytes);
  visit(Field{"output_truncated", "whether its output was cut"}, r.output_truncated);
  visit(Field{"tail", "end of its output"}, r.tail);
  visit(Field{"cpu_user_us", "user CPU time"}, r.cpu_user_us);
  visit(Field{"cpu_sys_us", "system CPU time"}, r.cpu_sys_us);
  visit(Field{"maxrss_kb", "peak memory"}, r.maxrss_kb);
  visit(Field{"kill_by", "who asked for its end"}, r.kill_by);
  visit(Field{"param", "parameter"}, r.param);
  visit(Field{"extra_env", "environment of this run"}, r.extra_env);
  visit(Field{"extra_argv", "arguments of this run"}, r.extra_argv);
  visit(Field{"force", "whether the concurrency policy was ignored"}, r.force);
  visit(Field{"facts", "the decision"}, r.facts);
  visit(Field{"starts", "attempts that were started, or may have been"}, r.starts);
  visit(Field{"first_started_at", "when the first of them started"}, r.first_started_at);
  visit(Field{"shards", "number of shards"}, r.shards);
  visit(Field{"possible_overlap", "whether two attempts may have met"}, r.possible_overlap);
}

}  // namespace distcron::model
