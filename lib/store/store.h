// SPDX-License-Identifier: Apache-2.0
// Store: raft.db (the log, hard state and the host's own journal; WAL, synchronous=FULL) and
// state.db (the applied state; WAL, NORMAL, the applied index in the same transaction as its
// effects). One thread of its own owns both connections, writes and checkpoints; a second one
// copies and reads snapshots. The loop posts work and takes completions from take_completions()
// when wake_fd() is readable.
// Order: changes, queries, compact() and the reading point of copies are done in the order posted,
// so a query sees all changes posted before it (unless is_state_behind()). Durable batches keep
// their order among themselves, but overtake the rest: nothing slow stands before an fsync that a
// claim waits for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "planner/state.h"
#include "store/completion.h"
#include "store/log_entry.h"
#include "store/reader.h"

namespace distcron::store {

class Store {
 public:
  /// Opens or makes both databases in `dir` (0700, files 0600; its parent must exist), ends an
  /// install that was interrupted, checks application_id, user_version and the log's chain of CRCs.
  /// kCorrupt names file, place and way out; kInvalid: written by a newer DistCron; kUnavailable
  /// when another process holds `dir`/lock; kDenied when others may write to `dir`.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& dir);
  virtual ~Store() = default;

  /// Reads what was stored. Once, before start().
  [[nodiscard]] virtual Result<Loaded> load() = 0;
  /// Durable change of term and vote; only at start, before start().
  [[nodiscard]] virtual Status save_hard_state(const HardState& hard) = 0;
  /// Starts the thread.
  virtual void start() = 0;

  /// Posts; never blocks. Several batches posted while a commit runs are committed together.
  virtual void post(DurableBatch batch) = 0;
  virtual void post(planner::Changes changes) = 0;
  /// Runs `query` on the store thread with a reader of state.db; the closure that it returns is
  /// delivered on the loop thread.
  virtual void query(std::function<std::function<void()>(Reader&)> query) = 0;

  /// Forgets the log up to `index` once a synced checkpoint of state.db contains it: all of it or
  /// nothing. `config` is the one active there. Completion: Compacted.
  virtual void compact(std::int64_t index, LogConfig config) = 0;
  [[nodiscard]] virtual LogSize log_size() const = 0;

  /// Copies state.db as it is now into the directory. The newest two such files are kept until the
  /// next open. Completion: SnapshotMade.
  virtual void make_snapshot() = 0;
  /// Reads `size` bytes at `offset` of the snapshot of `index`. Completion: SnapshotRead.
  virtual void read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                             std::uint64_t tag) = 0;
  /// Stores a piece; with the last one the snapshot takes the place of state.db. The journal and
  /// the hard state stay. Completions: PieceStored, and at the end SnapshotInstalled.
  virtual void install(SnapshotPiece piece) = 0;
  /// Copies state.db as it is now to a new file, on any file system. kConflict when there is one.
  /// Completion: BackedUp.
  virtual void back_up(std::string path, std::uint64_t tag) = 0;

  /// Readable when completions wait.
  [[nodiscard]] virtual int wake_fd() const = 0;
  [[nodiscard]] virtual std::vector<Completion> take_completions() = 0;
  /// Writes what was posted, checkpoints and joins the threads. Idempotent. Copies and installs
  /// under way are given up; an install whose file was complete goes on at the next open.
  virtual void stop() = 0;
  /// True while state.db is behind because it cannot be written.
  [[nodiscard]] virtual bool is_state_behind() const = 0;
};

}  // namespace distcron::store
