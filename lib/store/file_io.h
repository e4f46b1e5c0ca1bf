// SPDX-License-Identifier: Apache-2.0
// Plain files of the store: making, writing, syncing and putting them in place, with errors that
// name the file. Any thread; each descriptor by one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace distcron::store {

/// Makes `path`, mode 0600, for reading and writing. kConflict when there is something already.
[[nodiscard]] Result<UniqueFd> make_new_file(const std::string& path);
[[nodiscard]] Result<UniqueFd> open_to_read(const std::string& path);

[[nodiscard]] Status write_at(int fd, const std::string& path, std::uint64_t offset,
                              std::string_view bytes);
/// Up to `size` bytes; fewer only at the end of the file.
[[nodiscard]] Result<std::string> read_at(int fd, const std::string& path, std::uint64_t offset,
                                          std::uint64_t size);
[[nodiscard]] Result<std::uint64_t> size_of_file(int fd, const std::string& path);
/// CRC-32C of the whole file. kUnavailable when `stops` becomes true meanwhile.
[[nodiscard]] Result<std::uint32_t> crc_of_file(int fd, const std::string& path,
                                                const std::atomic<bool>& stops);

[[nodiscard]] Status sync_file(int fd, const std::string& path);
/// Makes the names of the directory in which `path` lies durable.
[[nodiscard]] Status sync_directory_of(const std::string& path);
/// Replaces what is at `to`. Durable after sync_directory_of(to).
[[nodiscard]] Status rename_file(const std::string& from, const std::string& to);
/// It need not be there.
[[nodiscard]] Status remove_file(const std::string& path);
[[nodiscard]] bool is_there(const std::string& path);

}  // namespace distcron::store
