// SPDX-License-Identifier: Apache-2.0
// What the field parsers of all dialects share: ranges, names, bit masks, error texts. For this
// module's parse*.cc only. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/result.h"
#include "base/text.h"
#include "cron/schedule.h"

namespace distcron::cron {

struct ParseOptions;
struct ParsedPrefix;

enum class Field : std::uint8_t { kSecond, kMinute, kHour, kDay, kMonth, kWeekday, kYear };

struct FieldSpec {
  std::string_view name;
  int min;
  int max;
};

inline constexpr std::array<FieldSpec, 7> kFieldSpecs = {{{"second", 0, 59},
                                                          {"minute", 0, 59},
                                                          {"hour", 0, 23},
                                                          {"day of month", 1, 31},
                                                          {"month", 1, 12},
                                                          {"day of week", 0, 7},
                                                          {"year", kYearMin, kYearMax}}};
static_assert(kFieldSpecs.size() == static_cast<std::size_t>(Field::kYear) + 1);

[[nodiscard]] constexpr const FieldSpec& spec_of(Field field) {
  return kFieldSpecs[static_cast<std::size_t>(field)];
}

inline constexpr std::array<std::string_view, 12> kMonthNames = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
inline constexpr std::array<std::string_view, 7> kWeekdayNames = {
    "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// Value of a month or weekday name, any case, three letters or, with `full`, the whole word.
[[nodiscard]] std::optional<int> value_of_name(Field field, std::string_view word, bool full);

/// Bits first, first + step, ... <= last; 0 <= first, last <= 63, step >= 1.
[[nodiscard]] std::uint64_t range_bits(int first, int last, int step);

/// Stores the values of a field other than the year; bit 7 of the weekday becomes Sunday.
void store_field(Schedule& schedule, Field field, std::uint64_t bits);

/// A schedule of kind kFields for the dialect, with second 0 and any year.
[[nodiscard]] Schedule empty_fields(const ParseOptions& options);

/// Deterministic choice in [first, last] for `H` and `~`; depends on seed and field only.
[[nodiscard]] int spread(std::uint64_t seed, Field field, int first, int last);

/// A piece of input in double quotes; bytes other than printable ASCII as \xHH, 40 bytes at most.
[[nodiscard]] std::string quoted(std::string_view piece);

/// "minute: 61 is not in 0-59 (column 1)"; `at` counts from 0.
[[nodiscard]] Error field_error(Field field, std::string_view problem, std::size_t at,
                                std::string_view hint = {});

// One per grammar; `text` has no leading blanks.
[[nodiscard]] Result<Schedule> parse_native(std::string_view text, const ParseOptions& options);
[[nodiscard]] Result<ParsedPrefix> parse_vixie(std::string_view line, const ParseOptions& options);
[[nodiscard]] Result<Schedule> parse_cronexpr(std::string_view text, const ParseOptions& options);
[[nodiscard]] Result<ParsedPrefix> parse_supercronic_line(std::string_view line,
                                                          const ParseOptions& options);

/// `@daily` and its like, without `@reboot`; the name is without `@`. nullopt: no such macro.
[[nodiscard]] std::optional<Schedule> parse_macro(std::string_view name,
                                                  const ParseOptions& options);

}  // namespace distcron::cron
