// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::Guarantee;
using model::ReportKind;
using model::RunState;

namespace {

Applied release(Fleet& fleet, std::vector<std::int64_t> run_ids) {
  return fleet.apply(model::ReleaseRuns{std::move(run_ids)});
}

/// A job that has started its run 1 on a host, which then fell silent.
struct Silent : Fleet {
  explicit Silent(Guarantee guarantee = Guarantee::kAtMostOnce) : Fleet(2) {
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.guarantee = guarantee;
    put(job);
    this->sleep(1h);
    settle();
    tell(1, ReportKind::kStarted);
    hush(run(1).node_id);
  }
};

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("a released place of an unknown run lets the next slot run") {
    Fleet fleet(1);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    fleet.hush(1);
    fleet.sleep(30min);
    fleet.settle();
    REQUIRE(fleet.outcome(1) == "unknown(host_unreachable)");
    REQUIRE(fleet.state.places().size() == 1);

    const Applied applied = release(fleet, {1});

    REQUIRE(applied.status);
    CHECK(applied.items.front().action == "released");
    CHECK(applied.items.front().name == "a");
    CHECK(applied.changes.events.front().type == "lock.released");
    CHECK(fleet.state.places().empty());
    CHECK(fleet.rows.load().dump() == fleet.state.dump());
    fleet.wake(1);
    fleet.sleep(30min);
    fleet.settle();
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.outcome(1) == "unknown(host_unreachable)");
  }

  TEST_CASE("a released run that was out on its host is unknown and keeps no place") {
    Silent fleet;
    REQUIRE(fleet.state.places().size() == 1);

    REQUIRE(release(fleet, {1}).status);

    CHECK(fleet.outcome(1) == "unknown(host_unreachable)");
    CHECK(fleet.state.places().empty());
    CHECK(fleet.rows.load().dump() == fleet.state.dump());
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.run(2).state == RunState::kDispatched);
    // What its host says later is evidence, no second end.
    const Applied late = fleet.tell(1, ReportKind::kEnded);
    CHECK(late.changes.events.front().type == "run.late_report");
    CHECK(fleet.outcome(1) == "unknown(host_unreachable)");
  }

  TEST_CASE("a released run that may repeat is tried again, with a mark") {
    Silent fleet(Guarantee::kAtLeastOnce);
    const std::int64_t host = fleet.run(1).node_id;

    REQUIRE(release(fleet, {1}).status);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.run(1).attempt == 2);
    CHECK(fleet.run(1).node_id != host);
    CHECK(fleet.run(1).possible_overlap);
  }

  TEST_CASE("nothing is released when one of the runs keeps no place") {
    Silent fleet;
    const std::string before = fleet.state.dump();

    const Applied applied = release(fleet, {1, 77});

    CHECK(applied.status.error().code == ErrorCode::kConflict);
    CHECK(applied.status.error().message == "run 77 keeps no place");
    CHECK(fleet.state.dump() == before);
  }

  TEST_CASE("runs of jobs that may overlap keep no place") {
    Fleet fleet(1);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.concurrency = model::Concurrency::kAllow;
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.state.places().empty());
  }

  TEST_CASE("the feature level is that of the oldest member") {
    Fleet fleet(2);
    model::PutNode newer = World::node("boot-1");
    newer.feature_level = 2;
    fleet.apply(newer);
    CHECK(fleet.state.feature_level() == 1);
    newer.id = 2;
    newer.name = "web2";
    fleet.apply(newer);
    CHECK(fleet.state.feature_level() == 2);
  }
}

}  // namespace distcron::planner
