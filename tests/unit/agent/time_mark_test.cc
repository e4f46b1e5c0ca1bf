// SPDX-License-Identifier: Apache-2.0
#include "agent/time_mark.h"

#include <doctest/doctest.h>

#include "support/temp_dir.h"

namespace distcron::agent {

TEST_SUITE("agent") {
  TEST_CASE("a mark says what was kept last, also an earlier instant") {
    const test::TempDir dir;
    const TimeMark mark(dir.path() + "/clock");
    CHECK_FALSE(mark.load());

    for (const std::int64_t micros : std::initializer_list<std::int64_t>{
             1'800'000'000'123'456, 1'700'000'000'000'000, -1'500'000}) {
      CAPTURE(micros);
      REQUIRE(mark.keep(wall_from_micros(micros)));
      CHECK(TimeMark(dir.path() + "/clock").load() == wall_from_micros(micros));
    }
  }

  TEST_CASE("a mark that cannot be written says so") {
    CHECK_FALSE(TimeMark("/nonexistent/clock").keep(wall_from_seconds(1)));
  }
}

}  // namespace distcron::agent
