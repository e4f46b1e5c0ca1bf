// SPDX-License-Identifier: Apache-2.0
// LogDb: raft.db. The replicated log under a chain of CRCs, term and vote, and this host's journal
// of attempts (docs/format/raft-db.md). Everything that it acknowledges is fsynced. Used by one
// thread at a time; knows nothing of what the bytes mean.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/log_entry.h"
#include "store/sqlite.h"

namespace distcron::store {

class LogDb {
 public:
  /// Opens or makes `path`, an existing (maybe empty) file, and verifies the whole chain. kCorrupt
  /// names the first damaged entry; kInvalid: a newer format.
  [[nodiscard]] static Result<std::unique_ptr<LogDb>> open(const std::string& path);

  /// A new file: begin() comes before anything else.
  [[nodiscard]] bool is_new() const { return is_new_; }

  /// Lets a new log begin after `start`; one that does not begin at 0 is of a restored backup.
  [[nodiscard]] Status begin(const LogStart& start);

  [[nodiscard]] const LogStart& base() const { return base_; }

  [[nodiscard]] const HardState& hard() const { return hard_; }

  [[nodiscard]] bool is_restored() const { return is_restored_; }

  /// Index of the last entry.
  [[nodiscard]] std::int64_t last_index() const { return last_.index; }

  [[nodiscard]] LogSize size() const { return {base_.index, last_.index, bytes_}; }

  /// Term of an entry of the log or of its base; kNotFound elsewhere.
  [[nodiscard]] Result<std::int64_t> term_at(std::int64_t index);

  /// One transaction, fsynced. Each batch gets a status: kInvalid when its entries would leave a
  /// gap (nothing of that batch is stored, the others are), or the one error of the transaction
  /// (nothing is stored).
  [[nodiscard]] std::vector<Status> write(const std::vector<DurableBatch>& batches);
  [[nodiscard]] Status save_hard_state(const HardState& hard);

  /// All entries after the base.
  [[nodiscard]] Result<std::vector<LogEntry>> entries();
  [[nodiscard]] Result<std::vector<JournalPut>> journal();

  /// Lets the log begin after `index` (no more than the last one), in one small transaction. The
  /// caller has proof that a synced checkpoint of state.db contains all up to there. The rows go
  /// later, by sweep().
  [[nodiscard]] Status compact(std::int64_t index, const LogConfig& config);

  /// Whether rows before the base may wait to be deleted.
  [[nodiscard]] bool has_garbage() const { return has_garbage_; }

  /// Deletes up to 1000 of them. After an error they stay until the next compact() or open().
  [[nodiscard]] Status sweep();

  /// The install of a snapshot that is under way beyond return: its file is complete and durable.
  [[nodiscard]] const std::optional<LogStart>& install() const { return install_; }

  [[nodiscard]] Status begin_install(const LogStart& start);
  /// The snapshot is in place: the log is emptied and begins after it.
  [[nodiscard]] Status end_install();

  [[nodiscard]] std::int64_t wal_frames() const { return db_->wal_frames(); }

  [[nodiscard]] Result<Checkpointed> checkpoint(int mode) { return db_->checkpoint(mode); }

 private:
  /// An entry's place in the chain.
  struct Link {
    std::int64_t index = 0;
    std::int64_t term = 0;
    std::uint32_t crc = 0;
  };

  explicit LogDb(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  [[nodiscard]] Status prepare();
  [[nodiscard]] Status read_meta();
  [[nodiscard]] Result<LogStart> read_start(const std::string& prefix);
  [[nodiscard]] Result<std::int64_t> number(std::string_view key);
  [[nodiscard]] Status verify_chain();
  [[nodiscard]] Result<Link> link_at(std::int64_t index);
  [[nodiscard]] Result<std::int64_t> bytes_between(std::int64_t after, std::int64_t through);
  [[nodiscard]] static LogEntry entry_of(const Stmt& row);
  [[nodiscard]] std::string range() const;  ///< "3 to 9"
  [[nodiscard]] Status check_fits(const DurableBatch& batch, std::int64_t last) const;
  [[nodiscard]] Status write_batch(const DurableBatch& batch, Link& last);
  [[nodiscard]] Status write_entries(const DurableBatch& batch, Link& last);
  [[nodiscard]] Status write_journal(const DurableBatch& batch);
  [[nodiscard]] Status cut_from(std::int64_t index, Link& last);
  [[nodiscard]] Status put_meta(std::string_view key, std::int64_t value);
  [[nodiscard]] Status put_hard(const HardState& hard);
  [[nodiscard]] Status put_start(const std::string& prefix, const LogStart& start);
  [[nodiscard]] Status in_transaction(const std::function<Status()>& body);

  std::unique_ptr<Db> db_;
  Stmt insert_, cut_, at_, after_, bytes_between_, sweep_, put_meta_, get_meta_;
  Stmt journal_put_, journal_drop_;
  LogStart base_;
  std::uint32_t base_crc_ = 0;
  Link last_;
  HardState hard_;
  std::optional<LogStart> install_;
  std::int64_t bytes_ = 0;
  bool is_new_ = false;
  bool is_restored_ = false;
  bool has_garbage_ = true;  ///< An earlier process may have left some.
};

}  // namespace distcron::store
