// SPDX-License-Identifier: Apache-2.0
// FaultVfs: SQLite's own file layer with a fault at a chosen write or sync. While it lives, it is
// the default of the process; one at a time. The plan may be changed from any thread.
#pragma once

#include <cstdint>

namespace distcron::test {

struct FaultPlan {
  /// Operations counted: writes, truncations and growth of shared memory, or syncs.
  enum class Where : std::uint8_t { kWrite, kSync };
  Where where = Where::kWrite;
  std::int64_t at = 0;     ///< Number of the first operation that fails, from 1; 0: none.
  std::int64_t count = 1;  ///< How many fail in a row.
  int sys_errno = 0;       ///< ENOSPC is told as a full disk, everything else as EIO.
  bool is_torn = false;    ///< The first failing write leaves half of its bytes.
};

class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// Counting begins anew.
  static void set(const FaultPlan& plan);

  static void clear() { set(FaultPlan{}); }

  /// Operations of the planned kind since set().
  [[nodiscard]] static std::int64_t counted();
};

}  // namespace distcron::test
