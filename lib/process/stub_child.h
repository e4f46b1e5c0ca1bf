// SPDX-License-Identifier: Apache-2.0
// The stub's child: from fork to the job's exec. Drops privileges in a fixed order, checks each
// step, waits for the release, checks start_by last. Never returns. Single-threaded, and works on
// memory that the stub prepared before the fork.
#pragma once

#include <cstdint>

#include <sys/resource.h>

#include "process/end_record.h"
#include "process/plan_view.h"
#include "process/user_lookup.h"

namespace distcron::process {

enum class ChildSays : std::uint8_t { kGo, kFailed, kLate, kNotReleased };

/// What the child writes into the status pipe, at most twice (kGo, then kFailed at exec).
struct ChildReport {
  ChildSays says = ChildSays::kGo;
  Step step = Step::kNone;
  std::int32_t sys_errno = 0;
  std::int64_t wall_us = 0;
  std::int64_t boot_us = 0;
};

/// Everything the child needs. Descriptors stay the stub's; all are closed on exec.
struct ChildSetup {
  const PlanView* plan = nullptr;
  const UserInfo* user = nullptr;
  char** argv = nullptr;
  char** envp = nullptr;
  const char* search_path = nullptr;  ///< PATH of envp.
  const char* script_path = nullptr;  ///< Private copy of the script, or null.
  int script_copy_fd = -1;            ///< Memory copy, used when the path cannot be reached.
  int status_fd = -1;
  int release_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int stdin_fd = -1;    ///< What holds stdin_data, or -1.
  rlimit open_files{};  ///< RLIMIT_NOFILE that the executor was started with, or PAM's.
  mode_t umask = 022;   ///< The plan's, or PAM's where the plan leaves the default.
  bool is_root = false;
  bool resets_oom_score = false;
};

[[noreturn]] void run_child(const ChildSetup& setup);

}  // namespace distcron::process
