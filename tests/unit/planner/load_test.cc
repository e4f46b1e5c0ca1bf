// SPDX-License-Identifier: Apache-2.0
// Cost of planning with many jobs. The limits are loose, for debug builds on busy machines; the
// printed figures are what counts.
#include <ctime>

#include <doctest/doctest.h>

#include "unit/planner/world.h"

namespace distcron::planner {

using namespace std::chrono_literals;

namespace {

/// CPU time, so that a busy machine does not blur the figures.
double millis_since(std::clock_t begin) {
  return 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("ten thousand jobs of one second are one decision") {
    World world;
    world.situation.capacity = 100'000;
    model::PutJobs put;
    for (int i = 0; i < 10'000; ++i) {
      model::JobPut line;
      line.spec = World::spec("job-" + std::to_string(i), "0 * * * *");
      line.new_uid = world.next_uid++;
      put.puts.push_back(std::move(line));
    }
    auto begin = std::clock();
    world.apply(std::move(put));
    const double put_ms = millis_since(begin);
    begin = std::clock();
    CHECK_FALSE(world.state.due(world.situation).decide);
    const double first_ms = millis_since(begin);
    world.sleep(1h - 2s);

    begin = std::clock();
    Plan plan = world.state.due(world.situation);
    const double due_ms = millis_since(begin);
    REQUIRE(plan.decide);
    CHECK(plan.decide->decisions.size() == 10'000);
    const model::Entry entry{.at = world.situation.now,
                             .actor = "scheduler",
                             .request_id = "",
                             .note = "",
                             .command = std::move(*plan.decide)};
    begin = std::clock();
    const Applied out = world.state.apply(entry, 100);
    const double apply_ms = millis_since(begin);

    CHECK(out.orders.size() == 10'000);
    begin = std::clock();
    CHECK_FALSE(world.state.due(world.situation).decide);
    const double again_ms = millis_since(begin);
    begin = std::clock();
    CHECK_FALSE(world.state.due(world.situation).decide);
    const double idle_ms = millis_since(begin);
    MESSAGE("put " << put_ms << " ms, first due " << first_ms << " ms, due " << due_ms
                   << " ms, apply " << apply_ms << " ms, due after " << again_ms << " ms, idle due "
                   << idle_ms << " ms");
    CHECK(due_ms + apply_ms < 5000.0);
    CHECK(idle_ms < 5.0);
  }
}

}  // namespace distcron::planner
