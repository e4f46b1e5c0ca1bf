// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace distcron::store {
namespace {

constexpr int kBusyMillis = 5000;

struct CodeName {
  int code;
  std::string_view name;
};

// The codes that an operator may meet; others show their number.
constexpr std::array kCodeNames{
    CodeName{SQLITE_FULL, "FULL"},
    CodeName{SQLITE_CORRUPT, "CORRUPT"},
    CodeName{SQLITE_NOTADB, "NOTADB"},
    CodeName{SQLITE_BUSY, "BUSY"},
    CodeName{SQLITE_CANTOPEN, "CANTOPEN"},
    CodeName{SQLITE_READONLY, "READONLY"},
    CodeName{SQLITE_NOMEM, "NOMEM"},
    CodeName{SQLITE_IOERR_READ, "IOERR_READ"},
    CodeName{SQLITE_IOERR_SHORT_READ, "IOERR_SHORT_READ"},
    CodeName{SQLITE_IOERR_WRITE, "IOERR_WRITE"},
    CodeName{SQLITE_IOERR_FSYNC, "IOERR_FSYNC"},
    CodeName{SQLITE_IOERR_DIR_FSYNC, "IOERR_DIR_FSYNC"},
    CodeName{SQLITE_IOERR_TRUNCATE, "IOERR_TRUNCATE"},
    CodeName{SQLITE_IOERR_SHMSIZE, "IOERR_SHMSIZE"},
    CodeName{SQLITE_CONSTRAINT_UNIQUE, "CONSTRAINT_UNIQUE"},
    CodeName{SQLITE_CONSTRAINT_PRIMARYKEY, "CONSTRAINT_PRIMARYKEY"},
};

std::string code_text(int rc) {
  for (const CodeName& row : kCodeNames) {
    if (row.code == rc) return "SQLITE_" + std::string(row.name);
  }
  return "SQLite code " + std::to_string(rc);
}

int wal_committed(void* frames, sqlite3* /*db*/, const char* /*name*/, int pages) {
  *static_cast<std::int64_t*>(frames) = pages;
  return SQLITE_OK;
}

/// A path as `file:` URI; everything but plain characters is escaped.
std::string immutable_uri(std::string_view path) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
    if (plain) {
      uri += c;
    } else {
      uri += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return uri + "?immutable=1";
}

int open_flags(OpenMode mode) {
  constexpr int kCommon = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case OpenMode::kOwner:
      return kCommon | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case OpenMode::kReader:
      return kCommon | SQLITE_OPEN_READONLY;
    case OpenMode::kImmutable:
      return kCommon | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  }
  return kCommon;
}

}  // namespace

void Stmt::bind(int at, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.empty() ? "" : text.data();
  keep(sqlite3_bind_text64(stmt_.get(), at, data, text.size(), nullptr, SQLITE_UTF8));
}

void Stmt::bind_blob(int at, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  keep(sqlite3_bind_blob64(stmt_.get(), at, data, bytes.size(), nullptr));
}

Status Stmt::run() {
  const StmtScope scope(*this);
  const Result<bool> row = step();
  if (!row) return fail(row.error());
  return {};
}

