// SPDX-License-Identifier: Apache-2.0
// The runs' side of a turn (planner/turn.h): places, capacity, priority.
#include "planner/turn.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace distcron::planner {

using model::Action;
using model::Concurrency;
using model::Reason;
using model::RunState;

namespace {

/// Not decided about yet: a slot without row, or a trigger that came in since the last turn.
bool is_fresh(const LiveRun* live) {
  return live == nullptr || (live->run.attempt == 0 && live->run.reason == Reason::kNone);
}

/// Shards of one slot do not stand in each other's way.
bool is_same_slot(const model::Run& a, const model::Run& b) {
  return a.shards > 0 && b.shards > 0 && a.scheduled_at == b.scheduled_at && a.origin == b.origin;
}

void put_fact(std::vector<model::Fact>& facts, model::Fact fact) {
  std::erase_if(facts, [&](const model::Fact& old) { return old.check == fact.check; });
  facts.push_back(std::move(fact));
}

}  // namespace

Turn::Turn(StateData& state, const Situation& situation)
    : state_(state),
      now_(situation),
      horizon_(situation.now + situation.look_ahead),
      hosts_(state, situation),
      is_paused_(state.is_paused(situation.now)) {}

Plan Turn::run() {
  Plan plan;
  if (!now_.clock_trusted || state_.nodes.empty()) return plan;
  out_.term = now_.term;
  look_at_hosts();
  collect_losses();
  is_cut_ = !state_.refresh_timers(now_.look_ahead);
  collect_jobs();
  collect_runs();
  decide_all();
  time_claims();
  set_timers_again();
  for (const auto& [uid, use] : uses_) {
    if (use.cursor) out_.cursors.push_back({.job_uid = uid, .cursor = *use.cursor});
  }
  std::sort(out_.cursors.begin(), out_.cursors.end(),
            [](const auto& a, const auto& b) { return a.job_uid < b.job_uid; });
  plan.is_cut = is_cut_;
  if (out_.decisions.empty() && out_.enable_again.empty()) {
    plan.wake_at = is_cut_ ? now_.now : wake_at();
    return plan;
  }
  plan.decide = std::move(out_);
  plan.wake_at = now_.now + kLookAgain;
  return plan;
}

void Turn::collect_runs() {
  std::vector<std::int64_t> ids;
  for (const auto& [at, id] : state_.run_timers) {
    if (at > now_.now || out_.decisions.size() + ids.size() >= kDecisionsMax) break;
    ids.push_back(id);
  }
  for (const std::int64_t id : ids)
    collect_run(*state_.live(id));
}

void Turn::collect_run(LiveRun& live) {
  const model::Run& run = live.run;
  state_.leave_line(live);
  JobEntry* entry = state_.job(run.job_uid);
  if (entry == nullptr) {
    return end_queued(live, Action::kCancel, Reason::kRemoved, {"job", false, "it was removed"});
  }
  const Job& job = entry->job;
  if (waits_for_local_runs(job)) return state_.set_look_at(live, now_.now + kLocalRunsPause);
  const bool is_scheduled = run.trigger == model::Trigger::kSchedule;
  bool may_be_none = false;  // whether the job, as changed, has this slot is not known here
  if (is_scheduled && run.starts == 0 && run.job_version != job.version) {
    const cron::Zone* zone = zone_of(job);
    may_be_none = zone == nullptr;
    if (zone != nullptr && !is_slot(job, run.scheduled_at, *zone)) {
      return end_queued(
          live, Action::kCancel, Reason::kEdited,
          {"schedule", false,
           "version " + std::to_string(job.version) + " of the job has no slot here"});
    }
  }
  const std::optional<WallTime> end = window_end(run, *entry);
  if (end && now_.now > *end) {
    const Reason why = run.reason;
    const bool is_host =
        why == Reason::kNoHost || why == Reason::kHostDown || why == Reason::kClock;
    return end_queued(live, Action::kMiss, is_host ? why : Reason::kTooLate,
                      {"misfire", false, "could not start before " + utc_text(*end)});
  }
  if (may_be_none) return state_.set_look_at(live, now_.now + kZonePause);
  // A trigger is for now, also when the clock went back since it came in. A slot that was claimed
  // ahead and refused does not start before its time for that.
  const WallTime first = is_scheduled ? run.scheduled_at : now_.now;
  const WallTime start = std::max(first, run.not_before.value_or(first));
  if (start > horizon_) return state_.set_look_at(live, start - now_.look_ahead);
  Candidate candidate;
  candidate.key = {job.spec->priority, run.scheduled_at, run.job, run.run_id};
  candidate.job_uid = job.uid;
  candidate.start_at = start;
  candidates_.push_back(std::move(candidate));
}

