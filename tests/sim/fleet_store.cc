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
  for (const planner::Node& node : changes.nodes)
    nodes[node.id] = node;
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
  for (const auto& [key, value] : settings)
    state.load_setting(key, value);
  for (const auto& [id, at] : requests)
    state.load_request(id, at);
  state.load_cluster(cluster);
  state.load_counters(next_run_id, next_job_id);
  return {};
}

// --- disk ----------------------------------------------------------------------------------------

void FleetDisk::perform(const store::DurableBatch& batch) {
  if (batch.hard) hard = *batch.hard;
  for (const store::LogEntry& entry : batch.entries) {
    const auto kept = static_cast<std::size_t>(std::max<std::int64_t>(entry.index - 1, 0));
    if (kept < entries.size()) entries.resize(kept);
    entries.push_back(entry);
  }
  for (const store::JournalPut& put : batch.journal)
    journal[JournalKey{put.run_id, put.attempt}] = put;
  for (const store::JournalDrop& drop : batch.dropped)
    journal.erase(JournalKey{drop.run_id, drop.attempt});
}

// --- store ---------------------------------------------------------------------------------------

void FleetStore::crash(bool is_power_cut) {
  *is_alive_ = false;
  flushing_.insert(flushing_.end(), queued_.begin(), queued_.end());
  const auto kept = rng_.below(flushing_.size() + 1);
  for (std::size_t i = 0; i < kept && !disk_.is_full; ++i) {
    disk_.perform(flushing_[i]);
    hooks_.on_durable(flushing_[i]);
  }
  // Rows are written after their entry was durable, so a prefix never overtakes the log.
  const auto rows = rng_.below(rows_.size() + 1);
  for (std::size_t i = 0; i < rows; ++i)
    disk_.rows.write(rows_[i]);
  if (is_power_cut && draw_chance(rng_, 50)) disk_.rows = disk_.checkpoint;
}

Result<store::Loaded> FleetStore::load() {
  store::Loaded loaded;
  loaded.hard = disk_.hard;
  loaded.base.config.bytes = disk_.first_config;
  loaded.entries = disk_.entries;
  loaded.last_index = static_cast<std::int64_t>(disk_.entries.size());
  loaded.applied_index = disk_.rows.applied;
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
        disk_.perform(batch);
        hooks_.on_durable(batch);
      }
      *is_alive_ = false;
      return hooks_.die();
    }
    store::Durable durable;
    durable.tag = batch.tag;
    if (disk_.is_full) {
      durable.status = fail(ErrorCode::kUnavailable, "no room on the simulated disk");
    } else {
      disk_.perform(batch);
      hooks_.on_durable(batch);
    }
    complete(std::move(durable));
  }
  if (!queued_.empty()) begin_flush();
}

void FleetStore::post(planner::Changes changes) {
  hooks_.on_changes(changes);
  rows_.push_back(std::move(changes));
  if (writes_rows_) return;
  writes_rows_ = true;
  agenda_.after(draw_between(rng_, 1 * kMs, 40 * kMs), [this, alive = is_alive_] {
    if (*alive) write_rows();
  });
}

void FleetStore::write_rows() {
  writes_rows_ = false;
  if (disk_.is_full) {  // the store tries again by itself
    writes_rows_ = true;
    agenda_.after(500 * kMs, [this, alive = is_alive_] {
      if (*alive) write_rows();
    });
    return;
  }
  for (const planner::Changes& changes : std::exchange(rows_, {}))
    disk_.rows.write(changes);
  if (draw_chance(rng_, 4)) disk_.checkpoint = disk_.rows;
}

store::LogSize FleetStore::log_size() const {
  return store::LogSize{0, static_cast<std::int64_t>(disk_.entries.size()), 0};
}

// The log is never cut in this world, so no member needs a snapshot; backups and history are the
// doors' affair, which stay outside.

void FleetStore::query(std::function<std::function<void()>(store::Reader&)> query) {
  static_cast<void>(query);
}

void FleetStore::compact(std::int64_t index, store::LogConfig config) {
  static_cast<void>(config);
  complete(store::Compacted{index, 0, fail(ErrorCode::kUnavailable, kNone), false});
}

void FleetStore::make_snapshot() {
  complete(store::SnapshotMade{{}, fail(ErrorCode::kUnavailable, kNone)});
}

void FleetStore::read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                               std::uint64_t tag) {
  static_cast<void>(index);
  static_cast<void>(size);
  complete(store::SnapshotRead{tag, offset, {}, fail(ErrorCode::kNotFound, kNone)});
}

void FleetStore::install(store::SnapshotPiece piece) {
  complete(store::PieceStored{piece.start.index, 0, fail(ErrorCode::kUnavailable, kNone), false});
}

void FleetStore::back_up(std::string path, std::uint64_t tag) {
  static_cast<void>(path);
  complete(store::BackedUp{tag, {}, fail(ErrorCode::kUnavailable, kNone)});
}

}  // namespace distcron::sim
