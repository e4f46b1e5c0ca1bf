// SPDX-License-Identifier: Apache-2.0
// The scheduler's batch (planner/applier.h). A decision was made on an older state: what no longer
// fits is dropped, per job with its cursor move, and the scheduler decides again.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::Action;
using model::Decision;
using model::Reason;
using model::RunState;

struct Applier::JobTurn {
  bool is_stale = false;
  std::optional<WallTime> cursor;     ///< Where the entry moves it.
  std::optional<WallTime> last_slot;  ///< New slots of one job stand in order,
  std::int32_t last_shard = 0;        ///< and so do the shards of one slot.
  std::string claimed;                ///< Slot that this entry claims: slot_name().
};

namespace {

/// Origin and instant: what the shards of one slot have in common.
std::string slot_name(std::string_view origin, WallTime at) {
  return std::to_string(epoch_micros(at)) + " " + std::string(origin);
}

std::string slot_of(StateData& state, const Decision& decision) {
  const std::int64_t id = decision.copy_of != 0 ? decision.copy_of : decision.run_id;
  const LiveRun* live = id != 0 ? state.live(id) : nullptr;
  if (live == nullptr) return slot_name("schedule", decision.scheduled_at);
  return slot_name(live->run.origin, live->run.scheduled_at);
}

/// Whether the job, as it is, lets a run of this slot start beside what is alive.
bool is_place_free(StateData& state, const Job& job, const std::string& slot) {
  for (const std::int64_t id : state.run_ids_of(job.uid)) {
    const model::Run& run = state.live(id)->run;
    if (mutant("dispatched-not-counted") && run.state == RunState::kDispatched) continue;
    if (is_busy(run.state) && slot_name(run.origin, run.scheduled_at) != slot) return false;
  }
  return state.hold_of(job.uid) == 0 || mutant("hold-ignored");
}

}  // namespace

bool Applier::is_stale_slot(const Decision& decision, JobTurn& turn) {
  const WallTime slot = decision.scheduled_at;
  const bool is_next_shard = decision.shard > 0 && decision.shard < decision.shards &&
                             turn.last_slot == slot && decision.shard == turn.last_shard + 1;
  const WallTime before = turn.last_slot.value_or(state_.job(decision.job_uid)->job.cursor);
  turn.last_slot = slot;
  turn.last_shard = decision.shard;
  const bool has_action = decision.action != Action::kReplace && decision.attempt <= 1;
  const bool is_next = is_next_shard || (slot > before && decision.shard == 0);
  return !is_next || !turn.cursor || *turn.cursor < slot || !has_action;
}

bool Applier::is_current_attempt(const Decision& decision) const {
  const LiveRun* live = state_.live(decision.run_id);
  return live != nullptr && is_busy(live->run.state) && decision.attempt == live->run.attempt &&
         decision.node_id == live->run.node_id;
}

/// About a run that has a row, or a copy of it.
bool Applier::is_stale_run(const Decision& decision, const Job& job) const {
  const std::int64_t id = decision.copy_of != 0 ? decision.copy_of : decision.run_id;
  const LiveRun* live = state_.live(id);
  if (live == nullptr || live->run.job_uid != job.uid) return true;
  const bool is_queued = live->run.state == RunState::kQueued;
  if (decision.action != Action::kReplace && !is_queued) return true;
  // A run is split into shards once, before its first attempt.
  const bool splits = decision.copy_of != 0 || (decision.shards > 0 && live->run.shards == 0);
  if (splits && (live->run.shards != 0 || live->run.attempt != 0)) return true;
  return decision.action == Action::kClaim && decision.attempt != live->run.attempt + 1;
}

