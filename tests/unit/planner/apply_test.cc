// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/planner/world.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::Reason;
using model::RunState;

TEST_SUITE("planner") {
  TEST_CASE("an unknown name is refused with near names as hint") {
    World world;
    world.put(World::spec("backup-db", "@daily"));

    const Applied out = world.apply(model::RemoveJobs{.names = {"backup-bd"}});

    REQUIRE(!out.status);
    CHECK(out.status.error().code == ErrorCode::kNotFound);
    CHECK(out.status.error().message == "no job named \"backup-bd\"");
    CHECK(out.status.error().hint == "did you mean: backup-db");
  }

  TEST_CASE("put: each mode does what it says") {
    World world;
    const auto put = [&](std::string schedule, model::PutMode mode) {
      return world.put(World::spec("a", std::move(schedule)), mode);
    };
    using model::PutMode;

    CHECK(put("@daily", PutMode::kUpdate).status.error().code == ErrorCode::kNotFound);
    CHECK(put("@daily", PutMode::kCreate).items.at(0).action == "created");
    CHECK(put("@daily", PutMode::kCreate).status.error().code == ErrorCode::kConflict);
    CHECK(put("@weekly", PutMode::kCreateIfMissing).items.at(0).action == "unchanged");
    CHECK(put("@daily", PutMode::kReplace).items.at(0).action == "unchanged");
    CHECK(world.job("a").version == 1);
    CHECK(put("@weekly", PutMode::kUpdate).items.at(0).action == "updated");
    CHECK(world.job("a").version == 2);
    CHECK(world.job("a").spec->tz == "UTC");
    CHECK(put("61 * * * *", PutMode::kUpdate).status.error().code == ErrorCode::kInvalid);
  }

  TEST_CASE("put: one bad job of many changes nothing") {
    World world;
    const std::string before = world.state.dump();
    model::PutJobs command;
    for (const char* schedule : {"@daily", "61 * * * *"}) {
      model::JobPut put;
      put.spec = World::spec(std::string("job") + schedule[0], schedule);
      put.spec.name = schedule[0] == '@' ? "good" : "bad";
      put.new_uid = world.next_uid++;
      command.puts.push_back(put);
    }

    CHECK(!world.apply(command).status);
    CHECK(world.state.dump() == before);
  }

  TEST_CASE("put: a job that changed since it was read is a conflict") {
    World world;
    world.put(World::spec("a", "@daily"));
    model::PutJobs command;
    command.puts.emplace_back();
    command.puts[0].spec = World::spec("a", "@weekly");
    command.puts[0].mode = model::PutMode::kUpdate;
    command.puts[0].if_version = 3;

    const Applied out = world.apply(command);

    REQUIRE(!out.status);
    CHECK(out.status.error().code == ErrorCode::kConflict);
    CHECK(out.status.error().message ==
          "job \"a\" changed since it was read: it is at version 1, not 3");
  }

  TEST_CASE("a job that follows its crontab is read-only for people") {
    World world;
    model::JobSpec job = World::spec("a", "@daily");
    job.managed = true;
    job.origin_source = "crontab:/etc/cron.d/php";
    world.put(job);

    const Applied out = world.apply(model::RemoveJobs{.names = {"a"}});
    REQUIRE(!out.status);
    CHECK(out.status.error().code == ErrorCode::kConflict);
    CHECK(out.status.error().message == "job \"a\" follows /etc/cron.d/php and is read-only here");
    world.actor = "crontab";
    CHECK(world.apply(model::RemoveJobs{.names = {"a"}}).status);
  }

  TEST_CASE("an edit of other fields keeps the cursor, one of the schedule moves it to now") {
    World world;
    world.put(World::spec("a", "0 1 * * *"));
    world.sleep(30min);
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.description = "x";
    world.put(job);
    CHECK(world.job("a").cursor == kT0);
    job.schedule = {"0 2 * * *"};
    world.put(job);
    CHECK(world.job("a").cursor == kT0 + 30min);
  }

  TEST_CASE("an edit revokes a claim; the new version claims the slot again if it has it") {
    for (const bool keeps_slot : {true, false}) {
      CAPTURE(keeps_slot);
      World world;
      world.put(World::spec("a", "0 * * * *"));
      world.sleep(1h - 1s);
      world.settle();
      world.put(World::spec("a", keeps_slot ? "0 */1 * * *" : "30 * * * *"));

      const auto revokes = world.orders_of<RevokeOrder>();
      REQUIRE(revokes.size() == 1);
      CHECK(revokes[0].reason == Reason::kEdited);
      world.unstarted(1, Reason::kEdited);
      CHECK(world.outcome(1) == "queued");
      world.settle();
      CHECK(world.outcome(1) == (keeps_slot ? "dispatched" : "cancelled(edited)"));
      CHECK(world.run(1).attempt == (keeps_slot ? 2 : 1));
      CHECK(world.run(1).job_version == (keeps_slot ? 2 : 1));
    }
  }

  TEST_CASE("disable, rm and kill revoke a claim for good") {
    struct Row {
      model::Command command;
      std::string expected;
    };

    const Row rows[] = {
        {model::SetEnabled{.names = {"a"}, .enabled = false, .until = {}}, "cancelled(disabled)"},
        {model::RemoveJobs{.names = {"a"}}, "cancelled(removed)"},
        {model::KillRuns{.run_ids = {1}, .grace = {}}, "cancelled(killed)"}};
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      World world;
      world.put(World::spec("a", "0 * * * *"));
      world.sleep(1h - 1s);
      world.settle();
      world.apply(row.command);
      CHECK(world.orders_of<RevokeOrder>().size() == 1);
      CHECK(world.outcome(1).starts_with("dispatched"));

      world.unstarted(1, Reason::kTooLate);

      CHECK(world.outcome(1) == row.expected);
      CHECK(world.orders_of<RunFinal>().size() == 1);
      CHECK(world.orders_of<EndCommitted>().size() == 1);
    }
  }

  TEST_CASE("a run that started before its revoke arrived gets a kill") {
    World world;
    world.put(World::spec("a", "0 * * * *"));
    world.sleep(1h);
    world.settle();
    world.apply(model::KillRuns{.run_ids = {1}, .grace = {}});
    world.start(1);

    CHECK(world.orders_of<KillOrder>().size() == 1);
    world.end(1, RunState::kKilled);
    CHECK(world.outcome(1) == "killed(user)");
    CHECK(world.run(1).kill_by == "admin");
  }

  TEST_CASE("who revoked a claim last is stored") {
    World world;
    world.put(World::spec("a", "0 * * * *"));
    world.sleep(1h);
    world.settle();
    world.apply(model::KillRuns{.run_ids = {1}, .grace = {}});
    world.actor = "eve";
    world.apply(model::KillRuns{.run_ids = {1}, .grace = {}});

    CHECK(world.run(1).kill_by == "eve");
    CHECK(world.rows.load().dump() == world.state.dump());
  }

  TEST_CASE("a removed job's running run ends under its name") {
    World world;
    world.put(World::spec("a", "0 * * * *"));
    world.sleep(1h);
    world.settle();
    world.start(1);

    const Applied out = world.apply(model::RemoveJobs{.names = {"a"}, .keep_history = true});

    CHECK(out.items.at(0).live_runs == 1);
    CHECK(world.state.find_job("a") == nullptr);
    world.end(1, RunState::kFailed);
    CHECK(world.outcome(1) == "failed");
    CHECK(world.run(1).job == "a");
  }

  TEST_CASE("the same request id makes one run") {
    World world;
    world.put(World::spec("a", ""));
    model::TriggerRun trigger;
    trigger.job = "a";
    trigger.param = "x";
    const auto first = world.apply(trigger, "req-1").items.at(0).run_id;
    CHECK(world.apply(trigger, "req-1").is_repeat);
    const auto other = world.apply(trigger, "req-2").items.at(0).run_id;

    CHECK(other == first + 1);
    world.settle();
    CHECK(world.outcome(1) == "dispatched");
    CHECK(world.outcome(2) == "skipped(overlap)");
    CHECK(world.run(1).param == "x");
    trigger.force = true;
    world.apply(trigger, "req-3");
    world.settle();
    CHECK(world.outcome(3) == "dispatched");
  }

  TEST_CASE("a request that is carried out does nothing a second time, also after a reload") {
    World world;
    world.put(World::spec("a", ""));
    model::TriggerRun trigger;
    trigger.job = "a";
    CHECK_FALSE(world.apply(trigger, "req").is_repeat);
    world.settle();
    world.end(1, RunState::kOk);
    REQUIRE(world.outcome(1) == "ok");

    CHECK(world.apply(trigger, "req").is_repeat);
    world.state = world.rows.load();
    const Applied again = world.apply(trigger, "req");
    CHECK(again.is_repeat);
    CHECK(again.status);
    CHECK(again.changes.request_id.empty());
    CHECK(world.rows.runs.size() == 1);

    world.sleep(2h);
    CHECK_FALSE(world.apply(trigger, "req").is_repeat);
  }

  TEST_CASE("a failed run is retried with growing waits, then final") {
    World world;
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.retry_max = 2;
    job.retry_delay = 60s;
    world.put(job);
    world.sleep(1h);
    world.settle();
    world.start(1);
    world.end(1, RunState::kFailed);

    CHECK(world.outcome(1) == "queued(retry)");
    CHECK(world.run(1).exit_code == 1);
    CHECK(world.orders_of<RunFinal>().empty());
    CHECK(world.settle().empty());
    CHECK(world.wake_at == kT0 + 1h + 58s);
    world.sleep(60s);
    world.settle();
    CHECK(world.run(1).attempt == 2);
    CHECK_FALSE(world.run(1).exit_code);
    world.start(1);
    world.end(1, RunState::kTimeout);
    CHECK(world.run(1).not_before == kT0 + 1h + 180s);
    world.sleep(120s);
    world.settle();
    world.start(1);
    world.end(1, RunState::kFailed);
    CHECK(world.outcome(1) == "failed");
    CHECK(world.job("a").failures == 1);
    CHECK(world.job("a").last_state == RunState::kFailed);
  }

  TEST_CASE("a refusal costs no retry, and a run in retry is not too late") {
    World world;
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.retry_max = 1;
    job.retry_delay = 3h;
    job.retry_max_delay = 3h;
    world.put(job);
    world.sleep(1h);
    world.settle();
    world.unstarted(1, Reason::kTooLate);
    world.settle();
    CHECK(world.run(1).attempt == 2);
    world.start(1);
    world.end(1, RunState::kFailed);
    CHECK(world.outcome(1) == "queued(retry)");
    world.sleep(3h);
    world.settle();
    CHECK(world.outcome(1) == "dispatched");
    world.unstarted(1, Reason::kTooLate);
    world.sleep(5s);
    world.settle();
    CHECK(world.outcome(1) == "dispatched");
    CHECK(world.run(1).attempt == 4);
  }

  TEST_CASE("max_runtime ends the retries") {
    World world;
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.retry_max = 5;
    job.retry_delay = 60s;
    job.max_runtime = 30s;
    world.put(job);
    world.sleep(1h);
    world.settle();
    world.start(1);
    world.end(1, RunState::kFailed);

    CHECK(world.outcome(1) == "failed");
  }

  TEST_CASE("what a killed run does not do is retry") {
    World world;
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.retry_max = 5;
    world.put(job);
    world.sleep(1h);
    world.settle();
    world.start(1);
    const Applied out = world.apply(model::KillRuns{.run_ids = {1}, .signal = 2, .grace = 1s});
    REQUIRE(world.orders_of<KillOrder>().size() == 1);
    CHECK(world.orders_of<KillOrder>()[0].signal == 2);
    CHECK(out.items.at(0).action == "killed");
    world.end(1, RunState::kFailed);

    CHECK(world.outcome(1) == "failed");
  }

  TEST_CASE("an attempt of which the end is unknown is repeated only at-least-once") {
    for (const bool at_least_once : {true, false}) {
      CAPTURE(at_least_once);
      World world;
      model::JobSpec job = World::spec("a", "0 1 * * *");
      if (at_least_once) job.guarantee = model::Guarantee::kAtLeastOnce;
      job.retry_max = 1;
      world.put(job);
      world.sleep(1h);
      world.settle();
      world.start(1);
      world.end(1, RunState::kUnknown, Reason::kHostReboot);

      CHECK(world.outcome(1) == (at_least_once ? "queued(retry)" : "unknown(host_reboot)"));
    }
  }

  TEST_CASE("an attempt that was proven unstarted is claimed again inside the window") {
    World world;
    model::JobSpec job = World::spec("a", "0 1 * * *");
    job.misfire_window = 10min;
    world.put(job);
    world.sleep(1h);
    world.settle();
    world.unstarted(1, Reason::kTooLate);
    world.settle();
    CHECK(world.run(1).attempt == 2);
    world.sleep(11min);
    world.unstarted(1, Reason::kTooLate);
    world.settle();
    CHECK(world.outcome(1) == "missed(too_late)");
  }

  TEST_CASE("a refused start is missed with the host's reason") {
    struct Row {
      Reason reason;
      std::int32_t retries;
      std::string expected;
    };

    const Row rows[] = {{Reason::kPolicy, 3, "missed(policy)"},
                        {Reason::kSetup, 3, "missed(setup)"},
                        {Reason::kSpawnFailed, 0, "missed(spawn_failed)"},
                        {Reason::kSpawnFailed, 1, "queued"}};
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      World world;
      model::JobSpec job = World::spec("a", "0 1 * * *");
      job.retry_max = row.retries;
      world.put(job);
      world.sleep(1h);
      world.settle();
      world.unstarted(1, row.reason);
      CHECK(world.outcome(1) == row.expected);
    }
  }

  TEST_CASE("late evidence never changes a final run and is answered") {
    World world;
    world.put(World::spec("a", "0 1 * * *"));
    world.sleep(1h);
    world.settle();
    world.start(1);
    world.end(1, RunState::kOk);
    const model::Run before = world.run(1);
    world.end(1, RunState::kFailed);

    CHECK(world.run(1) == before);
    CHECK(world.orders_of<EndCommitted>().size() == 1);
    CHECK(world.rows.events.back().type == "run.late_report");
  }

  TEST_CASE("@reboot makes one run per boot of a host, and none for a restarted agent") {
    World world;
    world.put(World::spec("a", "@reboot"));
    model::JobSpec elsewhere = World::spec("b", "@reboot");
    elsewhere.origin_host = "web2";
    world.put(elsewhere);
    world.apply(World::node("boot-1"));
    CHECK(world.rows.runs.empty());
    world.apply(World::node("boot-2"));
    world.apply(World::node("boot-2"));
    world.settle();

    REQUIRE(world.rows.runs.size() == 1);
    CHECK(world.run(1).trigger == model::Trigger::kReboot);
    CHECK(world.outcome(1) == "dispatched");
  }

  TEST_CASE("a renamed job keeps its claims and its history") {
    World world;
    world.put(World::spec("a", "0 1 * * *"));
    world.put(World::spec("b", "0 1 * * *"));
    world.sleep(1h);
    world.settle();
    CHECK(world.apply(model::RenameJob{.name = "a", .new_name = "b"}).status.error().code ==
          ErrorCode::kConflict);
    CHECK(world.apply(model::RenameJob{.name = "a", .new_name = "c"}).status);

    CHECK(world.state.find_job("a") == nullptr);
    CHECK(world.job("c").version == 2);
    CHECK(world.outcome(1) == "dispatched");
    CHECK(world.orders_of<RevokeOrder>().empty());
  }

  TEST_CASE("dry_run answers as apply does and changes nothing") {
    World world;
    world.put(World::spec("backup", "0 1 * * *"));
    world.sleep(1h);
    world.settle();
    const std::string before = world.state.dump();
    model::Entry entry;
    entry.at = world.situation.now;
    entry.actor = "admin";
    entry.command = model::RemoveJobs{.names = {"backup"}};
    const Applied removed = world.state.dry_run(entry);
    entry.command = model::RemoveJobs{.names = {"backpu"}};
    const Applied refused = world.state.dry_run(entry);

    CHECK(removed.items.at(0).action == "removed");
    CHECK(removed.items.at(0).live_runs == 1);
    CHECK(refused.status.error().hint == "did you mean: backup");
    CHECK(world.state.dump() == before);
  }

  TEST_CASE("explain tells why an instant is no slot, will run, or what became of it") {
    World world;
    world.put(World::spec("a", "30 2 * * *"));
    const auto ask = [&](WallTime at, std::optional<model::Run> stored = {}) {
      return world.state.explain(world.state.find_job("a"), "a", at, world.situation.now, stored);
    };

    CHECK(ask(kT0 + 2h).verdict == "not_due");
    CHECK(ask(kT0 + 2h).reason == "schedule");
    CHECK(ask(kT0 + 150min).verdict == "will_run");
    CHECK(world.state.explain(nullptr, "b", kT0, kT0, {}).reason == "no_job");
    world.apply(model::SetEnabled{.names = {"a"}, .enabled = false, .until = {}});
    CHECK(ask(kT0 + 150min).reason == "disabled");
    world.apply(model::SetEnabled{.names = {"a"}, .enabled = true, .until = {}});
    world.sleep(150min);
    world.settle();
    CHECK(ask(kT0 + 150min).verdict == "dispatched");
    world.start(1);
    world.end(1, RunState::kOk);
    CHECK(ask(kT0 + 150min, world.run(1)).verdict == "ok");
    CHECK(ask(kT0 + 150min, world.run(1)).run_id == 1);
  }
}

}  // namespace distcron::planner
