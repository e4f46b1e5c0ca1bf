// SPDX-License-Identifier: Apache-2.0
#include "process/job_cgroup.h"

#include <array>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/text_buffer.h"

namespace distcron::process {

namespace {
TextBuffer<48> name_of(RunKey key) {
  TextBuffer<48> name;
  name.add(key.run_id).add("-").add(key.attempt);
  return name;
}
}  // namespace

int JobCgroup::make(int parent, RunKey key) {
  if (::mkdirat(parent, name_of(key).c_str(), 0755) != 0 && errno != EEXIST) return errno;
  return open(parent, key);
}

int JobCgroup::open(int parent, RunKey key) {
  parent_ = parent;
  key_ = key;
  dir_.reset(
      ::openat(parent, name_of(key).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return dir_ ? 0 : errno;
}

bool JobCgroup::kill_all() const {
  const UniqueFd file(::openat(dir_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), "1", 1) == 1;
}

bool JobCgroup::is_populated() const {
  const UniqueFd file(::openat(dir_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got <= 0) return true;
  const std::string_view events(text.data(), static_cast<std::size_t>(got));
  return events.find("populated 0") == std::string_view::npos;
}

void JobCgroup::remove() {
  dir_.reset();
  ::unlinkat(parent_, name_of(key_).c_str(), AT_REMOVEDIR);
}

}  // namespace distcron::process
