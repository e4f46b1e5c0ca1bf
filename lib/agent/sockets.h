// SPDX-License-Identifier: Apache-2.0
// The doors of the agent: control sockets and the login socket. Apart from agent.h so that only
// the loop sees zmq.hpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "agent/agent.h"

namespace distcron::agent {

struct Agent::Sockets {
  using IsKnown = std::function<bool(const std::string& public_key)>;
  using Login = std::function<Result<std::string>(std::uint32_t uid, std::uint32_t gid,
                                                  const std::string& public_key)>;

  [[nodiscard]] Status open(const mesh::KeyPair& server, const std::vector<std::string>& endpoints,
                            IsKnown is_known, const std::string& login_path, Login login);

  zmq::context_t context{1};
  std::unique_ptr<mesh::ControlServer> control;
  std::unique_ptr<mesh::LoginServer> login;
  /// The poll set of the last wait.
  std::vector<zmq::pollitem_t> items;
};

}  // namespace distcron::agent