Result<bool> Stmt::step() {
  if (bind_rc_ != SQLITE_OK) {
    const int rc = bind_rc_;
    reset();
    return fail(db_->error(rc));
  }
  const int rc = sqlite3_step(stmt_.get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  Error error = db_->error(rc);
  reset();
  return fail(std::move(error));
}

void Stmt::reset() noexcept {
  sqlite3_reset(stmt_.get());
  sqlite3_clear_bindings(stmt_.get());
  bind_rc_ = SQLITE_OK;
}

bool Stmt::is_null(int column) const {
  return sqlite3_column_type(stmt_.get(), column) == SQLITE_NULL;
}

std::int64_t Stmt::integer(int column) const {
  return sqlite3_column_int64(stmt_.get(), column);
}

std::optional<WallTime> Stmt::maybe_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

std::optional<std::int32_t> Stmt::maybe_int32(int column) const {
  if (is_null(column)) return std::nullopt;
  return static_cast<std::int32_t>(integer(column));
}

std::string_view Stmt::bytes(int column) const {
  const void* data = sqlite3_column_blob(stmt_.get(), column);
  if (data == nullptr) return {};
  const int size = sqlite3_column_bytes(stmt_.get(), column);
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Result<std::unique_ptr<Db>> Db::open(const std::string& path, OpenMode mode) {
  sqlite3* raw = nullptr;
  const std::string name = mode == OpenMode::kImmutable ? immutable_uri(path) : path;
  const int rc = sqlite3_open_v2(name.c_str(), &raw, open_flags(mode), nullptr);
  std::unique_ptr<Db> db(new Db(path, raw));
  if (raw == nullptr) return fail_errno(ErrorCode::kIo, "cannot open '" + path + "'", ENOMEM);
  if (rc != SQLITE_OK) return fail(db->error(rc));
  DC_CHECK_OK(db->configure(mode));
  return db;
}

Status Db::configure(OpenMode mode) {
  sqlite3* db = db_.get();
  sqlite3_busy_timeout(db, kBusyMillis);
  for (const int option : {SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE}) {
    const int rc = sqlite3_db_config(db, option, 1, nullptr);
    if (rc != SQLITE_OK) return fail(error(rc));
  }
  const int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (rc != SQLITE_OK) return fail(error(rc));
  DC_CHECK_OK(exec("PRAGMA temp_store = MEMORY"));
  if (mode == OpenMode::kOwner) sqlite3_wal_hook(db, wal_committed, &wal_frames_);
  return {};
}

Status Db::exec(Sql sql) const {
  const int rc = sqlite3_exec(db_.get(), sql.text(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return fail(error(rc));
  return {};
}

Result<Stmt> Db::prepare(Sql sql) const {
  sqlite3_stmt* stmt = nullptr;
  const int rc = sqlite3_prepare_v3(db_.get(), sql.text(), sql.size(), SQLITE_PREPARE_PERSISTENT,
                                    &stmt, nullptr);
  if (rc != SQLITE_OK) return fail(error(rc));
  return Stmt(this, stmt);
}

Result<std::int64_t> Db::ask(Sql sql) const {
  DC_TRY(Stmt stmt, prepare(sql));
  DC_TRY(const bool row, stmt.step());
  return row ? stmt.integer(0) : 0;
}

void Db::roll_back() const noexcept {
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<Checkpointed> Db::checkpoint(int mode) {
  int frames = 0;
  int moved = 0;
  sqlite3_busy_timeout(db_.get(), 0);
  const int rc = sqlite3_wal_checkpoint_v2(db_.get(), "main", mode, &frames, &moved);
  sqlite3_busy_timeout(db_.get(), kBusyMillis);
  // Busy: a reader holds up the rest, or only the cutting of the file.
  if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) return fail(error(rc));
  const Checkpointed done{frames >= 0 && frames == moved, std::max(frames - moved, 0)};
  if (done.complete) wal_frames_ = 0;
  return done;
}

Error Db::error(int rc) const {
  sqlite3* db = db_.get();
  Error error{ErrorCode::kIo, "cannot use '" + path_ + "': ", 0, {}};
  error.message += sqlite3_errmsg(db);
  error.message += " (" + code_text(rc) + ")";
  switch (rc & 0xff) {
    case SQLITE_FULL:
      error.sys_errno = ENOSPC;
      error.hint = "make room on the file system of " + path_;
      return error;
    case SQLITE_NOMEM:
      error.sys_errno = ENOMEM;
      return error;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      error.code = ErrorCode::kUnavailable;
      return error;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
      error.code = ErrorCode::kCorrupt;
      error.hint = std::string(kDamageHint);
      return error;
    default:
      break;
  }
  error.sys_errno = sqlite3_system_errno(db);
  // After a failed fsync nobody knows what the disk holds, whatever the reason was.
  const bool is_sync = rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
  if (error.sys_errno == 0 || is_sync) error.sys_errno = EIO;
  return error;
}

bool is_fatal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kInvalid:
      return false;
    case ErrorCode::kIo:
      return error.sys_errno != ENOSPC && error.sys_errno != EDQUOT && error.sys_errno != ENOMEM;
    case ErrorCode::kCorrupt:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kDenied:
      return true;
  }
  return true;
}

}  // namespace distcron::store
