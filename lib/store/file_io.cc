// SPDX-License-Identifier: Apache-2.0
#include "store/file_io.h"

#include <algorithm>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdio.h>

#include "store/crc32c.h"

namespace distcron::store {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr std::uint64_t kReadStep = 256 * 1024;

ErrorCode code_of(int sys_errno) {
  if (sys_errno == ENOENT) return ErrorCode::kNotFound;
  if (sys_errno == EEXIST) return ErrorCode::kConflict;
  if (sys_errno == EACCES || sys_errno == EPERM) return ErrorCode::kDenied;
  return ErrorCode::kIo;
}

tl::unexpected<Error> refused(const std::string& what, const std::string& path) {
  const int sys_errno = errno;
  return fail_errno(code_of(sys_errno), "cannot " + what + " '" + path + "'", sys_errno);
}

}  // namespace

Result<UniqueFd> make_new_file(const std::string& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(path.c_str(), kFlags, kFileMode));
  if (!fd) return refused("make", path);
  return fd;
}

Result<UniqueFd> open_to_read(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return refused("open", path);
  return fd;
}

Status write_at(int fd, const std::string& path, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return refused("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Result<std::string> read_at(int fd, const std::string& path, std::uint64_t offset,
                            std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t done = ::pread(fd, bytes.data() + filled, bytes.size() - filled,
                                 static_cast<off_t>(offset + filled));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return refused("read", path);
    if (done == 0) break;
    filled += static_cast<std::size_t>(done);
  }
  bytes.resize(filled);
  return bytes;
}

Result<std::uint64_t> size_of_file(int fd, const std::string& path) {
  struct stat facts {};

  if (::fstat(fd, &facts) != 0) return refused("examine", path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<std::uint32_t> crc_of_file(int fd, const std::string& path, const std::atomic<bool>& stops) {
  std::uint32_t crc = 0;
  std::uint64_t offset = 0;
  while (true) {
    if (stops) return fail(ErrorCode::kUnavailable, "cannot read '" + path + "': stopping");
    DC_TRY(const std::string bytes, read_at(fd, path, offset, kReadStep));
    crc = crc32c(crc, bytes);
    offset += bytes.size();
    if (bytes.size() < kReadStep) return crc;
  }
}

Status sync_file(int fd, const std::string& path) {
  if (::fsync(fd) != 0) return refused("sync", path);
  return {};
}

Status sync_directory_of(const std::string& path) {
  const std::size_t end = path.rfind('/');
  const std::string dir = end == std::string::npos ? "." : path.substr(0, std::max(end, size_t{1}));
  const UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return refused("open directory", dir);
  return sync_file(fd.get(), dir);
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return refused("put in place", to);
  return {};
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return refused("remove", path);
  return {};
}

bool is_there(const std::string& path) {
  struct stat facts {};

  return ::lstat(path.c_str(), &facts) == 0;
}

}  // namespace distcron::store
