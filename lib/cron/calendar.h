// SPDX-License-Identifier: Apache-2.0
// Days and dates of the proleptic Gregorian calendar, for this module only. Pure arithmetic.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil and inverse).
#pragma once

#include <cstdint>

namespace distcron::cron {

inline constexpr std::int64_t kSecondsPerDay = 86400;

struct Civil {
  int year = 1970;
  int month = 1;  ///< 1-12.
  int day = 1;    ///< 1-31.
};

/// Days since 1970-01-01.
[[nodiscard]] constexpr std::int64_t days_from_civil(int year, int month, int day) {
  const int shifted = year - (month <= 2 ? 1 : 0);
  const int era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(shifted - era * 400);
  const auto march_month = static_cast<unsigned>(month > 2 ? month - 3 : month + 9);
  const unsigned day_of_year = (153 * march_month + 2) / 5 + static_cast<unsigned>(day) - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return static_cast<std::int64_t>(era) * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

[[nodiscard]] constexpr Civil civil_from_days(std::int64_t days) {
  const std::int64_t shifted = days + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(shifted - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned march_month = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1);
  const auto month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  const auto year = static_cast<int>(year_of_era) + static_cast<int>(era) * 400;
  return {year + (month <= 2 ? 1 : 0), month, day};
}

[[nodiscard]] constexpr bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

[[nodiscard]] constexpr int days_in_month(int year, int month) {
  if (month == 2) return is_leap(year) ? 29 : 28;
  return 30 + ((month + (month >> 3)) & 1);
}

/// 0 = Sunday.
[[nodiscard]] constexpr int weekday_from_days(std::int64_t days) {
  const auto rest = static_cast<int>((days + 4) % 7);
  return rest < 0 ? rest + 7 : rest;
}

[[nodiscard]] constexpr std::int64_t floor_div(std::int64_t value, std::int64_t divisor) {
  const std::int64_t quotient = value / divisor;
  return quotient - (value % divisor < 0 ? 1 : 0);
}

static_assert(days_from_civil(1970, 1, 1) == 0 && days_from_civil(2000, 3, 1) == 11017);
static_assert(weekday_from_days(0) == 4 && weekday_from_days(-5) == 6);

}  // namespace distcron::cron
