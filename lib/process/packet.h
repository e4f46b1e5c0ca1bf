// SPDX-License-Identifier: Apache-2.0
// One packet of the socket between agent and executor, with at most one descriptor. No thread rule.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <sys/types.h>

#include "base/unique_fd.h"

namespace distcron::process {

/// Sends without waiting; `file` < 0: no descriptor. As sendmsg(2).
ssize_t send_packet(int socket, std::string_view bytes, int file);

/// Receives without waiting. As recvmsg(2); `file` is closed on exec, or empty.
ssize_t receive_packet(int socket, std::span<std::byte> bytes, UniqueFd& file);

}  // namespace distcron::process
