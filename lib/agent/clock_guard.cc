// SPDX-License-Identifier: Apache-2.0
#include "agent/clock_guard.h"

#include <algorithm>

#include "model/units.h"

namespace distcron::agent {

namespace {
constexpr Seconds kAheadMax{300};   // one step further ahead than this needs a word of trust
constexpr Seconds kJumpNoticed{1};  // a step that is worth planning anew
constexpr Seconds kBehindMax{5};    // entries of one turn may be stamped a little apart
}  // namespace

void ClockGuard::observe(const Now& now, bool synchronised) {
  has_jumped_ = false;
  if (has_last_) {
    const Micros step = (now.wall - last_.wall) - (now.mono - last_.mono);
    has_jumped_ = step > kJumpNoticed || step < -kJumpNoticed;
    if (step > kAheadMax && !synchronised && why_.empty()) {
      why_ = "the clock was set ahead from " + model::format_utc(last_.wall) + " to " +
             model::format_utc(now.wall) +
             " without being synchronised; starts wait (distcronctl cluster settings clock trust)";
      return;  // last_ stays: going back to the old time is no further jump
    }
  }
  // A clock that is disciplined is right, and what passed was measured by one that was ahead. No
  // source of time is believed that is older than this program.
  if (now.wall + kBehindMax < (synchronised ? std::min(floor_, released_) : floor_)) {
    if (why_.empty()) {
      why_ = "the clock says " + model::format_utc(now.wall) + ", before " +
             model::format_utc(floor_) +
             ", which has passed; starts wait (distcronctl cluster settings clock trust)";
    }
    return;
  }
  const Micros since = has_last_ ? (now.wall - last_.wall) - (now.mono - last_.mono) : Micros(0);
  if (!why_.empty() && since > kAheadMax && !synchronised) return;
  why_.clear();
  last_ = now;
  has_last_ = true;
}

void ClockGuard::trust(const Now& now) {
  why_.clear();
  floor_ = now.wall;
  released_ = std::min(released_, now.wall);
  last_ = now;
  has_last_ = true;
}

}  // namespace distcron::agent
