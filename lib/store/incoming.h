// SPDX-License-Identifier: Apache-2.0
// Incoming: a snapshot that another host sends, gathered in a file of the directory until it is
// whole and checked. Knows nothing of the databases in use. Used by one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "store/completion.h"

namespace distcron::store {

/// Name of the checked file that waits to become state.db.
[[nodiscard]] std::string install_name(const LogStart& start);

class Incoming {
 public:
  explicit Incoming(std::string dir) : dir_(std::move(dir)) {}

  /// Stores a piece, or not when another one is wanted: the offset wanted next, the size when the
  /// file is whole. On an error the same piece may come again.
  [[nodiscard]] Result<std::uint64_t> take(const SnapshotPiece& piece);
  /// Makes the whole file durable, checks it and gives it its install_name(). kCorrupt: it is not
  /// what was announced, and is thrown away. Done once; true again when repeated.
  [[nodiscard]] Status finish(const std::atomic<bool>& stops);
  /// The file was taken over, or is not wanted any more.
  void forget();

 private:
  [[nodiscard]] Status begin(const SnapshotPiece& piece);
  [[nodiscard]] Status check(const std::atomic<bool>& stops) const;
  [[nodiscard]] bool is_same(const SnapshotPiece& piece) const;

  [[nodiscard]] std::string part() const { return dir_ + "/install.part"; }

  std::string dir_;
  SnapshotPiece facts_;  ///< Without bytes.
  UniqueFd file_;        ///< Open while pieces are wanted or not yet checked.
  std::uint64_t next_ = 0;
  bool is_ready_ = false;
};

}  // namespace distcron::store
