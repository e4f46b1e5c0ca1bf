// SPDX-License-Identifier: Apache-2.0
// Names in a folder by getdents64(2), without allocation. Owns nothing: the descriptor is the
// caller's. One reader at a time, as the buffer is static.
#pragma once

#include <array>
#include <cstddef>

namespace distcron::process {

class DirReader {
 public:
  /// `dir` is read from where it stands.
  explicit DirReader(int dir) : dir_(dir) {}

  /// The next name, valid until the next call; null at the end or on an error.
  [[nodiscard]] const char* next();

 private:
  int dir_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

}  // namespace distcron::process
