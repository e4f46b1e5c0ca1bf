// SPDX-License-Identifier: Apache-2.0
// Reads /proc: identity of a process, and the descendants of one. Used by executor and stub.
// Single-threaded: the walk uses one static table.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace distcron::process {

/// Start time of a process (field 22 of /proc/PID/stat, clock ticks since boot); 0: no such process.
[[nodiscard]] std::uint64_t starttime_of(pid_t pid);

/// True when the process sleeps uninterruptibly or is stopped, so that it cannot act.
[[nodiscard]] bool is_stuck(pid_t pid);

/// Sends `signum` to every living descendant of `root`, not to `root` itself.
/// Returns how many were signalled; -1 when /proc cannot be read.
int signal_descendants(pid_t root, int signum);

/// Stops all descendants of `root`, looks again until no new one appears (at most 50 rounds), then
/// kills them. Returns how many it killed; 0: there were none.
int kill_descendants(pid_t root);

/// CLOCK_BOOTTIME and CLOCK_REALTIME, microseconds.
[[nodiscard]] std::int64_t boot_now_us();
[[nodiscard]] std::int64_t wall_now_us();

}  // namespace distcron::process
