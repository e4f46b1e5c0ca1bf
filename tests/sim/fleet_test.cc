// SPDX-License-Identifier: Apache-2.0
// The fleet's world and its judge: what they find is worth as much as they are right.
#include <string>

#include <doctest/doctest.h>

#include "sim/fleet_world.h"
#include "sim/mutants.h"

namespace distcron::sim {
namespace {

std::string history_of(std::uint64_t seed, FleetOutcome& outcome) {
  std::string history;
  FleetWorld world(draw_fleet_plan(seed, 20));
  world.listener = [&history](const std::string& line) { history += line + "\n"; };
  outcome = world.run();
  return history;
}

model::Run claimed_run() {
  model::Run run;
  run.run_id = 7;
  run.attempt = 1;
  run.job_uid = 3;
  run.job = "a";
  run.origin = "schedule";
  run.scheduled_at = kFleetEpoch;
  run.state = model::RunState::kDispatched;
  run.node_id = 2;
  return run;
}

struct Court {
  Agenda agenda;
  FleetJudge judge{agenda};
  planner::State state{[](std::string_view) -> const cron::Zone* { return nullptr; }};
  std::int64_t index = 0;

  void apply(const model::Run& run) {
    planner::Changes changes;
    changes.index = ++index;
    changes.runs.push_back(run);
    judge.on_changes(1, changes, state);
  }

  void note(std::int64_t host, store::JournalKind kind) {
    store::JournalPut put;
    put.run_id = 7;
    put.attempt = 1;
    put.kind = kind;
    put.bytes = std::to_string(epoch_micros(kFleetEpoch));
    store::DurableBatch batch;
    batch.journal.push_back(put);
    judge.on_durable(host, batch, Micros(0));
  }

  void start(std::int64_t host) {
    FleetProcess process;
    process.key = process::RunKey{7, 1};
    process.host = host;
    judge.on_start(process, MonoTime{});
  }

