// SPDX-License-Identifier: Apache-2.0
// The chain of checksums of the log, and what is said of damage to it. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/crc32c.h"
#include "store/log_entry.h"
#include "store/sqlite.h"

namespace distcron::store {

/// CRC of `entry` and all before it. The kind is the topmost byte of the term, so that commands
/// have the sums that they had before there were kinds.
[[nodiscard]] inline std::uint32_t chained_crc(std::uint32_t before, const LogEntry& entry) {
  std::array<char, 16> head{};
  const auto index = static_cast<std::uint64_t>(entry.index);
  const auto term = static_cast<std::uint64_t>(entry.term) ^ static_cast<std::uint64_t>(entry.kind)
                                                                 << 56U;
  for (std::size_t i = 0; i < 8; ++i) {
    head[i] = static_cast<char>((index >> (8 * i)) & 0xffU);
    head[8 + i] = static_cast<char>((term >> (8 * i)) & 0xffU);
  }
  return crc32c(crc32c(before, std::string_view(head.data(), head.size())), entry.bytes);
}

/// kCorrupt with the way out.
[[nodiscard]] inline Error damaged_log(const std::string& path, std::int64_t index,
                                       std::string_view what) {
  return Error{
      ErrorCode::kCorrupt,
      "cannot use '" + path + "': log entry " + std::to_string(index) + " " + std::string(what), 0,
      std::string(kDamageHint)};
}

}  // namespace distcron::store
