// SPDX-License-Identifier: Apache-2.0
#include "process/dir_reader.h"

#include <cstdint>
#include <cstring>

#include <sys/syscall.h>
#include <unistd.h>

namespace distcron::process {

namespace {
/// As the kernel lays an entry out; the name follows.
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kNameAt = 19;
alignas(8) constinit std::array<char, 32'768> entries{};
}  // namespace

const char* DirReader::next() {
  if (at_ >= end_) {
    const long got = ::syscall(SYS_getdents64, dir_, entries.data(), entries.size());
    if (got <= 0) return nullptr;
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  std::uint16_t length = 0;
  std::memcpy(&length, entries.data() + at_ + kLengthAt, sizeof(length));
  const char* name = entries.data() + at_ + kNameAt;
  at_ += length;
  return name;
}

}  // namespace distcron::process
