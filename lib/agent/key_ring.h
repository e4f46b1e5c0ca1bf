// SPDX-License-Identifier: Apache-2.0
// The key files of a host: server.key for the door, mesh.key for the other members, admin.key for
// who started the agent, operator.key for the group distcron. Public halves lie beside them
// (*.pub), since the agent may not read what is root's. Used at start, before privileges are given
// up.
#pragma once

#include <optional>
#include <string>

#include "agent/layout.h"
#include "base/result.h"
#include "mesh/keys.h"

namespace distcron::agent {

struct KeyRing {
  mesh::KeyPair server;  ///< Of the control door; the same on all members.
  mesh::KeyPair mesh;    ///< Of this node alone, towards the other members.
  std::string admin_public_key;
  std::string operator_public_key;
};

/// Reads the keys in `dir` and makes those that are missing, with their owners and modes.
[[nodiscard]] Result<KeyRing> load_or_make_keys(const std::string& dir,
                                                const std::optional<AgentUser>& user);

}  // namespace distcron::agent
