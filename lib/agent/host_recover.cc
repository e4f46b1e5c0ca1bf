// SPDX-License-Identifier: Apache-2.0
// After a restart of agent or executor: compares the applied state, the journal of accepted
// attempts and the executor's inventory, and reports what each says of a run (RELIABILITY.md 3.4
// in code). Nothing that may have run is ever started again here. And what is removed at the end.
#include <algorithm>
#include <charconv>

#include "agent/host.h"
#include "agent/local_runs.h"
#include "base/mutant.h"

namespace distcron::agent {

namespace {

constexpr std::int64_t kTailBytes = 256;

std::int64_t to_number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Only whole UTF-8 and no control characters but newline and tab: the tail is shown in tables.
std::string printable(std::string text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 || c == '\n' || c == '\t') out.push_back(c);
  }
  std::size_t begin = 0;
  while (begin < out.size() && (static_cast<unsigned char>(out[begin]) & 0xC0U) == 0x80U)
    ++begin;
  return out.substr(begin);
}

}  // namespace

model::HostReport Host::ended_report(process::RunKey key, std::int64_t pid,
                                     const process::EndRecord& record,
                                     const std::shared_ptr<const model::JobSpec>& spec) {
  model::HostReport out;
  out.kind = model::ReportKind::kEnded;
  out.run_id = key.run_id;
  out.attempt = key.attempt;
  out.pid = pid;
  const Start start = start_of(key);
  if (record.started_wall_us > 0) {
    out.started_at = recorded(start, record.started_wall_us, record.started_boot_us);
  }
  out.ended_at = recorded(start, record.ended_wall_us, record.ended_boot_us);
  out.output_bytes = record.out.written + record.err.written;
  out.output_truncated = record.out.cut() > 0 || record.err.cut() > 0;
  out.cpu_user_us = record.utime_us;
  out.cpu_sys_us = record.stime_us;
  out.maxrss_kb = record.maxrss_kb;
  if (const auto chunk = ports_.files->read(key, process::Stream::kOut, -kTailBytes, kTailBytes)) {
    out.tail = printable(chunk->bytes);
  }
  switch (record.how) {
    case process::EndHow::kExited: {
      out.exit_code = record.exit_code;
      const std::vector<std::int32_t> zero{0};
      const std::vector<std::int32_t>& ok = spec ? spec->ok_codes : zero;
      const bool good = std::find(ok.begin(), ok.end(), record.exit_code) != ok.end();
      out.outcome = good ? model::RunState::kOk : model::RunState::kFailed;
      break;
    }
    case process::EndHow::kSignaled:
      out.signal = record.signal;
      out.outcome = model::RunState::kFailed;
      break;
    case process::EndHow::kSetupFailed:
      out.kind = model::ReportKind::kUnstarted;
      out.reason = model::Reason::kSetup;
      out.detail = process::name_of(record.step);
      break;
    case process::EndHow::kNotReleased:
      out.kind = model::ReportKind::kUnstarted;
      out.reason = model::Reason::kHostCrash;
      break;
    case process::EndHow::kLate:
      out.kind = model::ReportKind::kUnstarted;
      out.reason = model::Reason::kTooLate;
      break;
    case process::EndHow::kDenied:
      out.kind = model::ReportKind::kUnstarted;
      out.reason = model::Reason::kPolicy;
      break;
    case process::EndHow::kKillIncomplete:
      out.outcome = model::RunState::kUnknown;
      out.reason = model::Reason::kKillIncomplete;
      break;
  }
  const bool by_itself =
      out.outcome == model::RunState::kOk || out.outcome == model::RunState::kFailed;
  if (out.kind == model::ReportKind::kEnded && by_itself) {
    if (record.timed_out) {
      out.outcome = model::RunState::kTimeout;
    } else if (record.killed_by_request) {
      out.outcome = model::RunState::kKilled;
      out.reason = record.killed_by_shutdown ? model::Reason::kHostShutdown : model::Reason::kUser;
    }
  }
  return out;
}

void Host::reconcile(const Now& now) {
  recovered_ = true;
  reconcile_local(now);
  if (is_behind_) return seen_.clear();
  for (const model::Run* run : state_.live_runs()) {
    const bool mine = run->node_id == facts_.node_id && run->attempt > 0;
    const bool out =
        run->state == model::RunState::kDispatched || run->state == model::RunState::kRunning;
    if (mine && out) reconcile_run(*run, now);
  }
  for (const auto& [run_id, attempt] : state_.holds_on(facts_.node_id)) {
    reconcile_hold(process::RunKey{run_id, attempt}, now);
  }
  seen_.clear();
  early_kills_.clear();
}

