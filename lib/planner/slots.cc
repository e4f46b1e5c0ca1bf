// SPDX-License-Identifier: Apache-2.0
#include "planner/slots.h"

#include <algorithm>

#include "base/hash.h"
#include "model/units.h"

namespace distcron::planner {

namespace {
constexpr int kGapsLookedAt = 6;
}  // namespace

std::optional<WallTime> next_slot_of(const Job& job, WallTime after, const cron::Zone& zone) {
  std::optional<WallTime> least;
  for (const cron::Schedule& schedule : job.schedules) {
    const std::optional<WallTime> at = cron::next(schedule, after, zone);
    if (at && (!least || *at < *least)) least = at;
  }
  return least;
}

bool is_slot(const Job& job, WallTime at, const cron::Zone& zone) {
  return std::any_of(
      job.schedules.begin(), job.schedules.end(),
      [&](const cron::Schedule& schedule) { return cron::matches(schedule, at, zone); });
}

std::optional<Seconds> interval_of(const Job& job, const cron::Zone& zone, WallTime from) {
  std::optional<Seconds> least;
  std::optional<WallTime> before = next_slot_of(job, from, zone);
  for (int i = 0; before && i < kGapsLookedAt; ++i) {
    const std::optional<WallTime> after = next_slot_of(job, *before, zone);
    if (!after) break;
    const Seconds gap = std::max(Seconds{1}, std::chrono::floor<Seconds>(*after - *before));
    if (!least || gap < *least) least = gap;
    before = after;
  }
  return least;
}

Micros jitter_of(const Job& job, WallTime slot) {
  const auto spread = std::chrono::duration_cast<Micros>(job.spec->jitter).count();
  if (spread <= 0) return Micros{0};
  const std::uint64_t hash = mix64(job.uid ^ mix64(static_cast<std::uint64_t>(epoch_micros(slot))));
  return Micros{static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(spread))};
}

SlotLimits limits_of(const model::JobSpec& spec, std::optional<Seconds> interval) {
  SlotLimits limits;
  limits.late =
      interval ? std::min(kLateMax, std::chrono::duration_cast<Micros>(*interval) / 2) : kLateMax;
  limits.window = model::effective_misfire_window(spec, interval);
  // Jitter moves all starts of a job; what it adds is not lateness.
  const Micros jitter = spec.jitter;
  limits.late += jitter;
  limits.window += jitter;
  return limits;
}

void SlotTail::add(WallTime slot) {
  ++count_;
  if (ring_.size() < kept_max_) {
    ring_.push_back(slot);
    return;
  }
  const WallTime out = ring_[head_];
  ring_[head_] = slot;
  head_ = (head_ + 1) % kept_max_;
  if (earlier_.count++ == 0) earlier_.first = out;
  earlier_.last = out;
}

std::vector<WallTime> SlotTail::kept() const {
  std::vector<WallTime> out(ring_);
  std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(head_), out.end());
  return out;
}

SlotScan scan_slots(const Job& job, const cron::Zone& zone, WallTime now,
                    const SlotLimits& limits) {
  SlotScan scan;
  std::optional<WallTime> slot = next_slot_of(job, job.cursor, zone);
  for (; slot && *slot <= now; ++scan.looked_at) {
    if (scan.looked_at == kSlotsOfJobMax) {
      scan.is_cut = true;
      return scan;
    }
    const Micros age = now - *slot;
    if (age > limits.window) {
      scan.too_late.add(*slot);
    } else if (age > limits.late) {
      scan.misfires.add(*slot);
    } else {
      scan.on_time.push_back(*slot);
    }
    slot = next_slot_of(job, *slot, zone);
  }
  scan.ahead = slot;
  return scan;
}

std::string utc_text(WallTime at) {
  const bool is_whole = at.time_since_epoch() % Seconds{1} == Micros{0};
  return model::format_utc(at, is_whole ? 0 : 3);
}

std::string span_text(Micros span) {
  if (span < Micros{0}) return "-" + span_text(-span);
  if (span >= std::chrono::hours{1}) {
    return model::format_duration(std::chrono::floor<std::chrono::minutes>(span));
  }
  if (span >= Seconds{10}) return model::format_duration(std::chrono::floor<Seconds>(span));
  return model::format_duration(std::chrono::floor<Millis>(span));
}

model::Fact schedule_fact(const Job& job, WallTime slot, const cron::Zone& zone) {
  const auto& schedules = job.schedules;
  std::size_t which = 0;
  while (which + 1 < schedules.size() && !cron::matches(schedules[which], slot, zone))
    ++which;
  model::Fact fact{"schedule", true, ""};
  if (which < job.spec->schedule.size()) fact.text = job.spec->schedule[which];
  fact.text += " in " + zone.name();
  if (zone.local_offset(slot) == zone.local_offset(slot - Micros{1})) return fact;
  if (const auto info = cron::slot_info(schedules[which], slot, zone); info && info->gap_catch_up) {
    fact.text += ", for what a clock change skipped:";
    for (const std::string& local : info->intended_local) {
      if (fact.text.size() > 200) break;
      fact.text += " " + local;
    }
  }
  return fact;
}

}  // namespace distcron::planner
