// SPDX-License-Identifier: Apache-2.0
// Where an agent keeps its things, who owns them, and the processes started as root: directories,
// the executor with its guard, and the step down to the user `distcron`. Called once at start,
// before any thread exists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"
#include "process/exec_client.h"

namespace distcron::agent {

/// All absolute paths.
struct Layout {
  std::string storage_dir;   ///< raft.db, state.db; 0700 of the agent's user.
  std::string runtime_dir;   ///< Sockets; 0755.
  std::string keys_dir;      ///< Key files; 0750.
  std::string exec_dir;      ///< Output and end records; root:distcron 0750.
  std::string exec_run_dir;  ///< The executor's journal; root's alone.
  std::string exec_socket;
  std::string spool_dir;     ///< Users' crontabs, where they are followed; else empty.
  std::string programs_dir;  ///< Where distcron-exec and distcron-run lie.
};

/// The unprivileged user of the agent.
struct AgentUser {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The user `distcron` and its group; nullopt where it does not exist.
[[nodiscard]] std::optional<AgentUser> find_agent_user();

/// Root, or the user `distcron` that a unit starts: jobs of every user, the system's folders.
[[nodiscard]] bool is_system_agent();

/// distcron-exec from beside the running program, else /usr/lib/distcron. kNotFound names both.
[[nodiscard]] Result<std::string> find_programs_dir();

/// Makes what is missing, with owners and modes. Idempotent. `user` as root only.
[[nodiscard]] Status make_directories(const Layout& layout, const std::optional<AgentUser>& user);

/// Starts the guard of the executor, unless one serves this instance already. The guard is not our
/// child afterwards: it outlives us, and ends `idle_exit` after the last agent and the last run
/// have gone. Waits until it answers, at most 10 s. What is returned is as of hold_executor().
[[nodiscard]] Result<process::ExecClient> start_executor(const Layout& layout,
                                                         const std::optional<AgentUser>& user,
                                                         Seconds idle_exit);

/// A connection that keeps the executor from ending until another one is made, however long a join
/// or the loading of the state takes. kUnavailable: there is none, or it is about to end.
[[nodiscard]] Result<process::ExecClient> hold_executor(const Layout& layout);

/// setgroups, setresgid, setresuid, each verified.
[[nodiscard]] Status become(const AgentUser& user);

/// Of the kernel: changes with each boot.
[[nodiscard]] Result<std::string> read_boot_id();
[[nodiscard]] std::string host_name();
[[nodiscard]] std::string own_user_name();

}  // namespace distcron::agent
