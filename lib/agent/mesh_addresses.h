// SPDX-License-Identifier: Apache-2.0
// Under which addresses other members reach this host. Blocking system calls, short.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace distcron::agent {

/// `advertise` alone when it is set; else `endpoints`, in which an address that means all of them
/// (0.0.0.0, ::) is replaced by those of the host's interfaces that are not loopback.
[[nodiscard]] std::vector<std::string> mesh_addresses(const std::vector<std::string>& endpoints,
                                                      const std::string& advertise);

/// What somebody typed as the address of a mesh, HOST or HOST:PORT, as tcp://HOST:PORT; the port is
/// that of the first endpoint by default. kInvalid: it is none.
[[nodiscard]] Result<std::string> advertised_address(std::string_view text,
                                                     const std::vector<std::string>& endpoints);

}  // namespace distcron::agent
