// SPDX-License-Identifier: Apache-2.0
// ZapDesk: answers libzmq's question "may this key come in?" (ZAP, RFC 27) for the sockets of one
// context. There is one desk per context, so control door and mesh have a context each: a key of
// one can never open the other, and a flood at one does not use up the other's I/O thread.
// Lives on the loop thread: while nobody answers, nobody is let in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <zmq.hpp>

#include "mesh/refusals.h"

namespace distcron::mesh {

class ZapDesk {
 public:
  using IsKnown = std::function<bool(const std::string& public_key)>;

  /// Throws zmq::error_t when the context has a desk already. `refusals` must outlive it.
  ZapDesk(zmq::context_t& context, std::string domain, Refusals& refusals, IsKnown is_known);

  /// For zmq::poll.
  [[nodiscard]] void* socket() { return socket_.handle(); }

  /// Answers one question; false when none waits. Never blocks, never throws.
  bool answer();

  /// Keys that were not let in.
  [[nodiscard]] std::int64_t refused() const { return refusals_.of(Refusal::kUnknownKey).count; }

 private:
  zmq::socket_t socket_;
  std::string domain_;
  Refusals& refusals_;
  IsKnown is_known_;
};

}  // namespace distcron::mesh
