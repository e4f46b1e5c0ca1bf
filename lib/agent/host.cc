// SPDX-License-Identifier: Apache-2.0
#include "agent/host.h"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

#include "agent/local_runs.h"
#include "base/mutant.h"

namespace distcron::agent {

namespace {

constexpr Seconds kWallWaitMax{1};    // wait for the wall clock to reach the slot
constexpr Seconds kWallWaitSlack{2};  // ... and so long after that wait it may still start
constexpr Millis kConnectPause{50};
constexpr Millis kExecutorPause{1'500};  // its guard starts it again within a second
constexpr Seconds kRefusalPause{1};
constexpr Seconds kReportPause{1};
constexpr std::size_t kReportsPerEntry = 1'000;

process::RunKey key_of(const model::Run& run) {
  return process::RunKey{run.run_id, run.attempt};
}

}  // namespace

void Host::load_journal(const std::vector<store::JournalPut>& journal) {
  for (const store::JournalPut& put : journal) {
    journal_[process::RunKey{put.run_id, put.attempt}] = put;
  }
}

void Host::on_order(const planner::Order& order, const Now& now) {
  if (const auto* claim = std::get_if<planner::ClaimOrder>(&order)) {
    if (claim->run.node_id == facts_.node_id) accept(*claim, now);
  } else if (const auto* revoked = std::get_if<planner::RevokeOrder>(&order)) {
    if (revoked->node_id == facts_.node_id) revoke(*revoked);
  } else if (const auto* killed = std::get_if<planner::KillOrder>(&order)) {
    if (killed->node_id == facts_.node_id) kill(*killed);
  } else if (const auto* committed = std::get_if<planner::EndCommitted>(&order)) {
    if (committed->node_id == facts_.node_id) {
      forget(process::RunKey{committed->run_id, committed->attempt});
    }
  }
}

void Host::revoke(const planner::RevokeOrder& order) {
  const process::RunKey key{order.run_id, order.attempt};
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) {
    if (!journal_.contains(key)) tombstone(key, order.reason, {});
    return;
  }
  Task& task = found->second;
  if (mutant("revoke-says-only")) {
    model::HostReport unstarted;
    unstarted.kind = model::ReportKind::kUnstarted;
    unstarted.run_id = key.run_id;
    unstarted.attempt = key.attempt;
    return report(std::move(unstarted));
  }
  if (task.phase == Phase::kAccepting || task.phase == Phase::kArmed) {
    task.phase = Phase::kRevoking;
    tombstone(key, order.reason, {});
  }
  // Later it has started, or the executor is about to say that it has not: that report decides.
}

void Host::tombstone(process::RunKey key, model::Reason reason, std::string detail) {
  store::JournalPut put;
  put.run_id = key.run_id;
  put.attempt = key.attempt;
  put.kind = store::JournalKind::kTombstone;
  put.boot_id = facts_.boot_id;
  if (is_local(key.run_id)) put.bytes = journal_[key].bytes;  // which slot it was
  journal_[key] = put;
  log_.journal(put, [this, key, reason, detail](const Status& status) {
    if (!status) {
      retry_tombstones_.push_back(Tombstone{key, reason, detail});
      return;
    }
    tasks_.erase(key);
    model::HostReport unstarted;
    unstarted.kind = model::ReportKind::kUnstarted;
    unstarted.run_id = key.run_id;
    unstarted.attempt = key.attempt;
    unstarted.reason = reason;
    unstarted.detail = detail;
    report(std::move(unstarted));
  });
}

void Host::kill(const planner::KillOrder& order) {
  const process::RunKey key{order.run_id, order.attempt};
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) {
    // After a restart: known once the executor has told what is alive.
    if (!has_executor()) early_kills_[key] = order;
    return;
  }
  found->second.kill_wanted = true;
  found->second.kill = order;
  if (found->second.phase != Phase::kRunning || !exec_) return;
  static_cast<void>(exec_->kill(found->first, order.signal, order.grace.count()));
}

