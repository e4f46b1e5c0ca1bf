// SPDX-License-Identifier: Apache-2.0
// distcron-sim: runs seeds or a scenario, prints one line at the end; a violation is printed with
// its seed, its last events and, made small, as a scenario. Exit: 0 none, 1 a violation, 2 usage.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "sim/fleet_main.h"
#include "sim/mutants.h"
#include "sim/seed_pool.h"
#include "sim/shrink.h"
#include "sim/world.h"

namespace {

using distcron::sim::Outcome;
using distcron::sim::Script;
using distcron::sim::World;

constexpr std::string_view kUsage =
    "usage: distcron-sim [--seeds N] [--first S] [--seconds T] [--jobs N] [--mutant NAME]\n"
    "                    [--trace] [--stop] [--no-shrink] [--scenario FILE] [--print]\n"
    "                    [--marks N] [--list-mutants] [--fleet [--outcomes] [--hosts N]]\n"
    "  --seeds N        this many seeds (1)\n"
    "  --first S        the first of them (1)\n"
    "  --seconds T      of simulated time before the liveness phase (120)\n"
    "  --jobs N         threads (1)\n"
    "  --mutant NAME    with this bug of the core switched on\n"
    "  --stop           stop at the first violation\n"
    "  --trace          print every event\n"
    "  --no-shrink      do not make a failing seed smaller\n"
    "  --scenario FILE  run this instead of seeds\n"
    "  --marks N        print how often each situation was reached; fail if one was less than N "
    "times\n"
    "  --print          print the scripts of the seeds; run nothing\n"
    "  --fleet          whole agents instead of the Raft core; --seconds of faults (60)\n"
    "  --outcomes       with --fleet: print what became of the runs\n"
    "  --hosts N        with --fleet: a cluster of N hosts with 3, 5 or 7 voters\n";

struct Arguments {
  std::int64_t seeds = 1;
  std::int64_t first = 1;
  std::int64_t seconds = 0;  ///< 0: 120, with --fleet 60.
  std::int64_t jobs = 1;
  std::string mutant;
  std::string scenario;
  bool traces = false;
  bool stops = false;
  bool shrinks = true;
  bool prints = false;
  std::int64_t marks = -1;  ///< Below 0: not asked for.
  bool is_fleet = false;
  bool shows_outcomes = false;
  std::int64_t hosts = 0;
};

struct Totals {
  std::int64_t seeds = 0;
  std::int64_t violations = 0;
  Outcome sum;
  std::uint64_t hash = 0;
};

void add(Totals& totals, const Outcome& outcome) {
  ++totals.seeds;
  totals.violations += outcome.violation ? 1 : 0;
  totals.hash ^= distcron::mix64(outcome.hash);
  totals.sum.ended_at += outcome.ended_at;
  totals.sum.events += outcome.events;
  totals.sum.crashes += outcome.crashes;
  totals.sum.elections += outcome.elections;
  totals.sum.committed += outcome.committed;
  totals.sum.acked += outcome.acked;
  totals.sum.reads += outcome.reads;
  totals.sum.installs += outcome.installs;
  totals.sum.changes += outcome.changes;
  totals.sum.unhealable += outcome.unhealable;
  totals.sum.marks.add(outcome.marks);
}

Outcome run_world(const Script& script, bool traces) {
  World world(script);
  if (traces) {
    world.trace().listener = [](const distcron::sim::Record& record) {
      std::printf("%s\n", format_record(record).c_str());
    };
  }
  Outcome outcome = world.run();
  if (outcome.violation) outcome.tail = world.trace().tail(40);
  return outcome;
}

void report(const Arguments& arguments, const Script& script, const Outcome& outcome) {
  std::printf("VIOLATION seed=%llu invariant=%s at=%s\n  %s\nlast events:\n%s",
              static_cast<unsigned long long>(script.seed), outcome.violation->invariant.c_str(),
              distcron::sim::format_time(outcome.violation->at).c_str(),
              outcome.violation->text.c_str(), outcome.tail.c_str());
  if (arguments.shrinks) {
    const auto small = distcron::sim::shrink(script, 20'000'000);
    std::printf("as a scenario, made small in %lld runs (%zu of %zu lines left; %s):\n%s",
                static_cast<long long>(small.runs), small.script.ops.size(), script.ops.size(),
                small.outcome.violation->text.c_str(), format_script(small.script).c_str());
  }
  static_cast<void>(std::fflush(stdout));
}

void summarize(const Arguments& arguments, const Totals& t, double seconds) {
  for (const auto& [situation, name] : distcron::sim::kSituations) {
    if (arguments.marks < 0) break;
    std::printf("mark %-24s %lld\n", std::string(name).c_str(),
                static_cast<long long>(t.sum.marks.count(situation)));
  }
  std::printf(
      "distcron-sim: seeds=%lld first=%lld mutant=%s violations=%lld events=%lld crashes=%lld "
      "elections=%lld committed=%lld acked=%lld reads=%lld installs=%lld changes=%lld "
      "unhealable=%lld simulated_s=%lld wall_s=%.1f hash=%016llx\n",
      static_cast<long long>(t.seeds), static_cast<long long>(arguments.first),
      arguments.mutant.empty() ? "none" : arguments.mutant.c_str(),
      static_cast<long long>(t.violations), static_cast<long long>(t.sum.events),
      static_cast<long long>(t.sum.crashes), static_cast<long long>(t.sum.elections),
      static_cast<long long>(t.sum.committed), static_cast<long long>(t.sum.acked),
      static_cast<long long>(t.sum.reads), static_cast<long long>(t.sum.installs),
      static_cast<long long>(t.sum.changes), static_cast<long long>(t.sum.unhealable),
      static_cast<long long>(t.sum.ended_at / 1'000'000), seconds,
      static_cast<unsigned long long>(t.hash));
}

/// A number that fills the whole text; `is_good` turns false for another one.
std::int64_t parse_number(std::string_view text, bool& is_good) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) is_good = false;
  return value;
}

