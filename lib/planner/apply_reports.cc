// SPDX-License-Identifier: Apache-2.0
// What hosts say of attempts (planner/applier.h). A final state never changes: late evidence
// becomes an event. Every report of an end is answered, so that its host may forget it.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::HostReport;
using model::Reason;
using model::ReportKind;
using model::RunState;

namespace {

/// An at-least-once run whose attempts keep vanishing is given up after this many.
constexpr std::int32_t kVanishedStartsMax = 20;
constexpr std::int64_t kRefusedWaitMaxSeconds = 30;

bool was_ended_by_people(const model::Run& run, Reason reason) {
  return !run.kill_by.empty() || reason == Reason::kUser || reason == Reason::kReplaced;
}

void note_start(model::Run& run, WallTime at) {
  ++run.starts;
  if (!run.started_at) run.started_at = at;
  if (!run.first_started_at) run.first_started_at = run.started_at;
}

}  // namespace

void Applier::fill_end(model::Run& run, const HostReport& report) {
  if (report.started_at) run.started_at = report.started_at;
  if (report.pid != 0) run.pid = report.pid;
  run.ended_at = report.ended_at;
  run.exit_code = report.exit_code;
  run.signal = report.signal;
  run.output_bytes = report.output_bytes;
  run.output_truncated = report.output_truncated;
  run.tail = report.tail;
  run.cpu_user_us = report.cpu_user_us;
  run.cpu_sys_us = report.cpu_sys_us;
  run.maxrss_kb = report.maxrss_kb;
  if (!report.detail.empty()) run.detail = report.detail;
}

Status Applier::run(const model::HostReports& command) {
  for (const HostReport& report : command.reports)
    take(report, command.node_id);
  return {};
}

void Applier::take(const HostReport& report, std::int64_t node_id) {
  LiveRun* live = state_.live(report.run_id);
  const bool is_end = report.kind != ReportKind::kStarted;
  if (live != nullptr && report.attempt > live->run.attempt) return;  // never given to anybody
  const bool is_same = live != nullptr && report.attempt == live->run.attempt &&
                       node_id == live->run.node_id && is_busy(live->run.state);
  const bool is_current =
      is_same || (mutant("attempt-unchecked") && live != nullptr && is_busy(live->run.state));
  const auto hold = state_.holds.find(report.run_id);
  const bool frees = is_end && hold != state_.holds.end() && hold->second.node_id == node_id &&
                     report.attempt >= hold->second.attempt;
  if (frees) release_hold(report.run_id);
  if (is_end) {
    out_.orders.emplace_back(
        EndCommitted{.run_id = report.run_id, .attempt = report.attempt, .node_id = node_id});
  }
  if (!is_current) {
    if (report.kind == ReportKind::kEnded) {
      event("run.late_report", "run " + std::to_string(report.run_id),
            "attempt " + std::to_string(report.attempt) + " ended " +
                std::string(model::name_of(report.outcome)) + ", decided before");
    }
    return;
  }
  switch (report.kind) {
    case ReportKind::kStarted:
      return take_started(*live, report);
    case ReportKind::kEnded:
      return take_ended(*live, report);
    case ReportKind::kUnstarted:
      return take_unstarted(*live, report);
  }
}

void Applier::take_started(LiveRun& live, const HostReport& report) {
  model::Run& run = live.run;
  if (run.state != RunState::kDispatched) return;
  run.started_at = report.started_at;
  run.pid = report.pid;
  note_start(run, entry_.at);
  // It started before the revoke arrived: whoever wanted it gone gets a kill, others let it run.
  const bool must_end = run.reason == Reason::kKilled || run.reason == Reason::kReplaced;
  const Reason reason = run.reason == Reason::kReplaced ? Reason::kReplaced : Reason::kUser;
  run.reason = must_end ? reason : Reason::kNone;
  state_.set_run_state(live, RunState::kRunning);
  put(run);
  if (must_end) order_kill(run, 15, std::nullopt);
}

void Applier::take_ended(LiveRun& live, const HostReport& report) {
  model::Run& run = live.run;
  const bool was_started = run.state == RunState::kRunning;
  const Reason asked = run.reason;
  fill_end(run, report);
  if (!run.ended_at) run.ended_at = entry_.at;
  if (!was_started && (report.started_at || report.outcome != RunState::kUnknown)) {
    note_start(run, *run.ended_at);
  }
  Reason reason = report.reason;
  // The host knows that it was told to, not why.
  const bool was_told = reason == Reason::kNone || reason == Reason::kUser;
  if (report.outcome == RunState::kKilled && was_told) {
    const bool is_known = asked == Reason::kReplaced || asked == Reason::kHostShutdown;
    reason = is_known ? asked : Reason::kUser;
  }
  HostReport judged = report;
  if (reason == Reason::kHostShutdown) judged.reason = reason;
  if (!wants_retry(run, judged)) {
    finish(live, model::is_final(report.outcome) ? report.outcome : RunState::kUnknown, reason);
    return;
  }
  const JobEntry& entry = *state_.job(run.job_uid);
  run.not_before =
      *run.ended_at + model::retry_wait(*entry.job.spec, run.starts + 1, report.random);
  next_attempt(live, report.outcome, reason);
}

