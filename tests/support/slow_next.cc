// SPDX-License-Identifier: Apache-2.0
#include "support/slow_next.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace distcron::slow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr hours kShortChange{3};
constexpr hours kLookBack{30};

std::string rule_of(const std::string& name) {
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  std::string bytes = content.str();
  if (bytes.empty() || bytes.back() != '\n') return {};
  bytes.pop_back();
  return bytes.substr(bytes.rfind('\n') + 1);
}

/// UTC offset that the C library has for the TZ that is set.
seconds libc_offset(date::sys_seconds at) {
  const std::time_t time = at.time_since_epoch().count();
  std::tm local{};
  ::localtime_r(&time, &local);
  return seconds(local.tm_gmtoff);
}

/// The stretches from the end of a table on, at most two changes a year.
std::vector<date::sys_info> expand_by_glibc(const std::string& rule, date::sys_info open) {
  ::setenv("TZ", rule.c_str(), 1);
  ::tzset();
  const auto until = date::sys_seconds(date::sys_days(date::year(2120) / 1 / 1));
  std::vector<date::sys_info> infos;
  for (date::sys_seconds at = open.begin; at < until; at += date::days(6)) {
    date::sys_seconds low = at;
    date::sys_seconds high = at + date::days(6);
    if (libc_offset(high) == libc_offset(low)) continue;
    while (high - low > seconds(1)) {
      const date::sys_seconds middle = low + (high - low) / 2;
      (libc_offset(middle) == libc_offset(at) ? low : high) = middle;
    }
    open.end = high;
    infos.push_back(open);
    open.begin = high;
    open.offset = libc_offset(high);
  }
  open.end = until + date::years(1000);
  infos.push_back(open);
  ::unsetenv("TZ");
  ::tzset();
  return infos;
}

bool is_workday(date::weekday day) {
  return day != date::Saturday && day != date::Sunday;
}

/// The Monday-to-Friday day that is nearest to `day` and in the same month.
date::sys_days workday_near(date::sys_days day) {
  const date::year_month month{date::year_month_day(day).year(), date::year_month_day(day).month()};
  for (const int distance : {0, -1, 1, -2, 2}) {
    const date::sys_days candidate = day + date::days(distance);
    const date::year_month_day date{candidate};
    if (date.year() / date.month() == month && is_workday(date::weekday(candidate))) {
      return candidate;
    }
  }
  return day;
}

bool day_of_month_matches(const Schedule& schedule, date::sys_days day) {
  const date::year_month_day date{day};
  const date::sys_days last = date::year_month_day_last(date.year(), date.month() / date::last);
  if (schedule.days.count(static_cast<int>(unsigned(date.day()))) > 0) return true;
  if (schedule.days_before_last.count(static_cast<int>((last - day).count())) > 0) return true;
  if (schedule.last_workday && workday_near(last) == day) return true;
  return std::any_of(schedule.workdays_near.begin(), schedule.workdays_near.end(), [&](int wanted) {
    const date::year_month_day target{date.year(), date.month(), date::day(unsigned(wanted))};
    return target.ok() && workday_near(date::sys_days(target)) == day;
  });
}

bool day_of_week_matches(const Schedule& schedule, date::sys_days day) {
  const date::year_month_day date{day};
  const date::weekday weekday{day};
  const int number = static_cast<int>(weekday.c_encoding());
  if (schedule.weekdays.count(number) > 0) return true;
  const date::year_month month = date.year() / date.month();
  if (schedule.last_weekdays.count(number) > 0 &&
      date::sys_days(month / weekday[date::last]) == day) {
    return true;
  }
  for (unsigned n = 1; n <= 5; ++n) {
    const date::year_month_weekday wanted = month / weekday[n];
    if (schedule.nth_weekdays.count(static_cast<int>(n) * 10 + number) > 0 && wanted.ok() &&
        date::sys_days(wanted) == day) {
      return true;
    }
  }
  return false;
}

bool date_matches(const Schedule& schedule, date::sys_days day) {
  const date::year_month_day date{day};
  if (schedule.months.count(static_cast<int>(unsigned(date.month()))) == 0) return false;
  const bool by_day = day_of_month_matches(schedule, day);
  const bool by_weekday = day_of_week_matches(schedule, day);
  return schedule.day_star || schedule.weekday_star ? by_day && by_weekday : by_day || by_weekday;
}

