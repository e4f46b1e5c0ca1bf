// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/planner/world.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::Concurrency;
using model::Misfire;
using model::Reason;
using model::RunState;

TEST_SUITE("planner") {
  TEST_CASE("a slot is claimed ahead of its time, with the slot as start time") {
    World world;
    world.put(World::spec("a", "*/5 * * * *"));

    CHECK(world.turn().empty());
    CHECK(world.wake_at == kT0 + 298s);
    world.sleep(298s);
    const auto decisions = world.turn();

    REQUIRE(decisions.size() == 1);
    CHECK(decisions[0].start_at == kT0 + 300s);
    REQUIRE(world.orders_of<ClaimOrder>().size() == 1);
    const model::Run& run = world.last_run();
    CHECK(run.state == RunState::kDispatched);
    CHECK(run.attempt == 1);
    CHECK(run.fence_index == world.index);
    CHECK(run.incarnation == 7);
    CHECK(world.job("a").cursor == kT0 + 300s);
    CHECK(world.turn().empty());
    CHECK(world.wake_at == kT0 + 598s);
  }

  TEST_CASE("a new job does not run slots of the past") {
    World world;
    world.sleep(300s);
    world.put(World::spec("a", "*/5 * * * *"));

    CHECK(world.settle().empty());
  }

  TEST_CASE("a host that does not know a job's zone says so, and goes on once it does") {
    World world;
    model::JobSpec job = World::spec("a", "*/5 * * * *");
    job.tz = "Europe/Berlin";
    world.put(job);
    bool is_known = false;
    world.state = world.rows.load([&is_known, zones = test_zones()](std::string_view name) {
      return is_known || name == "UTC" ? zones(name) : nullptr;
    });
    world.sleep(300s);
    CHECK(world.settle().empty());
    CHECK(world.wake_at == world.situation.now + 60s);
    const std::map<std::string, std::int64_t> unknown{{"Europe/Berlin", 1}};
    CHECK(world.state.unknown_zones() == unknown);
    world.sleep(60s);
    CHECK(world.settle().empty());

    is_known = true;
    CHECK(world.state.unknown_zones().empty());
    world.sleep(60s);
    const auto decisions = world.settle();
    REQUIRE(decisions.size() == 1);
    CHECK(decisions[0].scheduled_at == kT0 + 300s);
    CHECK(world.wake_at == kT0 + 598s);
  }

  TEST_CASE("a changed job keeps its waiting slot where its zone is not known") {
    World world;
    model::JobSpec job = World::spec("a", "*/5 * * * *");
    job.tz = "Europe/Berlin";
    job.on = "name=nobody";
    world.put(job);
    world.sleep(300s);
    world.settle();
    REQUIRE(world.last_run().state == RunState::kQueued);
    job.command = "false";
    world.put(job);
    world.state = world.rows.load([zones = test_zones()](std::string_view name) {
      return name == "UTC" ? zones(name) : nullptr;
    });
    world.settle();
    CHECK(world.last_run().state == RunState::kQueued);
  }

  TEST_CASE("a lost decision is found again") {
    World world;
    world.put(World::spec("a", "*/5 * * * *"));
    world.sleep(300s);

    const Plan first = world.state.due(world.situation);
    const Plan second = world.state.due(world.situation);

    REQUIRE(first.decide);
    REQUIRE(second.decide);
    CHECK(second.decide->decisions.size() == 1);
    CHECK(world.turn().size() == 1);
    CHECK(world.turn().empty());
  }

  TEST_CASE("more changed jobs than one turn looks at go on in the next, and none is forgotten") {
    constexpr std::size_t kMore = 50;
    World world;
    world.situation.capacity = 100'000;
    for (std::size_t i = 0; i < kTimersOfTurnMax + kMore; ++i) {
      world.put(World::spec("job-" + std::to_string(i), "*/5 * * * *"));
    }
    SUBCASE("nothing is due: it looks again at once") {
      const Plan first = world.state.due(world.situation);
      CHECK_FALSE(first.decide);
      CHECK(first.is_cut);
      CHECK(first.wake_at == world.situation.now);
      const Plan second = world.state.due(world.situation);
      CHECK_FALSE(second.is_cut);
      CHECK(second.wake_at == kT0 + 298s);
    }
    SUBCASE("all are due") {
      world.sleep(300s);
      const Plan first = world.state.due(world.situation);
      REQUIRE(first.decide);
      CHECK(first.is_cut);
      CHECK(first.decide->decisions.size() == kTimersOfTurnMax);
      world.apply(*first.decide);  // these jobs have changed now, too, and come last
      const Plan second = world.state.due(world.situation);
      REQUIRE(second.decide);
      CHECK(second.decide->decisions.size() == kMore);
    }
    SUBCASE("a host that stood by has looked at them all when it takes over") {
      CHECK_FALSE(world.state.refresh_timers());
      CHECK(world.state.refresh_timers());
      world.sleep(300s);
      const Plan plan = world.state.due(world.situation);
      REQUIRE(plan.decide);
      CHECK_FALSE(plan.is_cut);
      CHECK(plan.decide->decisions.size() == kTimersOfTurnMax + kMore);
    }
  }

  TEST_CASE("a decision that comes twice claims once") {
    World world;
    world.put(World::spec("a", "*/5 * * * *"));
    world.sleep(300s);
    const Plan plan = world.state.due(world.situation);

    world.apply(*plan.decide);
    world.apply(*plan.decide);

    CHECK(world.rows.runs.size() == 1);
  }

  TEST_CASE("a decision about an older version of the job is dropped with its cursor move") {
    World world;
    world.put(World::spec("a", "*/5 * * * *"));
    world.sleep(300s);
    const Plan plan = world.state.due(world.situation);
    model::JobSpec edited = World::spec("a", "*/5 * * * *");
    edited.description = "new";
    world.put(edited);

    world.apply(*plan.decide);

    CHECK(world.rows.runs.empty());
    CHECK(world.job("a").cursor == kT0);
    CHECK(world.settle().size() == 1);
    CHECK(world.last_run().job_version == 2);
  }

  TEST_CASE("a decision of an older term is ignored") {
    World world;
    world.put(World::spec("a", "*/5 * * * *"));
    world.sleep(300s);
    const Plan old = world.state.due(world.situation);
    world.situation.term = 2;
    world.turn();
    const std::size_t before = world.rows.runs.size();
    world.sleep(300s);
    Plan late = world.state.due(world.situation);
    late.decide->term = 1;

    world.apply(*old.decide);
    world.apply(*late.decide);

    CHECK(world.rows.runs.size() == before);
  }

  TEST_CASE("misfire: slots of an outage follow the rule") {
    struct Row {
      Misfire rule;
      Millis window;
      std::string expected;  // of 01:00 to 05:00, looked at on 05:30
    };

    const Row rows[] = {
        {Misfire::kSkip, 24h, "missed(misfire_skip) x5"},
        {Misfire::kOnce, 24h, "missed(superseded) x4, dispatched"},
        {Misfire::kAll, 24h, "dispatched, queued(overlap_wait) x4"},
        {Misfire::kOnce, 2h, "missed(too_late) x3, missed(superseded), dispatched"},
        {Misfire::kOnce, 10min, "missed(too_late) x5"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      World world;
      model::JobSpec job = World::spec("a", "0 * * * *");
      job.misfire = row.rule;
      job.misfire_window = row.window;
      world.put(job);
      world.sleep(5h + 30min);
      world.settle();

      std::string got;
      int count = 0;
      std::string last;
      const auto flush = [&] {
        if (count > 0) got += (got.empty() ? "" : ", ") + last;
        if (count > 1) got += " x" + std::to_string(count);
      };
      for (const auto& item : world.rows.runs) {
        const std::string word = world.outcome(item.first);
        if (word != last) {
          flush();
          count = 0;
          last = word;
        }
        ++count;
      }
      flush();
      CHECK(got == row.expected);
    }
  }

  TEST_CASE("a slot that is merely late runs whatever the rule") {
    World world;
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.misfire = Misfire::kSkip;
    world.put(job);
    world.sleep(1h + 30s);
    world.settle();

    CHECK(world.outcome(1) == "dispatched");
  }

  TEST_CASE("misfire = all runs the newest catchup_max in order") {
    World world;
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.misfire = Misfire::kAll;
    job.misfire_window = 24h;
    job.catchup_max = 2;
    world.put(job);
    world.sleep(5h + 30min);
    world.settle();

    CHECK(world.outcome(3) == "missed(superseded)");
    CHECK(world.outcome(4) == "dispatched");
    CHECK(world.outcome(5) == "queued(overlap_wait)");
    world.start(4);
    world.end(4, RunState::kOk);
    world.settle();
    CHECK(world.outcome(5) == "dispatched");
  }

  TEST_CASE("a million missed slots make a thousand rows and say how many they stand for") {
    World world;
    world.put(World::spec("a", "@every 1s"));
    world.sleep(Seconds{1'000'000});
    world.settle();

    CHECK(world.job("a").cursor >= kT0 + Seconds{1'000'000});
    CHECK(world.rows.runs.size() < 1100);
    std::int64_t accounted = 0;
    for (const auto& item : world.rows.runs) {
      std::int64_t stands_for = 1;
      if (item.second.detail.starts_with("stands for ")) {
        stands_for = std::stoll(item.second.detail.substr(11));
      }
      accounted += stands_for;
    }
    CHECK(accounted == epoch_seconds(world.job("a").cursor) - epoch_seconds(kT0));
  }

  TEST_CASE("concurrency: what a second slot does while the first runs") {
    struct Row {
      Concurrency policy;
      std::string first;
      std::string second;
    };

    const Row rows[] = {{Concurrency::kAllow, "running", "dispatched"},
                        {Concurrency::kForbid, "running", "skipped(overlap)"},
                        {Concurrency::kQueue, "running", "queued(overlap_wait)"},
                        {Concurrency::kReplace, "running(replaced)", "queued(overlap_wait)"}};
    for (const Row& row : rows) {
      CAPTURE(row.second);
      World world;
      model::JobSpec job = World::spec("a", "* * * * *");
      job.concurrency = row.policy;
      world.put(job);
      world.sleep(60s);
      world.settle();
      world.start(1);
      world.sleep(60s);
      world.settle();

      CHECK(world.outcome(1) == row.first);
      CHECK(world.outcome(2) == row.second);
    }
  }

  TEST_CASE("a skipped slot names the run that holds the place") {
    World world;
    world.put(World::spec("a", "* * * * *"));
    world.sleep(60s);
    world.settle();
    world.start(1);
    world.sleep(60s);
    world.settle();

    const auto& facts = world.run(2).facts;
    REQUIRE(facts.size() == 2);
    CHECK(facts[0].text == "* * * * * in UTC");
    CHECK(facts[1].text == "run 1 is running since 2026-11-20T00:01:00Z; concurrency = forbid");
  }

  TEST_CASE("a slot that overlaps is not decided before its time") {
    World world;
    world.put(World::spec("a", "* * * * *"));
    world.sleep(60s);
    world.settle();
    world.start(1);
    world.sleep(59s);
    CHECK(world.settle().empty());
    CHECK(world.wake_at == kT0 + 120s);

    world.end(1, RunState::kOk);
    world.sleep(1s);
    world.settle();

    CHECK(world.outcome(2) == "dispatched");
  }

  TEST_CASE("replace kills the old run and starts the new one when it is gone") {
    World world;
    model::JobSpec job = World::spec("a", "* * * * *");
    job.concurrency = Concurrency::kReplace;
    job.kill_grace = 3s;
    world.put(job);
    world.sleep(60s);
    world.settle();
    world.start(1);
    world.sleep(60s);
    world.turn();

    const auto kills = world.orders_of<KillOrder>();
    REQUIRE(kills.size() == 1);
    CHECK(kills[0].run_id == 1);
    CHECK(kills[0].grace == 3s);
    CHECK(kills[0].reason == Reason::kReplaced);
    world.end(1, RunState::kKilled);
    CHECK(world.outcome(1) == "killed(replaced)");
    world.settle();
    CHECK(world.outcome(2) == "dispatched");
  }

  TEST_CASE("at most 100 runs of a job wait for its place") {
    World world;
    model::JobSpec job = World::spec("a", "@every 1s");
    job.concurrency = Concurrency::kQueue;
    world.put(job);
    world.sleep(1s);
    world.settle();
    world.start(1);
    for (int i = 0; i < 105; ++i) {
      world.sleep(1s);
      world.settle();
    }

    CHECK(world.outcome(101) == "queued(overlap_wait)");
    CHECK(world.outcome(102) == "missed(queue_full)");
  }

  TEST_CASE("over capacity slots wait by priority and are missed when their window is over") {
    World world;
    world.situation.capacity = 1;
    for (const char* name : {"low", "high", "mid"}) {
      model::JobSpec job = World::spec(name, "0 1 * * *");
      job.priority = std::string(name) == "low" ? 1 : std::string(name) == "high" ? 90 : 50;
      job.misfire_window = 10min;
      world.put(job);
    }
    world.sleep(1h);
    world.settle();

    CHECK(world.run(1).job == "high");
    CHECK(world.outcome(1) == "dispatched");
    CHECK(world.outcome(2) == "queued(capacity)");
    CHECK(world.outcome(3) == "queued(capacity)");
    CHECK(world.wake_at == kT0 + 1h + 10min + 1us);
    world.start(1);
    world.sleep(5min);
    world.end(1, RunState::kOk);
    world.settle();
    CHECK(world.run(2).job == "mid");
    CHECK(world.outcome(2) == "dispatched");
    world.sleep(6min);
    world.settle();
    CHECK(world.outcome(3) == "missed(too_late)");
  }

  TEST_CASE("jitter is fixed for a slot and moves its start only") {
    World world;
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.jitter = 20min;
    world.put(job);
    world.sleep(1h);
    world.settle();

    REQUIRE(world.rows.runs.size() == 1);
    CHECK(world.outcome(1) == "queued");
    const WallTime start = world.run(1).not_before.value_or(kT0);
    CHECK(start > kT0 + 1h);
    CHECK(start < kT0 + 80min);
    CHECK(world.wake_at == start - 2s);
    world.situation.now = start - 2s;
    world.settle();
    CHECK(world.outcome(1) == "dispatched");
    CHECK(world.orders_of<ClaimOrder>()[0].start_at == start);
  }

  TEST_CASE("nothing is decided on a clock that is not trusted") {
    World world;
    world.put(World::spec("a", "* * * * *"));
    world.sleep(10min);
    world.situation.clock_trusted = false;

    CHECK(world.turn().empty());
    CHECK(world.job("a").cursor == kT0);
  }

  TEST_CASE("a clock that goes back decides nothing twice") {
    World world;
    world.put(World::spec("a", "* * * * *"));
    world.sleep(3min);
    world.settle();
    const std::size_t before = world.rows.runs.size();
    world.sleep(-2min);

    CHECK(world.settle().empty());
    CHECK(world.rows.runs.size() == before);
    CHECK(world.job("a").cursor == kT0 + 3min);
  }

  TEST_CASE("disable --until makes no slots until then and enables at that instant") {
    World world;
    world.put(World::spec("a", "0 * * * *"));
    world.apply(model::SetEnabled{.names = {"a"}, .enabled = false, .until = kT0 + 3h});
    CHECK(world.settle().empty());
    CHECK(world.wake_at == kT0 + 3h);
    world.sleep(3h);
    world.settle();

    CHECK(world.job("a").spec->enabled);
    REQUIRE(world.rows.runs.size() == 1);
    CHECK(world.run(1).scheduled_at == kT0 + 3h);
  }

  TEST_CASE("a selector that no host fits waits for its window, then is missed(no_host)") {
    World world;
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "role=db";
    world.put(job);
    world.sleep(1h);
    world.settle();
    CHECK(world.outcome(1) == "queued(no_host)");
    CHECK(world.run(1).facts.back().text == "host web1 is not role=db");
    CHECK(world.wake_at == kT0 + 90min + Micros{1});
    world.sleep(31min);
    world.settle();

    CHECK(world.outcome(1) == "missed(no_host)");
  }

  TEST_CASE("schedules that meet are one slot") {
    World world;
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.schedule.push_back("*/30 * * * *");
    world.put(job);
    world.sleep(30min);
    world.settle();
    world.start(1);
    world.end(1, RunState::kOk);
    world.sleep(30min);
    world.settle();

    CHECK(world.rows.runs.size() == 2);
  }
}

}  // namespace distcron::planner
