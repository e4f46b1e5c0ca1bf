// SPDX-License-Identifier: Apache-2.0
#include "agent/clock.h"

#include <array>
#include <cstdio>

#include <sys/random.h>
#include <time.h>

namespace distcron::agent {

namespace {

Micros micros_of(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return Seconds(ts.tv_sec) +
         std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(ts.tv_nsec));
}

}  // namespace

Now SystemClock::read() {
  return Now{WallTime(micros_of(CLOCK_REALTIME)), MonoTime(micros_of(CLOCK_BOOTTIME))};
}

std::uint64_t SystemRandom::draw() {
  std::uint64_t out = 0;
  while (out == 0) {
    if (getrandom(&out, sizeof out, 0) != static_cast<ssize_t>(sizeof out)) out = 0;
  }
  return out;
}

std::string random_hex(Random& random, int bytes) {
  std::string out;
  while (static_cast<int>(out.size()) < 2 * bytes) {
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%016llx",
                  static_cast<unsigned long long>(random.draw()));
    out += text.data();
  }
  out.resize(static_cast<std::size_t>(2 * bytes));
  return out;
}

}  // namespace distcron::agent
