// SPDX-License-Identifier: Apache-2.0
// Many runs: nothing is left behind, nothing grows. DISTCRON_LONG=1 does 10,000 instead of 2,000.
// Prints start rate and cost per job, which are figures and not limits.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "e2e/exec/exec_host.h"
#include "process/proc_tree.h"

namespace distcron::e2e {
namespace {

using process::ExecEnded;
using process::ExecRefused;

struct Cpu {
  std::int64_t own_us = 0;
  std::int64_t children_us = 0;  ///< Of those waited for: stubs, and jobs through them.
};

/// User and system time of one process so far.
Cpu cpu_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i)
    fields >> skip;
  std::int64_t ticks[4] = {};
  for (std::int64_t& value : ticks)
    fields >> value;
  const std::int64_t tick_us = 1'000'000 / sysconf(_SC_CLK_TCK);
  return {(ticks[0] + ticks[1]) * tick_us, (ticks[2] + ticks[3]) * tick_us};
}

struct Herd {
  double seconds = 0;
  std::set<RunKey> ended;
  int refused = 0;
};

std::string tiny_path() {
  return DISTCRON_TINY;
}

void print_cost(const std::string& what, const Herd& herd, const Cpu& before, const Cpu& after) {
  const auto count = static_cast<double>(herd.ended.size());
  std::printf(
      "exec: %.0f runs of %s: %.0f runs/s, CPU a run: executor %.0f us, stub and job %.0f us\n",
      count, what.c_str(), count / herd.seconds,
      static_cast<double>(after.own_us - before.own_us) / count,
      static_cast<double>(after.children_us - before.children_us) / count);
}

/// Hands `count` runs over at most `window` at a time and waits for all ends.
Herd run_herd(ExecHost& host, const std::vector<std::string>& argv, int count, int window) {
  Herd herd;
  const std::int64_t begin = process::boot_now_us();
  int sent = 0;
  const auto is_end = [](const ExecEvent& e) {
    return std::holds_alternative<ExecEnded>(e) || std::holds_alternative<ExecRefused>(e);
  };
  int open = 0;
  while (static_cast<int>(herd.ended.size()) + herd.refused < count) {
    while (sent < count && open < window) {
      const SpawnPlan plan = host.plan(argv);
      REQUIRE(host.client().spawn(plan));
      ++sent;
      ++open;
    }
    const ExecEvent event = host.wait_for(is_end, 60);
    --open;
    std::erase_if(host.seen, [&](const ExecEvent& e) { return !is_end(e); });
    if (const auto* ended = std::get_if<ExecEnded>(&event)) {
      CHECK(ended->has_record);
      CHECK(herd.ended.insert(ended->key).second);
      REQUIRE(host.client().ack(ended->key));
    } else {
      ++herd.refused;
    }
  }
  herd.seconds = static_cast<double>(process::boot_now_us() - begin) / 1e6;
  return herd;
}

void remove_all(ExecHost& host, const Herd& herd) {
  for (const RunKey& key : herd.ended)
    REQUIRE(host.client().remove(key));
  // The inventory is answered after all that was sent before.
  REQUIRE(host.client().inventory());
  host.wait_for(
      [](const ExecEvent& e) { return std::holds_alternative<process::ExecInventoryDone>(e); });
}

}  // namespace

TEST_SUITE("exec load") {
  TEST_CASE("thousands of runs leave no zombie, no descriptor, no folder and no memory") {
    const bool is_long = std::getenv("DISTCRON_LONG") != nullptr;
    const int count = is_long ? 10'000 : 2'000;
    ExecHost host;
    host.start();
    host.connect();
    const pid_t executor = host.hello().exec_pid;
    remove_all(host, run_herd(host, {"/bin/true"}, 200, 64));  // warm
    const long fds = status_of(executor, "fds");
    [[maybe_unused]] const long rss = status_of(executor, "VmRSS");
    const Cpu before = cpu_of(executor);

    const Herd herd = run_herd(host, {"/bin/true"}, count, 64);

    print_cost("/bin/true", herd, before, cpu_of(executor));
    remove_all(host, herd);
    CHECK(herd.refused == 0);
    CHECK(static_cast<int>(herd.ended.size()) == count);
    CHECK(status_of(executor, "fds") == fds);
    // The keys that refuse duplicates cost some 100 bytes each, and nothing else may grow.
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
    CHECK(status_of(executor, "VmRSS") <= rss + 64 + count / 8);
#endif
    const std::string task = "/proc/" + std::to_string(executor) + "/task/";
    std::ifstream children(task + std::to_string(executor) + "/children");
    std::string left;
    std::getline(children, left);
    CHECK(left.empty());  // zombies would be listed too
    CHECK(std::filesystem::is_empty(host.dir() + "/state/out"));
  }

  TEST_CASE("the cost of a start is measured without the job's own") {
    for (const char* cgroup : {"with", "without"}) {
      ExecHost measured(cgroup == std::string("with")
                            ? std::vector<std::string>{}
                            : std::vector<std::string>{"--cgroup", "off"});
      measured.start();
      measured.connect();
      run_herd(measured, {tiny_path()}, 100, 32);
      const Cpu before = cpu_of(measured.hello().exec_pid);
      const Herd herd = run_herd(measured, {tiny_path()}, 1'000, 32);
      print_cost(std::string("a static program, ") + cgroup + " cgroup", herd, before,
                 cpu_of(measured.hello().exec_pid));
      CHECK(herd.ended.size() == 1'000);
    }
  }
}

}  // namespace distcron::e2e
