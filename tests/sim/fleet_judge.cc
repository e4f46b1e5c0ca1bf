// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_judge.h"

#include <algorithm>
#include <sstream>

#include "agent/local_runs.h"
#include "base/hash.h"

namespace distcron::sim {

using model::RunState;

namespace {

constexpr std::int64_t kDumpEvery = 64;

std::string text_of(process::RunKey key) {
  return std::to_string(key.run_id) + "." + std::to_string(key.attempt);
}

/// Of "run 7".
std::int64_t run_id_of(const std::string& text) {
  std::istringstream words(text);
  std::string word;
  std::int64_t id = 0;
  words >> word >> id;
  return id;
}

/// What an entry changed, as far as it is to be the same everywhere.
std::string text_of(const planner::Changes& changes) {
  std::string text = std::to_string(changes.next_run_id) + " " + changes.request_id;
  const auto add = [&text](const auto& value) { text += " " + std::to_string(value); };
  for (const model::Run& run : changes.runs) {
    text += " run " + run.origin + outcome_text(run);
    add(run.run_id);
    add(run.attempt);
    add(run.node_id);
    add(run.starts);
    add(epoch_micros(run.scheduled_at));
    add(epoch_micros(run.ended_at.value_or(WallTime{})));
    add(epoch_micros(run.not_before.value_or(WallTime{})));
  }
  for (const planner::Job& job : changes.jobs) {
    text += " job";
    add(job.uid);
    add(job.version);
    add(epoch_micros(job.cursor));
    add(job.failures);
  }
  for (const model::CursorMove& move : changes.cursors) {
    text += " cursor";
    add(move.job_uid);
    add(epoch_micros(move.cursor));
  }
  for (const auto& [key, value] : changes.settings)
    text += " " + key + "=" + value;
  for (const planner::Node& node : changes.nodes)
    text += " node " + node.name + node.boot_id + std::to_string(static_cast<int>(node.state));
  return text;
}

}  // namespace

std::string outcome_text(const model::Run& run) {
  std::string out(model::name_of(run.state));
  if (run.reason != model::Reason::kNone) {
    out += "(" + std::string(model::name_of(run.reason)) + ")";
  }
  return out;
}

void FleetJudge::fail(std::string invariant, std::string text) {
  if (!violation_)
    violation_ = FleetViolation{std::move(invariant), std::move(text), agenda_.now()};
}

FleetJudge::SlotKey FleetJudge::slot_of(const model::Run& run) {
  return SlotKey{run.job_uid, run.origin, run.scheduled_at, run.shard};
}

const model::JobSpec* FleetJudge::spec_of(std::uint64_t uid) const {
  const auto found = jobs_.find(uid);
  return found == jobs_.end() ? nullptr : found->second.back().spec.get();
}

// --- applied -------------------------------------------------------------------------------------

void FleetJudge::on_changes(std::int64_t node, const planner::Changes& changes,
                            const planner::State& state) {
  std::string text = text_of(changes);
  const auto place = static_cast<std::size_t>(changes.index - 1);
  if (changes.index % kDumpEvery == 0) compare(node, changes.index, state);
  take_nodes(node, changes);
  if (place < log_.size()) {
    if (log_[place] != text) {
      fail("applied_differs", "node " + std::to_string(node) + " applied entry " +
                                  std::to_string(changes.index) + " as" + text +
                                  "\n  before it was applied as" + log_[place]);
    }
    return;
  }
  if (place > log_.size()) {
    return fail("applied_gap", "node " + std::to_string(node) + " applied entry " +
                                   std::to_string(changes.index) + " after " +
                                   std::to_string(log_.size()));
  }
  log_.push_back(std::move(text));
  if (!changes.request_id.empty()) requests_.insert(changes.request_id);
  take_jobs(changes);
  take_rows(changes);
}

void FleetJudge::on_installed(std::int64_t node, std::int64_t index, const planner::State& state) {
  ++installs_;
  if (index > applied_max()) {
    return fail("applied_gap", "node " + std::to_string(node) + " has a snapshot of entry " +
                                   std::to_string(index) + ", of which nobody knows");
  }
  compare(node, index, state);
}

void FleetJudge::compare(std::int64_t node, std::int64_t applied, const planner::State& state) {
  const std::uint64_t dump = stable_hash(state.dump());
  const auto [known, is_new] = dumps_.emplace(applied, dump);
  if (!is_new && known->second != dump) {
    fail("state_differs", "node " + std::to_string(node) + " holds another state at entry " +
                              std::to_string(applied) + " than another member");
  }
}

void FleetJudge::take_jobs(const planner::Changes& changes) {
  for (const planner::Job& job : changes.jobs) {
    std::vector<Era>& eras = jobs_[job.uid];
    if (!eras.empty() && eras.back().spec == job.spec && eras.back().is_there) continue;
    const bool is_same = !eras.empty() && eras.back().spec &&
                         eras.back().is_there == job.spec->enabled &&
                         eras.back().spec->schedule == job.spec->schedule;
    if (is_same) {
      eras.back().spec = job.spec;
    } else {
      eras.push_back(Era{std::max(job.updated_at, job.cursor), job.spec, job.spec->enabled});
    }
  }
  for (const std::uint64_t uid : changes.removed_jobs) {
    std::vector<Era>& eras = jobs_[uid];
    // No row says when; nothing of it is due for sure any more.
    if (!eras.empty()) eras.push_back(Era{WallTime::min(), eras.back().spec, false});
  }
}

void FleetJudge::take_nodes(std::int64_t node, const planner::Changes& changes) {
  for (const planner::Node& row : changes.nodes) {
    if (model::is_member(row)) continue;
    removed_.insert(row.id);
    if (row.id != node) continue;
    knows_.emplace(node, agenda_.now());
    forgot_.erase(node);
  }
}

void FleetJudge::take_rows(const planner::Changes& changes) {
  for (const planner::Changes::Event& event : changes.events) {
    if (event.type == "lock.released") released_.insert(run_id_of(event.text));
  }
  for (const model::Run& run : changes.ended_attempts)
    take_ended(run);
  take_removed(changes);
  for (const model::Run& run : changes.runs)
    take_row(run);
}

/// An attempt that is over while its run goes on.
void FleetJudge::take_ended(const model::Run& run) {
  const RunKey key{run.run_id, run.attempt};
  ended_.emplace(key, run.state);
  const bool may_have_run =
      model::has_run(run.state) || run.state == RunState::kUnknown || run.state == RunState::kLost;
  const auto found = starts_.find(key);
  if (may_have_run || found == starts_.end()) return;
  fail("ran_unsaid", "attempt " + text_of(key) + " of " + run.job + " is " + outcome_text(run) +
                         " but started on host " + std::to_string(found->second.process.host));
}

/// A row that was not over gives way to that of its slot's run that its host started alone.
void FleetJudge::take_removed(const planner::Changes& changes) {
  for (const std::int64_t id : changes.removed_runs) {
    const auto row = rows_.find(id);
    if (row == rows_.end() || model::is_final(row->second.state)) continue;
    const bool is_replaced =
        std::any_of(changes.runs.begin(), changes.runs.end(), [&row](const model::Run& run) {
          return run.origin == model::local_origin(run.run_id) &&
                 run.job_uid == row->second.job_uid && run.scheduled_at == row->second.scheduled_at;
        });
    if (!is_replaced) return fail("row_lost", "run " + std::to_string(id) + " went before its end");
    slots_.erase(slot_of(row->second));
    rows_.erase(row);
  }
}

void FleetJudge::take_row(const model::Run& run) {
  const RunKey key{run.run_id, run.attempt};
  const auto before = rows_.find(run.run_id);
  const std::string name = "run " + std::to_string(run.run_id) + " of " + run.job;
  if (before != rows_.end() && model::is_final(before->second.state)) {
    return fail("final_changed",
                name + " was " + outcome_text(before->second) + ", now it is " + outcome_text(run));
  }
  const auto [slot, is_new] = slots_.emplace(slot_of(run), run.run_id);
  const bool was_split = before != rows_.end() && before->second.shards == 0 && run.shards > 0;
  if (!is_new && slot->second != run.run_id && !was_split) {
    fail("slot_twice", name + " has the slot of run " + std::to_string(slot->second));
  }
  if (run.state == RunState::kDispatched) {
    if (removed_.contains(run.node_id)) {
      fail("claim_removed", name + " is given to host " + std::to_string(run.node_id) +
                                ", which is no member any more");
    }
    const auto [claim, is_first] = claims_.emplace(key, run.node_id);
    if (!is_first && claim->second != run.node_id) {
      fail("attempt_moved", "attempt " + text_of(key) + " went from host " +
                                std::to_string(claim->second) + " to " +
                                std::to_string(run.node_id));
    }
  }
  if (model::is_final(run.state)) {
    ended_.emplace(key, run.state);
    ++outcomes_[outcome_text(run)];
    check_final(run);
  }
  rows_[run.run_id] = run;
  if (on_row) on_row(run);
}

void FleetJudge::check_final(const model::Run& run) {
  const RunKey key{run.run_id, run.attempt};
  const auto found = starts_.find(key);
  const std::string name = "run " + text_of(key) + " of " + run.job + " is " + outcome_text(run);
  if (run.state == RunState::kUnknown || run.state == RunState::kLost) {
    const bool is_kept = found != starts_.end() && found->second.process.record &&
                         boots_[found->second.process.host] == found->second.process.boot;
    if (is_kept && run.reason == model::Reason::kSupervisorLost) {
      fail("end_ignored", name + " but its end record is there");
    }
    return;
  }
  const auto first = starts_.lower_bound(RunKey{run.run_id, 0});
  if (run.starts == 0 && first != starts_.end() && first->first.run_id == run.run_id) {
    return fail("ran_unsaid", name + " but attempt " + text_of(first->first) + " started on host " +
                                  std::to_string(first->second.process.host));
  }
  if (found == starts_.end()) {
    // Killed while it waited for a retry, perhaps of an attempt of which nobody knows.
    const auto last = ended_.find(key);
    const bool is_doubted = last != ended_.end() &&
                            (last->second == RunState::kUnknown || last->second == RunState::kLost);
    const bool retried = run.starts > 0 && (run.attempt > 1 || is_doubted);
    if (model::has_run(run.state) && !retried) fail("ran_never", name + " but never started");
    return;
  }
  const FleetProcess& truth = found->second.process;
  // Of an attempt that was committed as unknown another may follow that never starts.
  const RunState before = ended_.at(key);
  const bool is_doubtful = before == RunState::kUnknown || before == RunState::kLost;
  if (!model::has_run(run.state) || is_doubtful) return;  // it waited for another attempt
  if (!truth.ended_at) return fail("ended_early", name + " but its process lives");
  if (!truth.record) return fail("end_invented", name + " but nobody knows its end");
  const bool is_exit = truth.record->how == process::EndHow::kExited;
  const bool is_same =
      is_exit ? run.exit_code == truth.record->exit_code : run.signal == truth.record->signal;
  if (!is_same) fail("end_differs", name + " with another status than its process had");
  if (run.state == RunState::kOk && (!is_exit || truth.record->exit_code != 0)) {
    fail("end_differs", name + " but its process failed");
  }
}

void FleetJudge::on_durable(std::int64_t node, const store::DurableBatch& batch,
                            Micros wall_ahead) {
  for (const store::JournalPut& put : batch.journal) {
    const RunKey key{put.run_id, put.attempt};
    if (put.kind == store::JournalKind::kTombstone) tombstones_.emplace(node, key);
    if (put.kind != store::JournalKind::kAccepted) continue;
    if (const auto line = agent::noted_local(put.bytes)) {
      local_[{node, key}] = *line;
      continue;
    }
    std::istringstream note(put.bytes);
    std::int64_t wall = 0;
    std::int64_t from = 0;
    std::int64_t until = 0;
    note >> wall;
    Accepted accepted{wall_from_micros(wall), wall_ahead, {}};
    if (note >> from >> until) accepted.window = {MonoTime(Micros(from)), MonoTime(Micros(until))};
    accepted_[{node, key}] = accepted;
  }
}

void FleetJudge::on_acked(const std::string& request_id, bool is_good) {
  ++acked_;
  if (is_good && !requests_.contains(request_id)) {
    fail("ack_lost", "request " + request_id + " was acknowledged, but no member has applied it");
  }
}

void FleetJudge::on_scheduler(std::int64_t node, std::int64_t term) {
  if (knows_.contains(node)) {
    fail("removed_schedules", "node " + std::to_string(node) + " knows that it is no member");
  }
  const auto [known, is_new] = schedulers_.emplace(term, node);
  if (!is_new && known->second != node) {
    fail("two_schedulers", "nodes " + std::to_string(known->second) + " and " +
                               std::to_string(node) + " schedule in term " + std::to_string(term));
  }
}

}  // namespace distcron::sim
