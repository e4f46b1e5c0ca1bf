// SPDX-License-Identifier: Apache-2.0
// Days and dates of the proleptic Gregorian calendar, for this module only. Pure arithmetic.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil).
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

/// Days from 0000-03-01 to 1970-01-01.
inline constexpr std::int64_t kMarchDays = 719468;

/// Date of the day that is `days` after 0000-03-01, up to the year 32,000. Source: C. Neri and
/// L. Schneider, "Euclidean Affine Functions and their Application to Calendar Algorithms" (2022).
[[nodiscard]] constexpr Civil civil_from_march_days(std::uint32_t days) {
  const std::uint32_t quarters = 4 * days + 3;
  const std::uint32_t century = quarters / 146097;
  const std::uint32_t rest = quarters % 146097 | 3U;
  const std::uint64_t product = std::uint64_t{2939745} * rest;
  const auto year_of_century = static_cast<std::uint32_t>(product >> 32U);
  const std::uint32_t day_of_year = static_cast<std::uint32_t>(product) / 2939745 / 4;
  const std::uint32_t month_and_day = 2141 * day_of_year + 197913;
  const std::uint32_t month = month_and_day >> 16U;
  const std::uint32_t day = (month_and_day & 0xffffU) / 2141 + 1;
  const bool is_next_year = day_of_year >= 306;
  return {static_cast<int>(100 * century + year_of_century + (is_next_year ? 1 : 0)),
          static_cast<int>(is_next_year ? month - 12 : month), static_cast<int>(day)};
}

/// Date of `days` since 1970-01-01; years 1 to 9999.
[[nodiscard]] constexpr Civil civil_from_days(std::int64_t days) {
  return civil_from_march_days(static_cast<std::uint32_t>(days + kMarchDays));
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
static_assert(civil_from_days(11016).month == 2 && civil_from_days(11016).day == 29);
static_assert(weekday_from_days(0) == 4 && weekday_from_days(-5) == 6);

}  // namespace distcron::cron
