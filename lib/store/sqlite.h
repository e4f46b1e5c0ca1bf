// SPDX-License-Identifier: Apache-2.0
// Db and Stmt: owners of a SQLite connection and of its prepared statements, with errors as values.
// A connection and its statements are used by one thread at a time (opened NOMUTEX).
// SQL is a literal of the program: Sql cannot be made from a string of run time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "base/result.h"
#include "base/time.h"

namespace distcron::store {

/// The way out when stored bytes are damaged.
inline constexpr std::string_view kDamageHint =
    "keep the file for examination; empty the directory and let the host join again under a new "
    "node id, or restore a backup if it was alone";

/// SQL text that was written in the source.
class Sql {
 public:
  template <std::size_t kSize>
  consteval Sql(const char (&text)[kSize])  // NOLINT(google-explicit-constructor): as a literal.
      : text_(static_cast<const char*>(text)), size_(kSize - 1) {}

  [[nodiscard]] const char* text() const { return text_; }

  [[nodiscard]] int size() const { return static_cast<int>(size_); }

 private:
  const char* text_;
  std::size_t size_;
};

struct CloseDb {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};

struct FinalizeStmt {
  void operator()(sqlite3_stmt* stmt) const noexcept { sqlite3_finalize(stmt); }
};

class Db;

/// A prepared statement, reused for its whole life. Bound texts must live until reset().
class Stmt {
 public:
  Stmt() = default;

  void bind(int at, std::int64_t value) { keep(sqlite3_bind_int64(stmt_.get(), at, value)); }

  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }

  void bind(int at, std::int32_t value) { bind(at, static_cast<std::int64_t>(value)); }

  void bind(int at, bool value) { bind(at, static_cast<std::int64_t>(value ? 1 : 0)); }

  void bind(int at, WallTime value) { bind(at, epoch_micros(value)); }

  void bind(int at, std::string_view text);
  void bind(int at, const char* text) = delete;  ///< Would bind a bool.
  void bind_blob(int at, std::string_view bytes);

  void bind_null(int at) { keep(sqlite3_bind_null(stmt_.get(), at)); }

  template <class T>
  void bind(int at, const std::optional<T>& value) {
    if (value) {
      bind(at, *value);
    } else {
      bind_null(at);
    }
  }

  /// Runs a statement that returns no row, and resets it.
  [[nodiscard]] Status run();
  /// Next row: false when there is none. On an error the statement is reset.
  [[nodiscard]] Result<bool> step();
  void reset() noexcept;

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;

  [[nodiscard]] WallTime time(int column) const { return wall_from_micros(integer(column)); }

  [[nodiscard]] std::optional<WallTime> maybe_time(int column) const;
  [[nodiscard]] std::optional<std::int32_t> maybe_int32(int column) const;
  /// Text or blob; lives until the next step or reset.
  [[nodiscard]] std::string_view bytes(int column) const;

  [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }

 private:
  friend class Db;

  Stmt(const Db* db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}

  void keep(int rc) { bind_rc_ = bind_rc_ == SQLITE_OK ? rc : bind_rc_; }

  const Db* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, FinalizeStmt> stmt_;
  int bind_rc_ = SQLITE_OK;
};

/// Makes a statement reusable when the scope ends, also on the error path.
class StmtScope {
 public:
  explicit StmtScope(Stmt& stmt) noexcept : stmt_(stmt) {}

  ~StmtScope() { stmt_.reset(); }

  StmtScope(const StmtScope&) = delete;
  StmtScope& operator=(const StmtScope&) = delete;

 private:
  Stmt& stmt_;
};

enum class OpenMode : std::uint8_t {
  kOwner,      ///< Reads and writes; makes the file.
  kReader,     ///< Reads only and never checkpoints.
  kImmutable,  ///< Reads a file that nobody writes; needs no right to write beside it.
};

struct Checkpointed {
  bool complete = false;  ///< All frames are in the database file, and it is synced.
  std::int64_t frames_left = 0;
};

class Db {
 public:
  /// Opens with extended error codes, DEFENSIVE, trusted_schema off and temporary data in memory.
  [[nodiscard]] static Result<std::unique_ptr<Db>> open(const std::string& path, OpenMode mode);
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;
  ~Db() = default;

  [[nodiscard]] Status exec(Sql sql) const;
  [[nodiscard]] Result<Stmt> prepare(Sql sql) const;
  /// The single integer that `sql` answers; 0 when it has no row.
  [[nodiscard]] Result<std::int64_t> ask(Sql sql) const;

  [[nodiscard]] Status begin() const { return exec("BEGIN IMMEDIATE"); }

  [[nodiscard]] Status commit() const { return exec("COMMIT"); }

  /// Ends a transaction that failed, if SQLite has not done it by itself.
  void roll_back() const noexcept;

  /// Moves the write-ahead log into the database file; `mode` is SQLITE_CHECKPOINT_*. Does not
  /// wait for readers.
  [[nodiscard]] Result<Checkpointed> checkpoint(int mode);

  /// Frames in the write-ahead log after the last commit; 0 when all of them have been moved.
  [[nodiscard]] std::int64_t wal_frames() const { return wal_frames_; }

  /// The error of the last call on this connection: kCorrupt (damage), kUnavailable (locked), or
  /// kIo with sys_errno; is_fatal() tells those that waiting cannot cure.
  [[nodiscard]] Error error(int rc) const;

  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] sqlite3* handle() const { return db_.get(); }

 private:
  Db(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}

  [[nodiscard]] Status configure(OpenMode mode);

  std::string path_;
  std::unique_ptr<sqlite3, CloseDb> db_;
  std::int64_t wal_frames_ = 0;
};

/// False for what goes away by itself (disk full, memory short, locked), true for the rest.
[[nodiscard]] bool is_fatal(const Error& error);

}  // namespace distcron::store