bool Host::is_held(process::RunKey key) const {
  const auto holds = state_.holds_on(facts_.node_id);
  const auto hold = holds.find(key.run_id);
  return hold != holds.end() && key.attempt >= hold->second;
}

void Host::reconcile_hold(process::RunKey key, const Now& now) {
  if (seen_.contains(key) || mutant("hold-unreported")) return;
  const auto task = tasks_.find(key);
  const bool is_known = task != tasks_.end();
  const bool was_out =
      is_known && (task->second.phase == Phase::kRunning || task->second.phase == Phase::kSpawning);
  const bool waits =
      is_known && (task->second.phase == Phase::kArmed || task->second.phase == Phase::kAccepting);
  if (waits) {  // the order to revoke it was in what a snapshot stood for
    task->second.phase = Phase::kRevoking;
    tombstone(key, model::Reason::kHostUnreachable, {});
    return;
  }
  if (is_known && !was_out) return;  // its revocation is on the way
  const auto note = journal_.find(key);
  const bool was_accepted =
      note != journal_.end() && note->second.kind == store::JournalKind::kAccepted;
  const bool has_record = ports_.files->load_end_record(key).has_value();
  const bool may_have_run = is_known ? task->second.phase == Phase::kRunning : was_accepted;
  if (has_record || may_have_run) {
    on_ended(process::ExecEnded{key, has_record}, now);
  } else {
    tombstone(key, model::Reason::kHostUnreachable, {});
  }
}

void Host::reconcile_run(const model::Run& run, const Now& now) {
  const process::RunKey key{run.run_id, run.attempt};
  if (seen_.contains(key)) return;
  const auto task = tasks_.find(key);
  if (task != tasks_.end()) {
    const Phase phase = task->second.phase;
    if (phase == Phase::kSpawning) {
      // The message died with the executor, which journals before it releases: it has not run.
      task->second.phase = Phase::kArmed;
      timers_.emplace(now.mono, key);
      return;
    }
    if (phase != Phase::kRunning) return;
  }
  if (const auto record = ports_.files->load_end_record(key)) {
    on_ended(process::ExecEnded{key, true}, now);
    return;
  }
  const auto note = journal_.find(key);
  const bool noted = note != journal_.end();
  if (noted && note->second.kind == store::JournalKind::kTombstone) {
    if (mutant("tombstone-forgotten")) {
      journal_.erase(key);
      const Start at_once{now.mono, now.mono + Seconds(2), true, now.wall, Micros(0)};
      accept(run, at_once, note_of(at_once), now);
      return;
    }
    // The reason of the revocation is in the row; without one the host itself refused the start.
    const bool revoked = run.reason != model::Reason::kNone;
    tombstone(key, revoked ? run.reason : model::Reason::kHostCrash, {});
    return;
  }
  const bool this_boot =
      noted && (note->second.boot_id == facts_.boot_id || mutant("boot-unchecked"));
  if (run.state == model::RunState::kDispatched && task == tasks_.end()) {
    const WallTime start_at =
        noted ? wall_from_micros(to_number(note->second.bytes)) : run.scheduled_at;
    // Of an attempt of this boot the executor would know; one of an earlier boot may have run.
    // Even when its time seems to come only now: then this host's clock went back.
    const bool never_started = !noted || this_boot;
    if (run.reason != model::Reason::kNone && (never_started || mutant("revoked-has-not-run"))) {
      tombstone(key, run.reason, {});  // revoked before the restart: the order is repeated
      return;
    }
    if (!noted && state_.feature_level() >= model::kPermitLevel) {
      // When it should have started stood in the claim, which is gone: another claim says it anew.
      tombstone(key, model::Reason::kHostCrash, "not accepted before the agent was started");
      return;
    }
    if (const auto start = this_boot ? noted_start(note->second.bytes) : std::nullopt) {
      journal_.erase(key);
      accept(run, *start, note_of(*start), now);
      return;
    }
    if (never_started) {  // go on with the claim
      journal_.erase(key);
      accept(planner::ClaimOrder{run, start_at, std::nullopt}, now);
      return;
    }
  }
  model::HostReport gone;
  gone.kind = model::ReportKind::kEnded;
  gone.run_id = key.run_id;
  gone.attempt = key.attempt;
  gone.outcome = model::RunState::kUnknown;
  gone.reason = this_boot ? model::Reason::kSupervisorLost : model::Reason::kHostReboot;
  gone.ended_at = recorded(now);
  if (task != tasks_.end()) task->second.phase = Phase::kEnded;
  report(std::move(gone));
}

