// SPDX-License-Identifier: Apache-2.0
// Requests and replies that look at one run: wait, logs, explain. As wire/messages.h.
#pragma once

#include "wire/run_messages.h"

namespace distcron::wire {

/// Long poll: answers when the run has come that far, or after wait_ms (at most 30 s) with
/// done = false.
struct WaitRequest {
  RunRef run;
  std::string until = "finished";  ///< finished | started
  std::int64_t wait_ms = 0;
};

DC_VISIT(WaitRequest, m) {
  visit(Field{"run", ""}, m.run);
  visit(Field{"until", ""}, m.until);
  visit(Field{"wait_ms", ""}, m.wait_ms);
}

struct WaitReply {
  bool done = false;
  RunItem run;
};

DC_VISIT(WaitReply, m) {
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

DC_VISIT(LogsRequest, m) {
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

DC_VISIT(LogsReply, m) {
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

DC_VISIT(ExplainRequest, m) {
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

DC_VISIT(ExplainReply, m) {
  visit(Field{"job", "job"}, m.job);
  visit(Field{"at", "instant"}, m.at);
  visit(Field{"verdict", "verdict"}, m.verdict);
  visit(Field{"reason", "reason"}, m.reason);
  visit(Field{"facts", "facts"}, m.facts);
  visit(Field{"run_id", "run"}, m.run_id);
}

}  // namespace distcron::wire
