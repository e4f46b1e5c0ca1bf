// SPDX-License-Identifier: Apache-2.0
#include "store/state_dir.h"

#include <array>
#include <cctype>
#include <utility>

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace distcron::store {
namespace {

constexpr mode_t kDirMode = 0700;
constexpr mode_t kFileMode = 0600;

/// Digits at the start of the lock file: the pid of its holder, "?" when there are none.
std::string holder_of(int lock) {
  std::array<char, 16> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t i = 0; i < size; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) break;
    pid += c;
  }
  return pid.empty() ? "?" : pid;
}

Result<UniqueFd> take_lock(int dir, const std::string& path) {
  UniqueFd lock(::openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!lock) return fail_errno(ErrorCode::kIo, "cannot open '" + path + "/lock'", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fail_errno(ErrorCode::kIo, "cannot lock '" + path + "/lock'", errno);
    }
    return fail_hint(ErrorCode::kUnavailable,
                     "another agent (pid " + holder_of(lock.get()) + ") uses '" + path + "'",
                     "stop it, or give this one another storage.dir");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // The pid is only for people: a full disk must not keep an agent from starting.
  if (::ftruncate(lock.get(), 0) == 0 && ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
    return lock;
  }
  return lock;
}

}  // namespace

Result<StateDir> StateDir::open(const std::string& path) {
  if (::mkdir(path.c_str(), kDirMode) != 0 && errno != EEXIST) {
    return fail_errno(ErrorCode::kIo, "cannot make directory '" + path + "'", errno);
  }
  UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return fail_errno(ErrorCode::kIo, "cannot open directory '" + path + "'", errno);

  struct stat facts {};

  if (::fstat(dir.get(), &facts) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot examine '" + path + "'", errno);
  }
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail_hint(ErrorCode::kDenied, "cannot trust '" + path + "': others may write there",
                     "chmod go-w " + path);
  }
  DC_TRY(UniqueFd lock, take_lock(dir.get(), path));
  return StateDir(path, std::move(dir), std::move(lock));
}

Status StateDir::make_file(const std::string& name) const {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd made(::openat(dir_.get(), name.c_str(), kFlags, kFileMode));
  if (!made) return fail_errno(ErrorCode::kIo, "cannot open '" + file(name) + "'", errno);
  return {};
}

Status StateDir::sync() const {
  if (::fsync(dir_.get()) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot sync directory '" + path_ + "'", errno);
  }
  return {};
}

}  // namespace distcron::store
