// SPDX-License-Identifier: Apache-2.0
// The environment of a job: the plan's, what PAM adds for cron jobs, and the few names that every
// job has. Used by the stub only; the list is allocated once and lives until exec.
#pragma once

#include "process/plan_view.h"
#include "process/user_lookup.h"

namespace distcron::process {

/// NULL-ended list, or null when memory is short. `session_env` may be null.
/// Native: HOME, LOGNAME, USER, SHELL and PATH where the plan has none. Debian's cron: LOGNAME
/// forced, SHELL=/bin/sh, HOME, PATH=/usr/bin:/bin where unset; cronie: USER forced too.
[[nodiscard]] char** make_job_env(const PlanView& plan, const UserInfo& user, char** session_env);

/// Value of `name` in `envp`, or null.
[[nodiscard]] const char* find_env(char** envp, const char* name);

}  // namespace distcron::process
