// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_store.h"

#include <algorithm>
#include <utility>

namespace distcron::sim {
namespace {

constexpr const char* kNone = "the simulated store does not keep that";

}  // namespace

// --- rows ----------------------------------------------------------------------------------------

void FleetRows::write(const planner::Changes& changes) {
  applied = changes.index;
  for (const std::uint64_t uid : changes.removed_jobs)
    jobs.erase(uid);
  for (const planner::Job& job : changes.jobs) {
    planner::Job row = job;
    row.schedules.clear();
    jobs[job.uid] = std::move(row);
  }
  for (const model::CursorMove& move : changes.cursors) {
    if (const auto job = jobs.find(move.job_uid); job != jobs.end()) {
      job->second.cursor = move.cursor;
    }
  }
  for (const model::Run& run : changes.runs) {
    if (model::is_final(run.state)) {
      live_runs.erase(run.run_id);
    } else {
      live_runs[run.run_id] = run;
    }
  }
  for (const std::int64_t run_id : changes.removed_runs)
    live_runs.erase(run_id);
  for (const planner::Node& node : changes.nodes)
    nodes[node.id] = node;
  for (const std::string& name : changes.removed_keys)
    keys.erase(name);
  for (const model::AccessKey& key : changes.keys)
    keys[key.name] = key;
  for (const std::string& id : changes.removed_tokens)
    tokens.erase(id);
  for (const planner::JoinToken& token : changes.tokens)
    tokens[token.id] = token;
  for (const std::string& key : changes.removed_settings)
    settings.erase(key);
  for (const auto& [key, value] : changes.settings)
    settings[key] = value;
  if (!changes.request_id.empty()) {
    requests.emplace_back(changes.request_id, changes.request_at);
    if (requests.size() > planner::RecentRequests::kMax) requests.pop_front();
  }
  if (changes.cluster) cluster = *changes.cluster;
  if (changes.next_run_id > 0) next_run_id = changes.next_run_id;
  if (changes.next_job_id > 0) next_job_id = changes.next_job_id;
}

Status FleetRows::load(planner::State& state) const {
  std::vector<const planner::Job*> by_id;
  for (const auto& [uid, job] : jobs)
    by_id.push_back(&job);
  std::sort(by_id.begin(), by_id.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  for (const planner::Job* job : by_id)
    DC_CHECK_OK(state.load_job(*job));
  for (const auto& [id, run] : live_runs)
    state.load_run(run);
  for (const auto& [id, node] : nodes)
    state.load_node(node);
  for (const auto& [name, key] : keys)
    state.load_key(key);
  for (const auto& [id, token] : tokens)
    state.load_token(token);
  for (const auto& [key, value] : settings)
    state.load_setting(key, value);
  for (const auto& [id, at] : requests)
    state.load_request(id, at);
  state.load_cluster(cluster);
  state.load_counters(next_run_id, next_job_id);
  return {};
}

// --- disk ----------------------------------------------------------------------------------------

Status FleetDisk::perform(const store::DurableBatch& batch) {
  for (const store::LogEntry& entry : batch.entries) {
    if (entry.index <= base.index) continue;
    const auto kept = static_cast<std::size_t>(entry.index - base.index - 1);
    if (kept > entries.size()) {
      return fail(ErrorCode::kInvalid, "the entries leave a gap in the log");
    }
    entries.resize(kept);
    entries.push_back(entry);
  }
  if (batch.hard) hard = *batch.hard;
  for (const store::JournalPut& put : batch.journal)
    journal[JournalKey{put.run_id, put.attempt}] = put;
  for (const store::JournalDrop& drop : batch.dropped)
    journal.erase(JournalKey{drop.run_id, drop.attempt});
  return {};
}

std::int64_t FleetDisk::term_at(std::int64_t index) const {
  if (index <= base.index) return index == base.index ? base.term : 0;
  const auto place = static_cast<std::size_t>(index - base.index - 1);
  return place < entries.size() ? entries[place].term : 0;
}

void FleetDisk::cut(std::int64_t index, const store::LogConfig& config) {
  const std::int64_t term = term_at(index);
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(index - base.index));
  base = store::LogStart{index, term, config};
}

void FleetDisk::install(const store::LogStart& start, const FleetRows& snapshot) {
  base = start;
  entries.clear();
  rows = snapshot;
  checkpoint = snapshot;
}

// --- store ---------------------------------------------------------------------------------------

void FleetStore::crash(bool is_power_cut) {
  *is_alive_ = false;
  flushing_.insert(flushing_.end(), queued_.begin(), queued_.end());
  const auto kept = rng_.below(flushing_.size() + 1);
  for (std::size_t i = 0; i < kept && !disk_.is_full; ++i) {
    if (disk_.perform(flushing_[i])) hooks_.on_durable(flushing_[i]);
  }
  // Rows are written after their entry was durable, so a prefix never overtakes the log.
  const auto done = rng_.below(work_.size() + 1);
  for (std::size_t i = 0; i < done; ++i)
    perform(work_[i], false);
  if (is_power_cut && draw_chance(rng_, 50)) disk_.rows = disk_.checkpoint;
}

Result<store::Loaded> FleetStore::load() {
  store::Loaded loaded;
  loaded.hard = disk_.hard;
  loaded.base = disk_.base;
  loaded.entries = disk_.entries;
  loaded.last_index = disk_.last_index();
  loaded.applied_index = disk_.rows.applied;
  for (const auto& [id, node] : disk_.rows.nodes)
    loaded.nodes.push_back(node);
  for (const auto& [id, token] : disk_.rows.tokens)
    loaded.tokens.push_back(token);
  for (const auto& [name, key] : disk_.rows.keys)
    loaded.keys.push_back(key);
  for (const auto& [key, value] : disk_.rows.settings)
    loaded.settings.emplace_back(key, value);
  loaded.cluster = disk_.rows.cluster;
  for (const auto& [key, put] : disk_.journal)
    loaded.journal.push_back(put);
  return loaded;
}

Status FleetStore::save_hard_state(const store::HardState& hard) {
  disk_.hard = hard;
  return {};
}

void FleetStore::complete(store::Completion completion) {
  completions_.push_back(std::move(completion));
  hooks_.wake();
}

void FleetStore::post(store::DurableBatch batch) {
  queued_.push_back(std::move(batch));
  if (flushing_.empty()) begin_flush();
}

void FleetStore::begin_flush() {
  flushing_.swap(queued_);
  const FleetTime span =
      disk_.is_slow ? draw_between(rng_, 100 * kMs, 1'500 * kMs) : draw_between(rng_, 200, 6 * kMs);
  agenda_.after(span, [this, alive = is_alive_] {
    if (*alive) end_flush();
  });
}

bool FleetStore::dies_at(const store::DurableBatch& batch) const {
  if (disk_.crash == FleetCrash::kNone || disk_.is_full) return false;
  if (disk_.crash <= FleetCrash::kAfterWrite) return true;
  return std::any_of(batch.journal.begin(), batch.journal.end(), [](const store::JournalPut& put) {
    return put.kind == store::JournalKind::kTombstone;
  });
}

void FleetStore::end_flush() {
  for (const store::DurableBatch& batch : std::exchange(flushing_, {})) {
    if (dies_at(batch)) {
      const FleetCrash when = std::exchange(disk_.crash, FleetCrash::kNone);
      if (when == FleetCrash::kAfterWrite || when == FleetCrash::kAfterTombstone) {
        if (disk_.perform(batch)) hooks_.on_durable(batch);
      }
      *is_alive_ = false;
      return hooks_.die();
    }
    store::Durable durable;
    durable.tag = batch.tag;
    if (disk_.is_full) {
      durable.status = fail(ErrorCode::kUnavailable, "no room on the simulated disk");
    } else {
      durable.status = disk_.perform(batch);
      if (durable.status) hooks_.on_durable(batch);
    }
    complete(std::move(durable));
  }
  if (!queued_.empty()) begin_flush();
}

void FleetStore::post(planner::Changes changes) {
  hooks_.on_changes(changes);
  add_work(std::move(changes));
}

store::LogSize FleetStore::log_size() const {
  return store::LogSize{disk_.base.index, disk_.last_index(), 0};
}

// Backups and history are the doors' affair, which stay outside.

void FleetStore::query(std::function<std::function<void()>(store::Reader&)> query) {
  static_cast<void>(query);
}

void FleetStore::back_up(std::string path, std::uint64_t tag) {
  static_cast<void>(path);
  complete(store::BackedUp{tag, {}, fail(ErrorCode::kUnavailable, kNone)});
}

}  // namespace distcron::sim
