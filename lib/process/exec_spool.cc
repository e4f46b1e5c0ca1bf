// SPDX-License-Identifier: Apache-2.0
#include "process/exec_spool.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace distcron::process {

namespace {

constexpr std::size_t kNameMax = 255;

bool is_table_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name.front() == '.') return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
  });
}

int open_dir(const std::string& dir) {
  return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/// 0 when `facts` are of a file that may be handed out.
int fault_of(const struct stat& facts) {
  if (S_ISLNK(facts.st_mode)) return ELOOP;
  if (!S_ISREG(facts.st_mode)) return EINVAL;
  if (facts.st_nlink != 1) return EMLINK;
  return facts.st_size > kSpoolTableBytesMax ? EFBIG : 0;
}

}  // namespace

SpoolAnswer list_spool(const std::string& dir) {
  if (dir.empty()) return {UniqueFd(), ENOTSUP};
  const int fd = open_dir(dir);
  if (fd < 0) return {UniqueFd(), errno};
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    const int code = errno;
    ::close(fd);
    return {UniqueFd(), code};
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> owner(stream, ::closedir);
  std::string names;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(stream)) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name(static_cast<const char*>(entry->d_name));
    if (!is_table_name(name)) continue;
    if (++count > kSpoolNamesMax) return {UniqueFd(), E2BIG};
    names.append(name).push_back('\0');
  }
  UniqueFd file(::memfd_create("distcron-spool", MFD_CLOEXEC));
  if (!file) return {UniqueFd(), errno};
  const bool ok =
      ::write(file.get(), names.data(), names.size()) == static_cast<ssize_t>(names.size()) &&
      ::lseek(file.get(), 0, SEEK_SET) == 0;
  return ok ? SpoolAnswer{std::move(file), 0} : SpoolAnswer{UniqueFd(), EIO};
}

SpoolAnswer open_spool_table(const std::string& dir, std::string_view name) {
  if (dir.empty()) return {UniqueFd(), ENOTSUP};
  if (!is_table_name(name)) return {UniqueFd(), EINVAL};
  const UniqueFd folder(open_dir(dir));
  if (!folder) return {UniqueFd(), errno};
  const std::string text(name);

  struct stat facts {};

  // Looked at before it is opened: to open a device or a FIFO can do something.
  if (::fstatat(folder.get(), text.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
    return {UniqueFd(), errno};
  }
  if (const int fault = fault_of(facts); fault != 0) return {UniqueFd(), fault};
  UniqueFd file(::openat(folder.get(), text.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file || ::fstat(file.get(), &facts) != 0) return {UniqueFd(), errno};
  if (const int fault = fault_of(facts); fault != 0) return {UniqueFd(), fault};
  return {std::move(file), 0};
}

}  // namespace distcron::process
