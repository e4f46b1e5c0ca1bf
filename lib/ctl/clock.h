// SPDX-License-Identifier: Apache-2.0
// The only place where distcronctl reads the clock or waits. Any thread.
#pragma once

#include "base/time.h"

namespace distcron::ctl {

[[nodiscard]] WallTime wall_now();
/// Time since an arbitrary start, for measuring waits.
[[nodiscard]] Millis steady_now();
/// Waits for `length`, or until a signal comes.
void pause_for(Millis length);

}  // namespace distcron::ctl
