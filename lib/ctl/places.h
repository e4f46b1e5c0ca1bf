// SPDX-License-Identifier: Apache-2.0
// Where the agent and the caller's files are looked for: all facts of the environment about that
// in one place. Asks the host, keeps nothing.
#pragma once

#include <string>

#include "ctl/context.h"
#include "mesh/keys.h"

namespace distcron::ctl {

inline constexpr std::string_view kSystemSocket = "/run/distcron/control.sock";

struct AgentPlace {
  std::string endpoint;  ///< ipc://... or tcp://...
  std::string storage;   ///< Storage directory of the caller's own agent; empty: not his own.
};

/// The first of --endpoint, DISTCRON_ENDPOINT, the socket of an agent of one's own, the system's.
[[nodiscard]] AgentPlace find_agent(const Globals& globals, const Host& host);

/// Where a key file is looked for.
[[nodiscard]] mesh::KeyPlaces key_places(const Context& context);

/// $XDG_STATE_HOME/distcron: storage of an agent that an ordinary user starts.
[[nodiscard]] std::string own_storage(const Host& host);
/// ~/.config/distcron/client.key
[[nodiscard]] std::string client_key_path(const Host& host);
/// Directory of completion's remembered names.
[[nodiscard]] std::string cache_dir(const Host& host);

}  // namespace distcron::ctl
