// SPDX-License-Identifier: Apache-2.0
// Opening a database without an agent; the questions themselves are in db_reader.cc.
#include "store/reader.h"

#include <utility>

#include <errno.h>
#include <sys/stat.h>

#include "store/db_reader.h"
#include "store/state_schema.h"

namespace distcron::store {
namespace {

/// Whether `path` has a write-ahead log with something in it.
bool has_wal(const std::string& path) {
  struct stat facts {};

  return ::stat((path + "-wal").c_str(), &facts) == 0 && facts.st_size > 0;
}

Result<std::unique_ptr<Reader>> open_as(const std::string& path, OpenMode mode) {
  DC_TRY(std::unique_ptr<Db> db, Db::open(path, mode));
  DC_TRY(const std::int64_t version, file_version(*db, state_format()));
  if (version != static_cast<std::int64_t>(state_format().steps.size())) {
    return fail_hint(ErrorCode::kInvalid,
                     "cannot read '" + path + "': it has format " + std::to_string(version) +
                         " of an older DistCron",
                     "start an agent on it once, or read it with the DistCron that wrote it");
  }
  DC_TRY(std::unique_ptr<DbReader> reader, DbReader::make(std::move(db)));
  return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::open_file(const std::string& path) {
  struct stat facts {};

  if (::stat(path.c_str(), &facts) != 0) {
    const ErrorCode code = errno == ENOENT   ? ErrorCode::kNotFound
                           : errno == EACCES ? ErrorCode::kDenied
                                             : ErrorCode::kIo;
    return fail_errno(code, "cannot open '" + path + "'", errno);
  }
  if (facts.st_size == 0) {
    return fail(ErrorCode::kInvalid, "cannot read '" + path + "': the file is empty");
  }
  Result<std::unique_ptr<Reader>> reader = open_as(path, OpenMode::kReader);
  // A backup on a medium that cannot be written has no room for the files of a shared reader.
  if (!reader && reader.error().code == ErrorCode::kIo && !has_wal(path)) {
    Result<std::unique_ptr<Reader>> alone = open_as(path, OpenMode::kImmutable);
    if (alone) return alone;
  }
  return reader;
}

}  // namespace distcron::store
