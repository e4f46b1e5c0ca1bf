// SPDX-License-Identifier: Apache-2.0
#include "supervise/run_machine.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "support/seed.h"

namespace distcron::supervise {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonoTime kT0{Micros(1'000'000)};
constexpr Limits kLimits{.timeout = seconds(30), .kill_grace = seconds(5)};

std::string text_of(const Effect& effect) {
  if (const auto* arm = std::get_if<ArmTimer>(&effect)) {
    return "timer+" + std::to_string(std::chrono::duration_cast<Millis>(arm->at - kT0).count());
  }
  if (std::holds_alternative<DisarmTimer>(effect)) return "no timer";
  if (const auto* g = std::get_if<SignalGroup>(&effect))
    return "group " + std::to_string(g->signum);
  if (const auto* t = std::get_if<SignalTree>(&effect)) return "tree " + std::to_string(t->signum);
  if (std::holds_alternative<KillTree>(effect)) return "kill";
  return std::get<Finish>(effect).kill_incomplete ? "finish incomplete" : "finish";
}

std::string text_of(const Effects& effects) {
  std::string text;
  for (const Effect& effect : effects)
    text += (text.empty() ? "" : ", ") + text_of(effect);
  return text.empty() ? "-" : text;
}

struct NamedEvent {
  const char* name;
  Event event;
};

const NamedEvent kEvents[] = {
    {"released", Released{}},         {"timer", TimerFired{}},
    {"kill TERM", KillRequested{}},   {"kill KILL", KillRequested{SIGKILL, Micros(-1)}},
    {"main exited", MainExited{}},    {"tree empty", TreeEmpty{}},
    {"output closed", OutputClosed{}}};

/// A machine in `state`, all steps taken at kT0.
RunMachine machine_in(RunState state) {
  RunMachine machine(kLimits);
  std::vector<Event> path;
  switch (state) {
    case RunState::kStarting:
      break;
    case RunState::kRunning:
      path = {Released{}};
      break;
    case RunState::kLingering:
      path = {Released{}, MainExited{}};
      break;
    case RunState::kStopping:
      path = {Released{}, TimerFired{}};
      break;
    case RunState::kKilling:
      path = {Released{}, TimerFired{}, TimerFired{}};
      break;
    case RunState::kDraining:
      path = {Released{}, MainExited{}, TreeEmpty{}};
      break;
    case RunState::kDone:
      path = {Released{}, MainExited{}, TreeEmpty{}, OutputClosed{}};
      break;
  }
  for (const Event& event : path)
    (void)machine.step(kT0, event);
  return machine;
}

std::string transition_table() {
  std::ostringstream out;
  out << "| State | Event | Next | Effects |\n|---|---|---|---|\n";
  for (int i = 0; i < kRunStateCount; ++i) {
    for (const NamedEvent& named : kEvents) {
      RunMachine machine = machine_in(static_cast<RunState>(i));
      REQUIRE(machine.state() == static_cast<RunState>(i));
      const Effects effects = machine.step(kT0, named.event);
      if (machine.state() == static_cast<RunState>(i) && effects.size() == 0) continue;
      out << "| " << name_of(static_cast<RunState>(i)) << " | " << named.name << " | "
          << name_of(machine.state()) << " | " << text_of(effects) << " |\n";
    }
  }
  return out.str();
}

}  // namespace

