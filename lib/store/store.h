// SPDX-License-Identifier: Apache-2.0
// Store: raft.db (the log, hard state and the host's own journal; WAL, synchronous=FULL) and
// state.db (the applied state; WAL, NORMAL, the applied index in the same transaction as its
// effects). One thread of its own owns both connections, writes and checkpoints; the loop posts
// work and takes completions from take_completions() when wake_fd() is readable.
// Order: changes and queries are done in the order posted, so a query sees all changes posted
// before it (unless is_state_behind()). Durable batches keep their order among themselves, but
// overtake changes and queries: nothing slow stands before an fsync that a claim waits for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/run.h"
#include "planner/state.h"
#include "store/reader.h"

namespace distcron::store {

struct LogEntry {
  std::int64_t index = 0;
  std::int64_t term = 0;
  std::string bytes;  ///< wire::encode of a model::Entry.
};

/// The host's own durable notes about attempts it was handed (RUNS.md: two journals).
enum class JournalKind : std::uint8_t { kAccepted, kTombstone, kEnded };

struct JournalPut {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  JournalKind kind = JournalKind::kAccepted;
  std::string boot_id;
  std::string bytes;  ///< kEnded: encoded HostReport. kAccepted: encoded claim (start_at, ...).
};

struct JournalDrop {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
};

/// One group of writes to raft.db that is durable when its completion arrives; all or nothing.
struct DurableBatch {
  std::vector<LogEntry> entries;
  std::vector<JournalPut> journal;
  std::vector<JournalDrop> dropped;
  std::uint64_t tag = 0;  ///< Comes back in the completion.
};

/// Result of a DurableBatch. kIo with `fatal`: the database cannot be trusted to write any more
/// (EIO, corruption): stop the process with exit 74. Not fatal (disk full): nothing of the batch
/// is stored; the caller may try again. kInvalid: the entries leave a gap in the log or rewrite
/// what a checkpoint contains. An entry with an index that exists replaces it and all after it.
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

using Completion = std::variant<Durable, StateWritten, QueryDone>;

/// Everything that a start needs, read before the thread starts.
struct Loaded {
  std::vector<planner::Job> jobs;  ///< By id; `schedules` is left to planner::State.
  std::vector<model::Run> live_runs;
  std::vector<model::AccessKey> keys;
  std::vector<planner::Node> nodes;
  std::vector<std::pair<std::string, std::string>> settings;
  std::optional<planner::Cluster> cluster;
  std::int64_t next_run_id = 1;
  std::int64_t next_job_id = 1;
  std::int64_t applied_index = 0;
  std::vector<LogEntry> unapplied;  ///< Entries of the log after applied_index, in order.
  std::int64_t last_index = 0;
  std::int64_t term = 0;
  std::vector<JournalPut> journal;
  /// state.db was there without a raft.db: a restored backup. The log goes on after its applied
  /// index; the caller makes a larger incarnation before anything runs.
  bool is_restored = false;
};

class Store {
 public:
  /// Opens or makes both databases in `dir` (0700, files 0600; its parent must exist), checks
  /// application_id, user_version and the log's chain of CRCs. kCorrupt names file, place and way
  /// out; kInvalid: written by a newer DistCron; kUnavailable when another process holds
  /// `dir`/lock; kDenied when others may write to `dir`.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& dir);
  virtual ~Store() = default;

  /// Reads what was stored. Once, before start().
  [[nodiscard]] virtual Result<Loaded> load() = 0;
  /// Starts the thread.
  virtual void start() = 0;
  /// Posts; never blocks. Several batches posted while a commit runs are committed together.
  virtual void post(DurableBatch batch) = 0;
  virtual void post(planner::Changes changes) = 0;
  /// Runs `query` on the store thread with a reader of state.db; the closure that it returns is
  /// delivered on the loop thread.
  virtual void query(std::function<std::function<void()>(Reader&)> query) = 0;
  /// Readable when completions wait.
  [[nodiscard]] virtual int wake_fd() const = 0;
  [[nodiscard]] virtual std::vector<Completion> take_completions() = 0;
  /// Durable change of term (and vote, later); only at start, before start().
  [[nodiscard]] virtual Status save_term(std::int64_t term) = 0;
  /// Writes what was posted, checkpoints and joins the thread. Idempotent.
  virtual void stop() = 0;
  /// True while state.db is behind because it cannot be written.
  [[nodiscard]] virtual bool is_state_behind() const = 0;
};

}  // namespace distcron::store
