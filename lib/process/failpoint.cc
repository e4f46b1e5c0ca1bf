// SPDX-License-Identifier: Apache-2.0
#include "process/failpoint.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace distcron::process {

void failpoint(const char* name, int marker_dir) {
  const char* wanted = std::getenv("DISTCRON_FAILPOINT");
  if (wanted == nullptr || std::strcmp(wanted, name) != 0) return;
  std::array<char, 96> marker{};
  std::snprintf(marker.data(), marker.size(), "failpoint.%s", name);
  const int fd = ::openat(marker_dir, marker.data(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  ::close(fd);
  ::kill(::getpid(), SIGKILL);
}

}  // namespace distcron::process
