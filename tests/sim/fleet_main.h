// SPDX-License-Identifier: Apache-2.0
// The part of distcron-sim that runs whole agents: distcron-sim --fleet.
#pragma once

#include <cstdint>

namespace distcron::sim {

struct FleetArguments {
  std::int64_t seeds = 1;
  std::int64_t first = 1;
  std::int64_t seconds = 60;  ///< Of faults, before all is healed.
  std::int64_t jobs = 1;
  bool traces = false;
  bool stops = false;
  bool shrinks = true;
  bool shows_outcomes = false;
  std::int64_t hosts = 0;  ///< Not 0: a large cluster, see draw_large_plan().
};

/// Exit status as main() has it.
[[nodiscard]] int run_fleet(const FleetArguments& arguments);

}  // namespace distcron::sim
