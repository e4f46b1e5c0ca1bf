// SPDX-License-Identifier: Apache-2.0
// What the store reports to the loop, what it reads at a start, and the files that it makes of
// state.db. Plain values. In all completions `fatal` says that a database cannot be trusted to
// write any more (EIO, damage): stop the process with exit 74. Errors that are not fatal (disk
// full) go away by themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/run.h"
#include "planner/changes.h"
#include "store/log_entry.h"

namespace distcron::store {

/// Everything that a start needs.
struct Loaded {
  std::vector<planner::Job> jobs;  ///< By id; `schedules` is left to planner::State.
  std::vector<model::Run> live_runs;
  std::vector<model::AccessKey> keys;
  std::vector<planner::Node> nodes;
  std::vector<planner::JoinToken> tokens;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::pair<std::string, WallTime>> requests;  ///< The newest, the oldest first.
  std::optional<planner::Cluster> cluster;
  std::int64_t next_run_id = 1;
  std::int64_t next_job_id = 1;
  std::int64_t applied_index = 0;
  HardState hard;
  LogStart base;
  std::vector<LogEntry> entries;  ///< All after the base, in order.
  std::int64_t last_index = 0;
  std::vector<JournalPut> journal;
  /// state.db was there without a raft.db: a restored backup. The log goes on after its applied
  /// index. True until the first entry is stored.
  bool is_restored = false;

  /// The entries after applied_index.
  [[nodiscard]] std::vector<LogEntry> unapplied() const {
    std::vector<LogEntry> after;
    for (const LogEntry& entry : entries) {
      if (entry.index > applied_index) after.push_back(entry);
    }
    return after;
  }
};

/// A file with the whole of state.db as of one entry.
struct StateCopy {
  std::string path;
  std::int64_t index = 0;  ///< Of the last entry whose effects it contains.
  std::int64_t term = 0;   ///< Of that entry.
  std::uint64_t size = 0;
  std::uint32_t crc = 0;  ///< CRC-32C of the file.
};

/// A piece of a snapshot that another host sent. The pieces of one snapshot come in their order;
/// any piece of another one (by all of these but `offset` and `bytes`) throws away what was there.
struct SnapshotPiece {
  LogStart start;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  std::uint64_t offset = 0;
  std::string bytes;
};

/// Result of a DurableBatch. Not stored at all unless `status` is good. kInvalid: the entries leave
/// a gap in the log.
struct Durable {
  std::uint64_t tag = 0;
  Status status;
  bool fatal = false;
};

/// state.db has caught up to `index` (or could not be written: it is tried again by the store, and
/// `status` says why; nothing is lost, the log has it). A checkpoint that failed for good is told
/// this way too, with `fatal`.
struct StateWritten {
  std::int64_t index = 0;  ///< The same as before when the write failed.
  Status status;
  bool fatal = false;
};

/// A closure that a query returned, to be run on the loop thread.
struct QueryDone {
  std::function<void()> deliver;
};

/// Answer to compact(). The base is unchanged when the entries must stay: kUnavailable, somebody
/// reads state.db or it is behind; ask again later.
struct Compacted {
  std::int64_t base_index = 0;
  std::int64_t base_term = 0;
  Status status;
  bool fatal = false;
};

/// Answer to make_snapshot().
struct SnapshotMade {
  StateCopy copy;
  Status status;
};

/// Answer to read_snapshot(). kNotFound: that snapshot is gone.
struct SnapshotRead {
  std::uint64_t tag = 0;
  std::uint64_t offset = 0;
  std::string bytes;  ///< Shorter than asked only at the end of the file.
  Status status;
};

/// Answer to install(), one for each piece. A bad status with next_offset 0: begin anew.
/// kConflict: state.db has got so far already. kCorrupt: the file was not what was announced.
struct PieceStored {
  std::int64_t index = 0;         ///< Of the snapshot.
  std::uint64_t next_offset = 0;  ///< The piece that is wanted next; the size: none.
  Status status;
  bool fatal = false;
};

/// After the PieceStored of the last piece: state.db is the snapshot and the log begins after it.
/// `loaded` is the new state; whatever was made from the old one is void.
struct SnapshotInstalled {
  std::int64_t index = 0;
  std::unique_ptr<Loaded> loaded;
};

/// Answer to back_up().
struct BackedUp {
  std::uint64_t tag = 0;
  StateCopy copy;
  Status status;
};

using Completion = std::variant<Durable, StateWritten, QueryDone, Compacted, SnapshotMade,
                                SnapshotRead, PieceStored, SnapshotInstalled, BackedUp>;

}  // namespace distcron::store
