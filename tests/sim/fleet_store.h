// SPDX-License-Identifier: Apache-2.0
// The databases of a simulated host: FleetDisk is what is on the disk and outlives agents,
// FleetStore is the store of one agent's life. Batches of raft.db become durable by one flush at a
// time, rows of state.db some time after they were posted. A crash keeps a prefix of what was under
// way; a crash of the host may throw state.db back to its last checkpoint.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "planner/recent_requests.h"
#include "planner/state.h"
#include "sim/fleet_agenda.h"
#include "store/store.h"

namespace distcron::sim {

using JournalKey = std::pair<std::int64_t, std::int32_t>;

/// The rows of state.db that a start reads.
struct FleetRows {
  std::int64_t applied = 0;
  std::map<std::uint64_t, planner::Job> jobs;
  std::map<std::int64_t, model::Run> live_runs;
  std::map<std::int64_t, planner::Node> nodes;
  std::map<std::string, std::string> settings;
  std::deque<std::pair<std::string, WallTime>> requests;
  planner::Cluster cluster;
  std::int64_t next_run_id = 1;
  std::int64_t next_job_id = 1;

  void write(const planner::Changes& changes);
  [[nodiscard]] Status load(planner::State& state) const;
};

/// When the agent is to die: at the next write of raft.db, or at the next with a tombstone.
enum class FleetCrash : std::uint8_t {
  kNone,
  kBeforeWrite,
  kAfterWrite,
  kBeforeTombstone,
  kAfterTombstone,
};

struct FleetDisk {
  store::HardState hard;
  std::string first_config;  ///< Encoded: of the entry 0.
  std::vector<store::LogEntry> entries;
  std::map<JournalKey, store::JournalPut> journal;
  FleetRows rows;
  FleetRows checkpoint;  ///< Of state.db: what a crash of the host leaves at least.

  // What the faults are at.
  bool is_full = false;
  bool is_slow = false;
  FleetCrash crash = FleetCrash::kNone;

  void perform(const store::DurableBatch& batch);
};

class FleetStore final : public store::Store {
 public:
  struct Hooks {
    std::function<void()> wake;  ///< Completions wait.
    std::function<void(const planner::Changes&)> on_changes;
    std::function<void(const store::DurableBatch&)> on_durable;
    std::function<void()> die;  ///< At once, but not before this store has returned.
  };

  FleetStore(Agenda& agenda, FleetDisk& disk, std::uint64_t seed, Hooks hooks)
      : agenda_(agenda), disk_(disk), rng_(seed), hooks_(std::move(hooks)) {}

  /// The agent dies, and with `is_power_cut` its host.
  void crash(bool is_power_cut);

  // store::Store
  [[nodiscard]] Result<store::Loaded> load() override;
  [[nodiscard]] Status save_hard_state(const store::HardState& hard) override;

  void start() override {}

  void post(store::DurableBatch batch) override;
  void post(planner::Changes changes) override;
  void query(std::function<std::function<void()>(store::Reader&)> query) override;
  void compact(std::int64_t index, store::LogConfig config) override;
  [[nodiscard]] store::LogSize log_size() const override;
  void make_snapshot() override;
  void read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                     std::uint64_t tag) override;
  void install(store::SnapshotPiece piece) override;
  void back_up(std::string path, std::uint64_t tag) override;

  [[nodiscard]] int wake_fd() const override { return -1; }

  [[nodiscard]] std::vector<store::Completion> take_completions() override {
    return std::exchange(completions_, {});
  }

  void stop() override {}

  [[nodiscard]] bool is_state_behind() const override { return false; }

 private:
  [[nodiscard]] bool dies_at(const store::DurableBatch& batch) const;
  void begin_flush();
  void end_flush();
  void write_rows();
  void complete(store::Completion completion);

  Agenda& agenda_;
  FleetDisk& disk_;
  Rng rng_;
  Hooks hooks_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  std::deque<store::DurableBatch> queued_;
  std::deque<store::DurableBatch> flushing_;
  std::deque<planner::Changes> rows_;
  bool writes_rows_ = false;
  std::vector<store::Completion> completions_;
};

}  // namespace distcron::sim
