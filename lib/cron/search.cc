// SPDX-License-Identifier: Apache-2.0
#include "cron/search.h"

#include <bit>

#include "cron/calendar.h"

namespace distcron::cron {

namespace {

constexpr std::uint64_t kDaySeconds = kSecondsPerDay;

/// Nearest Monday-to-Friday day to `day` within the month. Source: gorhill/cronexpr and Quartz,
/// `W`.
int nearest_workday(int day, int weekday, int last) {
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < last ? day + 1 : day - 2;
  return day;
}

std::uint32_t special_month_days(const Schedule& schedule, int first_weekday, int last) {
  std::uint32_t days = 0;
  const auto weekday_of = [first_weekday](int day) { return (first_weekday + day - 1) % 7; };
  for (int before_last = 0; before_last < last; ++before_last) {
    if ((schedule.last_days >> before_last & 1U) != 0) days |= 1U << (last - before_last);
  }
  for (int day = 1; day <= last; ++day) {
    if ((schedule.nearest_workdays >> day & 1U) != 0) {
      days |= 1U << nearest_workday(day, weekday_of(day), last);
    }
  }
  if (schedule.has(Schedule::kLastWorkday)) {
    days |= 1U << nearest_workday(last, weekday_of(last), last);
  }
  return days;
}

std::uint32_t special_weekdays(const Schedule& schedule, int first_weekday, int last) {
  std::uint32_t days = 0;
  for (int day = 1; day <= last; ++day) {
    const int weekday = (first_weekday + day - 1) % 7;
    const int week = (day - 1) / 7;
    const bool is_nth = (schedule.nth_weekdays >> (8 * week + weekday) & 1U) != 0;
    const bool is_last = day + 7 > last && (schedule.last_weekdays >> weekday & 1U) != 0;
    if (is_nth || is_last) days |= 1U << day;
  }
  return days;
}

/// The day rule over the month whose 1st is on `first_weekday`, not cut to the month's length.
/// Source: cron.c of Debian 3.0pl1: AND when either field has its star bit, else OR.
inline std::uint32_t days_by_rule(const Schedule& schedule, int first_weekday, int last) {
  const auto shift = static_cast<unsigned>(first_weekday);
  const std::uint64_t week = schedule.weekdays;
  const std::uint64_t turned = ((week >> shift) | (week << (7 - shift))) & 0x7fU;
  auto by_weekday = static_cast<std::uint32_t>((turned * 0x10204081U) << 1U);
  std::uint32_t by_day = schedule.days;
  if (schedule.has(Schedule::kSpecialDays)) [[unlikely]] {
    by_day |= special_month_days(schedule, first_weekday, last);
    by_weekday |= special_weekdays(schedule, first_weekday, last);
  }
  const bool both = (schedule.flags & (Schedule::kDayStar | Schedule::kWeekdayStar)) != 0;
  return both ? by_day & by_weekday : by_day | by_weekday;
}

inline std::uint32_t cut_to_month(std::uint32_t days, int last) {
  return days & ((std::uint32_t{2} << last) - 2);  // last == 31: 2 << 31 is 0, so -2 keeps 1-31.
}

/// First matching second of the day at or after `from` (0-86399), or -1. No mask is empty.
inline int first_time(const Schedule& schedule, unsigned from) {
  const unsigned hour = from / 3600;
  const unsigned rest = from - hour * 3600;
  const unsigned minute = rest / 60;
  const unsigned second = rest - minute * 60;
  if ((schedule.hours >> hour & 1U) != 0) {
    if ((schedule.minutes >> minute & 1U) != 0) {
      const std::uint64_t later = schedule.seconds >> second;
      if (later != 0) return static_cast<int>(from) + std::countr_zero(later);
    }
    const std::uint64_t later = schedule.minutes >> minute >> 1U;
    if (later != 0) {
      const int minutes_on = 1 + std::countr_zero(later);
      return static_cast<int>(from - second) + minutes_on * 60 + std::countr_zero(schedule.seconds);
    }
  }
  const std::uint32_t later = schedule.hours >> hour >> 1U;
  if (later == 0) return -1;
  const int next_hour = static_cast<int>(hour) + 1 + std::countr_zero(later);
  return next_hour * 3600 + std::countr_zero(schedule.minutes) * 60 +
         std::countr_zero(schedule.seconds);
}

/// First matching time of a day.
inline int day_start(const Schedule& schedule) {
  return std::countr_zero(schedule.hours) * 3600 + std::countr_zero(schedule.minutes) * 60 +
         std::countr_zero(schedule.seconds);
}

/// Neither day, month nor year is restricted.
inline bool allows_any_day(const Schedule& schedule) {
  return schedule.days == 0xfffffffeU && schedule.weekdays == 0x7fU && schedule.months == 0x1ffeU &&
         schedule.has(Schedule::kAnyYear);
}

/// First matching local time in the months after (year, month).
std::int64_t first_in_later_months(const Schedule& schedule, int year, int month) {
  const int last_year = year + kSearchYears;
  bool year_allowed = schedule.allows_year(year);
  for (;;) {
    const unsigned later =
        year_allowed ? static_cast<unsigned>(schedule.months) >> month >> 1U : 0U;
    if (later != 0) {
      month += 1 + std::countr_zero(later);
    } else {
      month = std::countr_zero(static_cast<unsigned>(schedule.months));
      do {
        if (++year > last_year) return kNoTime;
      } while (!schedule.allows_year(year));
      year_allowed = true;
    }
    const std::int64_t first = days_from_civil(year, month, 1);
    const int last = days_in_month(year, month);
    const std::uint32_t days =
        cut_to_month(days_by_rule(schedule, weekday_from_days(first), last), last);
    if (days != 0) {
      return (first + std::countr_zero(days) - 1) * kSecondsPerDay + day_start(schedule);
    }
  }
}

}  // namespace

std::uint32_t month_days(const Schedule& schedule, int year, int month, int first_weekday) {
  if (!schedule.allows_year(year) || (schedule.months >> month & 1U) == 0) return 0;
  const int last = days_in_month(year, month);
  return cut_to_month(days_by_rule(schedule, first_weekday, last), last);
}

std::int64_t first_local(const Schedule& schedule, std::int64_t from) {
  if (schedule.seconds == 0 || schedule.minutes == 0 || schedule.hours == 0 ||
      schedule.months == 0) {
    return kNoTime;
  }
  // Counted from March of the year 0 everything is positive: unsigned division is cheaper.
  const auto shifted = static_cast<std::uint64_t>(from + kMarchDays * kSecondsPerDay);
  const auto day_number = static_cast<std::uint32_t>(shifted / kDaySeconds);
  const auto time_of_day = static_cast<unsigned>(shifted - day_number * kDaySeconds);
  const std::int64_t midnight = from - time_of_day;
  if (allows_any_day(schedule)) {
    const int time = first_time(schedule, time_of_day);
    return time >= 0 ? midnight + time : midnight + kSecondsPerDay + day_start(schedule);
  }
  const Civil date = civil_from_march_days(day_number);
  const bool month_allowed =
      (schedule.months >> date.month & 1U) != 0 && schedule.allows_year(date.year);
  if (month_allowed) {
    // 0000-03-01 was a Wednesday; 35 keeps the sum positive.
    const auto weekday = (day_number + 3 + 1 - static_cast<unsigned>(date.day) + 35) % 7;
    const int last = days_in_month(date.year, date.month);
    const std::uint32_t days =
        cut_to_month(days_by_rule(schedule, static_cast<int>(weekday), last), last);
    if ((days >> date.day & 1U) != 0) {
      const int time = first_time(schedule, time_of_day);
      if (time >= 0) return midnight + time;
    }
    const std::uint32_t later = days >> date.day >> 1U;
    if (later != 0) {
      return midnight + (1 + std::countr_zero(later)) * kSecondsPerDay + day_start(schedule);
    }
  }
  return first_in_later_months(schedule, date.year, date.month);
}

}  // namespace distcron::cron
