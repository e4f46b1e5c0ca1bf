// SPDX-License-Identifier: Apache-2.0
#include "ctl/clock.h"

#include <chrono>

#include <poll.h>

namespace distcron::ctl {

WallTime wall_now() {
  return std::chrono::floor<Micros>(std::chrono::system_clock::now());
}

Millis steady_now() {
  return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch());
}

void pause_for(Millis length) {
  static_cast<void>(::poll(nullptr, 0, static_cast<int>(length.count())));
}

}  // namespace distcron::ctl