bool Applier::is_stale(const Decision& decision, JobTurn& turn) {
  const JobEntry* entry = state_.job(decision.job_uid);
  if (decision.action == Action::kGiveUp && decision.run_id != 0) {
    return !is_current_attempt(decision);
  }
  if (entry == nullptr) return decision.action != Action::kCancel;
  const Job& job = entry->job;
  if (decision.job_version != job.version) return true;
  if (decision.run_id != 0 || decision.copy_of != 0) {
    if (is_stale_run(decision, job)) return true;
  } else if (!job.spec->enabled || is_stale_slot(decision, turn)) {
    return true;
  }
  if (decision.action != Action::kClaim) return false;
  const Node* node = state_.member(decision.node_id);
  if (node == nullptr || node->state != model::NodeState::kActive) return true;
  const std::int64_t id = decision.copy_of != 0 ? decision.copy_of : decision.run_id;
  const LiveRun* own = id != 0 ? state_.live(id) : nullptr;
  const bool may_join =
      job.spec->concurrency == model::Concurrency::kAllow || (own != nullptr && own->run.force);
  if (may_join) return false;
  const std::string slot = slot_of(state_, decision);
  const bool is_first = turn.claimed.empty() || turn.claimed == slot;
  turn.claimed = slot;
  return !is_first || !is_place_free(state_, job, slot);
}

std::unordered_map<std::uint64_t, Applier::JobTurn> Applier::sort_by_job(
    const model::Decide& command) {
  std::unordered_map<std::uint64_t, JobTurn> turns;
  turns.reserve(command.decisions.size() + command.cursors.size());
  for (const model::CursorMove& move : command.cursors)
    turns[move.job_uid].cursor = move.cursor;
  for (const Decision& decision : command.decisions) {
    JobTurn& turn = turns[decision.job_uid];
    if (is_stale(decision, turn)) turn.is_stale = true;
  }
  return turns;
}

Status Applier::run(const model::Decide& command) {
  if (command.term < state_.term()) return {};
  state_.decided_at = std::max(state_.decided_at.value_or(entry_.at), entry_.at);
  if (command.term > state_.term()) {
    put_setting(std::string(kTermSetting), std::to_string(command.term));
  }
  const std::unordered_map<std::uint64_t, JobTurn> turns = sort_by_job(command);
  out_.orders.reserve(command.decisions.size());
  out_.changes.runs.reserve(command.decisions.size());
  for (const Decision& decision : command.decisions) {
    if (!turns.at(decision.job_uid).is_stale) decide(decision, command.term);
  }
  for (const model::CursorMove& move : command.cursors) {
    if (!turns.at(move.job_uid).is_stale && !mutant("cursor-stays")) move_cursor(move);
  }
  for (const std::string& name : command.enable_again) {
    JobEntry* entry = state_.job(name);
    if (entry == nullptr || entry->job.spec->enabled || !entry->job.disabled_until) continue;
    const WallTime until = *entry->job.disabled_until;
    if (until > entry_.at) continue;
    // The slot at that very instant counts again.
    entry->job.cursor = std::max(entry->job.cursor, until - Micros{1});
    set_enabled(*entry, true, std::nullopt);
    event("job.enabled", name, "its time was over");
  }
  return {};
}

void Applier::move_cursor(const model::CursorMove& move) {
  JobEntry* entry = state_.job(move.job_uid);
  if (entry == nullptr || move.cursor <= entry->job.cursor) return;
  entry->job.cursor = move.cursor;
  moved_cursors_.insert(move.job_uid);
  state_.mark_dirty(*entry);
}

void Applier::claim(model::Run& run, const Decision& decision, std::int64_t term) {
  const auto node = state_.nodes.find(decision.node_id);
  run.reason = Reason::kNone;
  run.attempt = decision.attempt;
  run.job_version = decision.job_version;
  run.node_id = decision.node_id;
  run.node = node != state_.nodes.end() ? node->second.name : "";
  run.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
  run.term = term;
  run.fence_index = index_;
  run.dispatched_at = entry_.at;
  run.not_before.reset();
  if (decision.start_at != decision.scheduled_at) run.not_before = decision.start_at;
  run.started_at.reset();
  run.ended_at.reset();
  run.exit_code.reset();
  run.signal.reset();
  run.pid = 0;
  run.output_bytes = 0;
  run.output_truncated = false;
  run.tail.clear();
  run.cpu_user_us = 0;
  run.cpu_sys_us = 0;
  run.maxrss_kb = 0;
  const JobEntry* entry = state_.job(run.job_uid);
  if (entry != nullptr && entry->job.spec->route == model::Route::kRoundRobin && run.shards == 0) {
    put_setting(std::string(kTurnPrefix) + std::to_string(run.job_uid),
                std::to_string(run.node_id));
  }
}

