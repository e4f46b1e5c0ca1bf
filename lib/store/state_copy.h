// SPDX-License-Identifier: Apache-2.0
// Copies of a whole state.db as of one entry: freezing, copying and examining. A frozen database is
// a connection that stands in a read transaction; it may be used on another thread than the one
// that made it. Each function blocks on the disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/completion.h"
#include "store/sqlite.h"

namespace distcron::store {

struct FrozenState {
  std::unique_ptr<Db> db;
  std::int64_t index = 0;  ///< Of the last entry that it contains.
};

/// A view of the state.db at `path` as it is now, unaffected by what is written later. While it
/// lives, the write-ahead log of `path` cannot be cut.
[[nodiscard]] Result<FrozenState> freeze_state(const std::string& path);

/// Copies to `path`, which must not exist, through `path`.part: complete and durable, or not there.
/// `term` is that of the entry, and is noted in the copy. kUnavailable when `stops` becomes true.
[[nodiscard]] Result<StateCopy> copy_state(const FrozenState& from, std::int64_t term,
                                           const std::string& path, const std::atomic<bool>& stops);

enum class Examination : std::uint8_t {
  kQuick,  ///< PRAGMA quick_check: every page, not the indexes.
  kFull,   ///< PRAGMA integrity_check.
};

/// What a copy says of itself.
struct CopyFacts {
  std::int64_t index = 0;
  std::int64_t term = 0;    ///< 0: not noted.
  std::int64_t format = 0;  ///< Its user_version.
  std::int64_t incarnation = 0;
  std::string cluster_name;
  std::string cluster_id;
};

/// Reads the whole of a file that nobody writes. kNotFound; kInvalid: empty, has a write-ahead log
/// beside it, or is of a newer DistCron; kCorrupt: damaged, or no state.db.
[[nodiscard]] Result<CopyFacts> examine_copy(const std::string& path, Examination examination,
                                             const std::atomic<bool>& stops);

}  // namespace distcron::store
