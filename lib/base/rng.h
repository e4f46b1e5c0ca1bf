// SPDX-License-Identifier: Apache-2.0
// Seeded generator (splitmix64) for everything random: the seed comes in through the Random seam,
// so a run can be repeated. Not for keys or tokens. One owner, no locks.
#pragma once

#include <cstdint>

#include "base/hash.h"

namespace distcron {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] std::uint64_t draw() {
    const std::uint64_t out = mix64(state_);
    state_ += 0x9e3779b97f4a7c15ULL;
    return out;
  }

  /// Uniform in [0, bound); 0 when bound is 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : draw() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace distcron
