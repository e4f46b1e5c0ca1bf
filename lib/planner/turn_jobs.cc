// SPDX-License-Identifier: Apache-2.0
// The schedule's side of a turn (planner/turn.h): which jobs to look at, which of their slots were
// missed, which want to start.
#include <algorithm>
#include <utility>

#include "planner/turn.h"

namespace distcron::planner {

using model::Action;
using model::Misfire;
using model::Reason;

const cron::Zone* Turn::zone_of(const Job& job) const {
  if (unknown_zones_.contains(job.spec->tz)) return nullptr;
  const cron::Zone* zone = state_.find_zone(job.spec->tz);
  if (zone == nullptr) unknown_zones_.insert(job.spec->tz);
  return zone;
}

void Turn::collect_jobs() {
  while (!state_.job_timers.is_empty() && state_.job_timers.top().at <= now_.now) {
    const JobTimer timer = state_.job_timers.pop();
    if (state_.is_stale(timer)) continue;
    const bool is_full = out_.decisions.size() + candidates_.size() >= kDecisionsMax;
    if (is_full || slots_looked_at_ >= kSlotsOfTurnMax) {
      state_.job_timers.push(timer);
      is_cut_ = true;
      return;
    }
    JobUse& use = uses_[timer.job_uid];
    use.look_at = kNever;
    collect_job(*state_.job(timer.job_uid), use);
  }
}

void Turn::collect_job(JobEntry& entry, JobUse& use) {
  const Job& job = entry.job;
  if (!job.spec->enabled) {
    if (!job.disabled_until) return;
    use.look_at = job.disabled_until;
    if (*job.disabled_until <= now_.now) out_.enable_again.push_back(job.spec->name);
    return;
  }
  if (waits_for_local_runs(job)) {
    use.look_at = now_.now + kLocalRunsPause;
    if (now_.local_is_given_up) give_up_unsaid(job, use);
    return;
  }
  if (const cron::Zone* zone = zone_of(job)) {
    state_.zoneless.erase(job.uid);
    collect_slots(entry, *zone, use);
  } else if (!job.schedules.empty()) {
    state_.zoneless.insert(job.uid);
    use.look_at = now_.now + kZonePause;
  }
}

void Turn::collect_slots(JobEntry& entry, const cron::Zone& zone, JobUse& use) {
  const Job& job = entry.job;
  if (miss_doubtful(job, zone, use)) return;
  const SlotLimits limits = limits_of(*job.spec, interval(entry, zone));
  const SlotScan scan = scan_slots(job, zone, now_.now, limits);
  slots_looked_at_ += scan.looked_at;
  collect_misfires(job, scan, limits);
  if (scan.is_cut) {
    is_cut_ = true;
    use.look_at = now_.now;
    return;
  }
  // Slots that come due while the job catches up stand in the same queue.
  const bool is_catch_up = job.spec->misfire == Misfire::kAll && !scan.misfires.is_empty();
  for (std::size_t i = 0; i < scan.on_time.size(); ++i) {
    const bool is_newest = i + 1 == scan.on_time.size();
    if (job.spec->concurrency == model::Concurrency::kReplace && !is_newest) {
      miss_one(job, scan.on_time[i], {Reason::kSuperseded, 0, "a newer slot is due as well", false},
               "");
    } else {
      add_slot(job, scan.on_time[i], "", is_catch_up);
    }
  }
  collect_ahead(job, zone, scan.ahead, use);
}

std::optional<Seconds> Turn::interval(JobEntry& entry, const cron::Zone& zone) const {
  if (entry.interval_version != entry.job.version) {
    entry.interval = interval_of(entry.job, zone, entry.job.cursor);
    entry.interval_version = entry.job.version;
  }
  return entry.interval;
}

void Turn::collect_misfires(const Job& job, const SlotScan& scan, const SlotLimits& limits) {
  const model::JobSpec& spec = *job.spec;
  const std::string window = span_text(limits.window - spec.jitter);
  const std::string late = span_text(limits.late - spec.jitter);
  const std::string rule = "misfire = " + std::string(model::name_of(spec.misfire));
  if (!scan.too_late.is_empty()) {
    miss(job, scan.too_late,
         {Reason::kTooLate, 0, "window of " + window + " is over", scan.is_cut});
  }
  if (scan.misfires.is_empty()) return;
  // Which of the newest run after all, and whether all at once would be a lie about "once".
  const auto catch_up_max = std::min<std::int64_t>(spec.catchup_max, kCatchupMax);
  std::int64_t runs = 0;
  if (spec.misfire == Misfire::kOnce && scan.on_time.empty()) runs = 1;
  if (spec.misfire == Misfire::kAll) runs = catch_up_max;
  const bool is_last_only = spec.concurrency == model::Concurrency::kReplace;
  if (is_last_only && spec.misfire == Misfire::kAll) runs = scan.on_time.empty() ? 1 : 0;
  const auto newest = static_cast<std::size_t>(runs);
  const bool is_skip = spec.misfire == Misfire::kSkip;
  miss(
      job, scan.misfires,
      {is_skip ? Reason::kMisfireSkip : Reason::kSuperseded, newest,
       "not claimed within " + late + "; " + rule + (is_skip ? "" : ", newer slots take its place"),
       scan.is_cut});
  if (scan.is_cut) return;
  const std::vector<WallTime> kept = scan.misfires.kept();
  for (std::size_t i = kept.size() - std::min(newest, kept.size()); i < kept.size(); ++i) {
    add_slot(job, kept[i],
             span_text(now_.now - kept[i]) + " late, claimed not within " + late + "; " + rule +
                 ", inside the window of " + window,
             spec.misfire == Misfire::kAll);
  }
}

void Turn::miss(const Job& job, const SlotTail& slots, const Missed& missed) {
  SlotTail::Earlier earlier = slots.earlier();
  const std::vector<WallTime> kept = slots.kept();
  const std::size_t count = kept.size() - std::min(missed.but_newest, kept.size());
  std::size_t one_by_one = 0;  // from here on each slot has a row of its own
  if (missed.is_cut && count > 0) {
    if (earlier.count == 0) earlier.first = kept.front();
    earlier.count += static_cast<std::int64_t>(count);
    earlier.last = kept[count - 1];
    one_by_one = count;
  }
  if (earlier.count > 0) {
    std::string more;
    if (earlier.count > 1) {
      more = "stands for " + std::to_string(earlier.count) + " slots from " +
             utc_text(earlier.first) + " to " + utc_text(earlier.last);
    }
    miss_one(job, earlier.last, missed, more);
  }
  for (std::size_t i = one_by_one; i < count; ++i)
    miss_one(job, kept[i], missed, "");
}

void Turn::miss_one(const Job& job, WallTime slot, const Missed& missed, const std::string& more) {
  Candidate candidate;
  candidate.key.scheduled_at = slot;
  candidate.job_uid = job.uid;
  candidate.start_at = slot;
  std::string text =
      span_text(now_.now - slot) + " late at " + utc_text(now_.now) + ": " + missed.text;
  model::Decision& decision =
      emit(candidate, job, missed.action, missed.reason, {"misfire", false, std::move(text)});
  if (more.empty()) return;
  decision.detail = more;
  decision.facts.push_back({"slots", false, more});
}

void Turn::add_slot(const Job& job, WallTime slot, std::string late_text, bool is_catch_up) {
  Candidate candidate;
  candidate.key = {job.spec->priority, slot, job.spec->name, 0};
  candidate.job_uid = job.uid;
  candidate.start_at = slot + jitter_of(job, slot);
  candidate.late_text = std::move(late_text);
  candidate.is_catch_up = is_catch_up;
  candidates_.push_back(std::move(candidate));
}

void Turn::collect_ahead(const Job& job, const cron::Zone& zone, std::optional<WallTime> slot,
                         JobUse& use) {
  while (slot && *slot <= horizon_) {
    if (*slot + jitter_of(job, *slot) > horizon_) {
      use.look_at = std::min(use.look_at.value_or(kNever), *slot);
      return;
    }
    add_slot(job, *slot, "", false);
    slot = next_slot_of(job, *slot, zone);
  }
  if (slot) use.look_at = std::min(use.look_at.value_or(kNever), *slot - now_.look_ahead);
}

/// Jobs with decisions are looked at again at once: when the entry is applied they get new timers
/// anyway, and when it is lost they are found again.
void Turn::set_timers_again() {
  for (auto& [uid, use] : uses_) {
    if (!use.look_at) continue;
    if (JobEntry* entry = state_.job(uid)) state_.set_timer(*entry, *use.look_at);
  }
}

std::optional<WallTime> Turn::wake_at() {
  while (!state_.job_timers.is_empty() && state_.is_stale(state_.job_timers.top())) {
    state_.job_timers.pop();
  }
  std::optional<WallTime> least;
  if (!state_.job_timers.is_empty()) least = state_.job_timers.top().at;
  if (!state_.run_timers.empty()) {
    const WallTime at = state_.run_timers.begin()->first;
    if (!least || at < *least) least = at;
  }
  if (wake_hosts_ != kNever && (!least || wake_hosts_ < *least)) least = wake_hosts_;
  return least;
}

}  // namespace distcron::planner
