// SPDX-License-Identifier: Apache-2.0
#include <set>

#include <doctest/doctest.h>

#include "model/target.h"
#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::Guarantee;
using model::ReportKind;
using model::Route;
using model::RunState;

namespace {

std::string host_facts(const model::Run& run) {
  std::string out;
  for (const model::Fact& fact : run.facts) {
    if (fact.check == "host") out += (out.empty() ? "" : "; ") + fact.text;
  }
  return out;
}

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("a job stays on its host, and only the jobs of a lost host move") {
    Fleet fleet(4);
    for (int i = 0; i < 40; ++i)
      fleet.put(World::spec("j" + std::to_string(i), "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    std::map<std::string, std::int64_t> before;
    std::set<std::int64_t> used;
    for (const auto& [id, run] : fleet.rows.runs) {
      before[run.job] = run.node_id;
      used.insert(run.node_id);
    }
    CHECK(used.size() == 4);
    for (const model::Run* run : fleet.state.live_runs())
      fleet.tell(run->run_id, ReportKind::kEnded);
    fleet.hush(2);
    fleet.sleep(1h);
    fleet.settle();

    for (const model::Run* run : fleet.state.live_runs()) {
      CHECK(run->node_id != 2);
      if (before.at(run->job) != 2) CHECK(run->node_id == before.at(run->job));
    }
  }

  TEST_CASE("a host that has just stopped answering takes only what nobody else may take") {
    Fleet fleet(3);
    fleet.situation.nodes.at(1).is_doubtful = true;
    for (int i = 0; i < 20; ++i)
      fleet.put(World::spec("j" + std::to_string(i), "0 * * * *"));
    model::JobSpec bound = World::spec("bound", "0 * * * *");
    bound.on = "name=web2";
    fleet.put(bound);
    fleet.sleep(1h);
    fleet.settle();
    for (const model::Run* run : fleet.state.live_runs()) {
      CHECK((run->node_id == 2) == (run->job == "bound"));
      const bool is_told = host_facts(*run).find("web2 has not answered") != std::string::npos;
      CHECK(is_told);
    }
    CHECK(fleet.state.live_runs().size() == 21);
  }

  TEST_CASE("routes choose as their names say") {
    struct Row {
      Route route;
      std::vector<std::int64_t> hosts;  // of three runs side by side
    };

    const Row rows[] = {
        {Route::kRoundRobin, {1, 2, 3}},
        {Route::kLeastLoaded, {}},  // each host once, in an order that does not matter
        {Route::kOrdered, {3, 3, 3}},
    };
    for (const Row& row : rows) {
      Fleet fleet(3);
      fleet.apply(model::SetNode{.node_id = 3,
                                 .put_labels = {},
                                 .drop_labels = {},
                                 .kind = {},
                                 .eligible = {},
                                 .rank = -1});
      model::JobSpec job = World::spec("a", "0 * * * *");
      job.route = row.route;
      job.concurrency = model::Concurrency::kAllow;
      fleet.put(job);
      std::vector<std::int64_t> hosts;
      for (int i = 0; i < 3; ++i) {
        fleet.sleep(1h);
        fleet.settle();
        hosts.push_back(fleet.last_run().node_id);
      }
      INFO(model::name_of(row.route));
      if (row.hosts.empty()) {
        CHECK(std::set<std::int64_t>(hosts.begin(), hosts.end()).size() == 3);
      } else {
        CHECK(hosts == row.hosts);
      }
    }
  }

  TEST_CASE("round robin goes on where the last scheduler stopped") {
    Fleet fleet(3);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.route = Route::kRoundRobin;
    job.concurrency = model::Concurrency::kAllow;
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();
    fleet.state = fleet.rows.load();
    fleet.sleep(1h);
    fleet.settle();

    CHECK(fleet.last_run().node_id == 2);
    fleet.apply(model::RemoveJobs{.names = {"a"}});
    for (const auto& [key, value] : fleet.rows.settings)
      CHECK(key.find("turn") == std::string::npos);
  }

  TEST_CASE("a full host passes its runs on, and when all are full they queue") {
    Fleet fleet(2);
    fleet.situation.nodes[0].capacity = 1;
    fleet.situation.nodes[1].capacity = 1;
    for (const char* name : {"a", "b", "c"})
      fleet.put(World::spec(name, "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();

    CHECK(fleet.run(1).node_id != fleet.run(2).node_id);
    CHECK(fleet.outcome(3) == "queued(capacity)");
    fleet.tell(1, ReportKind::kEnded);
    fleet.settle();
    CHECK(fleet.run(3).state == RunState::kDispatched);
    CHECK(fleet.run(3).node_id == fleet.run(1).node_id);
  }

  TEST_CASE("capacity counts where the runs are, also after a reload") {
    Fleet fleet(2);
    fleet.situation.nodes[0].capacity = 0;
    fleet.situation.nodes[1].capacity = 2;
    for (const char* name : {"a", "b", "c"})
      fleet.put(World::spec(name, "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    fleet.state = fleet.rows.load();
    fleet.settle();

    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.outcome(3) == "queued(capacity)");
  }

  TEST_CASE("each host that cannot take a run is named with its reason") {
    Fleet fleet(4);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "role=db";
    fleet.put(job);
    for (const std::int64_t id : {2, 3, 4}) {
      fleet.apply(model::SetNode{.node_id = id,
                                 .put_labels = {{"role", "db"}},
                                 .drop_labels = {},
                                 .kind = {},
                                 .eligible = {},
                                 .rank = {}});
    }
    fleet.apply(model::DrainNode{.node_id = 2});
    fleet.situation.nodes[2].is_clock_ok = false;
    fleet.sleep(1h);
    fleet.hush(4);
    fleet.settle();

    CHECK(fleet.outcome(1) == "queued(host_down)");
    CHECK(host_facts(fleet.run(1)) ==
          "host web1 is not role=db; host web2 is drained; host web3 has no clock that can be "
          "trusted; host web4 is silent since 2026-11-20T01:00:00Z");
    fleet.sleep(31min);
    fleet.settle();
    CHECK(fleet.outcome(1) == "missed(host_down)");
  }

  TEST_CASE("a host without executor is passed over, and gets nothing that waits for it alone") {
    Fleet fleet(3);
    fleet.situation.nodes[1].can_start = false;
    for (int i = 0; i < 20; ++i)
      fleet.put(World::spec("j" + std::to_string(i), "0 * * * *"));
    model::JobSpec bound = World::spec("bound", "0 * * * *");
    bound.on = "name=web2";
    fleet.put(bound);
    model::JobSpec everywhere = World::spec("everywhere", "0 * * * *");
    everywhere.target = "all";
    fleet.put(everywhere);
    fleet.sleep(1h);
    fleet.settle();
    std::int64_t waiting = 0;
    for (const model::Run* run : fleet.state.live_runs()) {
      const bool is_meant = run->job == "bound" || (run->job == "everywhere" && run->node_id == 2);
      CHECK((fleet.outcome(run->run_id) == "queued(host_down)") == is_meant);
      CHECK((host_facts(*run).find("web2 has no executor") != std::string::npos) ==
            (is_meant || run->job != "everywhere"));
      if (is_meant) ++waiting;
    }
    CHECK(waiting == 2);
    CHECK(fleet.state.live_runs().size() == 24);
    fleet.sleep(1min);
    fleet.wake(2);
    fleet.settle();
    for (const model::Run* run : fleet.state.live_runs())
      CHECK(run->state == RunState::kDispatched);
  }

  TEST_CASE("a host that comes back takes what waits for it") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "web2";
    fleet.put(job);
    fleet.hush(2);
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.outcome(1) == "queued(host_down)");
    fleet.sleep(1min);
    fleet.wake(2);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.run(1).node == "web2");
  }

  TEST_CASE("an imported job stays on its host until a selector says otherwise") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.origin_host = "web2";
    fleet.put(job);
    fleet.hush(2);
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.outcome(1) == "queued(host_down)");
    CHECK(host_facts(fleet.run(1)).find("is not web2, where the job was imported") !=
          std::string::npos);
    job.on = "name=web*";
    fleet.put(job);
    fleet.settle();
    CHECK(fleet.run(1).node == "web1");
  }

