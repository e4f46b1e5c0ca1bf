// SPDX-License-Identifier: Apache-2.0
// ControlClient: one connection of distcronctl to a control door. Blocking, one request at a time,
// one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "mesh/keys.h"

namespace distcron::mesh {

class ControlClient {
 public:
  /// Looks whether somebody listens (at most 2 s for tcp), then opens a CURVE session.
  /// kUnavailable: nobody listens. kInvalid: not an endpoint, or the key has no server_key.
  [[nodiscard]] static Result<std::unique_ptr<ControlClient>> connect(const std::string& endpoint,
                                                                      const KeyFile& key);
  virtual ~ControlClient() = default;

  /// Sends and waits for the reply. kInvalid: more than the 4 MiB that are taken. kDenied: the
  /// agent says that it does not know the key. kTimeout: no reply in time, or the agent went away
  /// before it came; the request may have taken effect. kUnavailable: the agent has gone, or opened
  /// no session in time; the request was not sent. After any of them the next request begins a new
  /// session, so that no late reply is taken for its own.
  [[nodiscard]] virtual Result<std::string> request(std::string_view bytes, Millis timeout) = 0;
};

}  // namespace distcron::mesh
