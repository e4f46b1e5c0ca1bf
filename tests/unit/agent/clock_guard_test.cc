// SPDX-License-Identifier: Apache-2.0
#include "agent/clock_guard.h"

#include <doctest/doctest.h>

namespace distcron::agent {

namespace {

constexpr WallTime kReleased = wall_from_seconds(1'700'000'000);
constexpr WallTime kStart = wall_from_seconds(1'800'000'000);

Now at(Seconds wall, Seconds mono) {
  return Now{kStart + wall, MonoTime(Micros(mono))};
}

}  // namespace

TEST_SUITE("agent") {
  TEST_CASE("a clock that runs with boottime is trusted and never jumps") {
    ClockGuard guard(kReleased);

    guard.observe(at(Seconds(0), Seconds(0)), false);
    guard.observe(at(Seconds(3'600), Seconds(3'600)), false);

    CHECK(guard.is_trusted());
    CHECK_FALSE(guard.has_jumped());
  }

  TEST_CASE("a clock before the release of the program is not trusted until it is put right") {
    ClockGuard guard(kReleased);

    guard.observe(Now{wall_from_seconds(0), MonoTime(Micros(Seconds(1)))}, false);
    CHECK_FALSE(guard.is_trusted());
    CHECK(guard.why().find("1970-01-01") != std::string::npos);

    guard.observe(at(Seconds(0), Seconds(40)), true);
    CHECK(guard.is_trusted());
  }

  TEST_CASE("a step of an hour ahead waits for synchronisation or a word of trust") {
    ClockGuard guard(kReleased);
    guard.observe(at(Seconds(0), Seconds(0)), false);

    guard.observe(at(Seconds(3'601), Seconds(1)), false);
    CHECK(guard.has_jumped());
    CHECK_FALSE(guard.is_trusted());
    guard.observe(at(Seconds(3'602), Seconds(2)), false);
    CHECK_FALSE(guard.is_trusted());

    SUBCASE("synchronised") {
      guard.observe(at(Seconds(3'603), Seconds(3)), true);
      CHECK(guard.is_trusted());
    }
    SUBCASE("trusted by an admin") {
      guard.trust(at(Seconds(3'603), Seconds(3)));
      CHECK(guard.is_trusted());
      guard.observe(at(Seconds(3'604), Seconds(4)), false);
      CHECK(guard.is_trusted());
      CHECK_FALSE(guard.has_jumped());
    }
    SUBCASE("set back to what it was") {
      guard.observe(at(Seconds(3), Seconds(3)), false);
      CHECK(guard.is_trusted());
    }
  }

  TEST_CASE("a step of seconds is a jump to plan anew for, not a reason for distrust") {
    ClockGuard guard(kReleased);
    guard.observe(at(Seconds(0), Seconds(0)), false);

    guard.observe(at(Seconds(31), Seconds(1)), false);

    CHECK(guard.has_jumped());
    CHECK(guard.is_trusted());
  }

  TEST_CASE("a clock behind what the log has seen is not trusted") {
    ClockGuard guard(kReleased);
    guard.raise_floor(kStart + Seconds(600));

    guard.observe(at(Seconds(0), Seconds(0)), false);
    CHECK_FALSE(guard.is_trusted());

    SUBCASE("until it has come so far") {
      guard.observe(at(Seconds(601), Seconds(601)), false);
      CHECK(guard.is_trusted());
    }
    SUBCASE("until it is set right") {
      guard.observe(at(Seconds(620), Seconds(1)), false);
      CHECK(guard.is_trusted());
    }
    SUBCASE("until it is synchronised: what passed was measured by a clock that was ahead") {
      guard.observe(at(Seconds(1), Seconds(1)), true);
      CHECK(guard.is_trusted());
    }
    SUBCASE("until an admin trusts it, from then on") {
      guard.trust(at(Seconds(1), Seconds(1)));
      guard.observe(at(Seconds(2), Seconds(2)), false);
      CHECK(guard.is_trusted());
      CHECK(guard.floor() == kStart + Seconds(1));
    }
  }

  TEST_CASE("a synchronised clock before the release of the program is not trusted") {
    ClockGuard guard(kReleased);
    guard.raise_floor(kStart);

    guard.observe(Now{wall_from_seconds(1'000), MonoTime(Micros(Seconds(1)))}, true);

    CHECK_FALSE(guard.is_trusted());
  }

  TEST_CASE("a decision raises what has passed no further than this host's own clock says") {
    ClockGuard guard(kReleased);
    guard.observe(at(Seconds(0), Seconds(0)), false);

    guard.on_decided(kStart - Seconds(3), at(Seconds(0), Seconds(0)));
    CHECK(guard.floor() == kStart - Seconds(3));
    guard.on_decided(kStart + Seconds(86'400), at(Seconds(1), Seconds(1)));
    CHECK(guard.floor() == kStart + Seconds(1));

    guard.observe(at(Seconds(2), Seconds(2)), false);
    CHECK(guard.is_trusted());
    // The clock is set back.
    guard.observe(at(Seconds(-60), Seconds(3)), false);
    CHECK_FALSE(guard.is_trusted());
  }

  TEST_CASE("a clock that is not trusted says of no instant that it has passed") {
    ClockGuard guard(kReleased);
    guard.observe(at(Seconds(0), Seconds(0)), false);
    guard.observe(at(Seconds(3'601), Seconds(1)), false);
    REQUIRE_FALSE(guard.is_trusted());

    guard.on_decided(kStart + Seconds(3'600), at(Seconds(3'601), Seconds(1)));

    CHECK(guard.floor() == kReleased);
  }
}

}  // namespace distcron::agent
