// SPDX-License-Identifier: Apache-2.0
// Random schedules and instants for the comparison of lib/cron with the slow evaluator. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/rng.h"
#include "cron/cron.h"
#include "support/slow_next.h"

namespace distcron::slow {

/// The same schedule as text and as sets.
struct Case {
  std::string text;
  cron::ParseOptions options;
  Schedule schedule;
};

[[nodiscard]] Case random_case(Rng& rng);

struct Outcome {
  std::uint64_t cases = 0;
  std::uint64_t slots = 0;        ///< Slots on which both agreed.
  std::uint64_t near_change = 0;  ///< Cases that start within a day of a clock change.
  std::string failure;            ///< Empty, or the first difference, ready to be repeated.
};

/// Compares `count` cases, spread over all zones of the tz database, instants 1970-2100.
[[nodiscard]] Outcome compare(std::uint64_t seed, std::uint64_t count);

}  // namespace distcron::slow
