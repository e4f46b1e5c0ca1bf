// SPDX-License-Identifier: Apache-2.0
// Finds a place for the jobs' cgroups and tries it out. Used by the executor at its start only.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace distcron::process {

struct CgroupPlace {
  UniqueFd jobs;       ///< Folder for the jobs' cgroups; empty without.
  std::string reason;  ///< Why there is none.
  std::string base;    ///< Folder that holds exec/ and jobs/.
  std::string before;  ///< Where this process came from.
};

/// Where cgroup v2 is mounted, from the text of /proc/self/mountinfo; empty: nowhere writable.
[[nodiscard]] std::string find_cgroup_mount(std::string_view mountinfo);
/// Own path below the mount, from the text of /proc/self/cgroup; empty: not in a v2 hierarchy.
[[nodiscard]] std::string find_own_cgroup(std::string_view cgroup_text);

/// `wanted`: empty to search, "off", or a cgroup folder to use. Makes BASE/exec for this process
/// and moves there (controllers cannot be enabled above a process), makes BASE/jobs, and probes
/// CLONE_INTO_CGROUP and cgroup.kill. `instance` keeps several agents of one host apart.
[[nodiscard]] CgroupPlace make_cgroup_place(const std::string& wanted, const std::string& instance);

/// Moves this process back to where it came from and removes what is empty then.
void leave_cgroup_place(CgroupPlace& place);

}  // namespace distcron::process