  TEST_CASE("a witness gets no runs") {
    Fleet fleet(2);
    fleet.apply(model::SetNode{.node_id = 2,
                               .put_labels = {},
                               .drop_labels = {},
                               .kind = model::MemberKind::kWitness,
                               .eligible = {},
                               .rank = {}});
    for (int i = 0; i < 20; ++i)
      fleet.put(World::spec("j" + std::to_string(i), "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();

    for (const auto& [id, run] : fleet.rows.runs)
      CHECK(run.node_id == 1);
  }

  TEST_CASE("target = all runs once on each host, and another slot waits for all of them") {
    Fleet fleet(3);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.target = "all";
    fleet.put(job);
    fleet.sleep(1h - 1s);  // ahead of its time
    fleet.settle();

    REQUIRE(fleet.rows.runs.size() == 3);
    for (std::int64_t id = 1; id <= 3; ++id) {
      CHECK(fleet.run(id).state == RunState::kDispatched);
      CHECK(fleet.run(id).node_id == id);
      CHECK(fleet.run(id).shard == id - 1);
      CHECK(fleet.run(id).shards == 3);
    }
    fleet.tell(1, ReportKind::kEnded);
    fleet.tell(2, ReportKind::kEnded);
    fleet.sleep(1h + 1s);
    fleet.settle();
    REQUIRE(fleet.rows.runs.size() == 4);
    CHECK(fleet.outcome(4) == "skipped(overlap)");
  }

  TEST_CASE("target = all: a silent host misses its shard, a failed shard is tried there again") {
    Fleet fleet(3);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.target = "all";
    job.retry_max = 1;
    job.retry_delay = 0s;
    fleet.put(job);
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();
    REQUIRE(fleet.rows.runs.size() == 3);
    CHECK(fleet.outcome(3) == "queued(host_down)");
    fleet.tell(2, ReportKind::kEnded, RunState::kFailed);
    fleet.settle();
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.run(2).attempt == 2);
    CHECK(fleet.run(2).node_id == 2);
    fleet.sleep(31min);
    fleet.settle();
    CHECK(fleet.outcome(3) == "missed(host_down)");
  }

  TEST_CASE("queue: a shard that waits for its retry goes before the next slot, whatever its id") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.target = "all";
    job.concurrency = model::Concurrency::kQueue;
    job.retry_max = 1;
    job.retry_delay = 1s;
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();  // runs 1 and 2
    fleet.sleep(1h);
    fleet.settle();  // run 3 waits
    fleet.sleep(1h);
    fleet.settle();  // run 4 waits
    fleet.tell(1, ReportKind::kEnded);
    fleet.tell(2, ReportKind::kEnded);
    fleet.settle();  // run 3 becomes the runs 3 and 5
    REQUIRE(fleet.run(5).shards == 2);
    fleet.tell(3, ReportKind::kEnded);
    fleet.tell(5, ReportKind::kEnded, RunState::kFailed);
    fleet.sleep(2s);
    fleet.settle();
    CHECK(fleet.run(5).state == RunState::kDispatched);
    CHECK(fleet.run(4).state == RunState::kQueued);

    fleet.tell(5, ReportKind::kEnded);
    fleet.settle();
    CHECK(fleet.run(4).state == RunState::kDispatched);
  }