/// Until when a run may wait; unset where only its predecessor counts, or once it had an attempt.
std::optional<WallTime> Turn::window_end(const model::Run& run, JobEntry& entry) const {
  if (run.starts > 0 || run.reason == Reason::kOverlapWait || run.possible_overlap) {
    return std::nullopt;
  }
  const Job& job = entry.job;
  if (run.trigger != model::Trigger::kSchedule) {
    return run.created_at.value_or(run.scheduled_at) + limits_of(*job.spec, std::nullopt).window;
  }
  const cron::Zone* zone = zone_of(job);
  const auto gap = zone != nullptr ? interval(entry, *zone) : std::nullopt;
  return run.scheduled_at + limits_of(*job.spec, gap).window;
}

/// Candidates and the line of those that lack capacity only, merged by priority.
void Turn::decide_all() {
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.key < b.key; });
  std::size_t next = 0;
  auto waiting = state_.line.begin();
  while (next < candidates_.size() || (hosts_.room() > 0 && waiting != state_.line.end())) {
    const bool takes_waiting = hosts_.room() > 0 && waiting != state_.line.end() &&
                               (next == candidates_.size() || *waiting < candidates_[next].key);
    if (!takes_waiting) {
      decide(candidates_[next++]);
      continue;
    }
    Candidate candidate;
    candidate.key = *waiting++;
    const model::Run& run = state_.live(candidate.key.run_id)->run;
    candidate.job_uid = run.job_uid;
    candidate.start_at = run.not_before.value_or(now_.now);
    decide(candidate);
  }
}

LiveRun* Turn::live_of(const Candidate& candidate) {
  return candidate.key.run_id != 0 ? state_.live(candidate.key.run_id) : nullptr;
}

void Turn::decide(const Candidate& candidate) {
  JobEntry& entry = *state_.job(candidate.job_uid);
  const Job& job = entry.job;
  LiveRun* live = live_of(candidate);
  if (live == nullptr && uses_[job.uid].is_stopped) return;
  if (live != nullptr && gone_.contains(live->run.run_id)) return;
  if (waits_for_local_runs(job)) return;  // it keeps its place in the line
  const Overlap overlap = overlap_of(candidate, job);
  const std::vector<HostPool::Share> shares = shares_of(live, job);
  HostPool::Pick pick;
  if (shares.empty()) pick = hosts_.pick(wish_of(live, job));
  const bool has_host = shares.empty()
                            ? pick.node != nullptr
                            : std::all_of(shares.begin(), shares.end(),
                                          [](const auto& share) { return share.is_ready; });
  const bool can_start = has_host && !overlap.is_blocked && !is_paused_;
  if (candidate.start_at > horizon_ || (candidate.start_at > now_.now && !can_start)) {
    return decide_early(candidate, job, live);
  }
  if (is_paused_ && !(live != nullptr && live->run.force)) {
    return decide_paused(candidate, job, live);
  }
  if (overlap.is_blocked) return decide_blocked(candidate, job, overlap);
  if (!shares.empty()) return decide_shards(candidate, job, shares);
  if (has_host) return claim(candidate, job, *pick.node);
  if (pick.reason == Reason::kCapacity) {
    return decide_no_room(candidate, entry, live, std::move(pick.facts));
  }
  decide_no_host(candidate, entry, live, std::move(pick));
}

