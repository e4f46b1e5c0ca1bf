// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::NodeState;
using model::Reason;
using model::Role;
using model::RunState;

TEST_SUITE("planner") {
  TEST_CASE("a host that joins gets the next id and uses up its token") {
    Fleet fleet(1);
    fleet.put_token("t", 2);

    const Applied first = fleet.apply(Fleet::joiner("db1"));
    const Applied second = fleet.apply(Fleet::joiner("db2"));
    const Applied third = fleet.apply(Fleet::joiner("db3"));

    REQUIRE(first.status);
    CHECK(first.items.at(0).node_id == 2);
    CHECK(second.items.at(0).node_id == 3);
    CHECK(third.status.error().code == ErrorCode::kDenied);
    CHECK(fleet.rows.tokens.empty());
    CHECK(fleet.rows.nodes.at(2).joined_at == kT0);
    CHECK(fleet.state.find_node("db2")->id == 3);
    CHECK(fleet.state.find_node("3")->name == "db2");
  }

  TEST_CASE("to ask twice to join is to join once") {
    Fleet fleet(1);
    fleet.put_token("t");
    fleet.apply(Fleet::joiner("db1"));

    const Applied again = fleet.apply(Fleet::joiner("db1"));

    REQUIRE(again.status);
    CHECK(again.items.at(0).action == "unchanged");
    CHECK(again.items.at(0).node_id == 2);
    CHECK(fleet.state.nodes().size() == 2);
  }

  TEST_CASE("a join is refused for a name, an id or a key in use, and leaves the token alone") {
    Fleet fleet(2);
    fleet.put_token("t");
    model::AddNode old_id = Fleet::joiner("db1");
    old_id.node.id = 2;
    model::AddNode same_key = Fleet::joiner("db1");
    same_key.node.mesh_keys = {Fleet::key_text("mesh-web2")};
    model::AddNode copied = Fleet::joiner("db1");
    copied.admin_key = Fleet::key_text("admin-web2");

    CHECK(fleet.apply(Fleet::joiner("web1")).status.error().code == ErrorCode::kConflict);
    CHECK(fleet.apply(old_id).status.error().code == ErrorCode::kConflict);
    CHECK(fleet.apply(same_key).status.error().code == ErrorCode::kConflict);
    CHECK(fleet.apply(copied).status.error().code == ErrorCode::kConflict);
    CHECK(fleet.apply(Fleet::joiner("7")).status.error().code == ErrorCode::kInvalid);
    CHECK(fleet.rows.tokens.at("t").uses_left == 1);
  }

  TEST_CASE("hosts join in any order of the ids that they ask for, until a restore") {
    Fleet fleet(1);
    const auto join_as = [&fleet](const std::string& name, std::int64_t id) {
      fleet.put_token("t");
      model::AddNode command = Fleet::joiner(name);
      command.node.id = id;
      return fleet.apply(command).status.has_value();
    };

    CHECK(join_as("db5", 5));
    CHECK(join_as("db3", 3));
    CHECK_FALSE(join_as("twin", 3));
    fleet.apply(model::RemoveNode{3, false});
    CHECK_FALSE(join_as("ghost", 3));
    CHECK(fleet.apply(model::RaiseIncarnation{.incarnation = 8, .name = {}, .cluster_id = {}})
              .status);
    CHECK_FALSE(join_as("db4", 4));
  }

  TEST_CASE("an old token lets nobody in") {
    Fleet fleet(1);
    fleet.put_token("t");
    fleet.sleep(1h);

    CHECK(fleet.apply(Fleet::joiner("db1")).status.error().code == ErrorCode::kDenied);
  }

  TEST_CASE("keys of who joins rule its own jobs only, unless the token says more") {
    Fleet fleet(1);
    fleet.join("db1");
    fleet.put_token("t", 1, Role::kAdmin);
    fleet.apply(Fleet::joiner("db2"));

    CHECK(fleet.rows.keys.at("admin@db1").role == Role::kAdmin);
    CHECK(fleet.rows.keys.at("admin@db1").host == "db1");
    CHECK(fleet.rows.keys.at("operator@db1").role == Role::kOperator);
    CHECK(fleet.rows.keys.at("admin@db2").host.empty());
    CHECK(fleet.rows.keys.at("operator@db2").role == Role::kOperator);
  }

  TEST_CASE("a removed host leaves a tombstone, takes its keys along and frees its name") {
    Fleet fleet(3);
    REQUIRE(fleet.apply(model::RemoveNode{.node_id = 3}).status);

    CHECK(fleet.rows.nodes.at(3).state == NodeState::kRemoved);
    CHECK_FALSE(fleet.rows.keys.contains("admin@web3"));
    CHECK(fleet.state.nodes().size() == 2);
    CHECK(fleet.boot(3, "x").status.error().code == ErrorCode::kDenied);
    CHECK(fleet.join("web3").items.at(0).node_id == 4);
    CHECK(fleet.apply(model::RemoveNode{.node_id = 3}).status.error().code == ErrorCode::kNotFound);
  }

  TEST_CASE("the only host cannot be removed") {
    Fleet fleet(1);
    CHECK(fleet.apply(model::RemoveNode{.node_id = 1}).status.error().code == ErrorCode::kConflict);
  }

  TEST_CASE("runs of a removed host are lost, or go elsewhere when they may happen twice") {
    Fleet fleet(2);
    model::JobSpec once = World::spec("a", "0 * * * *");
    once.on = "web2";
    model::JobSpec often = once;
    often.name = "b";
    often.on = "name=web*";
    often.guarantee = model::Guarantee::kAtLeastOnce;
    fleet.put(once);
    fleet.put(often);
    fleet.hush(1);  // so that both go to web2
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, model::ReportKind::kStarted);
    fleet.tell(2, model::ReportKind::kStarted);
    fleet.wake(1);

    fleet.apply(model::RemoveNode{.node_id = 2});
    fleet.settle();

    CHECK(fleet.outcome(1) == "lost(host_removed)");
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.run(2).node == "web1");
    CHECK(fleet.run(2).attempt == 2);
    CHECK(fleet.run(2).possible_overlap);
  }

  TEST_CASE("labels of the configuration win only where it changed") {
    Fleet fleet(1);
    model::PutNode put = World::node("boot-1");
    put.labels = {{"role", "db"}, {"dc", "fra"}};
    fleet.apply(put);
    fleet.apply(model::SetNode{.node_id = 1,
                               .put_labels = {{"role", "web"}, {"x", "1"}},
                               .drop_labels = {"dc"},
                               .kind = {},
                               .eligible = false,
                               .rank = 7});
    fleet.apply(put);
    CHECK(fleet.rows.nodes.at(1).labels == model::TextMap{{"role", "web"}, {"x", "1"}});
    CHECK_FALSE(fleet.rows.nodes.at(1).eligible);
    CHECK(fleet.rows.nodes.at(1).rank == 7);

    put.labels = {{"role", "cache"}};
    fleet.apply(put);
    CHECK(fleet.rows.nodes.at(1).labels == model::TextMap{{"role", "cache"}, {"x", "1"}});
  }

  TEST_CASE("a drained host gets no runs, and its claims go elsewhere") {
    Fleet fleet(2);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h);
    fleet.settle();
    const std::int64_t first = fleet.run(1).node_id;
    fleet.apply(model::DrainNode{.node_id = first});
    REQUIRE(fleet.orders_of<RevokeOrder>().size() == 1);
    fleet.tell(1, model::ReportKind::kUnstarted);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.run(1).node_id != first);
    CHECK(fleet.run(1).attempt == 2);
    fleet.apply(model::UndrainNode{.node_id = first});
    CHECK(fleet.rows.nodes.at(first).state == NodeState::kActive);
  }

  TEST_CASE("drain --kill ends what runs, and the retry goes elsewhere") {
    Fleet fleet(2);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.retry_max = 1;
    job.retry_delay = 0s;
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, model::ReportKind::kStarted);
    const std::int64_t first = fleet.run(1).node_id;
    fleet.apply(model::DrainNode{.node_id = first, .kill = true});
    REQUIRE(fleet.orders_of<KillOrder>().size() == 1);
    fleet.tell(1, model::ReportKind::kEnded, RunState::kKilled);
    fleet.settle();

    CHECK(fleet.run(1).state == RunState::kDispatched);
    CHECK(fleet.run(1).node_id != first);
  }

  TEST_CASE("a paused cluster skips slots, refuses triggers, and goes on with the next slot") {
    Fleet fleet(1);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.apply(model::Pause{.until = kT0 + 90min});
    CHECK(fleet.state.paused_until(kT0) == kT0 + 90min);
    fleet.sleep(1h);
    fleet.settle();

    CHECK(fleet.outcome(1) == "skipped(paused)");
    model::TriggerRun trigger;
    trigger.job = "a";
    CHECK(fleet.apply(trigger).status.error().code == ErrorCode::kUnavailable);
    trigger.force = true;
    REQUIRE(fleet.apply(trigger).status);
    fleet.settle();
    CHECK(fleet.run(2).state == RunState::kDispatched);
    fleet.tell(2, model::ReportKind::kEnded);
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.run(3).state == RunState::kDispatched);
    CHECK_FALSE(fleet.state.paused_until(fleet.situation.now));
  }

  TEST_CASE("a retry waits while the cluster is paused") {
    Fleet fleet(1);
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.retry_max = 1;
    fleet.put(job);
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, model::ReportKind::kStarted);
    fleet.apply(model::Pause{.until = {}});
    fleet.tell(1, model::ReportKind::kEnded, RunState::kFailed);
    fleet.sleep(10min);
    fleet.settle();
    CHECK(fleet.outcome(1) == "queued(retry)");
    CHECK(fleet.state.paused_until(kT0) == WallTime::max());

    fleet.apply(model::Resume{});
    fleet.settle();
    CHECK(fleet.run(1).state == RunState::kDispatched);
  }

  TEST_CASE("a pause takes back what was claimed ahead") {
    Fleet fleet(1);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h - 1s);
    fleet.settle();
    REQUIRE(fleet.run(1).state == RunState::kDispatched);
    fleet.apply(model::Pause{.until = {}});
    REQUIRE(fleet.orders_of<RevokeOrder>().size() == 1);
    fleet.tell(1, model::ReportKind::kUnstarted);

    CHECK(fleet.outcome(1) == "skipped(paused)");
  }

  TEST_CASE("after a restore counters jump and what may have run at most once is unknown") {
    Fleet fleet(2);
    model::JobSpec often = World::spec("b", "0 * * * *");
    often.guarantee = model::Guarantee::kAtLeastOnce;
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.put(often);
    fleet.sleep(1h);
    fleet.settle();
    fleet.sleep(2h + 10min);  // the state is from before two more slots
    REQUIRE(fleet
                .apply(model::RaiseIncarnation{
                    .incarnation = 8, .node_id = 1, .name = {}, .cluster_id = {}})
                .status);

    CHECK(fleet.outcome(1) == "unknown(restored)");
    CHECK(fleet.run(2).state == RunState::kQueued);
    CHECK(fleet.run(2).attempt > 1000);
    CHECK(fleet.state.nodes().size() == 1);
    CHECK(fleet.rows.next_run_id > (1 << 20));
    fleet.settle();
    const std::int64_t next = 3 + (1 << 20);
    CHECK(fleet.outcome(next) == "unknown(restored)");
    CHECK(fleet.outcome(next + 1) == "unknown(restored)");
    CHECK(fleet.run(2).state == RunState::kDispatched);
    CHECK(fleet.run(2).incarnation == 8);
    CHECK(fleet.join("db1").items.at(0).node_id > (1 << 20));
    CHECK(fleet.apply(model::RaiseIncarnation{.incarnation = 8, .name = {}, .cluster_id = {}})
              .status.error()
              .code == ErrorCode::kConflict);
  }

  TEST_CASE("a forced majority keeps the runs of the survivor") {
    Fleet fleet(2);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.hush(2);
    fleet.sleep(1h);
    fleet.settle();
    fleet.tell(1, model::ReportKind::kStarted);
    fleet.apply(model::RaiseIncarnation{
        .incarnation = 8, .node_id = 1, .keeps_runs = true, .name = {}, .cluster_id = {}});

    CHECK(fleet.run(1).state == RunState::kRunning);
    CHECK(fleet.rows.nodes.at(2).state == NodeState::kRemoved);
  }

  TEST_CASE("the number of voters is 3, 5 or 7") {
    Fleet fleet(1);
    CHECK(fleet.state.wanted_voters() == 5);
    CHECK_FALSE(fleet.apply(model::PutSetting{"voters", "4"}).status);
    CHECK_FALSE(fleet.apply(model::PutSetting{"scheduler.term", "4"}).status);
    REQUIRE(fleet.apply(model::PutSetting{"voters", "7"}).status);
    CHECK(fleet.state.wanted_voters() == 7);
  }

  TEST_CASE("a reload of the rows of a fleet gives the same state") {
    Fleet fleet(4);
    fleet.put_token("open", 3);
    fleet.apply(model::DrainNode{.node_id = 2});
    fleet.apply(model::RemoveNode{.node_id = 3, .leaves = true});
    fleet.apply(model::Pause{.until = {}});

    CHECK(fleet.rows.load().dump() == fleet.state.dump());
  }
}

}  // namespace distcron::planner