void Host::forget(process::RunKey key) {
  tasks_.erase(key);
  if (journal_.erase(key) > 0) log_.drop(store::JournalDrop{key.run_id, key.attempt});
  if (exec_) static_cast<void>(exec_->ack(key));
}

// --- time --------------------------------------------------------------------------------------

std::optional<MonoTime> Host::next_timer() const {
  std::optional<MonoTime> next = retry_at_;
  if (has_executor() && !timers_.empty()) {
    if (!next || timers_.begin()->first < *next) next = timers_.begin()->first;
  }
  if (!exec_ && (!next || next_connect_ < *next)) next = next_connect_;
  return next;
}

void Host::on_timer(const Now& now) {
  if (!exec_ && now.mono >= next_connect_) connect(now);
  // After a restart the state may be behind what this host was told and has answered. While it is
  // alone it may still start runs of its own, and hears of those only; all the rest comes again.
  const bool is_alone = local_ != nullptr && local_->is_alone();
  if (exec_ && is_behind_ && !is_alone) lose_executor();
  if (exec_ && !inventory_asked_ && (log_.is_caught_up() || is_alone || mutant("start-behind"))) {
    inventory_asked_ = true;
    is_behind_ = !log_.is_caught_up() && !mutant("start-behind");
    if (!exec_->inventory()) lose_executor();
  }
  if (retry_at_ && now.mono >= *retry_at_) {
    retry_at_.reset();
    for (const Tombstone& again : std::exchange(retry_tombstones_, {})) {
      tombstone(again.key, again.reason, again.detail);
    }
    for (model::HostReport& again : std::exchange(retry_reports_, {}))
      report(std::move(again));
  }
  const bool is_waiting_for_log = exec_ && !inventory_asked_;
  if (has_executor() || is_waiting_for_log) {
    executor_lost_at_.reset();
  } else if (!executor_lost_at_) {
    executor_lost_at_ = now.mono;
  }
  if (has_executor() || (exec_ && mutant("duplicate-is-refusal"))) {
    start_due(now);
  } else if (now.mono >= next_refusal_) {
    next_refusal_ = now.mono + kRefusalPause;
    refuse_overdue(now);
  }
}

bool Host::can_start(const Now& now) const {
  return !executor_lost_at_ || now.mono - *executor_lost_at_ < kExecutorPause;
}

void Host::start_due(const Now& now) {
  while (!timers_.empty() && timers_.begin()->first <= now.mono) {
    const process::RunKey key = timers_.begin()->second;
    timers_.erase(timers_.begin());
    const auto found = tasks_.find(key);
    if (found != tasks_.end() && found->second.phase == Phase::kArmed) {
      Task& task = found->second;
      stretch(task.start);
      start(key, task, now);
    }
  }
}

/// What nobody can start here may still start in time elsewhere.
void Host::refuse_overdue(const Now& now) {
  for (auto timer = timers_.begin(); timer != timers_.end() && timer->first <= now.mono;) {
    const process::RunKey key = timer->second;
    const auto found = tasks_.find(key);
    const bool is_armed = found != tasks_.end() && found->second.phase == Phase::kArmed;
    if (is_armed) stretch(found->second.start);
    if (is_armed && now.mono <= found->second.start.by) {
      ++timer;
      continue;
    }
    timer = timers_.erase(timer);
    if (!is_armed || !is_claimed(key)) continue;
    found->second.phase = Phase::kRevoking;
    tombstone(key, model::Reason::kTooLate, "the host has no executor");
  }
}

bool Host::is_claimed(process::RunKey key) const {
  const model::Run* live = state_.find_live_run(key.run_id);
  const bool is_ours = live != nullptr && live->attempt == key.attempt &&
                       live->node_id == facts_.node_id &&
                       live->state == model::RunState::kDispatched;
  return is_ours || is_local(key.run_id);
}

