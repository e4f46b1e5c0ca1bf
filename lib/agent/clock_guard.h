// SPDX-License-Identifier: Apache-2.0
// ClockGuard: is the wall clock plausible enough to start jobs on? (RUNS.md 6.5). Pure: gets both
// clocks, remembers the last trusted pair.
#pragma once

#include <string>

#include "agent/clock.h"

namespace distcron::agent {

class ClockGuard {
 public:
  /// `released`: no honest clock is earlier than the program.
  explicit ClockGuard(WallTime released) : floor_(released) {}

  /// The latest instant that is known from the log: the clock cannot be before it.
  void raise_floor(WallTime committed) {
    if (committed > floor_) floor_ = committed;
  }

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
  WallTime floor_;
  Now last_;
  bool has_last_ = false;
  bool has_jumped_ = false;
  std::string why_;
};

}  // namespace distcron::agent
