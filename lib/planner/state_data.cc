// SPDX-License-Identifier: Apache-2.0
#include "planner/state_data.h"

#include <algorithm>
#include <charconv>

#include "base/suggest.h"

namespace distcron::planner {

using model::RunState;

JobEntry* StateData::job(std::string_view name) {
  const auto found = names.find(name);
  return found == names.end() ? nullptr : job(found->second);
}

JobEntry* StateData::job(std::uint64_t uid) {
  const auto found = jobs.find(uid);
  return found == jobs.end() ? nullptr : &found->second;
}

const JobEntry* StateData::job(std::uint64_t uid) const {
  const auto found = jobs.find(uid);
  return found == jobs.end() ? nullptr : &found->second;
}

LiveRun* StateData::live(std::int64_t run_id) {
  const auto found = runs.find(run_id);
  return found == runs.end() ? nullptr : &found->second;
}

const std::vector<std::int64_t>& StateData::run_ids_of(std::uint64_t job_uid) const {
  static const std::vector<std::int64_t> kNone;
  const auto found = runs_of.find(job_uid);
  return found == runs_of.end() ? kNone : found->second;
}

bool StateData::is_uid_taken(std::uint64_t uid) const {
  return jobs.contains(uid) || runs_of.contains(uid) ||
         (whole != nullptr && whole->is_uid_taken(uid));
}

std::int64_t StateData::term() const {
  const auto found = settings.find(kTermSetting);
  std::int64_t term = 0;
  if (found != settings.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), term);
  }
  return term;
}

Error StateData::no_such_job(std::string_view name) const {
  const StateData& all = whole != nullptr ? *whole : *this;
  std::vector<std::string> known;
  known.reserve(all.names.size());
  for (const auto& item : all.names)
    known.push_back(item.first);
  std::string hint;
  for (const std::string& near : suggest(name, known)) {
    hint += (hint.empty() ? "did you mean: " : ", ") + near;
  }
  return Error{ErrorCode::kNotFound, "no job named \"" + std::string(name) + "\"", 0,
               std::move(hint)};
}

void StateData::add_job(Job job) {
  const std::uint64_t uid = job.uid;
  names[job.spec->name] = uid;
  JobEntry& entry = jobs[uid];
  entry.job = std::move(job);
  mark_dirty(entry);
}

void StateData::remove_job(std::uint64_t uid) {
  const auto found = jobs.find(uid);
  if (found == jobs.end()) return;
  names.erase(found->second.job.spec->name);
  jobs.erase(found);
}

void StateData::rename_job(JobEntry& entry, const std::string& old_name) {
  names.erase(old_name);
  names[entry.job.spec->name] = entry.job.uid;
}

void StateData::add_run(model::Run run) {
  const std::int64_t id = run.run_id;
  auto& ids = runs_of[run.job_uid];
  ids.insert(std::upper_bound(ids.begin(), ids.end(), id), id);
  LiveRun& live = runs[id];
  live = LiveRun{.run = std::move(run), .look_at = kNever, .line_place = {}};
  if (is_busy(live.run.state)) ++busy_runs;
  if (live.run.state == RunState::kQueued) set_look_at(live, kEarliest);
}

void StateData::remove_run(std::int64_t run_id) {
  const auto found = runs.find(run_id);
  if (found == runs.end()) return;
  LiveRun& live = found->second;
  if (is_busy(live.run.state)) --busy_runs;
  set_look_at(live, kNever);
  leave_line(live);
  const auto of = runs_of.find(live.run.job_uid);
  if (of != runs_of.end()) {
    std::erase(of->second, run_id);
    if (of->second.empty()) runs_of.erase(of);
  }
  runs.erase(found);
}

void StateData::set_run_state(LiveRun& live, RunState state) {
  if (is_busy(live.run.state)) --busy_runs;
  live.run.state = state;
  if (is_busy(state)) ++busy_runs;
  leave_line(live);
  set_look_at(live, state == RunState::kQueued ? kEarliest : kNever);
}

void StateData::mark_dirty(JobEntry& entry) {
  if (entry.is_dirty) return;
  entry.is_dirty = true;
  dirty_jobs.push_back(entry.job.uid);
}

void StateData::wake_queued(std::uint64_t job_uid) {
  for (const std::int64_t id : run_ids_of(job_uid)) {
    LiveRun& live = runs.at(id);
    if (live.run.state == RunState::kQueued) set_look_at(live, kEarliest);
  }
}

void StateData::wake_first_queued(std::uint64_t job_uid) {
  for (const std::int64_t id : run_ids_of(job_uid)) {
    LiveRun& live = runs.at(id);
    if (live.run.state == RunState::kQueued) return set_look_at(live, kEarliest);
  }
}

void StateData::set_look_at(LiveRun& live, WallTime at) {
  if (live.look_at == at) return;
  if (live.look_at != kNever) run_timers.erase({live.look_at, live.run.run_id});
  live.look_at = at;
  if (at != kNever) run_timers.insert({at, live.run.run_id});
}

void StateData::leave_line(LiveRun& live) {
  if (!live.line_place) return;
  line.erase(*live.line_place);
  live.line_place.reset();
}

}  // namespace distcron::planner