void Host::start(process::RunKey key, Task& task, const Now& now) {
  // A `date` in a midnight job shall say the new day: wait for this host's own clock, a little.
  const Micros early = task.run.scheduled_at - now.wall;
  const MonoTime wait_end = std::min(now.mono + early, task.start.at + kWallWaitMax);
  if (early > Micros(0) && now.mono < wait_end) {
    timers_.emplace(wait_end, key);
    task.start.by = std::max(task.start.by, wait_end + kWallWaitSlack);
    return;
  }
  if (!is_claimed(key)) return;
  if (now.mono > task.start.by && !mutant("start-late")) {
    task.phase = Phase::kRevoking;
    tombstone(key, model::Reason::kTooLate, "the host came to it too late");
    return;
  }
  process::SpawnPlan plan = make_plan(*task.spec, task.run, facts_);
  plan.start_by_boottime_us = task.start.by.time_since_epoch().count();
  if (mutant("start-late")) plan.start_by_boottime_us = 0;
  task.phase = Phase::kSpawning;
  if (Status sent = exec_->spawn(plan); !sent) {
    if (sent.error().code == ErrorCode::kInvalid) {
      task.phase = Phase::kRevoking;
      tombstone(key, model::Reason::kSpawnFailed, sent.error().message);
    } else {
      task.phase = Phase::kArmed;
      timers_.emplace(now.mono + kConnectPause, key);
    }
  }
}

// --- executor ------------------------------------------------------------------------------------

void Host::connect(const Now& now) {
  auto client = ports_.connect();
  if (!client) {
    next_connect_ = now.mono + kConnectPause;
    return;
  }
  exec_ = std::move(*client);
  recovered_ = false;
  inventory_asked_ = false;
  seen_.clear();
}

void Host::lose_executor() {
  exec_.reset();
  recovered_ = false;
  is_behind_ = false;
  others_alive_.clear();
  if (!mutant("duplicate-is-refusal")) return;
  for (auto& [key, task] : tasks_) {
    if (task.phase != Phase::kSpawning) continue;
    task.phase = Phase::kArmed;
    timers_.emplace(task.start.at, key);
  }
}

void Host::on_executor(const Now& now) {
  if (!exec_) return;
  if (!exec_->flush()) {
    lose_executor();
    return;
  }
  auto events = exec_->read_events();
  if (!events) {
    lose_executor();
    return;
  }
  for (const process::ExecEvent& event : *events)
    handle(event, now);
}

Status Host::spawn_extra(const process::SpawnPlan& plan) {
  if (!exec_) return fail(ErrorCode::kUnavailable, "cannot start: the executor is not there");
  return exec_->spawn(plan);
}

bool Host::ask_spool(std::int64_t question, const std::string& name) {
  return has_executor() && exec_->ask_spool(question, name).has_value();
}

bool Host::handle_extra(const process::ExecEvent& event) {
  if (const auto* table = std::get_if<process::ExecSpoolFile>(&event)) {
    if (on_spool_) on_spool_(*table);
    return true;
  }
  if (const auto* running = std::get_if<process::ExecRunning>(&event)) {
    return running->run.key.attempt >= kOutboxAttempt;
  }
  if (const auto* started = std::get_if<process::ExecStarted>(&event)) {
    return started->key.attempt >= kOutboxAttempt;
  }
  const auto* refused = std::get_if<process::ExecRefused>(&event);
  const auto* ended = std::get_if<process::ExecEnded>(&event);
  if (refused == nullptr && ended == nullptr) return false;
  const process::RunKey key = refused != nullptr ? refused->key : ended->key;
  if (key.attempt < kOutboxAttempt) return false;
  static_cast<void>(exec_->remove(key));
  return true;
}

