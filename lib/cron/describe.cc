// SPDX-License-Identifier: Apache-2.0
// A schedule in English words.
#include <array>
#include <bit>
#include <cstdio>

#include "cron/calendar.h"
#include "cron/cron.h"
#include "cron/words.h"

namespace distcron::cron {

namespace {

/// Up to this many times of day are listed one by one.
constexpr int kTimesMax = 4;

std::string clock_text(int hour, int minute, int second) {
  std::array<char, 16> text{};
  const int length =
      second == 0 ? std::snprintf(text.data(), text.size(), "%02d:%02d", hour, minute)
                  : std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", hour, minute, second);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::string clock_list(const Schedule& schedule) {
  std::string text;
  const int second = std::countr_zero(schedule.seconds);
  for (std::uint32_t hours = schedule.hours; hours != 0; hours &= hours - 1) {
    for (std::uint64_t minutes = schedule.minutes; minutes != 0; minutes &= minutes - 1) {
      const std::string clock =
          clock_text(std::countr_zero(hours), std::countr_zero(minutes), second);
      const bool is_last = (hours & (hours - 1)) == 0 && (minutes & (minutes - 1)) == 0;
      text = joined(std::move(text), is_last ? " and " : ", ", clock);
    }
  }
  return "at " + text;
}

/// "every minute", "every 5 minutes", "at minute 5 and 20".
std::string unit_text(Field field, std::uint64_t bits) {
  const std::string name(spec_of(field).name);
  if (bits == all_bits(field)) return "every " + name;
  const int width = spec_of(field).max + 1;
  for (int step = 2; step <= width / 2; ++step) {
    if (width % step == 0 && bits == range_bits(0, width - 1, step)) {
      return "every " + std::to_string(step) + " " + name + "s";
    }
  }
  return "at " + name + " " + list_of(field, bits);
}

std::string time_text(const Schedule& schedule) {
  const int times = std::popcount(schedule.hours) * std::popcount(schedule.minutes);
  if (times <= kTimesMax && std::has_single_bit(schedule.seconds)) return clock_list(schedule);
  std::string text;
  if (schedule.seconds != 1) text = unit_text(Field::kSecond, schedule.seconds);
  const bool all_minutes = schedule.minutes == all_bits(Field::kMinute);
  const bool all_hours = schedule.hours == all_bits(Field::kHour);
  const bool is_hourly = schedule.minutes == 1 && schedule.seconds == 1;
  if (is_hourly) {
    text = unit_text(Field::kHour, schedule.hours);
    return text;
  }
  if (text.empty() || !all_minutes) {
    text = joined(std::move(text), " of ", unit_text(Field::kMinute, schedule.minutes));
  }
  if (all_hours && !all_minutes && text.find("at minute") != std::string::npos) {
    text += " of every hour";
  } else if (!all_hours) {
    text += schedule.hours != 0 && unit_text(Field::kHour, schedule.hours).rfind("every", 0) == 0
                ? " of " + unit_text(Field::kHour, schedule.hours)
                : " of hour " + list_of(Field::kHour, schedule.hours);
  }
  return text;
}

std::string days_text(const Schedule& schedule) {
  const bool all_days = schedule.days == all_bits(Field::kDay);
  const bool all_weekdays = schedule.weekdays == all_bits(Field::kWeekday);
  std::string by_day;
  std::string by_weekday;
  if (schedule.days != 0 && !all_days) {
    by_day = "day " + list_of(Field::kDay, schedule.days) + " of the month";
  }
  by_day = joined(std::move(by_day), " and ", special_days_text(schedule));
  if (schedule.weekdays != 0 && !all_weekdays) {
    by_weekday = list_of(Field::kWeekday, schedule.weekdays);
  }
  by_weekday = joined(std::move(by_weekday), " and ", special_weekdays_text(schedule));
  const bool both = schedule.has(Schedule::kDayStar) || schedule.has(Schedule::kWeekdayStar);
  if (!both && (all_days || all_weekdays)) return {};
  const std::string days = joined(std::move(by_day), both ? " if it is " : " or on ", by_weekday);
  return days.empty() ? days : " on " + days;
}

std::string years_text(const Schedule& schedule) {
  std::string text;
  for (int year = kYearMin; year <= kYearMax; ++year) {
    if (!schedule.allows_year(year)) continue;
    int last = year;
    while (last < kYearMax && schedule.allows_year(last + 1))
      ++last;
    std::string item = std::to_string(year);
    if (last > year) item += " to " + std::to_string(last);
    text = joined(std::move(text), ", ", item);
    year = last;
  }
  return text;
}

std::string fields_text(const Schedule& schedule) {
  std::string text = time_text(schedule);
  const std::string days = days_text(schedule);
  const bool is_clock = text.rfind("at ", 0) == 0 && text.find(':') != std::string::npos;
  if (days.empty() && is_clock) text += " every day";
  text += days;
  if (schedule.months != all_bits(Field::kMonth)) {
    text += " in " + list_of(Field::kMonth, schedule.months);
  }
  if (!schedule.has(Schedule::kAnyYear)) text += " in " + years_text(schedule);
  return text;
}

}  // namespace

std::string describe(const Schedule& schedule) {
  switch (schedule.kind) {
    case ScheduleKind::kFields:
      return never_fires(schedule) ? "never: no time matches all fields" : fields_text(schedule);
    case ScheduleKind::kEvery:
      return "every " + interval_text(schedule.interval().count() / 1'000'000);
    case ScheduleKind::kAt: {
      std::string text = format_utc(schedule.instant());
      if (!schedule.has(Schedule::kLocalTime)) return "once at " + text;
      text[10] = ' ';
      text.pop_back();
      return "once at " + text + " local time";
    }
    case ScheduleKind::kReboot:
      return "once at each boot";
    case ScheduleKind::kNever:
      return "never";
  }
  return "never";
}

}  // namespace distcron::cron
