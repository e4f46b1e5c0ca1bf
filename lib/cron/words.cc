// SPDX-License-Identifier: Apache-2.0
#include "cron/words.h"

#include <vector>

namespace distcron::cron {

namespace {

std::string capitalised(std::string_view word) {
  std::string text(word);
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string join_list(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text;
}

std::string ordinal(int number) {
  constexpr std::array<std::string_view, 5> kWords = {"1st", "2nd", "3rd", "4th", "5th"};
  return std::string(kWords.at(static_cast<std::size_t>(number - 1)));
}

bool has_bit(std::uint64_t bits, int index) {
  return (bits >> index & 1U) != 0;
}

}  // namespace

std::string value_text(Field field, int value) {
  if (field == Field::kMonth)
    return capitalised(kMonthNames.at(static_cast<std::size_t>(value - 1)));
  if (field == Field::kWeekday)
    return capitalised(kWeekdayNames.at(static_cast<std::size_t>(value)));
  return std::to_string(value);
}

std::uint64_t all_bits(Field field) {
  return range_bits(spec_of(field).min, field == Field::kWeekday ? 6 : spec_of(field).max, 1);
}

std::string list_of(Field field, std::uint64_t bits) {
  std::vector<std::string> items;
  for (int value = 0; value < 64; ++value) {
    if (!has_bit(bits, value)) continue;
    int last = value;
    while (last < 63 && has_bit(bits, last + 1))
      ++last;
    if (last - value >= 2) {
      items.push_back(value_text(field, value) + " to " + value_text(field, last));
      value = last;
    } else {
      items.push_back(value_text(field, value));
    }
  }
  return items.empty() ? "nothing" : join_list(items);
}

std::string special_days_text(const Schedule& schedule) {
  std::vector<std::string> items;
  for (int before = 0; before < 31; ++before) {
    if (!has_bit(schedule.last_days, before)) continue;
    if (before == 0) items.emplace_back("the last day");
    if (before == 1) items.emplace_back("the day before the last day");
    if (before > 1) items.push_back(std::to_string(before) + " days before the last day");
  }
  for (int day = 1; day <= 31; ++day) {
    if (has_bit(schedule.nearest_workdays, day)) {
      items.push_back("the weekday nearest to day " + std::to_string(day));
    }
  }
  if (schedule.has(Schedule::kLastWorkday)) items.emplace_back("the last weekday");
  return items.empty() ? std::string() : join_list(items) + " of the month";
}

std::string special_weekdays_text(const Schedule& schedule) {
  std::vector<std::string> items;
  for (int day = 0; day < 7; ++day) {
    for (int nth = 1; nth <= 5; ++nth) {
      if (has_bit(schedule.nth_weekdays, 8 * (nth - 1) + day)) {
        items.push_back("the " + ordinal(nth) + " " + value_text(Field::kWeekday, day));
      }
    }
    if (has_bit(schedule.last_weekdays, day)) {
      items.push_back("the last " + value_text(Field::kWeekday, day));
    }
  }
  return items.empty() ? std::string() : join_list(items) + " of the month";
}

std::string interval_text(std::int64_t seconds) {
  std::string text;
  const std::int64_t days = seconds / 86400;
  const std::int64_t hours = seconds / 3600 % 24;
  const std::int64_t minutes = seconds / 60 % 60;
  if (days > 0) text += std::to_string(days) + "d";
  if (hours > 0) text += std::to_string(hours) + "h";
  if (minutes > 0) text += std::to_string(minutes) + "m";
  if (seconds % 60 > 0 || text.empty()) text += std::to_string(seconds % 60) + "s";
  return text;
}

std::string joined(std::string a, std::string_view separator, std::string_view b) {
  if (!a.empty() && !b.empty()) a += separator;
  a += b;
  return a;
}

}  // namespace distcron::cron
