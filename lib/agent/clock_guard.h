// SPDX-License-Identifier: Apache-2.0
// ClockGuard: is the wall clock plausible enough to start jobs on? (RUNS.md 6.5). Pure: gets both
// clocks, remembers the last trusted pair, and the latest instant that is known to have passed.
//
// That instant comes from the log: a scheduler, which decides by a clock that it trusts, stamps its
// decisions, and a majority has committed them. But its clock may have been ahead all the same, and
// the hosts whose clocks are right must not wait for it. So an instant counts as passed only when
// two clocks say so: that of the decision, and the one here at that time, while it was trusted. A
// clock can thus never be behind the floor that it has itself helped to set, unless it is set back
// or comes up wrong, which is what the floor is there to notice. It is kept over restarts.
#pragma once

#include <algorithm>
#include <string>

#include "agent/clock.h"

namespace distcron::agent {

class ClockGuard {
 public:
  /// `released`: no honest clock is earlier than the program.
  explicit ClockGuard(WallTime released) : released_(released), floor_(released) {}

  /// An instant that has passed, from before a restart: the clock cannot be before it.
  void raise_floor(WallTime passed) {
    if (passed > floor_) floor_ = passed;
  }

  /// A decision of this instant was committed and is applied here.
  void on_decided(WallTime at, const Now& now) {
    if (is_trusted()) raise_floor(std::min(at, now.wall));
  }

  /// The latest instant that is known to have passed.
  [[nodiscard]] WallTime floor() const { return floor_; }

  /// Once a turn. `synchronised`: the kernel says that the clock is disciplined (adjtimex).
  void observe(const Now& now, bool synchronised);
  /// An admin says that the clock is right.
  void trust(const Now& now);

  [[nodiscard]] bool is_trusted() const { return why_.empty(); }

  /// Why it is not trusted, a sentence; empty when it is.
  [[nodiscard]] const std::string& why() const { return why_; }

  /// True when the last observe() saw the wall clock jump against boottime.
  [[nodiscard]] bool has_jumped() const { return has_jumped_; }

 private:
  WallTime released_;
  WallTime floor_;
  Now last_;
  bool has_last_ = false;
  bool has_jumped_ = false;
  std::string why_;
};

}  // namespace distcron::agent
