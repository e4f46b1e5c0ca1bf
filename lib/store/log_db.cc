// SPDX-License-Identifier: Apache-2.0
// Opening, verifying and reading; the writes are in log_write.cc.
#include "store/log_db.h"

#include <array>
#include <cstddef>
#include <utility>

#include "store/format.h"
#include "store/log_chain.h"

namespace distcron::store {
namespace {

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
)sql"},
                            Sql{R"sql(
ALTER TABLE log ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
INSERT INTO meta(key, value) SELECT 'restored', 1 FROM meta
  WHERE key = 'base_index' AND value > 0 AND NOT EXISTS (SELECT 1 FROM log);
PRAGMA user_version = 2;
)sql"}};
// 0x44437266, "DCrf".
constexpr FileFormat kFormat{"raft.db", 1145270886, kSteps};

}  // namespace

Result<std::unique_ptr<LogDb>> LogDb::open(const std::string& path) {
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
  DC_CHECK_OK(log->read_meta());
  DC_CHECK_OK(log->verify_chain());
  return log;
}

Status LogDb::prepare() {
  DC_TRY(insert_,
         db_->prepare("INSERT INTO log(idx, term, crc, kind, bytes) VALUES(?, ?, ?, ?, ?)"));
  DC_TRY(cut_, db_->prepare("DELETE FROM log WHERE idx >= ?"));
  DC_TRY(at_, db_->prepare("SELECT idx, term, crc FROM log WHERE idx = ?"));
  DC_TRY(after_,
         db_->prepare("SELECT idx, term, crc, kind, bytes FROM log WHERE idx > ? ORDER BY idx"));
  DC_TRY(bytes_between_,
         db_->prepare("SELECT total(length(bytes)) FROM log WHERE idx > ? AND idx <= ?"));
  DC_TRY(sweep_, db_->prepare("DELETE FROM log WHERE idx <= ?1 AND idx < "
                              "(SELECT min(idx) FROM log) + ?2"));
  DC_TRY(put_meta_, db_->prepare("INSERT INTO meta(key, value) VALUES(?1, ?2) "
                                 "ON CONFLICT(key) DO UPDATE SET value = excluded.value"));
  DC_TRY(get_meta_, db_->prepare("SELECT value FROM meta WHERE key = ?"));
  DC_TRY(journal_put_,
         db_->prepare("INSERT INTO journal(run_id, attempt, kind, boot_id, bytes) "
                      "VALUES(?, ?, ?, ?, ?) ON CONFLICT(run_id, attempt) DO UPDATE SET "
                      "kind = excluded.kind, boot_id = excluded.boot_id, bytes = excluded.bytes"));
  DC_TRY(journal_drop_, db_->prepare("DELETE FROM journal WHERE run_id = ? AND attempt = ?"));
  return {};
}

Result<std::int64_t> LogDb::number(std::string_view key) {
  const StmtScope scope(get_meta_);
  get_meta_.bind(1, key);
  DC_TRY(const bool row, get_meta_.step());
  return row ? get_meta_.integer(0) : 0;
}

Result<LogStart> LogDb::read_start(const std::string& prefix) {
  LogStart start;
  DC_TRY(start.index, number(prefix + "_index"));
  DC_TRY(start.term, number(prefix + "_term"));
  DC_TRY(start.config.index, number(prefix + "_config_index"));
  const std::string key = prefix + "_config";
  const StmtScope scope(get_meta_);
  get_meta_.bind(1, std::string_view(key));
  DC_TRY(const bool row, get_meta_.step());
  if (row) start.config.bytes = get_meta_.text(0);
  return start;
}

Status LogDb::read_meta() {
  DC_TRY(const std::int64_t begun, db_->ask("SELECT count(*) FROM meta WHERE key = 'base_index'"));
  is_new_ = begun == 0;
  DC_TRY(base_, read_start("base"));
  DC_TRY(const std::int64_t crc, number("base_crc"));
  base_crc_ = static_cast<std::uint32_t>(crc);
  DC_TRY(hard_.term, number("term"));
  DC_TRY(hard_.vote, number("vote"));
  DC_TRY(const std::int64_t restored, number("restored"));
  is_restored_ = restored != 0;
  DC_TRY(LogStart install, read_start("install"));
  if (install.index > 0) install_ = std::move(install);
  return {};
}

Status LogDb::verify_chain() {
  last_ = Link{base_.index, base_.term, base_crc_};
  bytes_ = 0;
  const StmtScope scope(after_);
  after_.bind(1, base_.index);
  while (true) {
    DC_TRY(const bool row, after_.step());
    if (!row) return {};
    const LogEntry entry = entry_of(after_);
    if (entry.index != last_.index + 1) {
      return fail(damaged_log(db_->path(), last_.index + 1, "is missing"));
    }
    const std::uint32_t crc = chained_crc(last_.crc, entry);
    if (crc != static_cast<std::uint32_t>(after_.integer(2))) {
      return fail(damaged_log(db_->path(), entry.index, "does not match its checksum"));
    }
    last_ = Link{entry.index, entry.term, crc};
    bytes_ += static_cast<std::int64_t>(entry.bytes.size());
  }
}

LogEntry LogDb::entry_of(const Stmt& row) {
  return {row.integer(0), row.integer(1), row.text(4),
          static_cast<std::uint8_t>(row.integer(3) & 0xff)};
}

Result<LogDb::Link> LogDb::link_at(std::int64_t index) {
  if (index == base_.index) return Link{base_.index, base_.term, base_crc_};
  const StmtScope scope(at_);
  at_.bind(1, index);
  DC_TRY(const bool row, at_.step());
  if (!row) return fail(damaged_log(db_->path(), index, "is missing"));
  return Link{at_.integer(0), at_.integer(1), static_cast<std::uint32_t>(at_.integer(2))};
}

Result<std::int64_t> LogDb::term_at(std::int64_t index) {
  if (index < base_.index || index > last_.index) {
    return fail(ErrorCode::kNotFound, "cannot tell the term of log entry " + std::to_string(index) +
                                          ": the log holds " + range());
  }
  DC_TRY(const Link link, link_at(index));
  return link.term;
}

std::string LogDb::range() const {
  return std::to_string(base_.index + 1) + " to " + std::to_string(last_.index);
}

Result<std::vector<LogEntry>> LogDb::entries() {
  std::vector<LogEntry> entries;
  entries.reserve(static_cast<std::size_t>(last_.index - base_.index));
  const StmtScope scope(after_);
  after_.bind(1, base_.index);
  while (true) {
    DC_TRY(const bool row, after_.step());
    if (!row) return entries;
    entries.push_back(entry_of(after_));
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

}  // namespace distcron::store
