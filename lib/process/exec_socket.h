// SPDX-License-Identifier: Apache-2.0
// The executor's listening socket, made by the guard or, without one, by the executor.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace distcron::process {

/// Binds and listens at `path`, replacing a socket that nobody serves. Only root, the own user and
/// `peer_uid` (>= 0) can connect. Empty with `error` on failure: path too long, or served already.
[[nodiscard]] UniqueFd listen_for_agent(const std::string& path, std::int64_t peer_uid,
                                        std::string& error);

}  // namespace distcron::process
