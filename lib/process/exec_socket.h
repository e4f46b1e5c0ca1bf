// SPDX-License-Identifier: Apache-2.0
// The executor's listening socket, made by the guard or, without one, by the executor.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace distcron::process {

/// Takes the lock of a runtime directory, which guard and executor hold together for their lives.
/// Waits up to a second for one that is just dying. Empty with `error` when another lives there.
[[nodiscard]] UniqueFd lock_run_dir(const std::string& run_dir, std::string& error);

/// Writes the pid of this process into run_dir/exec.pid, for request_host_shutdown().
void note_own_pid(const std::string& run_dir);

/// Tells systemd that the service is ready, where it asked to be told (NOTIFY_SOCKET).
void notify_ready();

/// A listening socket and what its path leads to as long as nobody takes its place. The number of
/// that file is not given to another one while `fd` is open.
struct AgentSocket {
  UniqueFd fd;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// Binds and listens at `path`, replacing what an earlier executor left; hold the lock. Only root,
/// the own user and `peer_uid` (>= 0) can connect. Empty with `error` on failure.
[[nodiscard]] AgentSocket listen_for_agent(const std::string& path, std::int64_t peer_uid,
                                           std::string& error);

/// Removes `path` at the end of its owner, unless another executor listens there by now: its
/// folders may have been removed and made again, and then `lock` is no longer the lock file of
/// `run_dir`.
void remove_own_socket(const std::string& path, const AgentSocket& own, const std::string& run_dir,
                       const UniqueFd& lock);

}  // namespace distcron::process
