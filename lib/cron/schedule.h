// SPDX-License-Identifier: Apache-2.0
// Schedule: when a job is due, as bit masks. A small value that is copied freely and compared by
// its bytes; no thread rule. Made by parse() only; knows no zone.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "base/time.h"
#include "cron/dialect.h"

namespace distcron::cron {

enum class ScheduleKind : std::uint8_t {
  kFields,  ///< Local date and time fields.
  kEvery,   ///< Each multiple of an interval since 1970-01-01T00:00:00Z.
  kAt,      ///< One instant.
  kReboot,  ///< Once per boot of a host; has no slots.
  kNever,   ///< Has no slots.
};

/// Years that a year field may name.
inline constexpr int kYearMin = 1970;
inline constexpr int kYearMax = 2099;

struct Schedule {
  /// Facts of the text that masks cannot tell.
  enum Flag : std::uint8_t {
    kDayStar = 1,        ///< Day of month is unrestricted in the sense of the dialect's day rule.
    kWeekdayStar = 2,    ///< Day of week likewise.
    kMinuteStar = 4,     ///< The minute field begins with `*`.
    kHourStar = 8,       ///< The hour field begins with `*`, or the text is @hourly.
    kAnyYear = 16,       ///< No year field, or one that allows all years.
    kLocalTime = 32,     ///< kAt: the instant is in the job's zone.
    kLastWorkday = 64,   ///< `LW`: the last Monday-to-Friday day of the month.
    kSpecialDays = 128,  ///< One of L, L-n, W, LW, 5L, 5#3 is present.
  };

  std::array<std::uint64_t, 3> words{};  ///< kFields: years since kYearMin. Else: see below.
  std::uint64_t seconds = 0;             ///< Bits 0-59.
  std::uint64_t minutes = 0;             ///< Bits 0-59.
  std::uint64_t nth_weekdays = 0;        ///< `d#n`: bit 8 (n - 1) + d.
  std::uint32_t hours = 0;               ///< Bits 0-23.
  std::uint32_t days = 0;                ///< Bits 1-31.
  std::uint32_t last_days = 0;           ///< `L-n`: bit n, `L`: bit 0.
  std::uint32_t nearest_workdays = 0;    ///< `dW`: bit d.
  std::uint16_t months = 0;              ///< Bits 1-12.
  std::uint8_t weekdays = 0;             ///< Bits 0-6, 0 = Sunday.
  std::uint8_t last_weekdays = 0;        ///< `dL`: bit d.
  ScheduleKind kind = ScheduleKind::kNever;
  DstMode dst = DstMode::kVixie;
  Dialect dialect = Dialect::kNative;
  std::uint8_t flags = kAnyYear;

  [[nodiscard]] constexpr bool has(Flag flag) const { return (flags & flag) != 0; }

  /// Neither minute nor hour begins with `*`: the clock-change rule of fixed-time jobs applies.
  [[nodiscard]] constexpr bool is_fixed_time() const {
    return (flags & (kMinuteStar | kHourStar)) == 0;
  }

  /// kEvery only: length of the interval, at least one second.
  [[nodiscard]] constexpr Micros interval() const {
    return Micros(static_cast<std::int64_t>(words[0]));
  }

  /// kAt only: the instant, as if its local time were UTC when kLocalTime is set.
  [[nodiscard]] constexpr WallTime instant() const {
    return wall_from_micros(static_cast<std::int64_t>(words[0]));
  }

  [[nodiscard]] constexpr bool allows_year(int year) const {
    if (has(kAnyYear)) return true;
    if (year < kYearMin || year > kYearMax) return false;
    const auto index = static_cast<unsigned>(year - kYearMin);
    return ((words[index / 64] >> (index % 64)) & 1U) != 0;
  }

  friend constexpr bool operator==(const Schedule&, const Schedule&) = default;
};

static_assert(sizeof(Schedule) == 72 && std::is_trivially_copyable_v<Schedule>);

}  // namespace distcron::cron
