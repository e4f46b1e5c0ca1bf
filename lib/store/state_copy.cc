// SPDX-License-Identifier: Apache-2.0
#include "store/state_copy.h"

#include <utility>

#include "base/unique_fd.h"
#include "store/file_io.h"
#include "store/log_chain.h"
#include "store/state_schema.h"

namespace distcron::store {
namespace {

constexpr int kStepPages = 256;
/// So much is written between two syncs: one sync of all would hold up those of raft.db.
constexpr int kStepsPerSync = 8;
constexpr int kInstructionsPerLook = 100'000;

Error stopping(const std::string& path) {
  return Error{ErrorCode::kUnavailable, "cannot copy to '" + path + "': stopping", 0, {}};
}

struct EndBackup {
  void operator()(sqlite3_backup* backup) const noexcept { sqlite3_backup_finish(backup); }
};

Status copy_pages(const Db& from, const Db& to, int fd, const std::atomic<bool>& stops) {
  std::unique_ptr<sqlite3_backup, EndBackup> backup(
      sqlite3_backup_init(to.handle(), "main", from.handle(), "main"));
  if (!backup) return fail(to.error(sqlite3_extended_errcode(to.handle())));
  int rc = SQLITE_OK;
  for (int steps = 1; rc == SQLITE_OK; ++steps) {
    if (stops) return fail(stopping(to.path()));
    rc = sqlite3_backup_step(backup.get(), kStepPages);
    if (steps % kStepsPerSync == 0) DC_CHECK_OK(sync_file(fd, to.path()));
  }
  const int finished = sqlite3_backup_finish(backup.release());
  if (rc != SQLITE_DONE) return fail(to.error(rc));
  if (finished != SQLITE_OK) return fail(to.error(finished));
  return {};
}

Status note_copy(const Db& copy, std::int64_t index, std::int64_t term) {
  DC_TRY(const std::int64_t found, copy.ask("SELECT value FROM meta WHERE key = 'applied_index'"));
  if (found != index) {
    return fail(ErrorCode::kCorrupt, "cannot use '" + copy.path() + "': it ends at entry " +
                                         std::to_string(found) + " instead of " +
                                         std::to_string(index));
  }
  DC_TRY(Stmt put, copy.prepare("INSERT OR REPLACE INTO meta(key, value) "
                                "VALUES('copied_index', ?1), ('copied_term', ?2)"));
  put.bind(1, index);
  put.bind(2, term);
  return put.run();
}

/// Fills the empty file `part`, which `fd` has open. It is a file of one piece afterwards.
Status fill(const FrozenState& from, std::int64_t term, const std::string& part, int fd,
            const std::atomic<bool>& stops) {
  DC_TRY(const std::unique_ptr<Db> copy, Db::open(part, OpenMode::kOwner));
  // A copy that is not whole is thrown away, so that nothing needs to be undone or synced in it.
  DC_CHECK_OK(copy->exec("PRAGMA locking_mode = EXCLUSIVE"));
  DC_CHECK_OK(copy->exec("PRAGMA journal_mode = MEMORY"));
  DC_CHECK_OK(copy->exec("PRAGMA synchronous = OFF"));
  DC_CHECK_OK(copy_pages(*from.db, *copy, fd, stops));
  DC_CHECK_OK(copy->exec("PRAGMA journal_mode = MEMORY"));
  return note_copy(*copy, from.index, term);
}

Result<StateCopy> copy_through(const FrozenState& from, std::int64_t term, const std::string& path,
                               const std::atomic<bool>& stops) {
  const std::string part = path + ".part";
  DC_CHECK_OK(remove_file(part));
  DC_TRY(const UniqueFd fd, make_new_file(part));
  DC_CHECK_OK(fill(from, term, part, fd.get(), stops));
  DC_CHECK_OK(sync_file(fd.get(), part));
  StateCopy copy{path, from.index, term, 0, 0};
  DC_TRY(copy.size, size_of_file(fd.get(), part));
  DC_TRY(copy.crc, crc_of_file(fd.get(), part, stops));
  if (is_there(path)) return fail(ErrorCode::kConflict, "cannot make '" + path + "': it exists");
  DC_CHECK_OK(rename_file(part, path));
  DC_CHECK_OK(sync_directory_of(path));
  return copy;
}

int look(void* stops) {
  return *static_cast<const std::atomic<bool>*>(stops) ? 1 : 0;
}

Status check_pages(const Db& db, Examination examination) {
  DC_TRY(Stmt check, examination == Examination::kFull ? db.prepare("PRAGMA integrity_check(1)")
                                                       : db.prepare("PRAGMA quick_check(1)"));
  DC_TRY(const bool row, check.step());
  const std::string found = row ? check.text(0) : "no answer";
  if (found == "ok") return {};
  return fail_hint(ErrorCode::kCorrupt, "cannot use '" + db.path() + "': " + found,
                   "take another copy");
}

Status read_facts(const Db& db, CopyFacts& facts) {
  DC_TRY(Stmt rows, db.prepare("SELECT key, value FROM meta"));
  std::int64_t copied_index = 0;
  std::int64_t copied_term = 0;
  while (true) {
    DC_TRY(const bool row, rows.step());
    if (!row) break;
    const std::string_view key = rows.bytes(0);
    if (key == "applied_index") facts.index = rows.integer(1);
    if (key == "copied_index") copied_index = rows.integer(1);
    if (key == "copied_term") copied_term = rows.integer(1);
    if (key == "incarnation") facts.incarnation = rows.integer(1);
    if (key == "cluster_name") facts.cluster_name = rows.text(1);
    if (key == "cluster_id") facts.cluster_id = rows.text(1);
  }
  if (copied_index == facts.index) facts.term = copied_term;
  return {};
}

}  // namespace

Result<FrozenState> freeze_state(const std::string& path) {
  FrozenState frozen;
  DC_TRY(frozen.db, Db::open(path, OpenMode::kReader));
  DC_CHECK_OK(frozen.db->exec("BEGIN"));
  // The transaction begins to hold with its first read.
  DC_TRY(frozen.index, frozen.db->ask("SELECT value FROM meta WHERE key = 'applied_index'"));
  return frozen;
}

Result<StateCopy> copy_state(const FrozenState& from, std::int64_t term, const std::string& path,
                             const std::atomic<bool>& stops) {
  if (is_there(path)) return fail(ErrorCode::kConflict, "cannot make '" + path + "': it exists");
  Result<StateCopy> copy = copy_through(from, term, path, stops);
  // What cannot be removed now is removed before the next copy to the same place.
  if (!copy) static_cast<void>(remove_file(path + ".part"));
  return copy;
}

Result<CopyFacts> examine_copy(const std::string& path, Examination examination,
                               const std::atomic<bool>& stops) {
  DC_TRY(const UniqueFd fd, open_to_read(path));
  DC_TRY(const std::uint64_t size, size_of_file(fd.get(), path));
  if (size == 0) return fail(ErrorCode::kInvalid, "cannot use '" + path + "': the file is empty");
  if (is_there(path + "-wal")) {
    DC_TRY(const UniqueFd wal, open_to_read(path + "-wal"));
    DC_TRY(const std::uint64_t wal_size, size_of_file(wal.get(), path + "-wal"));
    if (wal_size > 0) {
      return fail_hint(ErrorCode::kInvalid,
                       "cannot use '" + path + "': a part of it lies in '" + path + "-wal'",
                       "make the copy with distcronctl backup, or with .backup of sqlite3");
    }
  }
  DC_TRY(const std::unique_ptr<Db> db, Db::open(path, OpenMode::kImmutable));
  sqlite3_progress_handler(db->handle(), kInstructionsPerLook, look,
                           const_cast<std::atomic<bool>*>(&stops));  // NOLINT: it is only read.
  CopyFacts facts;
  DC_TRY(facts.format, file_version(*db, state_format()));
  DC_CHECK_OK(check_pages(*db, examination));
  DC_CHECK_OK(read_facts(*db, facts));
  return facts;
}

}  // namespace distcron::store
