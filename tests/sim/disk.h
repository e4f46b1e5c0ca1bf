// SPDX-License-Identifier: Apache-2.0
// The disk of one host, and the truth about what is on it. raft.db: writes queue, and one flush
// makes all durable that queued before it began (group commit). state.db: durable up to its last
// checkpoint; a crash leaves it there, or anywhere up to what was applied. A crash keeps a random
// prefix of the unsynced writes of raft.db; a write at the cut that only adds may be kept in part.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "consensus/events.h"
#include "consensus/message.h"
#include "sim/machine.h"

namespace distcron::sim {

/// One transaction of raft.db.
struct DiskWrite {
  enum class Kind : std::uint8_t { kReady, kCompact, kInstall };

  Kind kind = Kind::kReady;
  std::uint64_t tag = 0;
  std::optional<consensus::HardState> hard;
  std::vector<consensus::Entry> entries;
  consensus::Index base_index = 0;  ///< kCompact, kInstall: the log begins after it.
  consensus::Term base_term = 0;
  consensus::Config base_config;
  consensus::Index base_config_index = 0;
  std::optional<Machine> machine;  ///< kInstall: the new state.db.
};

/// What raft.db holds.
struct RaftDb {
  consensus::HardState hard;
  consensus::Index base_index = 0;
  consensus::Term base_term = 0;
  consensus::Config base_config;
  consensus::Index base_config_index = 0;
  std::vector<consensus::Entry> entries;  ///< From base_index + 1.

  [[nodiscard]] consensus::Index last_index() const {
    return base_index + static_cast<consensus::Index>(entries.size());
  }

  /// 0 when the log has no entry there.
  [[nodiscard]] consensus::Term term_at(consensus::Index index) const {
    if (index == base_index) return base_term;
    if (index < base_index || index > last_index()) return 0;
    return entries[static_cast<std::size_t>(index - base_index - 1)].term;
  }
};

class Disk {
 public:
  /// Told before an entry or more leaves raft.db by being replaced; from there on.
  using OnReplace = std::function<void(consensus::Index)>;
  /// Told after each change of what is durable.
  using OnDurable = std::function<void(const DiskWrite&)>;
  /// A write that cannot be right, such as a gap in the log.
  using OnError = std::function<void(const char*)>;

  explicit Disk(std::uint64_t seed) : rng_(seed) {}

  void queue(DiskWrite write) { queued_.push_back(std::move(write)); }

  [[nodiscard]] bool has_queued() const { return !queued_.empty(); }

  [[nodiscard]] bool is_flushing() const { return !flushing_.empty(); }

  /// Takes all queued writes into the flush that begins.
  void begin_flush() { flushing_.swap(queued_); }

  /// The flush is done: its writes become durable in their order; `done` is told of each.
  void end_flush(const std::function<void(const DiskWrite&)>& done);
  /// The disk is full: unsynced Readies are dropped. The rest of the unsynced writes is returned.
  std::vector<DiskWrite> drop_unsynced();

  /// Power is gone. Returns how many unsynced writes were kept; the others are lost.
  std::int64_t crash(bool is_torn);

  [[nodiscard]] std::int64_t unsynced() const {
    return static_cast<std::int64_t>(queued_.size() + flushing_.size());
  }

  [[nodiscard]] const RaftDb& raft_db() const { return raft_; }

  /// The state that a restart would find if nothing more were synced.
  [[nodiscard]] const Machine& state_db() const { return state_; }

  /// state.db as the running process sees it, for what a crash may keep.
  [[nodiscard]] bool was_torn() const { return was_torn_; }  ///< By the last crash.

  void see_state(const Machine& running);

  void checkpoint(const Machine& state) { state_ = state; }

  /// For the first start.
  void format(RaftDb raft, Machine state);

  OnReplace on_replace;
  OnDurable on_durable;
  OnError on_error;

 private:
  void perform(DiskWrite& write);
  void write_entries(std::vector<consensus::Entry>& entries, std::size_t count);
  void keep_part(DiskWrite& write);
  void resolve_install();

  Rng rng_;
  bool was_torn_ = false;
  RaftDb raft_;
  Machine state_;
  Machine seen_;        ///< Of an earlier moment, not synced.
  Machine seen_later_;  ///< Of the last moment, not synced.
  std::vector<DiskWrite> queued_;
  std::vector<DiskWrite> flushing_;
};

}  // namespace distcron::sim
