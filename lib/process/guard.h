// SPDX-License-Identifier: Apache-2.0
// The guard: holds the listening socket, restarts the executor when it is killed, and reaps what is
// left to it as subreaper. Does nothing else, so that it gives no reason to die. Single-threaded.
#pragma once

#include <string>

#include "process/executor.h"

namespace distcron::process {

/// Moves the own log to a private descriptor, points 0-2 to /dev/null, and keeps the numbers that
/// stubs get (3-7) free. `listener` may be moved out of the way.
void settle_descriptors(int& listener);

/// Runs `executor(options)` in a child, again each time that it does not end with status 0 or a
/// usage error. Returns when it has ended.
int run_guard(ExecOptions options, int (*executor)(ExecOptions));

}  // namespace distcron::process
