// SPDX-License-Identifier: Apache-2.0
// Makes a failing script smaller: less time, fewer lines, fewer kinds of trouble, as long as the
// same invariant is violated. What is left is printed as a scenario.
#pragma once

#include <cstdint>
#include <string>

#include "sim/script.h"
#include "sim/world.h"

namespace distcron::sim {

struct Shrunk {
  Script script;
  Outcome outcome;
  std::int64_t runs = 0;
};

/// `script` must fail. Stops after `events_max` simulated events at the latest.
[[nodiscard]] Shrunk shrink(const Script& script, std::int64_t events_max);

}  // namespace distcron::sim