  [[nodiscard]] std::string verdict() const {
    return judge.violation() ? judge.violation()->invariant : "";
  }
};

}  // namespace

TEST_CASE("the same seed of the fleet gives the same history to the bit") {
  FleetOutcome first;
  FleetOutcome second;
  const std::string history = history_of(11, first);
  CHECK(history == history_of(11, second));
  CHECK(first.hash == second.hash);
  CHECK(history.size() > 1'000);
  FleetOutcome other;
  CHECK(history != history_of(12, other));
}

TEST_CASE("the judge finds a start that was not claimed, not noted, or comes twice") {
  Court court;
  SUBCASE("not claimed") {
    court.start(2);
    CHECK(court.verdict() == "start_unclaimed");
  }
  SUBCASE("claimed by another host") {
    court.apply(claimed_run());
    court.start(1);
    CHECK(court.verdict() == "start_unclaimed");
  }
  SUBCASE("not noted") {
    court.apply(claimed_run());
    court.start(2);
    CHECK(court.verdict() == "start_unaccepted");
  }
  SUBCASE("tombstoned") {
    court.apply(claimed_run());
    court.note(2, store::JournalKind::kAccepted);
    court.note(2, store::JournalKind::kTombstone);
    court.start(2);
    CHECK(court.verdict() == "start_tombstoned");
  }
  SUBCASE("twice") {
    court.apply(claimed_run());
    court.note(2, store::JournalKind::kAccepted);
    court.start(2);
    CHECK(court.verdict().empty());
    court.start(2);
    CHECK(court.verdict() == "attempt_twice");
  }
}

TEST_CASE("the judge finds a final state that changes and an end that is not true") {
  Court court;
  court.apply(claimed_run());
  model::Run over = claimed_run();
  SUBCASE("it says ok of what never ran") {
    over.state = model::RunState::kOk;
    over.starts = 1;
    court.apply(over);
    CHECK(court.verdict() == "ran_never");
  }
  SUBCASE("it was final before") {
    over.state = model::RunState::kMissed;
    court.apply(over);
    CHECK(court.verdict().empty());
    over.state = model::RunState::kUnknown;
    court.apply(over);
    CHECK(court.verdict() == "final_changed");
  }
  SUBCASE("it says missed of what ran") {
    court.note(2, store::JournalKind::kAccepted);
    court.start(2);
    over.state = model::RunState::kMissed;
    court.apply(over);
    CHECK(court.verdict() == "ran_unsaid");
  }
}

TEST_CASE("a slot has one row and a term one scheduler") {
  Court court;
  court.apply(claimed_run());
  model::Run second = claimed_run();
  second.run_id = 8;
  court.apply(second);
  CHECK(court.verdict() == "slot_twice");

  Court other;
  other.judge.on_scheduler(1, 5);
  other.judge.on_scheduler(1, 5);
  CHECK(other.verdict().empty());
  other.judge.on_scheduler(2, 5);
  CHECK(other.verdict() == "two_schedulers");
}

// Each of these broke a promise before the product was corrected: an agent that gave up because its
// introduction was answered late (3) or its disk was full (10, 30), and a host that said after a
// reboot that what had been revoked meanwhile had never run (136, 143, 150). The plans of these
// seeds have changed since. 1439: a trigger waited for ever behind a run that waited for its retry.
TEST_CASE("the seeds that found faults of the agent pass") {
  for (const std::uint64_t seed : {3U, 10U, 30U, 136U, 143U, 150U, 1439U}) {
    const FleetOutcome outcome = FleetWorld(draw_plain_plan(seed, 60)).run();
    CHECK_MESSAGE(!outcome.violation, "seed " << seed);
    CHECK(outcome.starts > 0);
  }
}

// A host whose state did not know who votes with it (109), an end that came before the state was
// complete (225), a voter that stopped when its row said so (668), one that ended while the other
// was off (621, 5157), an end that was lost as its place in the log was given to another (4084), a
// change that went into the log although the decisions before it had been refused (9874). The plans
// of some of these seeds have changed since.
TEST_CASE("the seeds that found faults of members and restarts pass") {
  for (const std::uint64_t seed : {109U, 225U, 668U, 621U, 5157U, 4084U, 9874U}) {
    const FleetOutcome outcome = FleetWorld(draw_fleet_plan(seed, 60)).run();
    CHECK_MESSAGE(!outcome.violation, "seed " << seed);
    CHECK(outcome.starts > 0);
  }
}

TEST_CASE("who was away for long gets a snapshot") {
  FleetPlan plan = draw_plain_plan(5, 30);
  plan.options.nodes = 3;
  plan.options.standbys = 0;
  plan.options.log.entries_max = 10;
  plan.options.log.keep = 2;
  plan.options.log.look_every = Micros(kSecond);
  plan.options.log.chunk_bytes = 300;
  FleetOp away;
  away.at = 5 * kSecond;
  away.kind = FleetOpKind::kIsolate;
  away.node = 3;
  away.span = 20 * kSecond;
  plan.ops = {away};
  const FleetOutcome outcome = FleetWorld(plan).run();
  CHECK(!outcome.violation);
  CHECK(outcome.installs > 0);
}

TEST_CASE("a host that is heard but cannot be reached gets no runs") {
  FleetPlan plan = draw_plain_plan(7, 60);
  plan.options.nodes = 3;
  plan.options.standbys = 0;
  plan.options.jobs.clear();
  for (int i = 0; i < 8; ++i) {  // by hash, so that each host has some
    model::JobSpec spec;
    spec.name = "job" + std::to_string(i);
    spec.command = "true";
    spec.user = "root";
    spec.tz = "UTC";
    spec.schedule = {"@every 2s"};
    spec.concurrency = model::Concurrency::kAllow;
    plan.options.jobs.push_back(spec);
  }
  FleetOp deaf;
  deaf.at = 15 * kSecond;
  deaf.kind = FleetOpKind::kDeafen;
  deaf.node = 3;
  deaf.span = 40 * kSecond;
  plan.ops = {deaf};
  std::int64_t before = 0;
  std::int64_t meanwhile = 0;
  FleetWorld world(plan);
  world.listener = [&](const std::string& line) {
    const double at = std::stod(line);
    const bool is_claim =
        line.find("dispatched") != std::string::npos && line.find("host=3") != std::string::npos;
    if (is_claim && at < 15) ++before;
    if (is_claim && at > 25 && at < 50) ++meanwhile;
  };
  const FleetOutcome outcome = world.run();
  CHECK(!outcome.violation);
  CHECK(before > 0);
  CHECK(meanwhile == 0);
}

TEST_CASE("a scheduler keeps its role while others join") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    FleetPlan plan = draw_plain_plan(seed, 20);
    plan.ops.clear();
    plan.options.nodes = 1;
    plan.options.standbys = 0;
    plan.options.joiners = 3;
    plan.options.loss_percent = 0;
    plan.options.late_percent = 0;
    for (std::int64_t i = 0; i < plan.options.joiners; ++i) {
      FleetOp op;
      op.at = (3 + 4 * i) * kSecond;
      op.kind = FleetOpKind::kJoin;
      op.node = 1;
      op.arg = 2 + i;
      plan.ops.push_back(op);
    }
    const FleetOutcome outcome = FleetWorld(plan).run();
    CAPTURE(seed);
    CHECK(!outcome.violation);
    CHECK(outcome.members == 4);
    CHECK(outcome.terms == 1);
  }
}