/// `local`: local time as if it were UTC.
bool local_matches(const Schedule& schedule, date::sys_seconds local) {
  const auto day = date::floor<date::days>(local);
  const date::hh_mm_ss<seconds> time{local - day};
  return schedule.seconds.count(static_cast<int>(time.seconds().count())) > 0 &&
         schedule.minutes.count(static_cast<int>(time.minutes().count())) > 0 &&
         schedule.hours.count(static_cast<int>(time.hours().count())) > 0 &&
         date_matches(schedule, day);
}

bool is_fixed(const Schedule& schedule) {
  return !schedule.minute_star && !schedule.hour_star;
}

/// Rule (d) and the mode `skip`: is `at` in a pass of local times after their first?
bool is_repeat(const Schedule& schedule, date::sys_seconds at, Zone& zone) {
  if (schedule.dst == Dst::kBoth) return false;
  if (schedule.dst == Dst::kVixie && !is_fixed(schedule)) return false;
  date::sys_seconds begin = zone.info(at).begin;
  while (begin > at - kLookBack) {
    const seconds after = zone.info(begin).offset;
    const date::sys_info before = zone.info(begin - seconds(1));
    const seconds turned_back = before.offset - after;
    const bool counts = schedule.dst == Dst::kSkip || turned_back <= kShortChange;
    if (turned_back > seconds(0) && counts && at < begin + turned_back) return true;
    begin = before.begin;
  }
  return false;
}

/// Rule (b): did the clock just jump over a local time that matches?
bool makes_up_for_gap(const Schedule& schedule, date::sys_seconds at, Zone& zone) {
  if (schedule.dst != Dst::kVixie || !is_fixed(schedule)) return false;
  const date::sys_info now = zone.info(at);
  if (now.begin != at) return false;
  const seconds before = zone.info(at - seconds(1)).offset;
  const seconds jump = now.offset - before;
  if (jump <= seconds(0) || jump >= kShortChange) return false;
  for (date::sys_seconds local = at + before; local < at + now.offset; local += seconds(1)) {
    if (local_matches(schedule, local)) return true;
  }
  return false;
}

/// A later instant before which nothing can happen, judged by the date alone.
date::sys_seconds skip_day(const Schedule& schedule, date::sys_seconds at, Zone& zone) {
  const date::sys_info now = zone.info(at);
  const date::sys_seconds local = at + now.offset;
  const auto day = date::floor<date::days>(local);
  const date::sys_seconds midnight = day + date::days(1) - now.offset;
  if (midnight >= now.end || date_matches(schedule, day)) return at;
  return midnight;
}

}  // namespace

Zone::Zone(const std::string& name) : table_(date::locate_zone(name)) {
  // The table's last entry lasts "for ever"; the rule takes over there.
  const auto far = date::sys_seconds(date::sys_days(date::year(2500) / 1 / 1));
  const date::sys_info final = table_->get_info(far);
  table_end_ = final.begin;
  last_ = table_->get_info(date::sys_seconds{});
  const std::string rule = rule_of(name);
  if (rule.find(',') != std::string::npos) by_rule_ = expand_by_glibc(rule, final);
}

const date::sys_info& Zone::info(date::sys_seconds at) {
  if (at >= last_.begin && at < last_.end) return last_;
  if (at < table_end_ || by_rule_.empty()) {
    last_ = table_->get_info(at);
    return last_;
  }
  const auto after = std::upper_bound(
      by_rule_.begin(), by_rule_.end(), at,
      [](date::sys_seconds time, const date::sys_info& info) { return time < info.begin; });
  last_ = *(after - 1);
  return last_;
}

std::optional<date::sys_seconds> next(const Schedule& schedule, date::sys_seconds after,
                                      date::sys_seconds until, Zone& zone) {
  const bool whole_minutes = schedule.seconds == std::set<int>{0};
  for (date::sys_seconds at = after + seconds(1); at <= until;) {
    const date::sys_info now = zone.info(at);
    const bool regular = local_matches(schedule, at + now.offset) && !is_repeat(schedule, at, zone);
    if (regular || makes_up_for_gap(schedule, at, zone)) return at;
    const date::sys_seconds later = skip_day(schedule, at, zone);
    if (later > at) {
      at = later;
      continue;
    }
    const date::sys_seconds local = at + now.offset;
    const auto to_minute = date::floor<minutes>(local) + minutes(1) - local;
    at = whole_minutes ? std::min(at + to_minute, now.end) : at + seconds(1);
  }
  return std::nullopt;
}

}  // namespace distcron::slow
