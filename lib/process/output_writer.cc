// SPDX-License-Identifier: Apache-2.0
#include "process/output_writer.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "process/text_buffer.h"

namespace distcron::process {

namespace {
constexpr std::int64_t kLimitMin = 4'096;
using Name = TextBuffer<64>;

Name file_name(const char* name, std::int64_t start) {
  Name file;
  file.add(name).add(".").add(start);
  return file;
}
}  // namespace

OutputWriter::OutputWriter(int dir, const char* name, std::int64_t max_bytes)
    : dir_(dir), name_(name) {
  const std::int64_t limit = std::max(max_bytes, kLimitMin);
  tail_max_ = limit / 4;
  head_max_ = limit - 2 * tail_max_;
}

std::int64_t OutputWriter::room() const {
  if (pieces_ == 0 || is_broken_) return 0;
  if (pieces_ == 1) return head_max_ - head_.bytes;
  return tail_max_ - tail_[static_cast<std::size_t>(pieces_ - 2)].bytes;
}

void OutputWriter::fail(int sys_errno) {
  if (first_errno_ == 0) first_errno_ = sys_errno;
  is_broken_ = true;
}

void OutputWriter::forget_oldest_tail() {
  ::unlinkat(dir_, file_name(name_, tail_[0].start).c_str(), 0);
  tail_[0] = tail_[1];
  pieces_ = 2;
}

bool OutputWriter::open_piece() {
  const Name file = file_name(name_, written_);
  const int fd =
      ::openat(dir_, file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) {
    fail(errno);
    return false;
  }
  file_.reset(fd);
  is_broken_ = false;
  if (pieces_ == 3) forget_oldest_tail();
  if (pieces_ == 0) {
    head_ = {written_, 0};
  } else {
    tail_[static_cast<std::size_t>(pieces_ - 1)] = {written_, 0};
  }
  ++pieces_;
  return true;
}

void OutputWriter::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (room() <= 0 && !open_piece()) {
      written_ += static_cast<std::int64_t>(bytes.size());
      return;
    }
    const std::size_t part =
        std::min(bytes.size(), static_cast<std::size_t>(std::max<std::int64_t>(room(), 1)));
    const ssize_t put = ::write(file_.get(), bytes.data(), part);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      fail(put < 0 ? errno : ENOSPC);
      written_ += static_cast<std::int64_t>(bytes.size());
      return;
    }
    Piece& piece = pieces_ == 1 ? head_ : tail_[static_cast<std::size_t>(pieces_ - 2)];
    piece.bytes += put;
    written_ += put;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

StreamCount OutputWriter::count() const {
  StreamCount count{written_, 0};
  if (pieces_ >= 1) count.kept += head_.bytes;
  if (pieces_ >= 2) count.kept += tail_[0].bytes;
  if (pieces_ >= 3) count.kept += tail_[1].bytes;
  return count;
}

}  // namespace distcron::process
