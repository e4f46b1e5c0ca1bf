// SPDX-License-Identifier: Apache-2.0
#include "agent/time_mark.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace distcron::agent {

std::optional<WallTime> TimeMark::load() const {
  struct stat found {};

  if (::stat(path_.c_str(), &found) != 0) return std::nullopt;
  return WallTime(Seconds(found.st_mtim.tv_sec)) +
         std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(found.st_mtim.tv_nsec));
}

Status TimeMark::keep(WallTime at) const {
  const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno(ErrorCode::kIo, "cannot write " + path_, errno);
  const auto since = at.time_since_epoch();
  const auto whole = std::chrono::floor<Seconds>(since);
  timespec time{};
  time.tv_sec = whole.count();
  time.tv_nsec = std::chrono::nanoseconds(since - whole).count();
  const timespec both[2] = {time, time};
  if (::futimens(file.get(), both) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot write " + path_, errno);
  }
  return {};
}

}  // namespace distcron::agent