/// A row for a slot, or for a shard, that has none yet.
LiveRun& Applier::new_run(const Decision& decision, std::int64_t term) {
  model::Run fresh;
  const LiveRun* whole = decision.copy_of != 0 ? state_.live(decision.copy_of) : nullptr;
  if (whole != nullptr) {
    fresh = whole->run;
    fresh.reason = Reason::kNone;
  } else {
    fresh.job_uid = decision.job_uid;
    fresh.job = state_.job(decision.job_uid)->job.spec->name;
    fresh.origin = "schedule";
    fresh.scheduled_at = decision.scheduled_at;
    fresh.created_at = entry_.at;
  }
  fresh.run_id = state_.next_run_id++;
  fresh.job_version = decision.job_version;
  fresh.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
  fresh.term = term;
  // Only what stays queued needs a timer.
  fresh.state = decision.action == Action::kQueue ? RunState::kQueued : RunState::kDispatched;
  const std::int64_t id = fresh.run_id;
  state_.add_run(std::move(fresh));
  return *state_.live(id);
}

void Applier::decide(const Decision& decision, std::int64_t term) {
  const std::int64_t known = decision.copy_of != 0 ? decision.copy_of : decision.run_id;
  LiveRun* live = known != 0 ? state_.live(known) : nullptr;
  if (known != 0 && live == nullptr) return;  // ended by an earlier line of this entry
  if (decision.action == Action::kReplace) return replace(*live);
  if (decision.run_id == 0) live = &new_run(decision, term);
  if (decision.shards > 0) bind(live->run, decision);
  model::Run& run = live->run;
  run.detail = decision.detail;
  if (!decision.facts.empty()) run.facts = decision.facts;
  switch (decision.action) {
    case Action::kClaim:
      claim(run, decision, term);
      state_.set_run_state(*live, RunState::kDispatched);
      put(run);
      out_.orders.emplace_back(ClaimOrder{run, decision.start_at, decision.permit});
      break;
    case Action::kQueue:
      run.reason = decision.reason;
      run.not_before.reset();
      if (decision.start_at > entry_.at) run.not_before = decision.start_at;
      state_.set_run_state(*live, RunState::kQueued);
      put(run);
      break;
    case Action::kSkip:
      finish(*live, RunState::kSkipped, decision.reason);
      break;
    case Action::kMiss:
      finish(*live, RunState::kMissed, decision.reason);
      break;
    case Action::kCancel:
      finish(*live, RunState::kCancelled, decision.reason);
      break;
    case Action::kGiveUp:
      if (decision.run_id == 0) {
        finish(*live, RunState::kUnknown, decision.reason);
      } else {
        lose(*live, RunState::kUnknown, decision.reason);
      }
      break;
    case Action::kReplace:
      break;
  }
}

void Applier::bind(model::Run& run, const Decision& decision) {
  const auto node = state_.nodes.find(decision.node_id);
  run.shard = decision.shard;
  run.shards = decision.shards;
  run.node_id = decision.node_id;
  run.node = node != state_.nodes.end() ? node->second.name : "";
}

/// A newer slot takes this run's place.
void Applier::replace(LiveRun& live) {
  model::Run& run = live.run;
  if (run.state == RunState::kQueued) {
    const bool has_started = run.starts > 0;
    finish(live, has_started ? RunState::kKilled : RunState::kMissed,
           has_started ? Reason::kReplaced : Reason::kSuperseded);
    return;
  }
  if (run.kill_by.empty()) run.kill_by = "scheduler";
  if (run.state == RunState::kDispatched) {
    revoke(live, Reason::kReplaced);
    return;
  }
  run.reason = Reason::kReplaced;
  put(run);
  order_kill(run, 15, std::nullopt);
}

}  // namespace distcron::planner
