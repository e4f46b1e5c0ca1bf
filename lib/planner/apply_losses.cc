// SPDX-License-Identifier: Apache-2.0
// Attempts that nobody will report about (planner/applier.h): their host is gone or silent, or the
// state comes from a backup. What may have run at most once does not run again.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::Guarantee;
using model::NodeState;
using model::Reason;
using model::RunState;

namespace {
/// What a lost stretch of the log may have given away of ids and attempt numbers.
constexpr std::int64_t kIdJump = 1LL << 20;
constexpr std::int32_t kAttemptJump = 1'000;
}  // namespace

void Applier::lose(LiveRun& live, RunState state, Reason reason, bool holds) {
  model::Run& run = live.run;
  if (run.state == RunState::kDispatched) {
    out_.orders.emplace_back(RevokeOrder{
        .run_id = run.run_id, .attempt = run.attempt, .node_id = run.node_id, .reason = reason});
  }
  run.ended_at = entry_.at;
  model::HostReport report;
  report.outcome = state;
  report.reason = reason;
  // A shard belongs to its host, and so does a run for its boot.
  const bool is_bound = run.shards > 0 || run.trigger == model::Trigger::kReboot;
  const bool is_stranded = is_bound && reason == Reason::kHostRemoved;
  if (!is_stranded && wants_retry(run, report)) {
    run.not_before.reset();
    run.possible_overlap = run.possible_overlap || reason != Reason::kHostReboot;
    return next_attempt(live, state, reason);
  }
  const model::Run given_up = run;
  finish(live, state, reason);
  if (holds && reason == Reason::kHostUnreachable) hold_place(given_up);
}

void Applier::lose_runs_of(std::int64_t node_id, RunState state, Reason reason) {
  std::vector<std::int64_t> ids;
  for (const auto& [id, live] : state_.runs) {
    if (live.run.node_id == node_id && is_busy(live.run.state)) ids.push_back(id);
  }
  for (const std::int64_t id : ids)
    lose(*state_.live(id), state, reason);
}

/// What waits for another attempt on a host only that is no member any more. Members of the level
/// before keep it, until all have come to this one.
void Applier::strand_runs() {
  if (state_.feature_level() < model::kStrandLevel || mutant("stranded-waits")) return;
  std::vector<std::int64_t> ids;
  for (const auto& [id, live] : state_.runs) {
    const model::Run& run = live.run;
    const bool is_bound = run.shards > 0 || run.trigger == model::Trigger::kReboot;
    const bool is_there = run.node_id == 0 || state_.member(run.node_id) != nullptr;
    if (is_bound && !is_there && run.state == RunState::kQueued) ids.push_back(id);
  }
  for (const std::int64_t id : ids)
    lose(*state_.live(id), RunState::kLost, Reason::kHostRemoved);
}

void Applier::hold_place(const model::Run& run) {
  const Hold hold{.job_uid = run.job_uid, .node_id = run.node_id, .attempt = run.attempt};
  state_.holds[run.run_id] = hold;
  put_setting(std::string(kHoldPrefix) + std::to_string(run.run_id), hold_text(hold));
}

void Applier::release_hold(std::int64_t run_id) {
  const auto found = state_.holds.find(run_id);
  if (found == state_.holds.end()) return;
  const std::uint64_t job_uid = found->second.job_uid;
  state_.holds.erase(found);
  drop_setting(std::string(kHoldPrefix) + std::to_string(run_id));
  state_.wake_first_queued(job_uid);
}

void Applier::release_holds_of(std::int64_t node_id) {
  std::vector<std::int64_t> ids;
  for (const auto& [run_id, hold] : state_.holds) {
    if (hold.node_id == node_id) ids.push_back(run_id);
  }
  for (const std::int64_t id : ids)
    release_hold(id);
}

/// Whether the host of a run is silent is known to who proposes this, not to the state.
Status Applier::run(const model::ReleaseRuns& command) {
  for (const std::int64_t id : command.run_ids) {
    const LiveRun* live = state_.live(id);
    const bool is_out = live != nullptr && is_busy(live->run.state);
    if (is_out || state_.holds.contains(id)) continue;
    return fail(ErrorCode::kConflict, "run " + std::to_string(id) + " keeps no place");
  }
  for (const std::int64_t id : command.run_ids) {
    LiveRun* live = state_.live(id);
    const auto hold = state_.holds.find(id);
    std::string name = live != nullptr ? live->run.job : "";
    if (hold != state_.holds.end()) {
      const JobEntry* entry = state_.job(hold->second.job_uid);
      if (entry != nullptr) name = entry->job.spec->name;
    }
    item(name, "released", 0, id);
    event("lock.released", name, "run " + std::to_string(id));
    if (live != nullptr && is_busy(live->run.state)) {
      lose(*live, RunState::kUnknown, Reason::kHostUnreachable, false);
    } else {
      release_hold(id);
    }
  }
  return {};
}

