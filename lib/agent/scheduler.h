// SPDX-License-Identifier: Apache-2.0
// Scheduler: asks the planner what is due and proposes the answer, one batch at a time. Runs on
// the host that leads. Loop thread only.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "agent/clock.h"
#include "agent/replica.h"
#include "planner/state.h"

namespace distcron::agent {

class Scheduler {
 public:
  /// How the members are.
  using Situations = std::function<std::vector<planner::HostSituation>()>;

  Scheduler(planner::State& state, Replica& log, std::int64_t capacity, Situations situations)
      : state_(state), log_(log), capacity_(capacity), situations_(std::move(situations)) {}

  void set_capacity(std::int64_t capacity) {
    capacity_ = capacity;
    wake();
  }

  /// Something was applied or the clock jumped: look again this turn.
  void wake() { look_ = true; }

  /// Looks when there is reason to.
  void turn(const Now& now, bool clock_trusted);
  [[nodiscard]] std::optional<MonoTime> next_timer(const Now& now) const;

  /// In place of turn() while another host schedules: then a takeover has little left to do.
  void stand_by() { is_standby_ready_ = state_.refresh_timers(); }

  /// stand_by() wants to go on at once.
  [[nodiscard]] bool has_standby_work() const { return !is_standby_ready_; }

  /// Slots may be due that this term has not decided about yet. An edit that came before the
  /// decision would take them away without a trace.
  [[nodiscard]] bool is_behind() const { return is_midway_ || caught_up_in_ != log_.term(); }

  /// The same of slots that a host has decided alone, and has still to tell of.
  [[nodiscard]] bool awaits_local_runs() const { return awaits_local_; }

 private:
  void await_local_runs(planner::Situation& situation, const Now& now);

  planner::State& state_;
  Replica& log_;
  std::int64_t capacity_;
  Situations situations_;
  bool look_ = true;
  bool under_way_ = false;
  bool was_trusted_ = true;
  bool is_midway_ = false;  ///< Jobs are left that it has still to look at, and no decision is out.
  bool is_standby_ready_ = true;
  bool awaits_local_ = false;          ///< Of a host that was alone.
  std::int64_t awaits_local_in_ = -1;  ///< Term.
  std::optional<MonoTime> awaits_local_since_;
  std::optional<MonoTime> local_decided_at_;  ///< Then their jobs are looked at again.
  std::optional<MonoTime> local_given_up_since_;
  std::int64_t caught_up_in_ = -1;  ///< Term.
  std::optional<WallTime> wake_at_;
  std::optional<MonoTime> retry_at_;  ///< After a batch that could not be stored.
};

}  // namespace distcron::agent
