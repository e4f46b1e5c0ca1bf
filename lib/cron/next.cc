// SPDX-License-Identifier: Apache-2.0
// next(), matches(), slot_info(): slots on the UTC line from local fields and clock changes.
#include <algorithm>
#include <cstdint>

#include "cron/calendar.h"
#include "cron/cron.h"
#include "cron/search.h"

namespace distcron::cron {

namespace {

/// Instants outside are not looked at: years 1 to 9900.
constexpr std::int64_t kTimeMin = days_from_civil(1, 1, 1) * kSecondsPerDay;
constexpr std::int64_t kTimeMax = days_from_civil(9900, 1, 1) * kSecondsPerDay;
constexpr std::int64_t kSearchSeconds =
    (kSearchYears * std::int64_t{1461} / 4 + 1) * kSecondsPerDay;
/// No UTC offset is larger.
constexpr std::int64_t kOffsetMax = 26 * 3600;
/// A gap of this length or longer is a new calendar (Apia 2011), not a clock change: no catch-up.
constexpr std::int32_t kGapLimit = 3 * 3600;
constexpr std::size_t kIntendedMax = 64;

/// Whether local times that a gap skips are made up for at its end.
inline bool catches_up(const Schedule& schedule) {
  return schedule.dst == DstMode::kVixie && schedule.is_fixed_time();
}

/// First instant of the segment from which local times count as new for `schedule`.
inline std::int64_t fresh_from(const Schedule& schedule, const ZoneSegment& segment) {
  switch (schedule.dst) {
    case DstMode::kVixie:
      return schedule.is_fixed_time() ? segment.fresh_short : segment.begin;
    case DstMode::kSkip:
      return segment.fresh_any;
    case DstMode::kBoth:
      return segment.begin;
  }
  return segment.begin;
}

/// Remembers the last search: `found` is the first match at or after any local time in
/// [from, found].
struct LocalSearch {
  std::int64_t from = kNoTime;
  std::int64_t found = kNoTime;

