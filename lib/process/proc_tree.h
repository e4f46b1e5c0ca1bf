// SPDX-License-Identifier: Apache-2.0
// Reads /proc: identity of a process, and the descendants of one. Used by executor and stub.
// Single-threaded: the walk uses one static table.
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace distcron::process {

/// Start time of a process (field 22 of /proc/PID/stat, clock ticks since boot); 0: no such
/// process.
[[nodiscard]] std::uint64_t starttime_of(pid_t pid);

/// True when the process sleeps uninterruptibly or is stopped, so that it cannot act.
[[nodiscard]] bool is_stuck(pid_t pid);

/// Sends `signum` to every living descendant of `root`, not to `root` itself.
/// Returns how many were signalled; -1 when /proc cannot be read.
int signal_descendants(pid_t root, int signum);

/// Kills the children of `root`, stops its descendants, looks again until no new one appears, then
/// kills them. Takes some 0.1 s at most: reap and call again until none is left. Returns how many
/// it killed, zombies included; 0: there were none.
int kill_descendants(pid_t root);

/// CLOCK_BOOTTIME and CLOCK_REALTIME, microseconds.
[[nodiscard]] std::int64_t boot_now_us();
[[nodiscard]] std::int64_t wall_now_us();

}  // namespace distcron::process
