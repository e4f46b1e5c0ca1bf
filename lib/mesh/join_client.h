// SPDX-License-Identifier: Apache-2.0
// JoinClient: a host's request to become a member. Connects to the members that a token names, one
// after the other, with the token's keys; their keys are pinned by the token. Sends the request and
// waits for the answer, both opaque. The request may be sent more than once: it must mean the same
// each time. Non-blocking; loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "mesh/join_token.h"

namespace distcron::mesh {

struct JoinOptions {
  JoinToken token;
  std::uint64_t cluster = 0;  ///< Hash of token.cluster_id, as in MeshOptions.
  std::uint64_t boot = 0;
  std::string request;  ///< At most kJoinBodyBytesMax.
  Micros patience{60'000'000};
};

class JoinClient {
 public:
  /// kInvalid: the request is too long, or the token names nobody.
  [[nodiscard]] static Result<std::unique_ptr<JoinClient>> make(const JoinOptions& options,
                                                                MonoTime now);
  virtual ~JoinClient() = default;

  /// For zmq::poll, for reading; nullptr: none just now.
  [[nodiscard]] virtual void* socket() = 0;
  [[nodiscard]] virtual MonoTime next_timer() const = 0;
  /// Does what there is to do; the answer once it has come, or why none will come: kDenied when
  /// each member that answers refuses the token, kTimeout when patience has run out.
  [[nodiscard]] virtual std::optional<Result<std::string>> poll(MonoTime now) = 0;
};

}  // namespace distcron::mesh