bool Applier::wants_retry(const model::Run& run, const HostReport& report) const {
  if (report.outcome == RunState::kOk || was_ended_by_people(run, report.reason)) return false;
  const JobEntry* entry = std::as_const(state_).job(run.job_uid);
  if (entry == nullptr) return false;
  const model::JobSpec& spec = *entry->job.spec;
  if (!spec.enabled && run.trigger == model::Trigger::kSchedule) return false;
  const WallTime next = *run.ended_at + model::retry_wait(spec, run.starts + 1, report.random);
  if (spec.max_runtime && next >= run.first_started_at.value_or(next) + *spec.max_runtime) {
    return run.starts == 0 && spec.guarantee == model::Guarantee::kAtLeastOnce;
  }
  const bool is_lost = report.outcome == RunState::kUnknown || report.outcome == RunState::kLost ||
                       report.reason == Reason::kHostShutdown;
  if (is_lost && spec.guarantee == model::Guarantee::kAtLeastOnce) {
    return run.attempt < std::max(kVanishedStartsMax, spec.retry_max + 1);
  }
  // At most once: what may have happened does not happen again.
  if (mutant("retry-unknown") && is_lost) return run.attempt < kVanishedStartsMax;
  if (report.outcome == RunState::kUnknown || report.outcome == RunState::kLost) return false;
  return run.starts <= spec.retry_max;
}

/// The attempt is over, its run goes on.
void Applier::next_attempt(LiveRun& live, RunState outcome, Reason reason) {
  model::Run& run = live.run;
  model::Run ended = run;
  ended.state = outcome;
  ended.reason = reason;
  ended.not_before.reset();
  out_.changes.ended_attempts.push_back(std::move(ended));
  // What may have run is not missed, however long the next attempt takes.
  const bool is_doubtful = outcome == RunState::kUnknown || outcome == RunState::kLost;
  if (is_doubtful && !run.started_at && !mutant("doubt-not-counted")) ++run.starts;
  run.reason = run.starts > 0 ? Reason::kRetry : Reason::kNone;
  state_.set_run_state(live, RunState::kQueued);
  put(run);
  // One that came in later may stand before this one, and waits for its place.
  state_.wake_first_queued(run.job_uid);
}

void Applier::take_unstarted(LiveRun& live, const HostReport& report) {
  model::Run& run = live.run;
  if (run.state == RunState::kRunning) {
    // Its stub was released, then the set-up failed: nothing of the job has run.
    run.started_at.reset();
    run.pid = 0;
    run.starts = std::max(0, run.starts - 1);
  } else if (run.state != RunState::kDispatched) {
    return;
  }
  if (!report.detail.empty()) run.detail = report.detail;
  const Reason asked = run.reason;
  const JobEntry* entry = state_.job(run.job_uid);
  if (asked == Reason::kReplaced) {
    const bool has_started = run.starts > 0;
    return finish(live, has_started ? RunState::kKilled : RunState::kMissed,
                  has_started ? Reason::kReplaced : Reason::kSuperseded);
  }
  if (asked == Reason::kPaused) return finish(live, RunState::kSkipped, asked);
  const bool goes_elsewhere = asked == Reason::kHostDown;  // its host is drained
  if (asked != Reason::kNone && asked != Reason::kEdited && !goes_elsewhere) {
    return finish(live, RunState::kCancelled, asked);
  }
  if (entry == nullptr) return finish(live, RunState::kCancelled, Reason::kRemoved);
  const model::JobSpec& spec = *entry->job.spec;
  const bool is_refused = report.reason == Reason::kPolicy || report.reason == Reason::kSetup;
  const bool is_spent = report.reason == Reason::kSpawnFailed && run.attempt > spec.retry_max;
  if (asked == Reason::kNone && (is_refused || is_spent)) {
    return finish(live, RunState::kMissed, report.reason);
  }
  // Proven unstarted, so a new attempt is safe under either guarantee; the planner gives it up
  // when the misfire window is over. Repeated refusals wait a little longer each time.
  const bool is_spawn_retry = report.reason == Reason::kSpawnFailed;
  const std::int64_t wait = std::min<std::int64_t>(run.attempt - 1, kRefusedWaitMaxSeconds);
  run.not_before =
      entry_.at + (is_spawn_retry ? model::retry_wait(spec, run.attempt + 1, report.random)
                                  : Millis{asked != Reason::kNone ? 0 : wait * 1000});
  if (goes_elsewhere) return next_attempt(live, RunState::kMissed, asked);
  if (asked == Reason::kEdited) return next_attempt(live, RunState::kCancelled, asked);
  next_attempt(live, RunState::kMissed, report.reason);
}

}  // namespace distcron::planner