  std::int64_t first(const Schedule& schedule, std::int64_t local) {
    if (local < from || local > found) {
      from = local;
      found = first_local(schedule, local);
    }
    return found;
  }
};

/// First slot at or after `from`, or kNoTime.
std::int64_t first_slot(const Schedule& schedule, std::int64_t from, const Zone& zone) {
  const std::vector<ZoneSegment>& segments = zone.segments();
  const std::int64_t limit = from + kSearchSeconds;
  LocalSearch search;
  std::size_t index = zone.segment_of(from);
  while (index < segments.size() && segments[index].begin <= limit) {
    const ZoneSegment& segment = segments[index];
    if (segment.begin >= from && segment.jump > 0 && segment.jump < kGapLimit &&
        catches_up(schedule)) {
      const std::int64_t gap_end = segment.begin + segment.offset;
      if (search.first(schedule, gap_end - segment.jump) < gap_end) return segment.begin;
    }
    ++index;
    const std::int64_t start = std::max({from, segment.begin, fresh_from(schedule, segment)});
    if (start >= segment.end) continue;
    const std::int64_t local = search.first(schedule, start + segment.offset);
    if (local == kNoTime) return kNoTime;
    const std::int64_t slot = local - segment.offset;
    if (slot < segment.end) return slot <= limit ? slot : kNoTime;
    // A segment that ends well before the match holds none, unless it repeats times before `from`.
    if (segment.end - kOffsetMax >= search.from) {
      index = std::max(index, zone.segment_of(local - kOffsetMax));
    }
  }
  return kNoTime;
}

/// First kEvery slot at or after `from`: multiples of the interval since 1970.
std::int64_t first_interval(const Schedule& schedule, std::int64_t from) {
  const std::int64_t step = schedule.interval().count() / 1'000'000;
  return floor_div(from + step - 1, step) * step;
}

/// The instant of a kAt schedule in `zone`, or kNoTime when a clock change skips it.
std::int64_t instant_of(const Schedule& schedule, const Zone& zone) {
  const std::int64_t local = epoch_seconds(schedule.instant());
  if (!schedule.has(Schedule::kLocalTime)) return local;
  const std::vector<ZoneSegment>& segments = zone.segments();
  std::size_t index = zone.segment_of(local - kOffsetMax);
  for (; index < segments.size() && segments[index].begin <= local + kOffsetMax; ++index) {
    const ZoneSegment& segment = segments[index];
    const std::int64_t begin_local = segment.begin + segment.offset;
    if (segment.jump > 0 && local >= begin_local - segment.jump && local < begin_local) {
      const bool made_up = schedule.dst == DstMode::kVixie && segment.jump < kGapLimit;
      return made_up ? segment.begin : kNoTime;
    }
    if (local >= begin_local && local - segment.offset < segment.end) return local - segment.offset;
  }
  return kNoTime;
}

/// First slot at or after `from` (whole seconds), or kNoTime.
std::int64_t first_at_or_after(const Schedule& schedule, std::int64_t from, const Zone& zone) {
  switch (schedule.kind) {
    case ScheduleKind::kFields:
      return first_slot(schedule, from, zone);
    case ScheduleKind::kEvery:
      return first_interval(schedule, from);
    case ScheduleKind::kAt: {
      const std::int64_t at = instant_of(schedule, zone);
      return at >= from ? at : kNoTime;
    }
    case ScheduleKind::kReboot:
    case ScheduleKind::kNever:
      return kNoTime;
  }
  return kNoTime;
}

std::string local_text(std::int64_t local_seconds) {
  std::string text = format_utc(wall_from_seconds(local_seconds));
  text[10] = ' ';
  text.pop_back();
  return text;
}

/// The matching local times in [from, to), at most kIntendedMax.
std::vector<std::string> local_texts(const Schedule& schedule, std::int64_t from, std::int64_t to) {
  std::vector<std::string> texts;
  for (std::int64_t at = first_local(schedule, from); at < to && texts.size() < kIntendedMax;
       at = first_local(schedule, at + 1)) {
    texts.push_back(local_text(at));
  }
  return texts;
}

}  // namespace

std::optional<WallTime> next(const Schedule& schedule, WallTime after, const Zone& zone) {
  const std::int64_t from = std::max(epoch_seconds(after) + 1, kTimeMin);
  if (from > kTimeMax) return std::nullopt;
  const std::int64_t slot = first_at_or_after(schedule, from, zone);
  if (slot == kNoTime) return std::nullopt;
  return wall_from_seconds(slot);
}

bool matches(const Schedule& schedule, WallTime at, const Zone& zone) {
  return next(schedule, at - Micros(1), zone) == at;
}

std::optional<SlotInfo> slot_info(const Schedule& schedule, WallTime at, const Zone& zone) {
  if (!matches(schedule, at, zone)) return std::nullopt;
  SlotInfo info;
  info.at = at;
  const std::int64_t instant = epoch_seconds(at);
  const ZoneSegment& segment = zone.segments()[zone.segment_of(instant)];
  const std::int64_t local = instant + segment.offset;
  const bool after_gap = instant == segment.begin && segment.jump > 0 && segment.jump < kGapLimit;
  if (after_gap && schedule.kind == ScheduleKind::kFields && catches_up(schedule)) {
    info.intended_local = local_texts(schedule, local - segment.jump, local);
  }
  if (after_gap && schedule.kind == ScheduleKind::kAt && schedule.has(Schedule::kLocalTime)) {
    const std::int64_t wanted = epoch_seconds(schedule.instant());
    if (wanted < local) info.intended_local.push_back(local_text(wanted));
  }
  info.gap_catch_up = !info.intended_local.empty();
  return info;
}

std::vector<CalendarGap> calendar_gaps(const Schedule& schedule, WallTime after, WallTime until,
                                       const Zone& zone) {
  std::vector<CalendarGap> gaps;
  if (schedule.kind != ScheduleKind::kFields || !catches_up(schedule)) return gaps;
  const std::vector<ZoneSegment>& segments = zone.segments();
  std::size_t index = zone.segment_of(epoch_seconds(after)) + 1;
  for (; index < segments.size() && segments[index].begin <= epoch_seconds(until); ++index) {
    const ZoneSegment& segment = segments[index];
    if (segment.jump < kGapLimit) continue;
    const std::int64_t local = segment.begin + segment.offset;
    CalendarGap gap{wall_from_seconds(segment.begin),
                    local_texts(schedule, local - segment.jump, local)};
    if (!gap.skipped_local.empty()) gaps.push_back(std::move(gap));
  }
  return gaps;
}

bool never_fires(const Schedule& schedule) {
  switch (schedule.kind) {
    case ScheduleKind::kEvery:
    case ScheduleKind::kAt:
      return false;
    case ScheduleKind::kReboot:
    case ScheduleKind::kNever:
      return true;
    case ScheduleKind::kFields:
      break;
  }
  if (schedule.has(Schedule::kAnyYear)) {
    return first_local(schedule, days_from_civil(2000, 1, 1) * kSecondsPerDay) == kNoTime;
  }
  for (int year = kYearMin; year <= kYearMax; year += kSearchYears) {
    const std::int64_t from = days_from_civil(year, 1, 1) * kSecondsPerDay;
    if (first_local(schedule, from) != kNoTime) return false;
  }
  return true;
}

std::optional<Seconds> typical_interval(const Schedule& schedule, const Zone& zone, WallTime from) {
  constexpr int kSlots = 5;
  if (schedule.kind == ScheduleKind::kEvery) {
    return std::chrono::duration_cast<Seconds>(schedule.interval());
  }
  std::optional<Seconds> shortest;
  std::optional<WallTime> last = next(schedule, from, zone);
  for (int i = 1; i < kSlots && last; ++i) {
    const std::optional<WallTime> slot = next(schedule, *last, zone);
    if (!slot) break;
    const auto gap = std::chrono::duration_cast<Seconds>(*slot - *last);
    if (!shortest || gap < *shortest) shortest = gap;
    last = slot;
  }
  return shortest;
}

}  // namespace distcron::cron
