// SPDX-License-Identifier: Apache-2.0
#include "store/log_db.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "store/crc32c.h"
#include "store/format.h"

namespace distcron::store {
namespace {

constexpr std::int64_t kDropRows = 1000;

constexpr std::array kSteps{Sql{R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE log(
  idx INTEGER PRIMARY KEY,
  term INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  bytes BLOB NOT NULL);
CREATE TABLE journal(
  run_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(run_id, attempt)) WITHOUT ROWID;
PRAGMA application_id = 1145270886;
PRAGMA user_version = 1;
)sql"}};
// 0x44437266, "DCrf".
constexpr FileFormat kFormat{"raft.db", 1145270886, kSteps};

std::uint32_t chain(std::uint32_t before, const LogEntry& entry) {
  std::array<char, 16> head{};
  const auto index = static_cast<std::uint64_t>(entry.index);
  const auto term = static_cast<std::uint64_t>(entry.term);
  for (std::size_t i = 0; i < 8; ++i) {
    head[i] = static_cast<char>((index >> (8 * i)) & 0xffU);
    head[8 + i] = static_cast<char>((term >> (8 * i)) & 0xffU);
  }
  return crc32c(crc32c(before, std::string_view(head.data(), head.size())), entry.bytes);
}

std::int64_t size_of(const LogEntry& entry) {
  return static_cast<std::int64_t>(entry.bytes.size());
}

Error damaged(const std::string& path, std::int64_t index, std::string_view what) {
  return Error{
      ErrorCode::kCorrupt,
      "cannot use '" + path + "': log entry " + std::to_string(index) + " " + std::string(what), 0,
      "keep the file for examination and restore a backup of its directory"};
}

}  // namespace

Result<std::unique_ptr<LogDb>> LogDb::open(const std::string& path, const LogBase& base) {
  DC_TRY(std::unique_ptr<Db> db, Db::open(path, OpenMode::kOwner));
  // Exclusive: nobody else has business here, and the log's index then needs no shared memory.
  DC_CHECK_OK(db->exec("PRAGMA locking_mode = EXCLUSIVE"));
  // Refuse a foreign file before anything is changed in it.
  DC_TRY([[maybe_unused]] const std::int64_t version, file_version(*db, kFormat));
  DC_CHECK_OK(db->exec("PRAGMA journal_mode = WAL"));
  DC_CHECK_OK(db->exec("PRAGMA synchronous = FULL"));
  DC_CHECK_OK(bring_forward(*db, kFormat));
  std::unique_ptr<LogDb> log(new LogDb(std::move(db)));
  DC_CHECK_OK(log->prepare());
  DC_TRY(const std::int64_t begun,
         log->db_->ask("SELECT count(*) FROM meta WHERE key = 'base_index'"));
  if (begun == 0) DC_CHECK_OK(log->set_base(base));
  DC_CHECK_OK(log->read_meta());
  DC_CHECK_OK(log->verify_chain());
  return log;
}

Status LogDb::prepare() {
  DC_TRY(insert_, db_->prepare("INSERT INTO log(idx, term, crc, bytes) VALUES(?, ?, ?, ?)"));
  DC_TRY(cut_, db_->prepare("DELETE FROM log WHERE idx >= ?"));
  DC_TRY(at_, db_->prepare("SELECT idx, term, crc FROM log WHERE idx = ?"));
  DC_TRY(after_, db_->prepare("SELECT idx, term, crc, bytes FROM log WHERE idx > ? ORDER BY idx"));
  DC_TRY(drop_, db_->prepare("DELETE FROM log WHERE idx <= ?"));
  DC_TRY(put_meta_, db_->prepare("INSERT INTO meta(key, value) VALUES(?1, ?2) "
                                 "ON CONFLICT(key) DO UPDATE SET value = excluded.value"));
  DC_TRY(journal_put_,
         db_->prepare("INSERT INTO journal(run_id, attempt, kind, boot_id, bytes) "
                      "VALUES(?, ?, ?, ?, ?) ON CONFLICT(run_id, attempt) DO UPDATE SET "
                      "kind = excluded.kind, boot_id = excluded.boot_id, bytes = excluded.bytes"));
  DC_TRY(journal_drop_, db_->prepare("DELETE FROM journal WHERE run_id = ? AND attempt = ?"));
  return {};
}

Status LogDb::in_transaction(const std::function<Status()>& body) {
  DC_CHECK_OK(db_->begin());
  Status done = body();
  if (done) done = db_->commit();
  if (!done) db_->roll_back();
  return done;
}

Status LogDb::put_meta(std::string_view key, std::int64_t value) {
  put_meta_.bind(1, key);
  put_meta_.bind(2, value);
  return put_meta_.run();
}

Status LogDb::set_base(const LogBase& base) {
  return in_transaction([&]() -> Status {
    DC_CHECK_OK(put_meta("base_index", base.index));
    DC_CHECK_OK(put_meta("base_term", base.term));
    DC_CHECK_OK(put_meta("base_crc", base.crc));
    return put_meta("term", base.term);
  });
}

Status LogDb::read_meta() {
  DC_TRY(base_.index, db_->ask("SELECT value FROM meta WHERE key = 'base_index'"));
  DC_TRY(base_.term, db_->ask("SELECT value FROM meta WHERE key = 'base_term'"));
  DC_TRY(const std::int64_t crc, db_->ask("SELECT value FROM meta WHERE key = 'base_crc'"));
  base_.crc = static_cast<std::uint32_t>(crc);
  DC_TRY(term_, db_->ask("SELECT value FROM meta WHERE key = 'term'"));
  return {};
}

Status LogDb::verify_chain() {
  last_ = base_;
  bytes_ = 0;
  const StmtScope scope(after_);
  after_.bind(1, base_.index);
  while (true) {
    DC_TRY(const bool row, after_.step());
    if (!row) return {};
    const LogEntry entry{after_.integer(0), after_.integer(1), after_.text(3)};
    if (entry.index != last_.index + 1) {
      return fail(damaged(db_->path(), last_.index + 1, "is missing"));
    }
    const std::uint32_t crc = chain(last_.crc, entry);
    if (crc != static_cast<std::uint32_t>(after_.integer(2))) {
      return fail(damaged(db_->path(), entry.index, "does not match its checksum"));
    }
    last_ = LogBase{entry.index, entry.term, crc};
    bytes_ += size_of(entry);
  }
}

Status LogDb::check_fits(const DurableBatch& batch, std::int64_t last) const {
  for (const LogEntry& entry : batch.entries) {
    if (entry.index <= base_.index || entry.index > last + 1) {
      return fail(ErrorCode::kInvalid, "cannot store log entry " + std::to_string(entry.index) +
                                           " in '" + db_->path() + "': the log holds " +
                                           std::to_string(base_.index + 1) + " to " +
                                           std::to_string(last));
    }
    last = entry.index;
  }
  return {};
}

std::vector<Status> LogDb::write(const std::vector<DurableBatch>& batches) {
  std::vector<Status> statuses;
  statuses.reserve(batches.size());
  std::int64_t last = last_.index;
  for (const DurableBatch& batch : batches) {
    statuses.push_back(check_fits(batch, last));
    if (statuses.back() && !batch.entries.empty()) last = batch.entries.back().index;
  }
  const std::int64_t bytes_before = bytes_;
  LogBase last_after = last_;
  const Status done = in_transaction([&]() -> Status {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (statuses[i]) DC_CHECK_OK(write_batch(batches[i], last_after));
    }
    return {};
  });
  if (done) {
    last_ = last_after;
    return statuses;
  }
  bytes_ = bytes_before;
  for (Status& status : statuses) {
    if (status) status = done;
  }
  return statuses;
}

Status LogDb::write_batch(const DurableBatch& batch, LogBase& last) {
  for (const LogEntry& entry : batch.entries) {
    if (entry.index <= last.index) DC_CHECK_OK(cut_from(entry.index, last));
    const std::uint32_t crc = chain(last.crc, entry);
    insert_.bind(1, entry.index);
    insert_.bind(2, entry.term);
    insert_.bind(3, static_cast<std::int64_t>(crc));
    insert_.bind_blob(4, entry.bytes);
    DC_CHECK_OK(insert_.run());
    last = LogBase{entry.index, entry.term, crc};
    bytes_ += size_of(entry);
  }
  for (const JournalPut& put : batch.journal) {
    journal_put_.bind(1, put.run_id);
    journal_put_.bind(2, put.attempt);
    journal_put_.bind(3, static_cast<std::int64_t>(put.kind));
    journal_put_.bind(4, put.boot_id);
    journal_put_.bind_blob(5, put.bytes);
    DC_CHECK_OK(journal_put_.run());
  }
  for (const JournalDrop& drop : batch.dropped) {
    journal_drop_.bind(1, drop.run_id);
    journal_drop_.bind(2, drop.attempt);
    DC_CHECK_OK(journal_drop_.run());
  }
  return {};
}

Status LogDb::cut_from(std::int64_t index, LogBase& last) {
  cut_.bind(1, index);
  DC_CHECK_OK(cut_.run());
  if (index - 1 == base_.index) {
    last = base_;
    return {};
  }
  const StmtScope scope(at_);
  at_.bind(1, index - 1);
  DC_TRY(const bool row, at_.step());
  if (!row) return fail(damaged(db_->path(), index - 1, "is missing"));
  last = LogBase{at_.integer(0), at_.integer(1), static_cast<std::uint32_t>(at_.integer(2))};
  return {};
}

Status LogDb::save_term(std::int64_t term) {
  const Status done = in_transaction([&] { return put_meta("term", term); });
  if (done) term_ = term;
  return done;
}

Result<std::vector<LogEntry>> LogDb::entries_after(std::int64_t index) {
  std::vector<LogEntry> entries;
  const StmtScope scope(after_);
  after_.bind(1, index);
  while (true) {
    DC_TRY(const bool row, after_.step());
    if (!row) return entries;
    entries.push_back({after_.integer(0), after_.integer(1), after_.text(3)});
  }
}

Result<std::vector<JournalPut>> LogDb::journal() {
  DC_TRY(Stmt rows, db_->prepare("SELECT run_id, attempt, kind, boot_id, bytes FROM journal "
                                 "ORDER BY run_id, attempt"));
  std::vector<JournalPut> notes;
  while (true) {
    DC_TRY(const bool row, rows.step());
    if (!row) return notes;
    const std::int64_t kind = rows.integer(2);
    if (kind < 0 || kind > static_cast<std::int64_t>(JournalKind::kEnded)) {
      return fail(ErrorCode::kCorrupt, "cannot use '" + db_->path() + "': the journal of run " +
                                           std::to_string(rows.integer(0)) + " has kind " +
                                           std::to_string(kind));
    }
    notes.push_back({rows.integer(0), static_cast<std::int32_t>(rows.integer(1)),
                     static_cast<JournalKind>(kind), rows.text(3), rows.text(4)});
  }
}

Status LogDb::drop_through(std::int64_t index) {
  index = std::min(index, last_.index);
  while (base_.index < index) {
    DC_CHECK_OK(drop_step(std::min(index, base_.index + kDropRows)));
  }
  return {};
}

Status LogDb::drop_step(std::int64_t index) {
  LogBase base = base_;
  std::int64_t bytes = bytes_;
  const Status done = in_transaction([&]() -> Status {
    DC_CHECK_OK(move_base(index, base, bytes));
    drop_.bind(1, base.index);
    DC_CHECK_OK(drop_.run());
    DC_CHECK_OK(put_meta("base_index", base.index));
    DC_CHECK_OK(put_meta("base_term", base.term));
    return put_meta("base_crc", base.crc);
  });
  if (!done) return done;
  base_ = base;
  bytes_ = bytes;
  return {};
}

Status LogDb::move_base(std::int64_t index, LogBase& base, std::int64_t& bytes) {
  const StmtScope scope(after_);
  after_.bind(1, base.index);
  while (base.index < index) {
    DC_TRY(const bool row, after_.step());
    if (!row) return fail(damaged(db_->path(), base.index + 1, "is missing"));
    base = LogBase{after_.integer(0), after_.integer(1),
                   static_cast<std::uint32_t>(after_.integer(2))};
    bytes -= static_cast<std::int64_t>(after_.bytes(3).size());
  }
  return {};
}

}  // namespace distcron::store
