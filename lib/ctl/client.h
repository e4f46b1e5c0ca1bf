// SPDX-License-Identifier: Apache-2.0
// Client: one request to the agent, one answer. An interface, so that commands are tested with a
// fake. Owned by the dispatcher, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "ctl/context.h"
#include "ctl/outcome.h"
#include "wire/codec.h"
#include "wire/operations.h"

namespace distcron::ctl {

class Client {
 public:
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;

  /// Sends the encoded request of `op` and returns the encoded reply. `patience` comes on top of
  /// --request-timeout, for long polls. Fails with exit code 6 when no agent answers, 7 when the
  /// answer does not come in time, else as the agent's error says.
  [[nodiscard]] virtual Answer<std::string> call(wire::Op op, std::string body,
                                                 Millis patience) = 0;

  /// As call(), with the types of the operation.
  template <wire::Op op>
  [[nodiscard]] Answer<typename wire::OpTypes<op>::ReplyBody> request(
      const typename wire::OpTypes<op>::RequestBody& body, Millis patience = Millis(0)) {
    DC_TRY(const std::string reply, call(op, wire::encode(body), patience));
    auto decoded = wire::decode<typename wire::OpTypes<op>::ReplyBody>(reply);
    if (!decoded) {
      return tl::unexpected<Failure>(
          Failure(std::move(decoded).error().within("cannot read the agent's answer"),
                  ExitCode::kInternal));
    }
    return std::move(*decoded);
  }

  /// Idempotency key of the last changing request; empty before one was sent.
  [[nodiscard]] virtual std::string request_id() const = 0;
};

/// The real thing: connects with the first call.
[[nodiscard]] std::unique_ptr<Client> make_agent_client(const Globals& globals, Host& host,
                                                        Output& out);

}  // namespace distcron::ctl
