// SPDX-License-Identifier: Apache-2.0
#include "agent/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "planner/turn.h"

namespace distcron::agent {

namespace {
constexpr Millis kRetryPause{500};
/// Both together are shorter than a client waits (Replica::kClientWait).
constexpr Seconds kLocalWait{4};
constexpr Millis kGiveUp{500};
}  // namespace

void Scheduler::turn(const Now& now, bool clock_trusted) {
  if (clock_trusted != was_trusted_) look_ = true;
  was_trusted_ = clock_trusted;
  if (wake_at_ && *wake_at_ <= now.wall) look_ = true;
  if (std::exchange(awaits_local_in_, log_.term()) != log_.term()) {
    local_decided_at_.reset();
    awaits_local_since_.reset();
    local_given_up_since_.reset();
    awaits_local_ = false;
  }
  if (local_decided_at_ && *local_decided_at_ <= now.mono) look_ = true;
  if (retry_at_ && *retry_at_ <= now.mono) {
    retry_at_.reset();
    look_ = true;
  }
  if (!look_ || under_way_ || retry_at_) return;
  look_ = false;
  planner::Situation situation;
  situation.now = now.wall;
  situation.term = log_.term();
  situation.capacity = capacity_;
  situation.clock_trusted = clock_trusted;
  situation.nodes = situations_();
  await_local_runs(situation, now);
  planner::Plan plan = state_.due(situation);
  wake_at_ = plan.wake_at;
  is_midway_ = plan.is_cut && !plan.decide;
  if (!plan.is_cut) caught_up_in_ = situation.term;
  if (!plan.decide) return;
  under_way_ = true;
  model::Entry entry;
  entry.at = now.wall;
  entry.actor = "scheduler";
  entry.command = std::move(*plan.decide);
  const MonoTime again = now.mono + kRetryPause;
  log_.propose(
      std::move(entry),
      [this, again](const planner::Applied& applied) {
        under_way_ = false;
        if (applied.status) {
          look_ = true;
        } else {
          retry_at_ = again;
          caught_up_in_ = 0;  // until then no change may take away what is not decided
        }
      },
      Patience::kThisTerm);
}

/// A host without an executor cannot say it, and one may come and go. If there are edits of jobs
/// then, all slots that it has not told of are decided for kGiveUp; then edits are free for as
/// long.
void Scheduler::await_local_runs(planner::Situation& situation, const Now& now) {
  if (state_.awaits_local_runs(situation)) {
    if (!awaits_local_since_) awaits_local_since_ = now.mono;
    local_decided_at_ = now.mono + planner::kLocalRunsPause;
  } else if (!local_decided_at_ || *local_decided_at_ <= now.mono) {
    local_decided_at_.reset();
    awaits_local_since_.reset();
  }
  situation.local_wait_is_over =
      awaits_local_since_ && now.mono - *awaits_local_since_ >= kLocalWait;
  if (local_given_up_since_ && now.mono - *local_given_up_since_ >= 2 * kGiveUp) {
    local_given_up_since_.reset();
  }
  if (situation.local_wait_is_over && !local_given_up_since_ && log_.has_waiting_edits()) {
    local_given_up_since_ = now.mono;
  }
  situation.local_is_given_up = situation.local_wait_is_over && local_given_up_since_;
  const bool are_edits_free =
      situation.local_is_given_up && now.mono - *local_given_up_since_ >= kGiveUp;
  awaits_local_ = awaits_local_since_ && !are_edits_free && !mutant("local-edit-first");
}

std::optional<MonoTime> Scheduler::next_timer(const Now& now) const {
  if (under_way_) return std::nullopt;
  if (retry_at_) return retry_at_;
  if (look_) return now.mono;
  if (!wake_at_) return local_decided_at_;
  const MonoTime wake = now.mono + (*wake_at_ - now.wall);
  return local_decided_at_ ? std::min(wake, *local_decided_at_) : wake;
}

}  // namespace distcron::agent