bool Host::is_local(std::int64_t run_id) const {
  return local_ != nullptr && local_->knows(run_id);
}

bool Host::has_accepted(process::RunKey key) const {
  const auto note = journal_.find(key);
  return note != journal_.end() && note->second.kind == store::JournalKind::kAccepted;
}

bool Host::has_alive(std::uint64_t job_uid) const {
  const bool has_task = std::any_of(tasks_.begin(), tasks_.end(), [job_uid](const auto& item) {
    return item.second.run.job_uid == job_uid && item.second.phase != Phase::kEnded;
  });
  return has_task ||
         std::any_of(others_alive_.begin(), others_alive_.end(), [&](const auto& other) {
           return other.second == job_uid || other.second == 0;  // whose it is, is not known yet
         });
}

/// What is told to an agent whose state is behind, of runs that are not local: kept in mind only as
/// far as it stands in the way of a local one.
bool Host::handle_behind(const process::ExecEvent& event) {
  if (!is_behind_) return false;
  if (const auto* running = std::get_if<process::ExecRunning>(&event)) {
    const std::int64_t run_id = running->run.key.run_id;
    if (is_local(run_id)) return false;
    const model::Run* live = state_.find_live_run(run_id);
    others_alive_[running->run.key] = live != nullptr ? live->job_uid : 0;
    return true;
  }
  if (const auto* ended = std::get_if<process::ExecEnded>(&event)) {
    others_alive_.erase(ended->key);
    return !is_local(ended->key.run_id);
  }
  const auto* refused = std::get_if<process::ExecRefused>(&event);
  return refused != nullptr && !is_local(refused->key.run_id);
}

/// Local runs that were accepted before the agent was started, and that the executor does not name.
void Host::reconcile_local(const Now& now) {
  if (local_ == nullptr) return;
  for (const process::RunKey key : local_->unheard()) {
    if (seen_.contains(key)) continue;
    const auto task = tasks_.find(key);
    if (task != tasks_.end() && task->second.phase == Phase::kSpawning) {
      task->second.phase = Phase::kArmed;  // as in reconcile_run()
      timers_.emplace(now.mono, key);
      continue;
    }
    const bool was_running = task != tasks_.end() && task->second.phase == Phase::kRunning;
    if (task != tasks_.end() && !was_running) continue;
    if (ports_.files->load_end_record(key)) {
      on_ended(process::ExecEnded{key, true}, now);
      continue;
    }
    const auto note = journal_.find(key);
    const bool is_refused =
        note != journal_.end() && note->second.kind == store::JournalKind::kTombstone;
    const bool this_boot = note != journal_.end() && note->second.boot_id == facts_.boot_id;
    model::HostReport gone;
    gone.run_id = key.run_id;
    gone.attempt = key.attempt;
    // Of an attempt of this boot the executor would know; one of an earlier boot may have run.
    const bool has_not_run = !was_running && (is_refused || this_boot);
    gone.kind = has_not_run ? model::ReportKind::kUnstarted : model::ReportKind::kEnded;
    gone.outcome = model::RunState::kUnknown;
    gone.reason = model::Reason::kHostReboot;
    if (has_not_run) gone.reason = model::Reason::kHostCrash;
    if (was_running) gone.reason = model::Reason::kSupervisorLost;
    if (!has_not_run) gone.ended_at = recorded(now);
    tasks_.erase(key);
    report(std::move(gone));
  }
}

void Host::kill_all() {
  std::erase_if(tasks_, [](const auto& item) {
    return item.second.phase == Phase::kArmed || item.second.phase == Phase::kAccepting;
  });
  for (auto& [key, task] : tasks_) {
    constexpr std::int64_t kGraceMs = 1'000;
    if (exec_) static_cast<void>(exec_->kill(key, 0, kGraceMs));
  }
}

void Host::remove_output(std::int64_t run_id) {
  if (!exec_) return;
  const auto attempts = ports_.files->list_attempts(run_id);
  if (!attempts) return;
  for (const std::int32_t attempt : *attempts) {
    static_cast<void>(exec_->remove(process::RunKey{run_id, attempt}));
  }
}

}  // namespace distcron::agent