TEST_CASE("hosts join, and one after the other leaves, the scheduler first") {
  FleetPlan plan = draw_plain_plan(6, 40);
  plan.ops.clear();
  plan.options.nodes = 2;
  plan.options.standbys = 0;
  plan.options.joiners = 2;
  const auto add = [&plan](std::int64_t at, FleetOpKind kind, std::int64_t node, std::int64_t arg) {
    FleetOp op;
    op.at = at * kSecond;
    op.kind = kind;
    op.node = node;
    op.arg = arg;
    plan.ops.push_back(op);
  };
  SUBCASE("two, of which the scheduler leaves") {
    plan.options.joiners = 0;
    add(10, FleetOpKind::kLeave, 1, 0);
  }
  SUBCASE("two, of which the scheduler is removed") {
    plan.options.joiners = 0;
    add(10, FleetOpKind::kRemove, 2, 1);
  }
  SUBCASE("two, of which the scheduler leaves while the other is off") {
    plan.options.joiners = 0;
    add(10, FleetOpKind::kLeave, 1, 0);
    FleetOp off;
    off.at = 10 * kSecond + 860 * kMs;  // its row is gone, its vote is not
    off.kind = FleetOpKind::kPowerOff;
    off.node = 2;
    off.span = 90 * kSecond;
    plan.ops.push_back(off);
  }
  SUBCASE("two more, then the first ones leave") {
    add(5, FleetOpKind::kJoin, 1, 3);
    add(6, FleetOpKind::kJoin, 1, 4);
    add(20, FleetOpKind::kLeave, 1, 0);
    add(30, FleetOpKind::kLeave, 2, 0);
  }
  SUBCASE("two more, who have to take a snapshot") {
    plan.options.founded_at = 1;
    add(5, FleetOpKind::kJoin, 1, 3);
    add(6, FleetOpKind::kJoin, 1, 4);
  }
  const FleetOutcome outcome = FleetWorld(plan).run();
  CHECK(!outcome.violation);
  CHECK(outcome.unhealable == 0);
  CHECK(outcome.starts > 0);
  const std::int64_t joined = plan.options.joiners;
  const std::int64_t left = plan.ops.size() == 4 ? 2 : joined == 0 ? 1 : 0;
  CHECK(outcome.members == 2 + joined - left);
}

// A hundred in tests/long/large_fleet.sh.
TEST_CASE("a scheduler with thirty standbys fails and comes back, and all is accounted for") {
  const FleetPlan plan = draw_large_plan(1, 20, 35);
  const FleetOutcome outcome = FleetWorld(plan).run();
  CHECK(!outcome.violation);
  CHECK(outcome.members == 35);
  CHECK(outcome.slots > 0);
  const auto faults = static_cast<std::int64_t>(plan.ops.size());
  CHECK(outcome.terms <= 1 + 2 * faults);
}

}  // namespace distcron::sim
