// SPDX-License-Identifier: Apache-2.0
// ns per next() and per parse(), chained from 2026-01-01, best of 3. For instruction counts run it
// under callgrind with --toggle-collect=bench_next* and the argument "ir".
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cron/cron.h"

using distcron::WallTime;
namespace cron = distcron::cron;

namespace {

constexpr std::array kExpressions = {"*/5 * * * *", "30 2 * * *",    "15 9-17 * * 1-5",
                                     "0 0 1 * *",   "0 12 * * sun",  "0 0 29 2 *",
                                     "* * * * *",   "0 */6 1,15 * *"};
constexpr int kRounds = 3;

double now_ns() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

}  // namespace

/// The measured call; not inlined so that callgrind can tell it from the rest.
[[gnu::noinline]] WallTime bench_next(const cron::Schedule& schedule, WallTime after,
                                      const cron::Zone& zone) {
  return *cron::next(schedule, after, zone);
}

[[gnu::noinline]] bool bench_parse(const char* text) {
  return cron::parse(text, {}).has_value();
}

int main(int argc, char** argv) {
  const bool count_only = argc > 1 && std::strcmp(argv[1], "ir") == 0;
  const int calls = count_only ? 200 : 200'000;
  const auto start = distcron::wall_from_seconds(1'767'225'600);
  for (const char* name : {"UTC", "Europe/Berlin"}) {
    const auto zone = cron::load_zone(name);
    if (!zone) return 1;
    double product = 1;
    for (const char* text : kExpressions) {
      if (count_only && argc > 2 && std::strcmp(argv[2], text) != 0) continue;
      const auto schedule = cron::parse(text, {});
      double best = 1e18;
      for (int round = 0; round < (count_only ? 1 : kRounds); ++round) {
        WallTime at = start;
        const double begin = now_ns();
        for (int i = 0; i < calls; ++i) {
          at = bench_next(*schedule, at, **zone);
          if (at.time_since_epoch().count() > 7'000'000'000'000'000) at = start;  // before 2200
        }
        best = std::min(best, (now_ns() - begin) / calls);
      }
      product *= best;
      std::printf("next %-14s %-18s %8.1f ns\n", name, text, best);
    }
    std::printf("next %-14s geometric mean     %8.1f ns\n", name,
                std::pow(product, 1.0 / static_cast<double>(kExpressions.size())));
  }
  for (const char* text : kExpressions) {
    const double begin = now_ns();
    int accepted = 0;
    for (int i = 0; i < calls; ++i)
      accepted += bench_parse(text) ? 1 : 0;
    std::printf("parse %-32s %8.1f ns%s\n", text, (now_ns() - begin) / calls,
                accepted == calls ? "" : " refused");
  }
  return 0;
}
