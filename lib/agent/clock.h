// SPDX-License-Identifier: Apache-2.0
// The Clock and Random seams: the only place that reads time or draws randomness. The loop reads
// the clock once a turn and passes the instants down.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace distcron::agent {

/// Both clocks, read together.
struct Now {
  WallTime wall{};
  MonoTime mono{};
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Now read() = 0;
};

/// CLOCK_REALTIME and CLOCK_BOOTTIME.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Now read() override;
};

class Random {
 public:
  virtual ~Random() = default;
  /// Never 0.
  [[nodiscard]] virtual std::uint64_t draw() = 0;
};

/// getrandom(2).
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t draw() override;
};

/// `bytes` random bytes as lower-case hex.
[[nodiscard]] std::string random_hex(Random& random, int bytes);

}  // namespace distcron::agent
