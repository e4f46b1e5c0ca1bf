// SPDX-License-Identifier: Apache-2.0
#include "cron/posix_rule.h"

#include <algorithm>
#include <optional>
#include <string>

#include "cron/calendar.h"

namespace distcron::cron {

namespace {

/// When in a year a change happens, in the local time before it.
struct ChangeDay {
  enum class Kind : std::uint8_t { kMonthWeekDay, kJulian, kZeroBased } kind = Kind::kJulian;
  int month = 0;
  int week = 0;
  int day = 0;
  std::int64_t time = 7200;
};

struct Rule {
  std::string standard_name;
  std::string summer_name;
  std::int32_t standard_offset = 0;
  std::int32_t summer_offset = 0;
  std::optional<ChangeDay> start;
  std::optional<ChangeDay> end;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }

  [[nodiscard]] bool failed() const { return failed_; }

  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) { failed_ = !accept(c) || failed_; }

  std::string read_name() {
    const bool quoted = accept('<');
    const std::size_t first = at_;
    while (!at_end() && (quoted ? text_[at_] != '>' : is_letter(text_[at_])))
      ++at_;
    const std::string name(text_.substr(first, at_ - first));
    if (quoted) expect('>');
    failed_ = failed_ || name.size() < 3;
    return name;
  }

  int read_number(int max) {
    int value = 0;
    const std::size_t first = at_;
    while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9' && value <= max) {
      value = value * 10 + (text_[at_++] - '0');
    }
    failed_ = failed_ || at_ == first || value > max;
    return value;
  }

  /// [+-]hh[:mm[:ss]] in seconds.
  std::int64_t read_time() {
    const bool negative = accept('-');
    if (!negative) accept('+');
    std::int64_t seconds = read_number(167) * std::int64_t{3600};
    if (accept(':')) {
      seconds += read_number(59) * std::int64_t{60};
      if (accept(':')) seconds += read_number(59);
    }
    return negative ? -seconds : seconds;
  }

  ChangeDay read_day() {
    ChangeDay day;
    if (accept('M')) {
      day.kind = ChangeDay::Kind::kMonthWeekDay;
      day.month = read_number(12);
      expect('.');
      day.week = read_number(5);
      expect('.');
      day.day = read_number(6);
      failed_ = failed_ || day.month < 1 || day.week < 1;
    } else if (accept('J')) {
      day.day = read_number(365);
      failed_ = failed_ || day.day < 1;
    } else {
      day.kind = ChangeDay::Kind::kZeroBased;
      day.day = read_number(365);
    }
    if (accept('/')) day.time = read_time();
    return day;
  }

 private:
  static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

  std::string_view text_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

std::optional<Rule> read_rule(std::string_view text) {
  Reader reader(text);
  Rule rule;
  rule.standard_name = reader.read_name();
  rule.standard_offset = static_cast<std::int32_t>(-reader.read_time());
  if (!reader.at_end()) {
    rule.summer_name = reader.read_name();
    rule.summer_offset = rule.standard_offset + 3600;
    if (!reader.accept(',')) {
      rule.summer_offset = static_cast<std::int32_t>(-reader.read_time());
      reader.expect(',');
    }
    rule.start = reader.read_day();
    reader.expect(',');
    rule.end = reader.read_day();
  }
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return rule;
}

/// Local seconds since 1970 of the change in `year`.
std::int64_t local_change(const ChangeDay& change, int year) {
  std::int64_t day = 0;
  switch (change.kind) {
    case ChangeDay::Kind::kMonthWeekDay: {
      const std::int64_t first = days_from_civil(year, change.month, 1);
      const int ahead = (change.day - weekday_from_days(first) + 7) % 7;
      int day_of_month = 1 + ahead + (change.week - 1) * 7;
      if (day_of_month > days_in_month(year, change.month)) day_of_month -= 7;
      day = first + day_of_month - 1;
      break;
    }
    case ChangeDay::Kind::kJulian:
      day = days_from_civil(year, 1, 1) + change.day - 1;
      if (is_leap(year) && change.day >= 60) ++day;
      break;
    case ChangeDay::Kind::kZeroBased:
      day = days_from_civil(year, 1, 1) + change.day;
      break;
  }
  return day * kSecondsPerDay + change.time;
}

}  // namespace

std::vector<Zone::Change> expand_posix_rule(std::string_view text, int from, int to) {
  const std::optional<Rule> rule = read_rule(text);
  if (!rule) return {};
  std::vector<Zone::Change> changes;
  if (!rule->start || !rule->end) {
    changes.push_back(
        {days_from_civil(from, 1, 1) * kSecondsPerDay, rule->standard_offset, rule->standard_name});
    return changes;
  }
  for (int year = from; year <= to; ++year) {
    changes.push_back({local_change(*rule->start, year) - rule->standard_offset,
                       rule->summer_offset, rule->summer_name});
    changes.push_back({local_change(*rule->end, year) - rule->summer_offset, rule->standard_offset,
                       rule->standard_name});
  }
  std::sort(changes.begin(), changes.end(),
            [](const Zone::Change& a, const Zone::Change& b) { return a.at < b.at; });
  return changes;
}

}  // namespace distcron::cron