void Host::handle(const process::ExecEvent& event, const Now& now) {
  if (handle_extra(event)) return;
  // What is told before the state is known to be complete cannot be compared with it, and must not
  // be acknowledged: the inventory tells it again.
  const bool is_early = !inventory_asked_ && std::get_if<process::ExecHello>(&event) == nullptr;
  if (is_early && !mutant("early-told")) return;
  if (handle_behind(event)) return;
  if (const auto* hello = std::get_if<process::ExecHello>(&event)) {
    hello_ = *hello;
  } else if (const auto* running = std::get_if<process::ExecRunning>(&event)) {
    seen_.insert(running->run.key);
    on_started(running->run, now);
  } else if (const auto* started = std::get_if<process::ExecStarted>(&event)) {
    on_started(*started, now);
  } else if (const auto* refused = std::get_if<process::ExecRefused>(&event)) {
    seen_.insert(refused->key);
    on_refused(*refused);
  } else if (const auto* ended = std::get_if<process::ExecEnded>(&event)) {
    seen_.insert(ended->key);
    on_ended(*ended, now);
  } else if (std::get_if<process::ExecInventoryDone>(&event) != nullptr) {
    reconcile(now);
  }
}

void Host::on_started(const process::ExecStarted& started, const Now& now) {
  auto found = tasks_.find(started.key);
  if (found == tasks_.end()) {
    const model::Run* live = state_.find_live_run(started.key.run_id);
    const bool is_alone = is_local(started.key.run_id);
    if (!is_alone && (live == nullptr || live->attempt != started.key.attempt)) return;
    Task adopted;
    adopted.run = is_alone ? local_->run_of(started.key.run_id) : *live;
    adopted.start = start_of(started.key);
    if (const planner::Job* job = state_.find_job(adopted.run.job_uid)) adopted.spec = job->spec;
    want_earlier_kill(adopted);
    found = tasks_.emplace(started.key, std::move(adopted)).first;
  }
  Task& task = found->second;
  if (task.phase == Phase::kEnded) return;
  const bool known = task.phase == Phase::kRunning;
  task.phase = Phase::kRunning;
  const model::Run* live = state_.find_live_run(started.key.run_id);
  const bool is_claimed = live != nullptr && live->state == model::RunState::kDispatched;
  if (!known && (is_claimed || is_local(started.key.run_id))) {
    model::HostReport out;
    out.kind = model::ReportKind::kStarted;
    out.run_id = started.key.run_id;
    out.attempt = started.key.attempt;
    out.pid = started.stub_pid;
    out.started_at = started.wall_us > 0 ? recorded(task.start, started.wall_us, started.boot_us)
                                         : recorded(now);
    report(std::move(out));
  }
  if (task.kill_wanted && exec_) {
    static_cast<void>(exec_->kill(started.key, task.kill.signal, task.kill.grace.count()));
  }
}

void Host::want_earlier_kill(Task& task) {
  const auto early = early_kills_.find(key_of(task.run));
  if (early != early_kills_.end()) {
    task.kill = early->second;
  } else if (!task.run.kill_by.empty() && task.run.state == model::RunState::kRunning) {
    // Committed before the restart, and perhaps never told to the executor. The same twice does no
    // harm: the stub never lengthens a grace.
    task.kill.signal = SIGTERM;
    task.kill.grace = task.spec ? task.spec->kill_grace : model::JobSpec{}.kill_grace;
  } else {
    return;
  }
  task.kill_wanted = true;
}

void Host::on_refused(const process::ExecRefused& refused) {
  if (refused.reason == process::RefuseReason::kDuplicate && !mutant("duplicate-is-refusal")) {
    if (exec_) static_cast<void>(exec_->inventory());
    return;
  }
  model::HostReport out;
  out.kind = model::ReportKind::kUnstarted;
  out.run_id = refused.key.run_id;
  out.attempt = refused.key.attempt;
  out.detail = refused.text;
  switch (refused.reason) {
    case process::RefuseReason::kSpawnFailed:
    case process::RefuseReason::kDuplicate:
      out.reason = model::Reason::kSpawnFailed;
      break;
    case process::RefuseReason::kNotReleased:
      out.reason = model::Reason::kHostCrash;  // of the executor: the slot gets a new attempt
      break;
    case process::RefuseReason::kPolicy:
      out.reason = model::Reason::kPolicy;
      break;
    case process::RefuseReason::kLate:
      out.reason = model::Reason::kTooLate;
      break;
    case process::RefuseReason::kSetup:
      out.reason = model::Reason::kSetup;
      // "setup_STEP: words" becomes "STEP: words": the reason says setup already.
      out.detail = refused.text.rfind("setup_", 0) == 0 ? refused.text.substr(6) : refused.step;
      break;
  }
  if (const auto found = tasks_.find(refused.key); found != tasks_.end()) {
    found->second.phase = Phase::kEnded;
  }
  report(std::move(out));
}