  TEST_CASE("queue: a trigger from before the slot goes when the slot's run waits for its retry") {
    Fleet fleet(1);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.concurrency = model::Concurrency::kQueue;
    job.retry_max = 1;
    job.retry_delay = 60s;
    fleet.put(job);
    fleet.sleep(1h - 1s);
    fleet.settle();  // run 1 is claimed ahead
    REQUIRE(fleet.run(1).state == RunState::kDispatched);
    model::TriggerRun trigger;
    trigger.job = "a";
    fleet.apply(trigger, "req");
    fleet.settle();
    REQUIRE(fleet.run(2).state == RunState::kQueued);
    fleet.sleep(2s);
    fleet.tell(1, ReportKind::kEnded, RunState::kFailed);
    fleet.settle();
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.run(1).state == RunState::kQueued);
  }

  TEST_CASE("a trigger of a job with target = all becomes one run on each host") {
    Fleet fleet(3);
    model::JobSpec job = World::spec("a", "");
    job.target = "all";
    fleet.put(job);
    model::TriggerRun trigger;
    trigger.job = "a";
    trigger.param = "p";
    fleet.apply(trigger, "req");
    fleet.settle();

    REQUIRE(fleet.rows.runs.size() == 3);
    std::set<std::int64_t> hosts;
    std::set<std::int32_t> shards;
    for (const auto& [id, run] : fleet.rows.runs) {
      CHECK(run.state == RunState::kDispatched);
      CHECK(run.param == "p");
      CHECK(run.origin == "req");
      hosts.insert(run.node_id);
      shards.insert(run.shard);
    }
    CHECK(hosts.size() == 3);
    CHECK(shards.size() == 3);
    CHECK(fleet.run(1).shard == 0);
  }

  TEST_CASE("target = N and N% take so many hosts, those that are there first") {
    Fleet fleet(4);
    model::JobSpec two = World::spec("a", "0 * * * *");
    two.target = "2";
    model::JobSpec part = World::spec("b", "0 * * * *");
    part.target = "30%";
    fleet.put(two);
    fleet.put(part);
    fleet.hush(1);
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();

    CHECK(fleet.rows.runs.size() == 4);
    for (const auto& [id, run] : fleet.rows.runs)
      CHECK((run.node_id == 2 || run.node_id == 4));
    CHECK(model::parse_target("0").has_value() == false);
    CHECK(model::parse_target("101%").has_value() == false);
    CHECK(model::parse_target("some").has_value() == false);
  }

  TEST_CASE("a claim on a silent host is unknown after its window and keeps its place") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "name=web*";
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();
    const std::int64_t host = fleet.run(1).node_id;
    fleet.hush(host);
    CHECK(fleet.settle().empty());
    fleet.sleep(30min);
    fleet.settle();

    CHECK(fleet.outcome(1) == "unknown(host_unreachable)");
    fleet.sleep(30min);
    fleet.settle();
    CHECK(fleet.outcome(2) == "skipped(overlap)");
    CHECK(fleet.rows.load().dump() == fleet.state.dump());
    fleet.state = fleet.rows.load();
    fleet.wake(host);
    fleet.tell(1, ReportKind::kUnstarted);
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.outcome(1) == "unknown(host_unreachable)");
    CHECK(fleet.run(3).state == RunState::kDispatched);
  }

  TEST_CASE("the window of a silent host's claim is known right after a restart") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "name=web*";
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();
    const std::int64_t host = fleet.run(1).node_id;
    fleet.hush(host);
    fleet.state = fleet.rows.load();
    fleet.sleep(1s);

    const Plan plan = fleet.state.due(fleet.situation);

    REQUIRE(plan.wake_at);
    CHECK(*plan.wake_at <= kT0 + 1h + 30min);
  }

  TEST_CASE("the place of an unknown run is free once its host was booted") {
    Fleet fleet(1);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    fleet.hush(1);
    fleet.sleep(30min);
    fleet.settle();
    REQUIRE(fleet.outcome(1) == "unknown(host_unreachable)");
    fleet.wake(1);
    fleet.boot(1, "boot-2");
    fleet.sleep(30min);
    fleet.settle();

    CHECK(fleet.run(2).state == RunState::kDispatched);
  }

  TEST_CASE("a started run on a silent host goes on at most once") {
    Fleet fleet(2);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, ReportKind::kStarted);
    fleet.hush(fleet.run(1).node_id);
    fleet.sleep(30h);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kRunning);
  }

  TEST_CASE("at least once, a silent host loses its run after the window, with a mark") {
    for (const bool is_started : {false, true}) {
      Fleet fleet(2);
      model::JobSpec job = World::spec("a", "0 * * * *");
      job.guarantee = Guarantee::kAtLeastOnce;
      fleet.put(job);
      fleet.sleep(1h);
      fleet.settle();
      const std::int64_t host = fleet.run(1).node_id;
      if (is_started) fleet.tell(1, ReportKind::kStarted);
      fleet.hush(host);
      CHECK(fleet.settle().empty());
      CHECK(fleet.wake_at == kT0 + 90min);
      fleet.sleep(30min);
      fleet.settle();

      CHECK(fleet.run(1).state == RunState::kDispatched);
      CHECK(fleet.run(1).node_id != host);
      CHECK(fleet.run(1).attempt == 2);
      CHECK(fleet.run(1).possible_overlap);
    }
  }

  TEST_CASE("at least once, what may have run before a boot is never called missed") {
    Fleet fleet(1);
    model::JobSpec often = World::spec("b", "0 * * * *");
    often.guarantee = Guarantee::kAtLeastOnce;
    fleet.put(often);
    fleet.sleep(1h);
    fleet.settle();
    model::HostReport doubt;
    doubt.kind = ReportKind::kEnded;
    doubt.run_id = 1;
    doubt.attempt = 1;
    doubt.outcome = RunState::kUnknown;
    doubt.reason = model::Reason::kHostReboot;
    doubt.ended_at = fleet.situation.now;
    model::HostReports command;
    command.node_id = 1;
    command.reports.push_back(doubt);
    fleet.apply(command);
    fleet.hush(1);
    fleet.sleep(45min);  // the window is 30 minutes
    fleet.settle();
    CHECK(fleet.run(1).state == RunState::kQueued);

    fleet.wake(1);
    fleet.settle();
    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.run(1).attempt == 2);
  }

  TEST_CASE("runs from before a boot of which the host says nothing are unknown") {
    Fleet fleet(1);
    model::JobSpec often = World::spec("b", "0 * * * *");
    often.guarantee = Guarantee::kAtLeastOnce;
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.put(often);
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, ReportKind::kStarted);
    fleet.tell(2, ReportKind::kStarted);
    fleet.sleep(1min);
    fleet.boot(1, "boot-2");
    fleet.settle();
    CHECK(fleet.run(1).state == RunState::kRunning);
    fleet.sleep(1min);
    fleet.settle();

    CHECK(fleet.outcome(1) == "unknown(host_reboot)");
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.run(2).attempt == 2);
  }

  TEST_CASE("explain names the hosts that could take a slot to come") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "web1";
    fleet.put(job);
    fleet.apply(model::DrainNode{.node_id = 1});
    const Explanation answer =
        fleet.state.explain(&fleet.job("a"), "a", kT0 + 1h, kT0, std::nullopt);
    std::string hosts;
    for (const model::Fact& fact : answer.facts) {
      if (fact.check == "host") hosts += fact.text + "; ";
    }
    CHECK(hosts == "host web1 is drained; host web2 is not name=web1; ");
  }
}

}  // namespace distcron::planner
