// SPDX-License-Identifier: Apache-2.0
// Death of executor, guard and agent at any moment: jobs go on, nothing is started twice, no byte
// and no exit status is lost.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "e2e/exec/exec_host.h"
#include "process/proc_tree.h"

namespace distcron::e2e {
namespace {

using process::EndHow;
using process::ExecEnded;
using process::ExecInventoryDone;
using process::ExecRefused;
using process::ExecRunning;

std::string numbered(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "line " + std::to_string(i) + "\n";
  return text;
}

struct Inventory {
  std::map<RunKey, process::ExecStarted> running;
  std::map<RunKey, bool> ended;  ///< Value: has a record.
  std::map<RunKey, process::RefuseReason> refused;
};

Inventory take_inventory(ExecHost& host) {
  Inventory found;
  REQUIRE(host.client().inventory());
  bool is_done = false;
  while (!is_done) {
    const ExecEvent event = host.wait_for([](const ExecEvent&) { return true; });
    if (const auto* r = std::get_if<ExecRunning>(&event)) found.running[r->run.key] = r->run;
    if (const auto* e = std::get_if<ExecEnded>(&event)) found.ended[e->key] = e->has_record;
    if (const auto* n = std::get_if<ExecRefused>(&event)) found.refused[n->key] = n->reason;
    is_done = std::holds_alternative<ExecInventoryDone>(event);
  }
  return found;
}

/// Twenty jobs that each write 60 lines in about 1.2 s and exit with 7.
std::vector<SpawnPlan> start_writers(ExecHost& host) {
  std::vector<SpawnPlan> plans;
  for (int i = 0; i < 20; ++i) {
    plans.push_back(host.plan({probe_path(), "lines", "60", "20"}));
    REQUIRE(host.client().spawn(plans.back()));
  }
  for (int i = 0; i < 20; ++i) {
    host.wait_for(
        [](const ExecEvent& e) { return std::holds_alternative<process::ExecStarted>(e); });
  }
  return plans;
}

void check_writers(ExecHost& host, const std::vector<SpawnPlan>& plans) {
  for (const SpawnPlan& plan : plans) {
    CAPTURE(plan.run_id);
    host.wait_end(key_of(plan));
    const auto record = host.files().load_end_record(key_of(plan));
    REQUIRE(record);
    CHECK(record->exit_code == 7);
    CHECK(host.output(key_of(plan)) == numbered(60));
  }
}

}  // namespace

TEST_SUITE("exec crash") {
  TEST_CASE("kill -9 of the executor harms none of 20 running jobs, and it is back within 1 s") {
    ExecHost host({}, true);
    host.start();
    host.connect();
    const std::vector<SpawnPlan> plans = start_writers(host);
    const std::int32_t first_pid = host.hello().exec_pid;

    host.kill_executor();
    const std::int64_t begin = process::boot_now_us();
    host.connect();

    CHECK(process::boot_now_us() - begin < 1'000'000);
    CHECK(host.hello().exec_pid != first_pid);
    const Inventory inventory = take_inventory(host);
    CHECK(inventory.running.size() == 20);
    check_writers(host, plans);
  }

  TEST_CASE("kill -9 of guard and executor harms none of 20 jobs; the next executor adopts them") {
    ExecHost host({}, true);
    host.start();
    host.connect();
    const std::vector<SpawnPlan> plans = start_writers(host);

    host.kill_all();
    host.kill_executor();
    host.start();
    host.connect();

    const Inventory inventory = take_inventory(host);
    CHECK(inventory.running.size() == 20);
    REQUIRE(host.client().spawn(plans[0]));
    const auto again = std::get<ExecRefused>(
        host.wait_for([](const ExecEvent& e) { return std::holds_alternative<ExecRefused>(e); }));
    CHECK(again.reason == process::RefuseReason::kDuplicate);
    check_writers(host, plans);
  }

  TEST_CASE("ends while no executor lives are reported by the next one until acknowledged") {
    ExecHost host;
    host.start();
    host.connect();
    const SpawnPlan good = host.plan({"/bin/sh", "-c", "sleep 0.3; exit 5"});
    const SpawnPlan bad = host.plan({"sleep", "0.3"});
    REQUIRE(host.client().spawn(good));
    REQUIRE(host.client().spawn(bad));
    const auto is_started = [](const ExecEvent& e) {
      return std::holds_alternative<process::ExecStarted>(e);
    };
    host.wait_for(is_started);
    const auto second = std::get<process::ExecStarted>(host.wait_for(is_started));

    host.kill_executor();
    kill(second.stub_pid, SIGKILL);
    REQUIRE(eventually([&] { return host.files().load_end_record(key_of(good)).has_value(); }));
    host.start();
    host.connect();

    // The record is there a moment before its stub is gone.
    REQUIRE(eventually([&] { return take_inventory(host).running.empty(); }));
    const Inventory inventory = take_inventory(host);
    CHECK(inventory.ended.at(key_of(good)));
    CHECK_FALSE(inventory.ended.at(key_of(bad)));
    REQUIRE(host.client().ack(key_of(good)));
    CHECK(take_inventory(host).ended.size() == 1);
  }

  TEST_CASE("the executor ends when the agent is gone and nothing runs, not before") {
    ExecHost host({"--idle-exit", "1"}, true);
    host.start();
    host.connect();
    const pid_t executor = host.hello().exec_pid;
    const SpawnPlan plan = host.plan({"sleep", "2"});
    REQUIRE(host.client().spawn(plan));
    host.wait_for(
        [](const ExecEvent& e) { return std::holds_alternative<process::ExecStarted>(e); });

    { process::ExecClient gone = std::move(host.client()); }
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));