TEST_SUITE("supervise") {
  TEST_CASE("a run past its timeout gets SIGTERM, then SIGKILL after kill_grace") {
    RunMachine run(kLimits);
    CHECK(text_of(run.step(kT0, Released{})) == "timer+30000");

    CHECK(text_of(run.step(kT0 + seconds(30), TimerFired{})) == "group 15, timer+35000");
    CHECK(text_of(run.step(kT0 + seconds(35), TimerFired{})) == "kill, timer+35050");
    CHECK(text_of(run.step(kT0 + seconds(35), MainExited{})) == "-");
    CHECK(text_of(run.step(kT0 + seconds(35), TreeEmpty{})) == "timer+37000");
    CHECK(text_of(run.step(kT0 + seconds(35), OutputClosed{})) == "no timer, finish");

    CHECK(run.timed_out());
    CHECK_FALSE(run.killed_by_request());
  }

  TEST_CASE("without a timeout no timer is armed") {
    RunMachine run({.timeout = Micros(0)});
    CHECK(text_of(run.step(kT0, Released{})) == "-");
  }

  TEST_CASE("a second kill request may shorten the grace but never lengthen it") {
    RunMachine run(kLimits);
    (void)run.step(kT0, Released{});
    CHECK(text_of(run.step(kT0, KillRequested{SIGTERM, seconds(4)})) == "group 15, timer+4000");
    CHECK(text_of(run.step(kT0, KillRequested{SIGTERM, seconds(60)})) == "group 15, timer+4000");
    CHECK(text_of(run.step(kT0, KillRequested{SIGINT, seconds(1)})) == "group 2, timer+1000");
    CHECK(run.killed_by_request());
  }

  TEST_CASE("what outlives the main process gets time, TERM, the grace and KILL") {
    RunMachine run({.kill_grace = seconds(5)});
    (void)run.step(kT0, Released{});
    CHECK(text_of(run.step(kT0, MainExited{})) == "timer+200");
    CHECK(text_of(run.step(kT0 + milliseconds(200), TimerFired{})) == "tree 15, timer+5200");
    CHECK(text_of(run.step(kT0 + milliseconds(5200), TimerFired{})) == "kill, timer+5250");
    CHECK_FALSE(run.timed_out());
    CHECK_FALSE(run.killed_by_request());
  }

  TEST_CASE("killing is repeated, and given up as incomplete after 10 s") {
    RunMachine run(kLimits);
    (void)run.step(kT0, Released{});
    CHECK(text_of(run.step(kT0, KillRequested{SIGKILL, Micros(0)})) == "kill, timer+50");
    CHECK(text_of(run.step(kT0 + milliseconds(50), TimerFired{})) == "kill, timer+100");
    CHECK(text_of(run.step(kT0 + seconds(10), TimerFired{})) == "no timer, finish incomplete");
    CHECK(run.state() == RunState::kDone);
  }

  TEST_CASE("output that nobody closes is read for 2 s after the last process") {
    RunMachine run({});
    (void)run.step(kT0, Released{});
    (void)run.step(kT0, MainExited{});
    CHECK(text_of(run.step(kT0, TreeEmpty{})) == "timer+2000");
    CHECK(text_of(run.step(kT0 + seconds(2), TimerFired{})) == "no timer, finish");
  }

  TEST_CASE("a job that closed its output early ends at once when its tree is empty") {
    RunMachine run({});
    (void)run.step(kT0, Released{});
    CHECK(text_of(run.step(kT0, OutputClosed{})) == "-");
    (void)run.step(kT0, MainExited{});
    CHECK(text_of(run.step(kT0, TreeEmpty{})) == "no timer, finish");
  }

  TEST_CASE("with orphans left, the end of the main process is the end of the run") {
    RunMachine run({.leaves_orphans = true});
    (void)run.step(kT0, Released{});
    CHECK(text_of(run.step(kT0, MainExited{})) == "timer+2000");
    CHECK(run.state() == RunState::kDraining);
  }

  TEST_CASE("a kill before the release and an exit before the timer are ordinary") {
    RunMachine early(kLimits);
    CHECK(text_of(early.step(kT0, KillRequested{})) == "group 15, timer+5000");
    (void)early.step(kT0, MainExited{});
    (void)early.step(kT0, TreeEmpty{});
    CHECK(text_of(early.step(kT0, OutputClosed{})) == "no timer, finish");

    RunMachine done = machine_in(RunState::kDone);
    CHECK(text_of(done.step(kT0, TimerFired{})) == "-");
    CHECK(text_of(done.step(kT0, KillRequested{})) == "-");
  }

  TEST_CASE("the transition table in run_machine.md is the one of the machine") {
    const std::string table = transition_table();
    const std::string path = DISTCRON_MACHINE_DOC;
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (std::getenv("DISTCRON_REWRITE") != nullptr) {
      const std::string all = text.str();
      std::ofstream(path) << all.substr(0, all.find("| State |")) << table;
      return;
    }
    CHECK(text.str().find(table) != std::string::npos);
  }

  TEST_CASE("any order of events leads to at most one finish, and to one exactly when done") {
    Rng rng(test::seed());
    for (int round = 0; round < 20'000; ++round) {
      RunMachine run({.timeout = seconds(static_cast<long>(rng.below(3))),
                      .kill_grace = seconds(static_cast<long>(rng.below(3)))});
      MonoTime now = kT0;
      int finishes = 0;
      bool main_exited = false;
      for (int i = 0; i < 30; ++i) {
        const auto pick = static_cast<std::size_t>(rng.below(std::size(kEvents)));
        if (pick == 5 && !main_exited) continue;
        main_exited = main_exited || pick == 4;
        now += milliseconds(static_cast<long>(rng.below(500)));
        const Effects effects = run.step(now, kEvents[pick].event);
        for (const Effect& effect : effects) {
          finishes += std::holds_alternative<Finish>(effect) ? 1 : 0;
        }
      }
      CHECK(finishes == (run.state() == RunState::kDone ? 1 : 0));
    }
  }
}

}  // namespace distcron::supervise
