// SPDX-License-Identifier: Apache-2.0
// Seed of the random tests: DISTCRON_SEED, else fresh; printed, so that a failure can be repeated.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace distcron::test {

inline std::uint64_t seed() {
  const char* text = std::getenv("DISTCRON_SEED");
  const std::uint64_t value =
      text != nullptr
          ? std::strtoull(text, nullptr, 10)
          : static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  std::printf("seed=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

}  // namespace distcron::test
