// SPDX-License-Identifier: Apache-2.0
// Starts a stub with vfork semantics from one inline-assembly function with a stack of its own.
// Used by the single-threaded executor only; all signals must be blocked.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/unique_fd.h"

namespace distcron::process {

struct SpawnResult {
  pid_t pid = -1;
  UniqueFd pidfd;
  int sys_errno = 0;  ///< Of clone3, or of the stub's exec; 0 on success.
};

class Spawner {
 public:
  /// `path` of the stub and its constant arguments; its environment is empty.
  Spawner(std::string path, std::vector<std::string> args);

  /// The new process has the descriptors 0 to kFdFirstFree-1 of this one and no others: put plan
  /// and release pipe in place first.
  [[nodiscard]] SpawnResult spawn();

 private:
  std::string path_;
  std::vector<std::string> args_;
  std::vector<char*> argv_;
};

/// Forks into the cgroup of `cgroup_fd` a child that ends at once. 0, or an errno.
[[nodiscard]] int probe_clone_into_cgroup(int cgroup_fd);

}  // namespace distcron::process
