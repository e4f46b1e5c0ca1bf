// SPDX-License-Identifier: Apache-2.0
// Keeps head and tail of one output stream in files named NAME.OFFSET, where OFFSET is the place
// of the file's first byte in the stream. So the folder alone says what is kept and what was cut,
// and a kill at any moment damages nothing. Used by the stub only; no allocation.
//
// The head takes half of the limit, each tail file a quarter; the head and the two newest tail
// files stay. Nothing is cut until the limit is passed; then at least 3/4 of the limit is kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/unique_fd.h"
#include "process/end_record.h"

namespace distcron::process {

class OutputWriter {
 public:
  /// `dir` is the attempt's folder and stays the caller's; `name` must live as long as the writer.
  OutputWriter(int dir, const char* name, std::int64_t max_bytes);

  /// Writes at once (may block on the disk). A byte that cannot be written is counted as cut.
  void append(std::span<const std::byte> bytes);

  [[nodiscard]] StreamCount count() const;

  /// First errno of a failed write, 0 when none.
  [[nodiscard]] int first_errno() const { return first_errno_; }

 private:
  struct Piece {
    std::int64_t start = 0;
    std::int64_t bytes = 0;
  };

  [[nodiscard]] std::int64_t room() const;
  bool open_piece();
  void forget_oldest_tail();
  void fail(int sys_errno);

  int dir_;
  const char* name_;
  std::int64_t head_max_;
  std::int64_t tail_max_;
  UniqueFd file_;
  std::int64_t written_ = 0;
  Piece head_;
  std::array<Piece, 2> tail_{};  ///< Oldest first.
  int pieces_ = 0;               ///< Files begun so far, at most 3: head and two tails.
  bool is_broken_ = false;       ///< The last write failed: go on in a new file.
  int first_errno_ = 0;
};

}  // namespace distcron::process
