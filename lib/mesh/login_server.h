// SPDX-License-Identifier: Apache-2.0
// LoginServer: a unix socket at which a local user has his public key registered; the kernel says
// who he is (SO_PEERCRED). One line in (the key, z85), one line out ("ok SERVER_KEY" or
// "no TEXT"), then the connection is closed. Non-blocking; loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace distcron::mesh {

class LoginServer {
 public:
  /// Returns the server's public key, or why not.
  using Handler = std::function<Result<std::string>(std::uint32_t uid, std::uint32_t gid,
                                                    const std::string& public_key)>;

  /// Listens at `path` with mode 0666.
  [[nodiscard]] static Result<std::unique_ptr<LoginServer>> make(const std::string& path,
                                                                 Handler handler);
  virtual ~LoginServer() = default;

  /// Descriptors to watch for reading.
  [[nodiscard]] virtual std::vector<std::pair<int, short>> poll_fds() = 0;
  /// Serves what is ready; cheap when nothing is.
  virtual void poll() = 0;

  static constexpr std::size_t kConnectionsMax = 32;
};

/// The user's side: blocking, at most 5 s. Returns the server's public key.
[[nodiscard]] Result<std::string> login(const std::string& path, const std::string& public_key);

}  // namespace distcron::mesh
