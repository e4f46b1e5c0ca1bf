// SPDX-License-Identifier: Apache-2.0
// The two kinds of instant, never mixed: WallTime (UTC) and MonoTime (boottime of one host).
// Plain values, no clock is read here; the loop reads both once a turn and passes them down.
#pragma once

#include <chrono>
#include <cstdint>

namespace distcron {

using Micros = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// An instant of UTC (Unix time, no leap seconds), microseconds.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Micros>;

/// Tag of CLOCK_BOOTTIME. Has no now(): only the clock seam reads it.
struct BootClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = Micros;
  using time_point = std::chrono::time_point<BootClock, Micros>;
  static constexpr bool is_steady = true;
};

/// An instant of this host's boottime, microseconds since boot. Means nothing on another host.
using MonoTime = BootClock::time_point;

[[nodiscard]] constexpr WallTime wall_from_seconds(std::int64_t epoch_seconds) {
  return WallTime(Seconds(epoch_seconds));
}

[[nodiscard]] constexpr WallTime wall_from_micros(std::int64_t epoch_micros) {
  return WallTime(Micros(epoch_micros));
}

/// Whole seconds since 1970, rounded down.
[[nodiscard]] constexpr std::int64_t epoch_seconds(WallTime at) {
  return std::chrono::floor<Seconds>(at.time_since_epoch()).count();
}

[[nodiscard]] constexpr std::int64_t epoch_micros(WallTime at) {
  return at.time_since_epoch().count();
}

}  // namespace distcron