/// Its time has not come and it cannot be claimed ahead.
void Turn::decide_early(const Candidate& candidate, const Job& job, LiveRun* live) {
  if (live != nullptr) {
    state_.leave_line(*live);
    return state_.set_look_at(*live, candidate.start_at);
  }
  const WallTime slot = candidate.key.scheduled_at;
  JobUse& use = uses_[job.uid];
  if (slot > now_.now) {
    use.is_stopped = true;
    use.look_at = std::min(use.look_at.value_or(kNever), slot);
    return;
  }
  emit(candidate, job, Action::kQueue, Reason::kNone,
       {"jitter", true, "starts " + span_text(candidate.start_at - slot) + " later"});
  ++use.queued;
}

void Turn::decide_blocked(const Candidate& candidate, const Job& job, const Overlap& overlap) {
  LiveRun* live = live_of(candidate);
  if (!is_fresh(live)) {
    state_.leave_line(*live);  // the end of the other one wakes it
    const std::optional<WallTime> end = window_end(live->run, *state_.job(job.uid));
    return state_.set_look_at(*live, end ? *end + Micros{1} : kNever);
  }
  const Concurrency policy = job.spec->concurrency;
  const std::string rule = "; concurrency = " + std::string(model::name_of(policy));
  model::Fact fact{"overlap", false, overlap.text + rule};
  if (policy == Concurrency::kQueue || candidate.is_catch_up) {
    const std::int64_t waiting_max = candidate.is_catch_up ? kCatchupMax : kWaitingOfJobMax;
    if (overlap.waiting >= waiting_max) {
      fact.text += ", and " + std::to_string(overlap.waiting) + " runs wait already";
      emit(candidate, job, Action::kMiss, Reason::kQueueFull, std::move(fact));
      return;
    }
  } else if (policy == Concurrency::kForbid) {
    emit(candidate, job, Action::kSkip, Reason::kOverlap, std::move(fact));
    return;
  } else {
    replace_others(candidate, job);
  }
  emit(candidate, job, Action::kQueue, Reason::kOverlapWait, std::move(fact));
  if (live == nullptr) ++uses_[job.uid].queued;
}

void Turn::decide_no_room(const Candidate& candidate, JobEntry& entry, LiveRun* live,
                          std::vector<model::Fact> facts) {
  const Job& job = entry.job;
  const bool waits_already = live != nullptr && live->run.reason != Reason::kNone &&
                             live->run.reason != Reason::kNoHost &&
                             live->run.reason != Reason::kHostDown;
  if (!waits_already) {
    model::Decision& decision =
        emit(candidate, job, Action::kQueue, Reason::kCapacity, std::move(facts.front()));
    decision.facts.insert(decision.facts.end(), facts.begin() + 1, facts.end());
    if (live == nullptr) ++uses_[job.uid].queued;
    return;
  }
  wait_in_line(*live, job, window_end(live->run, entry));
}

void Turn::wait_in_line(LiveRun& live, const Job& job, std::optional<WallTime> until) {
  state_.leave_line(live);
  live.line_place = {job.spec->priority, live.run.scheduled_at, live.run.job, live.run.run_id};
  state_.line.insert(*live.line_place);
  state_.set_look_at(live, until ? *until + Micros{1} : kNever);
}

void Turn::replace_others(const Candidate& candidate, const Job& job) {
  for (const std::int64_t id : state_.run_ids_of(job.uid)) {
    const model::Run& other = state_.live(id)->run;
    if (id == candidate.key.run_id || gone_.contains(id)) continue;
    const LiveRun* own = live_of(candidate);
    if (own != nullptr && is_before(own->run, other)) continue;
    if (own != nullptr && is_same_slot(other, own->run)) continue;
    const bool is_ending = is_busy(other.state) && !other.kill_by.empty();
    if (is_ending) continue;
    Candidate victim;
    victim.key.run_id = id;
    victim.key.scheduled_at = other.scheduled_at;
    victim.job_uid = job.uid;
    emit(victim, job, Action::kReplace, Reason::kReplaced, {});
    if (other.state == RunState::kQueued) gone_.insert(id);
  }
}

