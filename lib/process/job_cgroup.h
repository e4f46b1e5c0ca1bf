// SPDX-License-Identifier: Apache-2.0
// The cgroup (v2) of one attempt: a folder RUN-ATTEMPT below the instance's folder. Used by the
// stub, and by the executor where a stub is stuck or dead. No allocation.
#pragma once

#include "base/unique_fd.h"
#include "process/spawn_plan.h"

namespace distcron::process {

class JobCgroup {
 public:
  /// Makes and opens it. 0, or an errno. `parent` stays the caller's.
  [[nodiscard]] int make(int parent, RunKey key);
  /// Opens an existing one. 0, or an errno.
  [[nodiscard]] int open(int parent, RunKey key);

  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(dir_); }

  [[nodiscard]] int fd() const { return dir_.get(); }

  /// Kills all members. False when the kernel refused.
  bool kill_all() const;
  /// False only when the kernel says that it is empty.
  [[nodiscard]] bool is_populated() const;
  /// Removes the folder if it is empty.
  void remove();

 private:
  int parent_ = -1;
  RunKey key_;
  UniqueFd dir_;
};

}  // namespace distcron::process
