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
#include <variant>
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
  std::map<std::string, model::AccessKey> keys;
  std::map<std::string, planner::JoinToken> tokens;
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

/// What the snapshots of this world contain, by the mark that their files begin with.
using FleetLibrary = std::map<std::string, FleetRows>;

struct FleetDisk {
  store::HardState hard;
  store::LogStart base;
  std::vector<store::LogEntry> entries;  ///< After the base.
  std::map<JournalKey, store::JournalPut> journal;
  FleetRows rows;
  FleetRows checkpoint;  ///< Of state.db: what a crash of the host leaves at least.

  // What the faults are at.
  bool is_full = false;
  bool is_slow = false;
  FleetCrash crash = FleetCrash::kNone;

  /// All of it or nothing: kInvalid when the entries leave a gap.
  [[nodiscard]] Status perform(const store::DurableBatch& batch);
  void cut(std::int64_t index, const store::LogConfig& config);
  void install(const store::LogStart& start, const FleetRows& snapshot);
  [[nodiscard]] std::int64_t term_at(std::int64_t index) const;

  [[nodiscard]] std::int64_t last_index() const {
    return base.index + static_cast<std::int64_t>(entries.size());
  }
};

class FleetStore final : public store::Store {
 public:
  struct Hooks {
    std::function<void()> wake;  ///< Completions wait.
    std::function<void(const planner::Changes&)> on_changes;
    std::function<void(const store::DurableBatch&)> on_durable;
    std::function<void()> die;  ///< At once, but not before this store has returned.
  };

  FleetStore(Agenda& agenda, FleetDisk& disk, FleetLibrary& library, std::uint64_t seed,
             Hooks hooks)
      : agenda_(agenda), disk_(disk), library_(library), rng_(seed), hooks_(std::move(hooks)) {}

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
  struct Compaction {
    std::int64_t index = 0;
    store::LogConfig config;
  };

  struct Copy {};

  struct Swap {
    store::LogStart start;
    std::uint64_t size = 0;
    std::string mark;
  };

  /// What is done to state.db in the order posted.
  using Work = std::variant<planner::Changes, Compaction, Copy, Swap>;

  struct Snapshot {
    store::StateCopy copy;
    std::string bytes;
  };

  [[nodiscard]] bool dies_at(const store::DurableBatch& batch) const;
  void begin_flush();
  void end_flush();
  void add_work(Work work);
  void do_work();
  void perform(const Work& work, bool tells);
  void compact_now(const Compaction& order, bool tells);
  void copy_now();
  void swap_now(const Swap& order, bool tells);
  void take_piece(const store::SnapshotPiece& piece);
  /// On the thread that copies: one thing after the other.
  void on_copier(FleetTime span, std::function<void()> what);
  void complete(store::Completion completion);

  Agenda& agenda_;
  FleetDisk& disk_;
  FleetLibrary& library_;
  Rng rng_;
  Hooks hooks_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  std::deque<store::DurableBatch> queued_;
  std::deque<store::DurableBatch> flushing_;
  std::deque<Work> work_;
  bool works_ = false;
  std::deque<Snapshot> snapshots_;
  store::SnapshotPiece incoming_;  ///< With all bytes that came.
  FleetTime copier_free_at_ = 0;
  std::vector<store::Completion> completions_;
};

}  // namespace distcron::sim