Turn::Overlap Turn::overlap_of(const Candidate& candidate, const Job& job) const {
  Overlap overlap;
  const auto own = state_.runs.find(candidate.key.run_id);
  const bool is_forced = own != state_.runs.end() && own->second.run.force;
  if (job.spec->concurrency == Concurrency::kAllow || is_forced) return overlap;
  const auto use = uses_.find(job.uid);
  if (use != uses_.end()) {
    const bool is_slot_candidate = candidate.key.run_id == 0;
    overlap.waiting += use->second.queued;
    if (use->second.claims > 0 || (is_slot_candidate && use->second.queued > 0)) {
      overlap.is_blocked = true;
      overlap.text = "an earlier run starts now";
    }
  }
  for (const std::int64_t id : state_.run_ids_of(job.uid)) {
    const model::Run& other = state_.runs.at(id).run;
    if (mutant("dispatched-not-counted") && other.state == RunState::kDispatched) continue;
    if (id == candidate.key.run_id || gone_.contains(id)) continue;
    if (own != state_.runs.end() && is_same_slot(other, own->second.run)) continue;
    if (other.state == RunState::kQueued) ++overlap.waiting;
    const bool is_ahead = own == state_.runs.end() || is_before(other, own->second.run);
    if (!is_busy(other.state) && !is_ahead) continue;
    overlap.is_blocked = true;
    if (overlap.holder != 0) continue;
    overlap.holder = id;
    const std::optional<WallTime> since = other.started_at ? other.started_at : other.created_at;
    overlap.text = "run " + std::to_string(id) + " is " + std::string(model::name_of(other.state));
    if (since) overlap.text += " since " + utc_text(*since);
  }
  const std::int64_t held = mutant("hold-ignored") ? 0 : state_.hold_of(job.uid);
  if (held != 0 && !overlap.is_blocked) {
    overlap.is_blocked = true;
    overlap.holder = held;
    overlap.text = "run " + std::to_string(held) + " may still be alive on a silent host";
  }
  return overlap;
}

model::Decision& Turn::emit(const Candidate& candidate, const Job& job, Action action,
                            Reason reason, model::Fact fact) {
  const LiveRun* live = live_of(candidate);
  model::Decision decision;
  decision.run_id = candidate.key.run_id;
  decision.job_uid = job.uid;
  decision.job_version = job.version;
  decision.scheduled_at = candidate.key.scheduled_at;
  decision.action = action;
  decision.reason = reason;
  decision.attempt = live != nullptr ? live->run.attempt + 1 : 1;
  if (action == Action::kQueue) decision.start_at = candidate.start_at;
  if (live == nullptr) {
    const cron::Zone* zone = zone_of(job);
    if (zone != nullptr) {
      decision.facts.push_back(schedule_fact(job, candidate.key.scheduled_at, *zone));
    }
    JobUse& use = uses_[job.uid];
    use.cursor = std::max(use.cursor.value_or(kEarliest), candidate.key.scheduled_at);
    use.look_at = now_.now;
  } else if (!fact.check.empty()) {
    decision.facts = live->run.facts;
  }
  if (!fact.check.empty()) put_fact(decision.facts, std::move(fact));
  const bool is_end =
      action == Action::kSkip || action == Action::kMiss || action == Action::kCancel;
  if (is_end && live != nullptr) gone_.insert(candidate.key.run_id);
  out_.decisions.push_back(std::move(decision));
  return out_.decisions.back();
}

void Turn::end_queued(LiveRun& live, Action action, Reason reason, model::Fact fact) {
  Job nobody;
  const JobEntry* entry = state_.job(live.run.job_uid);
  nobody.uid = live.run.job_uid;
  Candidate candidate;
  candidate.key.run_id = live.run.run_id;
  candidate.key.scheduled_at = live.run.scheduled_at;
  candidate.job_uid = live.run.job_uid;
  emit(candidate, entry != nullptr ? entry->job : nobody, action, reason, std::move(fact));
}

}  // namespace distcron::planner