void Host::on_ended(const process::ExecEnded& ended, const Now& now) {
  const auto found = tasks_.find(ended.key);
  if (found != tasks_.end() && found->second.phase == Phase::kEnded) return;
  const model::Run* live = state_.find_live_run(ended.key.run_id);
  if (live != nullptr && live->attempt != ended.key.attempt) live = nullptr;
  if (live == nullptr && !is_held(ended.key) && !is_local(ended.key.run_id)) {
    if (exec_) static_cast<void>(exec_->ack(ended.key));  // committed before
    return;
  }
  std::shared_ptr<const model::JobSpec> spec;
  if (found != tasks_.end()) {
    found->second.phase = Phase::kEnded;
    spec = found->second.spec;
  } else if (live != nullptr || is_local(ended.key.run_id)) {
    const std::uint64_t uid =
        live != nullptr ? live->job_uid : local_->run_of(ended.key.run_id).job_uid;
    if (const planner::Job* job = state_.find_job(uid)) spec = job->spec;
  }
  const auto record = ended.has_record ? ports_.files->load_end_record(ended.key)
                                       : Result<process::EndRecord>(fail(ErrorCode::kNotFound, ""));
  if (!record) {
    model::HostReport lost;
    lost.kind = model::ReportKind::kEnded;
    lost.run_id = ended.key.run_id;
    lost.attempt = ended.key.attempt;
    lost.outcome = model::RunState::kUnknown;
    lost.reason = model::Reason::kSupervisorLost;
    lost.detail = record.error().message;
    lost.ended_at = recorded(now);
    report(std::move(lost));
    return;
  }
  report(ended_report(ended.key, live != nullptr ? live->pid : 0, *record, spec));
  // The record and the journal's note outlive the agent; the executor need not remember it as well.
  if (is_local(ended.key.run_id) && exec_) static_cast<void>(exec_->ack(ended.key));
  if (mutant("end-dropped-early") && exec_) static_cast<void>(exec_->remove(ended.key));
}

// --- reports -------------------------------------------------------------------------------------

void Host::report(model::HostReport out) {
  out.random = static_cast<double>(random_.draw() >> 11U) / 9007199254740992.0;  // 2^53
  if (!is_local(out.run_id)) return say(std::move(out));
  local_->take(out);
  if (out.kind != model::ReportKind::kStarted) {
    tasks_.erase(process::RunKey{out.run_id, out.attempt});  // a day of them may wait to be said
  }
}

void Host::say(model::HostReport report) {
  reports_.push_back(std::move(report));
}

void Host::propose_reports(const Now& now) {
  if (!retry_tombstones_.empty() && !retry_at_) retry_at_ = now.mono + kReportPause;
  while (!reports_.empty()) {
    const std::size_t count = std::min(reports_.size(), kReportsPerEntry);
    model::HostReports command;
    command.node_id = facts_.node_id;
    const auto cut = reports_.begin() + static_cast<std::ptrdiff_t>(count);
    command.reports.assign(std::make_move_iterator(reports_.begin()), std::make_move_iterator(cut));
    reports_.erase(reports_.begin(), cut);
    model::Entry entry;
    entry.at = recorded(now);
    entry.actor = "host:" + facts_.node_name;
    entry.command = command;
    const MonoTime again = now.mono + kReportPause;
    log_.propose(std::move(entry), [this, command, again](const planner::Applied& applied) {
      if (applied.status) return;
      retry_reports_.insert(retry_reports_.end(), command.reports.begin(), command.reports.end());
      retry_at_ = again;
    });
  }
}

}  // namespace distcron::agent