/// The row stays: its id is never given again, and its key tells a host that it was removed.
void Applier::bury(Node& node, bool leaves) {
  drop_keys_of(node);
  node.state = leaves ? NodeState::kLeft : NodeState::kRemoved;
  node.left_at = entry_.at;
  node.labels.clear();
  node.config_labels.clear();
  put_node(node);
  release_holds_of(node.id);
  strand_runs();
  drop_setting(std::string(kLocalPrefix) + std::to_string(node.id));
  event(leaves ? "node.left" : "node.removed", node.name, "id " + std::to_string(node.id));
}

Status Applier::run(const model::RemoveNode& command) {
  DC_TRY(Node* const node, find_member(command.node_id));
  const auto members = std::count_if(state_.nodes.begin(), state_.nodes.end(),
                                     [](const auto& row) { return model::is_member(row.second); });
  if (members == 1) {
    return fail_hint(ErrorCode::kConflict,
                     "cannot remove node \"" + node->name + "\": it is the only one",
                     "stop its agent instead, or let another host join first");
  }
  bury(*node, command.leaves);
  lose_runs_of(node->id, RunState::kLost, Reason::kHostRemoved);
  node_item(*node, command.leaves ? "left" : "removed");
  wake_all_queued();
  return {};
}

Status Applier::run(const model::RaiseIncarnation& command) {
  if (!state_.cluster || command.incarnation <= state_.cluster->incarnation) {
    return fail(ErrorCode::kConflict,
                "cannot raise the incarnation: " + std::to_string(command.incarnation) +
                    " is not above the present one");
  }
  if (command.node_id != 0) {
    const auto survivor = find_member(command.node_id);
    if (!survivor) return fail(survivor.error());
  }
  put_setting(std::string(kNextNodeSetting), std::to_string(state_.next_node_id() + kIdJump));
  state_.next_run_id += kIdJump;
  state_.next_job_id += kIdJump;
  put_setting(std::string(kRestoredSetting), std::to_string(epoch_micros(entry_.at)));
  state_.cluster->incarnation = command.incarnation;
  if (!command.name.empty()) state_.cluster->name = command.name;
  if (!command.cluster_id.empty()) state_.cluster->cluster_id = command.cluster_id;
  out_.changes.cluster = state_.cluster;

  std::vector<std::int64_t> ids;
  for (const auto& [id, live] : state_.runs)
    ids.push_back(id);
  for (const std::int64_t id : ids) {
    LiveRun& live = *state_.live(id);
    const bool is_known = command.keeps_runs && command.node_id != 0 && is_busy(live.run.state) &&
                          live.run.node_id == command.node_id;
    if (!is_known) doubt(live);
  }
  for (auto& [id, node] : state_.nodes) {
    if (command.node_id != 0 && id != command.node_id && model::is_member(node)) bury(node, false);
  }
  for (auto& [uid, entry] : state_.jobs)
    state_.mark_dirty(entry);
  wake_all_queued();
  item(state_.cluster->name, "updated");
  event("cluster.incarnation", state_.cluster->name, std::to_string(command.incarnation));
  return {};
}

/// The run stood like this when the state was stored; since then anything may have happened to it.
void Applier::doubt(LiveRun& live) {
  const std::int64_t run_id = live.run.run_id;
  const JobEntry* entry = state_.job(live.run.job_uid);
  const bool is_repeatable =
      entry != nullptr && entry->job.spec->guarantee == Guarantee::kAtLeastOnce;
  if (is_busy(live.run.state)) {
    lose(live, RunState::kUnknown, Reason::kRestored);
  } else if (!is_repeatable) {
    finish(live, RunState::kUnknown, Reason::kRestored);
  }
  LiveRun* const again = state_.live(run_id);
  if (again == nullptr) return;
  again->run.attempt += kAttemptJump;
  again->run.possible_overlap = true;
  put(again->run);
}

}  // namespace distcron::planner