    CHECK(process::starttime_of(executor) != 0);
    CHECK(eventually([&] { return process::starttime_of(executor) == 0; }, 6));
    CHECK(host.files().load_end_record(key_of(plan))->exit_code == 0);
    // The guard takes it away, a moment after its executor.
    CHECK(eventually([&] { return !std::filesystem::exists(host.dir() + "/exec.sock"); }));
  }

  TEST_CASE("at host shutdown jobs get TERM and their grace, none is started, and all end") {
    ExecHost host({}, true);
    host.start();
    host.connect();
    const SpawnPlan meek = host.plan(
        {"/bin/sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done"});
    SpawnPlan stubborn = host.plan({probe_path(), "stubborn", "60"});
    stubborn.kill_grace_ms = 700;
    REQUIRE(host.client().spawn(meek));
    REQUIRE(host.client().spawn(stubborn));
    REQUIRE(eventually([&] { return host.output(key_of(meek)) == "up\n"; }));
    REQUIRE(eventually([&] { return host.output(key_of(stubborn)) == "stubborn\n"; }));

    const std::string command =
        std::string(DISTCRON_EXEC) + " --host-shutdown --run-dir " + host.dir() + "/run";
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    host.wait_end(key_of(meek));
    CHECK(host.refused(host.plan({"true"})).text == "this host is shutting down");
    host.wait_end(key_of(stubborn));
    int status = 0;
    waitpid(child, &status, 0);

    CHECK(WEXITSTATUS(status) == 0);
    CHECK(host.files().load_end_record(key_of(meek))->exit_code == 3);
    CHECK(host.output(key_of(meek)).ends_with("bye\n"));
    CHECK(host.files().load_end_record(key_of(stubborn))->signal == SIGKILL);
    for (const SpawnPlan* plan :
         {static_cast<const SpawnPlan*>(&meek), static_cast<const SpawnPlan*>(&stubborn)}) {
      CHECK(host.files().load_end_record(key_of(*plan))->killed_by_shutdown);
    }
  }

  TEST_CASE("a second agent takes the place of the first") {
    ExecHost host;
    host.start();
    host.connect();
    process::ExecClient first = std::move(host.client());

    host.connect();

    CHECK(host.run(host.plan({"true"})).exit_code == 0);
    CHECK_FALSE(first.read_events().has_value());
  }

  TEST_CASE("wherever the executor dies, no run is started twice and none is unaccounted") {
    const char* places[] = {"before_spawn",  "after_spawn", "before_journal", "after_journal",
                            "after_release", "after_batch", "before_end"};
    for (const char* place : places) {
      CAPTURE(place);
      ExecHost host({"--failpoints"}, true);
      host.env = {std::string("DISTCRON_FAILPOINT=") + place};
      host.start();
      host.connect();
      const std::string log = host.dir() + "/starts";
      std::vector<SpawnPlan> plans;
      for (int i = 0; i < 5; ++i) {
        SpawnPlan plan = host.plan({});
        plan.argv = {"/bin/sh", "-c", "echo " + std::to_string(plan.run_id) + " >> " + log};
        (void)host.client().spawn(plan);
        plans.push_back(std::move(plan));
      }
      // The failpoint has killed it, at the latest at the first end.
      REQUIRE(eventually(
          [&] { return std::filesystem::exists(host.dir() + "/run/scripts/failpoint." + place); }));
      host.seen.clear();
      host.connect();
      REQUIRE(eventually([&] { return take_inventory(host).running.empty(); }));

      Inventory inventory = take_inventory(host);
      for (const SpawnPlan& plan : plans) {
        const RunKey key = key_of(plan);
        CAPTURE(key.run_id);
        const bool has_ended = inventory.ended.contains(key) || inventory.refused.contains(key);
        if (!has_ended) host.run(plan);  // it never got into the journal: the agent sends it again
        if (inventory.ended.contains(key)) CHECK(inventory.ended.at(key));
      }
      std::map<std::string, int> starts;
      std::ifstream lines(log);
      for (std::string line; std::getline(lines, line);)
        ++starts[line];
      for (const SpawnPlan& plan : plans) {
        CAPTURE(plan.run_id);
        const int wanted = inventory.refused.contains(key_of(plan)) ? 0 : 1;
        CHECK(starts[std::to_string(plan.run_id)] == wanted);
      }
    }
  }
}

}  // namespace distcron::e2e
