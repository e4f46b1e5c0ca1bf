// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_main.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/hash.h"
#include "sim/fleet_world.h"
#include "sim/seed_pool.h"

namespace distcron::sim {
namespace {

struct Totals {
  std::int64_t seeds = 0;
  std::int64_t violations = 0;
  std::uint64_t hash = 0;
  FleetOutcome sum;
};

void add(Totals& totals, const FleetOutcome& outcome) {
  ++totals.seeds;
  totals.violations += outcome.violation ? 1 : 0;
  totals.hash ^= mix64(outcome.hash);
  totals.sum.starts += outcome.starts;
  totals.sum.slots += outcome.slots;
  totals.sum.acked += outcome.acked;
  totals.sum.entries += outcome.entries;
  totals.sum.installs += outcome.installs;
  totals.sum.terms += outcome.terms;
  totals.sum.members += outcome.members;
  totals.sum.unhealable += outcome.unhealable;
  totals.sum.steps += outcome.steps;
  totals.sum.ended_at += outcome.ended_at;
  for (const auto& [name, count] : outcome.outcomes)
    totals.sum.outcomes[name] += count;
}

/// Leaves out operations as long as the same invariant breaks.
FleetPlan shrink_fleet(FleetPlan plan, const std::string& invariant) {
  constexpr int kRunsMax = 400;
  int runs = 0;
  for (std::size_t size = plan.ops.size() / 2; size > 0; size /= 2) {
    for (std::size_t from = 0; from < plan.ops.size() && runs < kRunsMax;) {
      FleetPlan less = plan;
      const auto begin = less.ops.begin() + static_cast<std::ptrdiff_t>(from);
      const auto count = std::min(size, less.ops.size() - from);
      less.ops.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
      ++runs;
      const FleetOutcome outcome = FleetWorld(less).run();
      if (outcome.violation && outcome.violation->invariant == invariant) {
        plan = std::move(less);
      } else {
        from += size;
      }
    }
  }
  return plan;
}

void report(const FleetArguments& arguments, const FleetPlan& plan, const FleetOutcome& outcome) {
  std::printf("VIOLATION seed=%llu invariant=%s at=%lld.%06llds\n  %s\nlast events:\n%s",
              static_cast<unsigned long long>(plan.options.seed),
              outcome.violation->invariant.c_str(),
              static_cast<long long>(outcome.violation->at / kSecond),
              static_cast<long long>(outcome.violation->at % kSecond),
              outcome.violation->text.c_str(), outcome.tail.c_str());
  if (arguments.shrinks) {
    const FleetPlan small = shrink_fleet(plan, outcome.violation->invariant);
    const FleetOutcome again = FleetWorld(small).run();
    std::printf("made small, %zu of %zu operations left: %s\n%s", small.ops.size(), plan.ops.size(),
                again.violation->text.c_str(), format_options(small.options).c_str());
    for (const FleetOp& op : small.ops)
      std::printf("  %s\n", format_op(op).c_str());
    std::printf("its last events:\n%s", again.tail.c_str());
  }
  static_cast<void>(std::fflush(stdout));
}

FleetOutcome run_plan(const FleetPlan& plan, bool traces) {
  FleetWorld world(plan);
  if (traces) world.listener = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  return world.run();
}

}  // namespace

int run_fleet(const FleetArguments& arguments) {
  Totals totals;
  const double seconds = run_pool(
      {arguments.first, arguments.seeds, arguments.jobs},
      [&](std::uint64_t seed) {
        FleetPlan plan = arguments.hosts > 0
                             ? draw_large_plan(seed, arguments.seconds, arguments.hosts)
                             : draw_fleet_plan(seed, arguments.seconds);
        FleetOutcome outcome = run_plan(plan, arguments.traces);
        return std::pair(std::move(plan), std::move(outcome));
      },
      [&](const auto& ran, bool is_stopped) {
        const auto& [plan, outcome] = ran;
        add(totals, outcome);
        if (outcome.violation && !is_stopped) report(arguments, plan, outcome);
        return !(outcome.violation && arguments.stops);
      });
  if (arguments.shows_outcomes) {
    for (const auto& [name, count] : totals.sum.outcomes)
      std::printf("runs %-28s %lld\n", name.c_str(), static_cast<long long>(count));
  }
  std::printf(
      "distcron-sim: fleet seeds=%lld first=%lld violations=%lld starts=%lld slots=%lld "
      "acked=%lld entries=%lld members=%lld terms=%lld installs=%lld unhealable=%lld events=%lld "
      "simulated_s=%lld wall_s=%.1f hash=%016llx\n",
      static_cast<long long>(totals.seeds), static_cast<long long>(arguments.first),
      static_cast<long long>(totals.violations), static_cast<long long>(totals.sum.starts),
      static_cast<long long>(totals.sum.slots), static_cast<long long>(totals.sum.acked),
      static_cast<long long>(totals.sum.entries), static_cast<long long>(totals.sum.members),
      static_cast<long long>(totals.sum.terms), static_cast<long long>(totals.sum.installs),
      static_cast<long long>(totals.sum.unhealable), static_cast<long long>(totals.sum.steps),
      static_cast<long long>(totals.sum.ended_at / kSecond), seconds,
      static_cast<unsigned long long>(totals.hash));
  return totals.violations > 0 ? 1 : 0;
}

}  // namespace distcron::sim
