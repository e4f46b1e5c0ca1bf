// SPDX-License-Identifier: Apache-2.0
#include "planner/state_data.h"

#include <algorithm>
#include <charconv>

#include "base/suggest.h"
#include "planner/slots.h"

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

std::int64_t StateData::number_setting(std::string_view key, std::int64_t otherwise) const {
  const auto found = settings.find(key);
  if (found == settings.end()) return otherwise;
  const std::string& text = found->second;
  std::int64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::int64_t StateData::term() const {
  return number_setting(kTermSetting, 0);
}

const Node* StateData::member(std::int64_t id) const {
  const auto found = nodes.find(id);
  return found != nodes.end() && model::is_member(found->second) ? &found->second : nullptr;
}

const Node* StateData::member(std::string_view name) const {
  for (const auto& [id, node] : nodes) {
    if (node.name == name && model::is_member(node)) return &node;
  }
  return nullptr;
}

std::int64_t StateData::next_node_id() const {
  const std::int64_t after_last = nodes.empty() ? 1 : nodes.rbegin()->first + 1;
  return std::max(after_last, number_setting(kNextNodeSetting, 1));
}

std::int64_t StateData::lowest_open_node_id() const {
  return number_setting(kNextNodeSetting, 1);
}

bool StateData::is_paused(WallTime now) const {
  return epoch_micros(now) < number_setting(kPausedSetting, INT64_MIN);
}

std::int64_t StateData::hold_of(std::uint64_t job_uid) const {
  for (const auto& [run_id, hold] : holds) {
    if (hold.job_uid == job_uid) return run_id;
  }
  return 0;
}

std::string hold_text(const Hold& hold) {
  return std::to_string(hold.job_uid) + " " + std::to_string(hold.node_id) + " " +
         std::to_string(hold.attempt);
}

void StateData::load_hold(std::string_view key, std::string_view text) {
  if (!key.starts_with(kHoldPrefix)) return;
  key.remove_prefix(kHoldPrefix.size());
  std::int64_t run_id = 0;
  std::from_chars(key.data(), key.data() + key.size(), run_id);
  Hold hold;
  const char* const end = text.data() + text.size();
  const char* at = std::from_chars(text.data(), end, hold.job_uid).ptr;
  if (at != end) at = std::from_chars(at + 1, end, hold.node_id).ptr;
  if (at != end) std::from_chars(at + 1, end, hold.attempt);
  if (run_id != 0 && hold.job_uid != 0) holds[run_id] = hold;
}

std::int64_t StateData::last_local_run(std::int64_t node_id) const {
  return number_setting(std::string(kLocalPrefix) + std::to_string(node_id), 0);
}

std::int32_t StateData::feature_level() const {
  std::optional<std::int32_t> least;
  for (const auto& [id, node] : nodes) {
    if (model::is_member(node))
      least = std::min(least.value_or(node.feature_level), node.feature_level);
  }
  return least.value_or(0);
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
  zoneless.erase(uid);
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
  live = LiveRun{.run = std::move(run), .look_at = kNever, .line_place = {}, .counted_on = {}};
  count(live);
  if (live.run.state == RunState::kQueued) set_look_at(live, kEarliest);
}

void StateData::remove_run(std::int64_t run_id) {
  const auto found = runs.find(run_id);
  if (found == runs.end()) return;
  LiveRun& live = found->second;
  uncount(live);
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
  uncount(live);
  live.run.state = state;
  count(live);
  leave_line(live);
  set_look_at(live, state == RunState::kQueued ? kEarliest : kNever);
}

void StateData::count(LiveRun& live) {
  if (!is_busy(live.run.state)) return;
  live.counted_on = live.run.node_id;
  busy_of_node[live.run.node_id].insert(live.run.run_id);
}

void StateData::uncount(LiveRun& live) {
  if (!live.counted_on) return;
  const auto found = busy_of_node.find(*live.counted_on);
  live.counted_on.reset();
  found->second.erase(live.run.run_id);
  if (found->second.empty()) busy_of_node.erase(found);
}

std::int64_t StateData::busy_on(std::int64_t node_id) const {
  const auto found = busy_of_node.find(node_id);
  return found == busy_of_node.end() ? 0 : static_cast<std::int64_t>(found->second.size());
}

void StateData::mark_dirty(JobEntry& entry) {
  if (entry.is_dirty) return;
  entry.is_dirty = true;
  dirty_jobs.push_back(entry.job.uid);
}

void StateData::set_timer(JobEntry& entry, WallTime at) {
  ++entry.stamp;
  if (at != kNever) job_timers.push({at, entry.job.uid, entry.stamp});
}

WallTime StateData::first_look(const Job& job, Micros look_ahead) const {
  if (!job.spec->enabled) return job.disabled_until.value_or(kNever);
  if (job.schedules.empty()) return kNever;
  const cron::Zone* zone = find_zone(job.spec->tz);
  if (zone == nullptr) return kEarliest;  // the turn asks again from time to time
  const std::optional<WallTime> slot = next_slot_of(job, job.cursor, *zone);
  return slot ? *slot - look_ahead : kNever;
}

bool StateData::is_stale(const JobTimer& timer) const {
  const JobEntry* const entry = job(timer.job_uid);
  return entry == nullptr || entry->stamp != timer.stamp;
}

bool StateData::refresh_timers(Micros look_ahead) {
  for (std::size_t count = 0; count < kTimersOfTurnMax && !dirty_jobs.empty(); ++count) {
    JobEntry* entry = job(dirty_jobs.front());
    dirty_jobs.pop_front();
    if (entry == nullptr || !entry->is_dirty) continue;
    entry->is_dirty = false;
    set_timer(*entry, first_look(entry->job, look_ahead));
  }
  // Where nobody takes timers that have come, those that were replaced would gather at the top.
  for (std::size_t count = 0; count < 2 * kTimersOfTurnMax && !job_timers.is_empty(); ++count) {
    if (!is_stale(job_timers.top())) break;
    job_timers.pop();
  }
  if (job_timers.size() > 2 * jobs.size() + 1024) {
    job_timers.compact([this](const JobTimer& timer) { return is_stale(timer); });
  }
  return dirty_jobs.empty();
}

void StateData::wake_queued(std::uint64_t job_uid) {
  for (const std::int64_t id : run_ids_of(job_uid)) {
    LiveRun& live = runs.at(id);
    if (live.run.state == RunState::kQueued) set_look_at(live, kEarliest);
  }
}

void StateData::wake_first_queued(std::uint64_t job_uid) {
  LiveRun* first = nullptr;
  for (const std::int64_t id : run_ids_of(job_uid)) {
    LiveRun& live = runs.at(id);
    if (live.run.state != RunState::kQueued) continue;
    if (first == nullptr || is_before(live.run, first->run)) first = &live;
  }
  if (first != nullptr) set_look_at(*first, kEarliest);
}

void StateData::set_look_at(LiveRun& live, WallTime at) {
  if (live.look_at == at) return;
  if (live.look_at != kNever) run_timers.erase({live.look_at, live.run.run_id});
  live.look_at = at;
  if (at != kNever) run_timers.insert({at, live.run.run_id});
}

void StateData::leave_line(LiveRun& live) {
  hostless.erase(live.run.run_id);
  if (!live.line_place) return;
  line.erase(*live.line_place);
  live.line_place.reset();
}

}  // namespace distcron::planner
