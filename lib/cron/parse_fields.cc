// SPDX-License-Identifier: Apache-2.0
#include "cron/parse_fields.h"

#include <span>

#include "cron/cron.h"

namespace distcron::cron {

namespace {

bool equals_lower(std::string_view word, std::string_view lower) {
  if (word.size() != lower.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (to_lower(word[i]) != lower[i]) return false;
  }
  return true;
}

std::optional<int> index_in(std::span<const std::string_view> names, std::string_view word,
                            bool full) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool same =
        equals_lower(word, names[i].substr(0, 3)) || (full && equals_lower(word, names[i]));
    if (same) return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> value_of_name(Field field, std::string_view word, bool full) {
  if (field == Field::kWeekday) return index_in(kWeekdayNames, word, full);
  if (field != Field::kMonth) return std::nullopt;
  const std::optional<int> index = index_in(kMonthNames, word, full);
  return index ? std::optional<int>(*index + 1) : std::nullopt;
}

std::uint64_t range_bits(int first, int last, int step) {
  if (first > last) return 0;
  const std::uint64_t up_to_last = ~std::uint64_t{0} >> (63 - last);
  if (step == 1) return up_to_last >> first << first;
  std::uint64_t bits = 0;
  for (int value = first; value <= last; value += step)
    bits |= std::uint64_t{1} << value;
  return bits;
}

void store_field(Schedule& schedule, Field field, std::uint64_t bits) {
  switch (field) {
    case Field::kSecond:
      schedule.seconds = bits;
      return;
    case Field::kMinute:
      schedule.minutes = bits;
      return;
    case Field::kHour:
      schedule.hours = static_cast<std::uint32_t>(bits);
      return;
    case Field::kDay:
      schedule.days = static_cast<std::uint32_t>(bits);
      return;
    case Field::kMonth:
      schedule.months = static_cast<std::uint16_t>(bits);
      return;
    case Field::kWeekday:
      schedule.weekdays = static_cast<std::uint8_t>((bits | (bits >> 7U)) & 0x7fU);
      return;
    case Field::kYear:
      return;
  }
}

Schedule empty_fields(const ParseOptions& options) {
  Schedule schedule;
  schedule.kind = ScheduleKind::kFields;
  schedule.dialect = options.dialect;
  schedule.dst = options.dst;
  schedule.seconds = 1;
  return schedule;
}

int spread(std::uint64_t seed, Field field, int first, int last) {
  const auto width = static_cast<std::uint64_t>(last - first + 1);
  const std::uint64_t hash = mix64(seed ^ mix64(static_cast<std::uint64_t>(field) + 1));
  return first + static_cast<int>(hash % width);
}

std::string quoted(std::string_view piece) {
  constexpr std::size_t kPieceMax = 40;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : piece.substr(0, kPieceMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      text += "\\x";
      text += kHex[byte >> 4U];
      text += kHex[byte & 15U];
    } else {
      text += c;
    }
  }
  text += piece.size() > kPieceMax ? "...\"" : "\"";
  return text;
}

Error field_error(Field field, std::string_view problem, std::size_t at, std::string_view hint) {
  std::string message(spec_of(field).name);
  message += ": ";
  message += problem;
  message += " (column " + std::to_string(at + 1) + ")";
  return Error{ErrorCode::kInvalid, std::move(message), 0, std::string(hint)};
}

std::optional<Schedule> parse_macro(std::string_view name, const ParseOptions& options) {
  // Star bits as in entry.c of Debian 3.0pl1-162: only @hourly is a wildcard for clock changes.
  Schedule schedule = empty_fields(options);
  schedule.minutes = 1;
  schedule.hours = 1;
  schedule.days = static_cast<std::uint32_t>(range_bits(1, 31, 1));
  schedule.months = static_cast<std::uint16_t>(range_bits(1, 12, 1));
  schedule.weekdays = 0x7f;
  if (name == "yearly" || name == "annually") {
    schedule.days = 1U << 1U;
    schedule.months = 1U << 1U;
    schedule.flags |= Schedule::kWeekdayStar;
    return schedule;
  }
  if (name == "monthly") {
    schedule.days = 1U << 1U;
    schedule.flags |= Schedule::kWeekdayStar;
    return schedule;
  }
  if (name == "weekly") {
    schedule.weekdays = 1;
    schedule.flags |= Schedule::kDayStar;
    return schedule;
  }
  if (name == "daily" || name == "midnight") {
    schedule.flags |= Schedule::kDayStar | Schedule::kWeekdayStar;
    return schedule;
  }
  if (name == "hourly") {
    schedule.hours = static_cast<std::uint32_t>(range_bits(0, 23, 1));
    schedule.flags |= Schedule::kHourStar | Schedule::kDayStar | Schedule::kWeekdayStar;
    return schedule;
  }
  return std::nullopt;
}

}  // namespace distcron::cron
