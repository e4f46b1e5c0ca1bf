// SPDX-License-Identifier: Apache-2.0
// explain_match(): the day and time of an instant held against each field.
#include <bit>

#include "cron/calendar.h"
#include "cron/cron.h"
#include "cron/search.h"
#include "cron/words.h"

namespace distcron::cron {

namespace {

struct LocalTime {
  std::int64_t seconds = 0;  ///< Local, since 1970.
  Civil date;
  int weekday = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

LocalTime local_time(WallTime at, const Zone& zone) {
  LocalTime local;
  local.seconds = epoch_seconds(at) + zone.local_offset(at).count();
  const std::int64_t day = floor_div(local.seconds, kSecondsPerDay);
  const auto time = static_cast<int>(local.seconds - day * kSecondsPerDay);
  local.date = civil_from_days(day);
  local.weekday = weekday_from_days(day);
  local.hour = time / 3600;
  local.minute = time / 60 % 60;
  local.second = time % 60;
  return local;
}

FieldCheck check_bits(Field field, std::uint64_t bits, int value) {
  const bool ok = (bits >> value & 1U) != 0;
  std::string text = value_text(field, value);
  if (bits == all_bits(field)) {
    text += " is allowed, as any value is";
  } else if (ok && std::has_single_bit(bits)) {
    text += " is the one value";
  } else {
    text += ok ? " is one of " : " is not among ";
    text += list_of(field, bits);
  }
  return {std::string(spec_of(field).name), ok, std::move(text)};
}

/// The two day fields under the dialect's day rule.
void check_days(const Schedule& schedule, const LocalTime& local, std::vector<FieldCheck>& checks) {
  FieldCheck day = check_bits(Field::kDay, schedule.days, local.date.day);
  FieldCheck weekday = check_bits(Field::kWeekday, schedule.weekdays, local.weekday);
  const std::string special_days = special_days_text(schedule);
  const std::string special_weekdays = special_weekdays_text(schedule);
  if (!special_days.empty()) day.text += ", or " + special_days;
  if (!special_weekdays.empty()) weekday.text += ", or " + special_weekdays;

  Schedule any_month = schedule;
  any_month.months = static_cast<std::uint16_t>(all_bits(Field::kMonth));
  any_month.flags |= Schedule::kAnyYear;
  const auto allows = [&](const Schedule& part) {
    const int first_weekday = (local.weekday - (local.date.day - 1) % 7 + 7) % 7;
    const std::uint32_t days = month_days(part, local.date.year, local.date.month, first_weekday);
    return (days >> local.date.day & 1U) != 0;
  };
  Schedule only_day = any_month;
  only_day.weekdays = 0x7f;
  only_day.flags |= Schedule::kWeekdayStar;
  Schedule only_weekday = any_month;
  only_weekday.days = static_cast<std::uint32_t>(all_bits(Field::kDay));
  only_weekday.flags |= Schedule::kDayStar;
  day.ok = allows(only_day);
  weekday.ok = allows(only_weekday);
  const bool both = schedule.has(Schedule::kDayStar) || schedule.has(Schedule::kWeekdayStar);
  if (!both && day.ok != weekday.ok) {
    (day.ok ? weekday : day).text += "; one of the two day fields is enough";
    day.ok = weekday.ok = true;
  }
  checks.push_back(std::move(day));
  checks.push_back(std::move(weekday));
}

std::vector<FieldCheck> explain_fields(const Schedule& schedule, WallTime at, const Zone& zone) {
  const LocalTime local = local_time(at, zone);
  std::vector<FieldCheck> checks;
  checks.push_back({"local time", true, format_local(at, zone)});
  const std::optional<SlotInfo> slot = slot_info(schedule, at, zone);
  if (slot && slot->gap_catch_up) {
    checks.push_back({"clock change", true,
                      slot->intended_local.front() +
                          " was skipped by the clock change, this is the first instant after it"});
    return checks;
  }
  if (schedule.seconds != 1 || local.second != 0) {
    checks.push_back(check_bits(Field::kSecond, schedule.seconds, local.second));
  }
  checks.push_back(check_bits(Field::kMinute, schedule.minutes, local.minute));
  checks.push_back(check_bits(Field::kHour, schedule.hours, local.hour));
  check_days(schedule, local, checks);
  checks.push_back(check_bits(Field::kMonth, schedule.months, local.date.month));
  if (!schedule.has(Schedule::kAnyYear)) {
    const bool ok = schedule.allows_year(local.date.year);
    checks.push_back({"year", ok,
                      std::to_string(local.date.year) +
                          (ok ? " is one of the years" : " is not one of the years")});
  }
  bool all_ok = true;
  for (const FieldCheck& check : checks)
    all_ok = all_ok && check.ok;
  const bool whole_second = at == wall_from_seconds(epoch_seconds(at));
  if (all_ok && !whole_second) {
    checks.push_back({"second", false, "slots are at whole seconds"});
  } else if (all_ok && !slot) {
    checks.push_back({"clock change", false,
                      "the local time occurs twice and this is the second time; only the first "
                      "one counts with clock-change mode " +
                          std::string(name_of(schedule.dst))});
  }
  return checks;
}

}  // namespace

std::vector<FieldCheck> explain_match(const Schedule& schedule, WallTime at, const Zone& zone) {
  if (schedule.kind == ScheduleKind::kFields) return explain_fields(schedule, at, zone);
  const bool ok = matches(schedule, at, zone);
  std::string text = describe(schedule);
  switch (schedule.kind) {
    case ScheduleKind::kEvery:
      text += ok ? ": a multiple since 1970" : ": not a multiple since 1970";
      break;
    case ScheduleKind::kAt:
      text += ok ? ": this instant" : ": another instant";
      break;
    case ScheduleKind::kReboot:
      text += ": has no planned time";
      break;
    case ScheduleKind::kFields:
    case ScheduleKind::kNever:
      break;
  }
  return {{"schedule", ok, std::move(text)}};
}

}  // namespace distcron::cron
