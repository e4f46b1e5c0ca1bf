// SPDX-License-Identifier: Apache-2.0
// What a host started by itself while it had no majority (planner/applier.h, RUNS.md 6.3). Its
// processes are facts: each gets a row. Slots that nobody has decided about are decided by that; a
// row that waits for the host gives way; beside one that is over the new one says that the slot may
// have run twice.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::LocalRun;
using model::Reason;
using model::ReportKind;
using model::RunState;

namespace {
/// How far the clock of a host may have been set back since it started what it says.
constexpr Micros kAheadMax{600'000'000};
}  // namespace

Status Applier::run(const model::LocalRuns& command) {
  DC_CHECK_OK(check_local(command));
  const Node* node = state_.member(command.node_id);
  std::int64_t last = state_.last_local_run(node->id);
  std::int64_t count = 0;
  for (const LocalRun& line : command.runs) {
    if (line.run_id == 0) {
      let_go_by(line, *node);
    } else if (line.run_id <= last && !mutant("local-twice")) {
      take(line.report, node->id);  // said before
    } else {
      take_local(line, *node);
      last = std::max(last, line.run_id);
      ++count;
    }
  }
  if (count == 0) return {};
  put_setting(std::string(kLocalPrefix) + std::to_string(node->id), std::to_string(last));
  event("run.local", "node " + node->name,
        std::to_string(count) + " runs were started there without a majority");
  return {};
}

/// A host speaks for itself.
Status Applier::check_local(const model::LocalRuns& command) const {
  const std::string name = "node " + std::to_string(command.node_id);
  if (state_.member(command.node_id) == nullptr) {
    return fail(ErrorCode::kDenied, name + " is no member of the cluster");
  }
  for (const LocalRun& line : command.runs) {
    if (line.run_id != 0 && !model::is_local_id_of(line.run_id, command.node_id)) {
      return fail(ErrorCode::kDenied,
                  name + " did not make the run id " + std::to_string(line.run_id));
    }
  }
  return {};
}

/// Its clock was ahead when it came to the slot, which is still to come: to take that for decided
/// would take all slots until then away.
bool Applier::is_early(const LocalRun& line) const {
  return line.scheduled_at > entry_.at + kAheadMax;
}

/// About its slots nobody else decides.
bool Applier::is_for(const JobEntry* entry, const Node& node) const {
  return entry != nullptr && model::pinned_host(*entry->job.spec) == node.name;
}

/// Of a slot that the host did not start, and after which it started another.
void Applier::let_go_by(const LocalRun& line, const Node& node) {
  JobEntry* entry = state_.job(line.job_uid);
  if (!is_for(entry, node) || line.scheduled_at <= entry->job.cursor || is_early(line)) return;
  model::Run run = local_row(line);
  run.run_id = state_.next_run_id++;
  run.created_at = entry_.at;  // ids of the log grow with it
  run.origin = "schedule";
  run.trigger = model::Trigger::kSchedule;
  run.reason = line.reason;
  run.state = line.reason == Reason::kOverlap ? RunState::kSkipped : RunState::kMissed;
  run.detail = line.detail;
  const bool is_overlap = line.reason == Reason::kOverlap;
  run.facts.push_back({is_overlap ? "overlap" : "majority", false,
                       is_overlap ? "an earlier run was alive on its host, which had no majority"
                                  : "there was no majority, and its host let it go by"});
  put(run);
  out_.orders.emplace_back(RunFinal{std::move(run)});
  move_cursor({.job_uid = line.job_uid, .cursor = line.scheduled_at});
}

model::Run Applier::local_row(const LocalRun& line) const {
  model::Run run;
  run.job_uid = line.job_uid;
  run.job = line.job;
  run.job_version = line.job_version;
  run.origin = model::local_origin(line.run_id);
  run.scheduled_at = line.scheduled_at;
  run.trigger = model::Trigger::kLocal;
  run.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
  run.term = state_.term();
  run.created_at = std::min(line.accepted_at, entry_.at);  // history goes by it
  return run;
}

void Applier::take_local(const LocalRun& line, const Node& node) {
  const std::int64_t id = line.run_id;
  const JobEntry* entry = state_.job(line.job_uid);
  const bool is_its = is_for(entry, node);
  const bool is_decided = !is_its || line.scheduled_at <= entry->job.cursor || is_early(line);
  const LiveRun* const open = is_decided && is_its ? open_row(line) : nullptr;
  if (open != nullptr && line.report.kind == ReportKind::kUnstarted) {  // that row has the slot
    out_.orders.emplace_back(EndCommitted{.run_id = id, .attempt = 1, .node_id = node.id});
    return;
  }
  // A row of which nothing was started gives way.
  if (open != nullptr) {
    const std::int64_t open_id = open->run.run_id;
    state_.remove_run(open_id);
    out_.changes.removed_runs.push_back(open_id);
  }
  const bool is_double = is_decided && open == nullptr;
  model::Run run = local_row(line);
  run.run_id = id;
  run.attempt = 1;
  run.node_id = node.id;
  run.node = node.name;
  run.fence_index = index_;
  run.dispatched_at = line.accepted_at;
  run.state = RunState::kDispatched;
  run.facts.push_back(
      {"local", true,
       "started by host " + node.name + " alone: it had no majority of the cluster"});
  if (is_double) {
    std::string why = line.detail;
    if (why.empty()) why = "the cluster has decided about this slot as well";
    if (is_early(line)) why = "the clock of its host was ahead, the slot comes yet";
    run.possible_overlap = true;
    run.facts.push_back({"duplicate", false, "possibly duplicate: " + why});
  }
  state_.add_run(std::move(run));
  if (!is_decided) move_cursor({.job_uid = line.job_uid, .cursor = line.scheduled_at});
  LiveRun& live = *state_.live(id);
  const model::HostReport& report = line.report;
  switch (report.kind) {
    case ReportKind::kStarted:
      return take_started(live, report);
    case ReportKind::kEnded:
    case ReportKind::kUnstarted:
      break;
  }
  out_.orders.emplace_back(EndCommitted{.run_id = id, .attempt = 1, .node_id = node.id});
  if (report.kind == ReportKind::kUnstarted) {
    live.run.detail = report.detail;
    return finish(live, RunState::kMissed, report.reason);
  }
  // No retry: by now it would be for a slot of long ago.
  fill_end(live.run, report);
  if (!live.run.ended_at) live.run.ended_at = entry_.at;
  live.run.starts = 1;
  if (!live.run.started_at) live.run.started_at = live.run.ended_at;
  live.run.first_started_at = live.run.started_at;
  finish(live, model::is_final(report.outcome) ? report.outcome : RunState::kUnknown,
         report.reason);
}

/// A row of the slot that is not over and of which nothing was started: its host has refused it, or
/// was never asked.
const LiveRun* Applier::open_row(const LocalRun& line) const {
  for (const std::int64_t id : state_.run_ids_of(line.job_uid)) {
    const LiveRun& live = *state_.live(id);
    const model::Run& run = live.run;
    const bool is_same = run.origin == "schedule" && run.scheduled_at == line.scheduled_at;
    const bool is_open = run.state == RunState::kQueued || line.detail.empty();
    if (!is_same || !is_open || run.starts > 0 || run.state == RunState::kRunning) continue;
    return &live;
  }
  return nullptr;
}

}  // namespace distcron::planner
