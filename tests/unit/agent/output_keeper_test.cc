// SPDX-License-Identifier: Apache-2.0
#include "agent/output_keeper.h"

#include <map>
#include <set>

#include <doctest/doctest.h>

namespace distcron::agent {
namespace {

using Ids = std::vector<std::int64_t>;

struct Fixture {
  OutputKeeper keeper;
  std::map<std::int64_t, std::int64_t> sizes;
  std::map<std::int64_t, WallTime> ended;
  std::set<std::int64_t> alive;
  int measured = 0;

  void add(std::int64_t run_id, std::int64_t bytes) {
    sizes[run_id] = bytes;
    keeper.add(run_id);
  }

  Ids step(std::int64_t limit) {
    return keeper.step(
        limit,
        [this](std::int64_t run_id) {
          ++measured;
          return OutputKeeper::Kept{sizes[run_id], ended[run_id]};
        },
        [this](std::int64_t run_id) { return alive.contains(run_id); });
  }
};

TEST_SUITE("agent") {
  TEST_CASE_FIXTURE(Fixture, "the output of the oldest runs goes until the rest fits") {
    for (std::int64_t run = 1; run <= 5; ++run)
      add(run, 100);
    CHECK(step(500).empty());
    CHECK(keeper.total() == 500);
    CHECK(step(250) == Ids{1, 2, 3});
    CHECK(keeper.total() == 200);
    add(6, 1000);
    CHECK(step(250) == Ids{4, 5, 6});
    CHECK(keeper.total() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "which runs are the oldest is told by their ends, not by their ids") {
    ended = {{1, wall_from_seconds(30)}, {2, wall_from_seconds(40)}, {99, wall_from_seconds(10)}};
    for (const std::int64_t run : {1, 2, 99})
      add(run, 100);
    CHECK(step(100) == Ids{99, 1});
  }

  TEST_CASE_FIXTURE(Fixture, "a run that is alive is left and counted when it has ended") {
    alive = {1};
    add(1, 1000);
    add(2, 100);
    CHECK(step(100).empty());
    alive.clear();
    add(1, 2000);
    CHECK(step(100) == Ids{1});
    CHECK(keeper.total() == 100);
  }

  TEST_CASE_FIXTURE(Fixture, "a run that is added again counts with its newest size") {
    add(1, 100);
    CHECK(step(1000).empty());
    add(1, 300);
    CHECK(step(1000).empty());
    CHECK(keeper.total() == 300);
    keeper.forget(1);
    CHECK(keeper.total() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "many runs are measured a few at a time, before any is removed") {
    for (std::int64_t run = 1000; run > 0; --run)
      add(run, 1);
    CHECK(step(10).empty());
    CHECK(measured < 100);
    CHECK(keeper.has_work());
    Ids gone;
    while (keeper.has_work())
      gone = step(10);
    CHECK(gone.size() == 990);
    CHECK(gone.front() == 1);
    CHECK(measured == 1000);
  }

  TEST_CASE_FIXTURE(Fixture, "runs without output take no place") {
    add(1, 0);
    CHECK(step(0).empty());
    CHECK(keeper.total() == 0);
  }
}

}  // namespace
}  // namespace distcron::agent