struct Flag {
  std::string_view name;
  bool value;
  bool Arguments::*member;
};

struct Number {
  std::string_view name;
  std::int64_t Arguments::*member;
};

struct Text {
  std::string_view name;
  std::string Arguments::*member;
};

constexpr std::array kFlags{Flag{"--trace", true, &Arguments::traces},
                            Flag{"--stop", true, &Arguments::stops},
                            Flag{"--no-shrink", false, &Arguments::shrinks},
                            Flag{"--print", true, &Arguments::prints},
                            Flag{"--fleet", true, &Arguments::is_fleet},
                            Flag{"--outcomes", true, &Arguments::shows_outcomes}};
constexpr std::array kNumbers{
    Number{"--seeds", &Arguments::seeds},     Number{"--first", &Arguments::first},
    Number{"--seconds", &Arguments::seconds}, Number{"--jobs", &Arguments::jobs},
    Number{"--marks", &Arguments::marks},     Number{"--hosts", &Arguments::hosts}};
constexpr std::array kTexts{Text{"--mutant", &Arguments::mutant},
                            Text{"--scenario", &Arguments::scenario}};

bool parse(int argc, char** argv, Arguments& out) {
  bool is_good = true;
  for (int i = 1; i < argc && is_good; ++i) {
    const std::string_view name = argv[i];
    const bool has_value = i + 1 < argc;
    const auto is_it = [name](const auto& one) { return one.name == name; };
    const auto* const flag = std::find_if(kFlags.begin(), kFlags.end(), is_it);
    const auto* const number = std::find_if(kNumbers.begin(), kNumbers.end(), is_it);
    const auto* const text = std::find_if(kTexts.begin(), kTexts.end(), is_it);
    if (flag != kFlags.end()) {
      out.*(flag->member) = flag->value;
    } else if (number != kNumbers.end() && has_value) {
      out.*(number->member) = parse_number(argv[++i], is_good);
    } else if (text != kTexts.end() && has_value) {
      out.*(text->member) = argv[++i];
    } else {
      is_good = false;
    }
  }
  if (out.seconds == 0) out.seconds = out.is_fleet ? 60 : 120;
  return is_good && out.seeds > 0 && out.first >= 0 && out.seconds > 0 && out.jobs > 0;
}

int run_scenario(const Arguments& arguments) {
  std::ifstream file(arguments.scenario);
  std::stringstream whole;
  whole << file.rdbuf();
  const std::string text = whole.str();
  const std::string_view script_text = std::string_view(text).substr(0, text.find("\n----\n"));
  const auto script = distcron::sim::parse_script(script_text);
  if (!file || !script) {
    std::cerr << "distcron-sim: cannot run " << arguments.scenario << ": "
              << (script ? "it cannot be read" : script.error().message) << "\n";
    return 2;
  }
  Totals totals;
  const Outcome outcome = run_world(*script, arguments.traces);
  add(totals, outcome);
  if (outcome.violation) report(arguments, *script, outcome);
  summarize(arguments, totals, 0);
  return outcome.violation ? 1 : 0;
}

int run_seeds(const Arguments& arguments) {
  Totals totals;
  const double seconds = distcron::sim::run_pool(
      {arguments.first, arguments.seeds, arguments.jobs},
      [&](std::uint64_t seed) {
        Script script = distcron::sim::draw_script(seed, arguments.seconds * 1'000'000);
        Outcome outcome = run_world(script, arguments.traces);
        return std::pair(std::move(script), std::move(outcome));
      },
      [&](const auto& ran, bool is_stopped) {
        const auto& [script, outcome] = ran;
        add(totals, outcome);
        if (outcome.violation && !is_stopped) report(arguments, script, outcome);
        return !(outcome.violation && arguments.stops);
      });
  summarize(arguments, totals, seconds);
  const bool lacks = std::any_of(
      distcron::sim::kSituations.begin(), distcron::sim::kSituations.end(),
      [&](const auto& s) { return totals.sum.marks.count(s.situation) < arguments.marks; });
  if (lacks)
    std::printf("distcron-sim: a situation was reached less than %lld times\n",
                static_cast<long long>(arguments.marks));
  return totals.violations > 0 || lacks ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2 && std::string_view(argv[argc - 1]) == "--list-mutants") {
    const bool is_fleet = std::string_view(argv[1]) == "--fleet";
    for (const std::string_view name :
         is_fleet ? distcron::sim::fleet_mutant_names() : distcron::sim::mutant_names()) {
      std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
    }
    return 0;
  }
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::cerr << kUsage;
    return 2;
  }
  if (!distcron::sim::set_mutant(arguments.mutant)) {
    std::cerr << "distcron-sim: there is no mutant '" << arguments.mutant
              << "'; --list-mutants names them\n";
    return 2;
  }
  if (arguments.is_fleet) {
    return distcron::sim::run_fleet({arguments.seeds, arguments.first, arguments.seconds,
                                     arguments.jobs, arguments.traces, arguments.stops,
                                     arguments.shrinks, arguments.shows_outcomes, arguments.hosts});
  }
  if (!arguments.scenario.empty()) return run_scenario(arguments);
  if (arguments.prints) {
    for (std::int64_t i = 0; i < arguments.seeds; ++i) {
      const auto seed = static_cast<std::uint64_t>(arguments.first + i);
      std::cout << format_script(distcron::sim::draw_script(seed, arguments.seconds * 1'000'000));
    }
    return 0;
  }
  return run_seeds(arguments);
}
