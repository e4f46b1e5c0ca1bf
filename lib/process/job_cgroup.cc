// SPDX-License-Identifier: Apache-2.0
#include "process/job_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace distcron::process {

namespace {
using NameBuffer = std::array<char, 48>;

NameBuffer name_of(RunKey key) {
  NameBuffer name{};
  std::snprintf(name.data(), name.size(), "%lld-%d", static_cast<long long>(key.run_id),
                static_cast<int>(key.attempt));
  return name;
}
}  // namespace

int JobCgroup::make(int parent, RunKey key) {
  if (::mkdirat(parent, name_of(key).data(), 0755) != 0 && errno != EEXIST) return errno;
  return open(parent, key);
}

int JobCgroup::open(int parent, RunKey key) {
  parent_ = parent;
  key_ = key;
  dir_.reset(::openat(parent, name_of(key).data(),
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return dir_ ? 0 : errno;
}

bool JobCgroup::kill_all() const {
  const UniqueFd file(::openat(dir_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), "1", 1) == 1;
}

bool JobCgroup::is_populated() const {
  const UniqueFd file(::openat(dir_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return true;
  return std::strstr(text.data(), "populated 0") == nullptr;
}

void JobCgroup::remove() {
  dir_.reset();
  ::unlinkat(parent_, name_of(key_).data(), AT_REMOVEDIR);
}

}  // namespace distcron::process
