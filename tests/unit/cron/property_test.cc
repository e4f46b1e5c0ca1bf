// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "support/cron_cases.h"

namespace distcron {

namespace {

/// DISTCRON_SEED, else a new one; printed so that a failure can be repeated.
std::uint64_t test_seed() {
  const char* given = std::getenv("DISTCRON_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "seed=" << seed << '\n';
  return seed;
}

std::uint64_t case_count(std::uint64_t usual) {
  const char* given = std::getenv("DISTCRON_CASES");
  return given != nullptr ? std::stoull(given) : usual;
}

}  // namespace

TEST_SUITE("cron") {
  TEST_CASE("next agrees with the slow evaluator in all zones from 1970 to 2100") {
    const std::uint64_t seed = test_seed();
    const slow::Outcome outcome = slow::compare(seed, case_count(20'000));

    std::cout << outcome.cases << " cases, " << outcome.near_change << " near a clock change, "
              << outcome.slots << " slots\n";
    CHECK(outcome.failure == "");
    CHECK(outcome.slots > outcome.cases / 4);
  }
}

}  // namespace distcron
