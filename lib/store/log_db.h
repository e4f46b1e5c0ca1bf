// SPDX-License-Identifier: Apache-2.0
// LogDb: raft.db. The replicated log under a chain of CRCs, term and vote, and this host's journal
// of attempts (docs/format/raft-db.md). Everything that it acknowledges is fsynced. Used by one
// thread at a time; knows nothing of what the bytes mean.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace distcron::store {

/// Where the log begins: everything up to `index` is contained in a checkpoint of state.db.
struct LogBase {
  std::int64_t index = 0;
  std::int64_t term = 0;
  std::uint32_t crc = 0;
};

class LogDb {
 public:
  /// Opens or makes `path`, an existing (maybe empty) file, and verifies the whole chain. A new log
  /// begins after `base`. kCorrupt names the first damaged entry; kInvalid: a newer format.
  [[nodiscard]] static Result<std::unique_ptr<LogDb>> open(const std::string& path,
                                                           const LogBase& base);

  /// Index of the last entry.
  [[nodiscard]] std::int64_t last_index() const { return last_.index; }

  [[nodiscard]] std::int64_t base_index() const { return base_.index; }

  [[nodiscard]] std::int64_t term() const { return term_; }

  /// Bytes of all entries, roughly what the table takes.
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

  /// One transaction, fsynced. An entry whose index exists replaces it and drops all after it.
  /// Each batch gets a status: kInvalid when its entries would leave a gap or rewrite what a
  /// checkpoint contains (nothing of that batch is stored, the others are), or the one error of
  /// the transaction (nothing is stored).
  [[nodiscard]] std::vector<Status> write(const std::vector<DurableBatch>& batches);
  [[nodiscard]] Status save_term(std::int64_t term);

  [[nodiscard]] Result<std::vector<LogEntry>> entries_after(std::int64_t index);
  [[nodiscard]] Result<std::vector<JournalPut>> journal();

  /// Forgets entries up to `index`, in steps of 1000 rows. The caller has proof that a synced
  /// checkpoint of state.db contains them.
  [[nodiscard]] Status drop_through(std::int64_t index);

  [[nodiscard]] std::int64_t wal_frames() const { return db_->wal_frames(); }

  [[nodiscard]] Result<Checkpointed> checkpoint(int mode) { return db_->checkpoint(mode); }

 private:
  explicit LogDb(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  [[nodiscard]] Status set_base(const LogBase& base);
  [[nodiscard]] Status prepare();
  [[nodiscard]] Status read_meta();
  [[nodiscard]] Status verify_chain();
  [[nodiscard]] Status check_fits(const DurableBatch& batch, std::int64_t last) const;
  [[nodiscard]] Status write_all(const std::vector<DurableBatch>& batches,
                                 const std::vector<Status>& fits);
  [[nodiscard]] Status write_batch(const DurableBatch& batch, LogBase& last);
  [[nodiscard]] Status cut_from(std::int64_t index, LogBase& last);
  [[nodiscard]] Status put_meta(std::string_view key, std::int64_t value);
  [[nodiscard]] Status drop_step(std::int64_t index);
  [[nodiscard]] Status move_base(std::int64_t index, LogBase& base, std::int64_t& bytes);
  [[nodiscard]] Status in_transaction(const std::function<Status()>& body);

  std::unique_ptr<Db> db_;
  Stmt insert_, cut_, at_, after_, drop_, put_meta_, journal_put_, journal_drop_;
  LogBase base_;
  LogBase last_;
  std::int64_t term_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace distcron::store
