// SPDX-License-Identifier: Apache-2.0
// Timeout, kill and what jobs leave behind, with cgroups (where there are some) and by walk.
#include <chrono>
#include <thread>

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "e2e/exec/exec_host.h"
#include "process/proc_tree.h"

namespace distcron::e2e {
namespace {

using process::EndHow;
using std::chrono::milliseconds;

struct Host : ExecHost {
  explicit Host(bool cgroup)
      : ExecHost(cgroup ? std::vector<std::string>{}
                        : std::vector<std::string>{"--cgroup", "off"}) {
    start();
    connect();
  }
};

double seconds_of(const EndRecord& record) {
  return static_cast<double>(record.ended_boot_us - record.started_boot_us) / 1e6;
}

void wait_for_output(const Host& host, RunKey key, const std::string& text) {
  REQUIRE(eventually([&] { return host.output(key).find(text) != std::string::npos; }));
}

}  // namespace

TEST_SUITE("exec kill") {
  TEST_CASE("a run past its timeout gets SIGTERM, then SIGKILL after the grace") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      SpawnPlan meek = host.plan({"sleep", "60"});
      meek.timeout_ms = 300;
      SpawnPlan stubborn = host.plan({probe_path(), "stubborn", "60"});
      stubborn.timeout_ms = 300;
      stubborn.kill_grace_ms = 500;

      const EndRecord soft = host.run(meek);
      const EndRecord hard = host.run(stubborn);

      CHECK(soft.timed_out);
      CHECK(soft.signal == SIGTERM);
      CHECK(seconds_of(soft) < 1.0);
      CHECK(hard.timed_out);
      CHECK_FALSE(hard.killed_by_request);
      CHECK(hard.signal == SIGKILL);
      CHECK(seconds_of(hard) >= 0.8);
      CHECK(seconds_of(hard) < 1.8);
    }
  }

  TEST_CASE("a kill request sends its signal, and SIGKILL after its grace") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      const SpawnPlan meek =
          host.plan({"/bin/sh", "-c", "trap 'exit 9' HUP; echo up; while :; do sleep 0.05; done"});
      const SpawnPlan stubborn = host.plan({probe_path(), "stubborn", "60"});
      REQUIRE(host.client().spawn(meek));
      REQUIRE(host.client().spawn(stubborn));
      wait_for_output(host, key_of(meek), "up");
      wait_for_output(host, key_of(stubborn), "stubborn");

      REQUIRE(host.client().kill(key_of(meek), SIGHUP, 5'000));
      REQUIRE(host.client().kill(key_of(stubborn), 0, 200));
      host.wait_end(key_of(meek));
      host.wait_end(key_of(stubborn));

      const auto soft = host.files().load_end_record(key_of(meek));
      const auto hard = host.files().load_end_record(key_of(stubborn));
      REQUIRE(soft);
      REQUIRE(hard);
      CHECK(soft->exit_code == 9);
      CHECK(soft->killed_by_request);
      CHECK(hard->signal == SIGKILL);
      CHECK(hard->killed_by_request);
      CHECK_FALSE(hard->timed_out);
    }
  }

  TEST_CASE(
      "double-forked children that ignore TERM and hold the pipe are gone within grace + 1 s") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      SpawnPlan plan = host.plan({probe_path(), "tree", "60", "dc-tree-test"});
      plan.kill_grace_ms = 500;
      const std::int64_t begin = process::boot_now_us();

      const EndRecord record = host.run(plan);

      CHECK(record.how == EndHow::kExited);
      CHECK(record.exit_code == 0);
      CHECK(process::boot_now_us() - begin < 1'900'000);
      CHECK(named("dc-tree-test").empty());
    }
  }

  TEST_CASE("a killed job takes its whole tree with it") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      SpawnPlan plan = host.plan(
          {"/bin/sh", "-c", probe_path() + " tree 60 dc-tree-kill; echo ready; sleep 60"});
      REQUIRE(host.client().spawn(plan));
      wait_for_output(host, key_of(plan), "ready");
      const std::int64_t begin = process::boot_now_us();

      REQUIRE(host.client().kill(key_of(plan), SIGTERM, 300));
      host.wait_end(key_of(plan));

      CHECK(process::boot_now_us() - begin < 1'300'000);
      CHECK(named("dc-tree-kill").empty());
    }
  }

  TEST_CASE("a fork bomb of moderate speed loses against cgroup and walk") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      const SpawnPlan plan = host.plan({probe_path(), "bomb", "5"});
      REQUIRE(host.client().spawn(plan));
      host.wait_for(
          [](const ExecEvent& e) { return std::holds_alternative<process::ExecStarted>(e); });
      std::this_thread::sleep_for(milliseconds(300));

      REQUIRE(host.client().kill(key_of(plan), SIGKILL, 0));
      host.wait_end(key_of(plan), 40);

      const auto record = host.files().load_end_record(key_of(plan));
      REQUIRE(record);
      CHECK(record->how == EndHow::kSignaled);
      CHECK(named("distcron_exec_p").empty());
    }
  }

  TEST_CASE("a job that closes its output lives on, and one that stops itself is killed") {
    Host host(true);
    SpawnPlan closes = host.plan({"/bin/sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 4"});
    SpawnPlan stops = host.plan({"/bin/sh", "-c", "kill -STOP $$"});
    stops.timeout_ms = 300;
    stops.kill_grace_ms = 300;

    const EndRecord closed = host.run(closes);
    const EndRecord stopped = host.run(stops);

    CHECK(closed.exit_code == 4);
    CHECK(seconds_of(closed) >= 0.5);
    CHECK(stopped.how == EndHow::kSignaled);
    CHECK(stopped.timed_out);
  }

  TEST_CASE("with orphans left, the run ends with its main process and closes the pipe after 2 s") {
    Host host(true);
    SpawnPlan plan = host.plan({"/bin/sh", "-c", "sleep 6 & echo done"});
    plan.orphans = process::Orphans::kLeave;

    const EndRecord record = host.run(plan);

    CHECK(record.exit_code == 0);
    CHECK(host.output(key_of(plan)) == "done\n");
    CHECK(seconds_of(record) < 3.0);
  }

  TEST_CASE("the executor kills in place of a stub that cannot act") {
    for (const bool cgroup : {true, false}) {
      CAPTURE(cgroup);
      Host host(cgroup);
      SpawnPlan plan =
          host.plan({"/bin/sh", "-c", probe_path() + " tree 60 dc-stuck; echo up; sleep 60"});
      plan.timeout_ms = 500;
      plan.kill_grace_ms = 200;
      REQUIRE(host.client().spawn(plan));
      const auto started = std::get<process::ExecStarted>(host.wait_for(
          [](const ExecEvent& e) { return std::holds_alternative<process::ExecStarted>(e); }));
      wait_for_output(host, key_of(plan), "up");
      kill(started.stub_pid, SIGSTOP);  // as if stuck in a write

      REQUIRE(eventually([] { return named("dc-stuck").size() == 3; }));
      CHECK(eventually([] { return named("dc-stuck").empty(); }, 5));
      kill(started.stub_pid, SIGCONT);
      host.wait_end(key_of(plan));
      const auto record = host.files().load_end_record(key_of(plan));
      REQUIRE(record);
      CHECK(record->how == EndHow::kSignaled);
    }
  }

  TEST_CASE("a dead stub is reported without a record, and its job is killed with a cgroup") {
    Host host(true);
    const SpawnPlan plan = host.plan({"/bin/sh", "-c", "echo up; exec sleep 987"});
    REQUIRE(host.client().spawn(plan));
    const auto started = std::get<process::ExecStarted>(host.wait_for(
        [](const ExecEvent& e) { return std::holds_alternative<process::ExecStarted>(e); }));
    wait_for_output(host, key_of(plan), "up");

    kill(started.stub_pid, SIGKILL);
    const auto end = std::get<process::ExecEnded>(host.wait_end(key_of(plan)));

    CHECK_FALSE(end.has_record);
    if (host.hello().has_cgroup) {
      CHECK(eventually([&] { return process::signal_descendants(started.stub_pid, 0) <= 0; }));
    }
  }
}

}  // namespace distcron::e2e
