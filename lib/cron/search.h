// SPDX-License-Identifier: Apache-2.0
// Search among local times that match the fields of a schedule, without any zone: the engine under
// next(), matches() and explain. For this module only. Pure, allocates nothing.
#pragma once

#include <cstdint>
#include <limits>

#include "cron/schedule.h"

namespace distcron::cron {

/// No local time found.
inline constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::max();

/// How far next() looks ahead. A leap day on a given weekday may be 40 years away.
inline constexpr int kSearchYears = 50;

/// Days of one month (bits 1-31) that the day rule, the months and the years of `schedule` allow.
/// `first_weekday` is the weekday of the 1st, 0 = Sunday.
[[nodiscard]] std::uint32_t month_days(const Schedule& schedule, int year, int month,
                                       int first_weekday);

/// First local time (seconds since 1970 as if it were UTC) at or after `from` that matches, or
/// kNoTime when there is none within kSearchYears. kFields only.
[[nodiscard]] std::int64_t first_local(const Schedule& schedule, std::int64_t from);

}  // namespace distcron::cron
