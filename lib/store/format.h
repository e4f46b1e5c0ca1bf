// SPDX-License-Identifier: Apache-2.0
// The format of a database file: its application_id, its user_version, and the way forward from
// older versions. A file of a newer version is refused, never guessed at.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "store/sqlite.h"

namespace distcron::store {

struct FileFormat {
  std::string_view name;  ///< "state.db"
  std::int64_t application_id = 0;
  /// Step n brings a file of version n to n + 1 and sets user_version; step 0 makes the schema and
  /// sets application_id. The current version is the number of steps.
  std::span<const Sql> steps;
};

/// Checks without writing. Version of the file, 0 when it is empty. kInvalid: written by a newer
/// DistCron; kCorrupt: some other database.
[[nodiscard]] Result<std::int64_t> file_version(const Db& db, const FileFormat& format);

/// Brings the file to the current version, each step in a transaction of its own.
[[nodiscard]] Status bring_forward(const Db& db, const FileFormat& format);

}  // namespace distcron::store
