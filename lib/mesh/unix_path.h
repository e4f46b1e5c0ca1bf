// SPDX-License-Identifier: Apache-2.0
// Unix sockets by path: addresses, and who is there. Blocking for moments at most.
#pragma once

#include <string>

#include <sys/un.h>

#include "base/result.h"

namespace distcron::mesh {

/// kInvalid when the path is too long for a unix socket; the message says how long it may be.
[[nodiscard]] Result<sockaddr_un> unix_address(const std::string& path);

/// 0 when somebody listens at `path` (also when his queue is full), else the errno of the attempt.
[[nodiscard]] int try_unix(const sockaddr_un& address);

/// Makes room for a listener: removes a socket that nobody listens at any more. kUnavailable when
/// somebody does; kInvalid when `path` is too long or another kind of file, which is left alone.
[[nodiscard]] Status clear_socket_path(const std::string& path);

}  // namespace distcron::mesh
