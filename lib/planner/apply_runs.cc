// SPDX-License-Identifier: Apache-2.0
// Commands about single runs: trigger and kill (planner/applier.h).
#include <utility>

#include "planner/applier.h"

namespace distcron::planner {

using model::Reason;
using model::RunState;

namespace {
constexpr std::size_t kLiveRunsOfJobMax = 10'000;  ///< Triggers are refused beyond it.
}  // namespace

Status Applier::run(const model::TriggerRun& command) {
  const JobEntry* entry = state_.job(command.job);
  if (entry == nullptr) return fail(state_.no_such_job(command.job));
  const Job& job = entry->job;
  const std::string origin =
      entry_.request_id.empty() ? "entry:" + std::to_string(index_) : entry_.request_id;
  const std::vector<std::int64_t>& ids = state_.run_ids_of(job.uid);
  for (const std::int64_t id : ids) {
    if (state_.live(id)->run.origin != origin) continue;
    item(command.job, "unchanged", job.version, id);
    return {};
  }
  if (state_.is_paused(entry_.at) && !command.force) {
    return fail_hint(ErrorCode::kUnavailable,
                     "cannot run job \"" + command.job + "\": the cluster is paused",
                     "distcronctl cluster resume, or run it with --force");
  }
  if (ids.size() >= kLiveRunsOfJobMax) {
    return fail(ErrorCode::kUnavailable, "cannot run job \"" + command.job + "\": it has " +
                                             std::to_string(ids.size()) + " runs alive");
  }
  model::Run run;
  run.run_id = state_.next_run_id++;
  run.job_uid = job.uid;
  run.job = job.spec->name;
  run.job_version = job.version;
  run.origin = origin;
  run.scheduled_at = command.scheduled_at.value_or(entry_.at);
  run.trigger = command.trigger;
  run.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
  run.created_at = entry_.at;
  run.param = command.param;
  run.extra_env = command.env;
  run.extra_argv = command.argv;
  run.force = command.force;
  run.facts.push_back({"trigger", true, "asked for by " + entry_.actor});
  item(run.job, "queued", run.job_version, run.run_id);
  put(run);
  state_.add_run(std::move(run));
  return {};
}

Status Applier::run(const model::KillRuns& command) {
  bool is_any_alive = command.run_ids.empty();
  for (const std::int64_t id : command.run_ids)
    is_any_alive |= state_.live(id) != nullptr;
  if (!is_any_alive) {
    return fail(ErrorCode::kNotFound,
                "run " + std::to_string(command.run_ids.front()) + " is not alive");
  }
  for (const std::int64_t id : command.run_ids) {
    if (LiveRun* live = state_.live(id)) {
      kill(*live, command);
    } else {
      item("", "not_running", 0, id);
    }
  }
  return {};
}

void Applier::kill(LiveRun& live, const model::KillRuns& command) {
  model::Run& run = live.run;
  event("run.killed", run.job, "run " + std::to_string(run.run_id));
  run.kill_by = entry_.actor.empty() ? "scheduler" : entry_.actor;
  if (run.state == RunState::kQueued) {
    item(run.job, "cancelled", run.job_version, run.run_id);
    finish(live, RunState::kCancelled, Reason::kKilled);
    return;
  }
  if (run.state == RunState::kDispatched) {
    item(run.job, "revoked", run.job_version, run.run_id);
    revoke(live, Reason::kKilled);
    return;
  }
  item(run.job, "killed", run.job_version, run.run_id);
  run.reason = command.reason;
  put(run);
  order_kill(run, command.signal, command.grace);
}

void Applier::order_kill(const model::Run& run, std::int32_t signal, std::optional<Millis> grace) {
  if (!grace) {
    const JobEntry* entry = state_.job(run.job_uid);
    grace = entry != nullptr ? entry->job.spec->kill_grace : model::JobSpec{}.kill_grace;
  }
  out_.orders.emplace_back(KillOrder{.run_id = run.run_id,
                                     .attempt = run.attempt,
                                     .node_id = run.node_id,
                                     .signal = signal,
                                     .grace = *grace,
                                     .reason = run.reason});
}

/// The reason stays in the row until the host answers, so that the order can be repeated. A later
/// edit does not weaken an earlier kill.
void Applier::revoke(LiveRun& live, Reason reason) {
  model::Run& run = live.run;
  const bool is_settled = run.reason == Reason::kKilled || run.reason == Reason::kRemoved;
  if (run.reason != reason && !(is_settled && reason != Reason::kKilled)) run.reason = reason;
  put(run);  // also for `kill_by`, which the caller may have set
  out_.orders.emplace_back(RevokeOrder{
      .run_id = run.run_id, .attempt = run.attempt, .node_id = run.node_id, .reason = run.reason});
}

}  // namespace distcron::planner
