// SPDX-License-Identifier: Apache-2.0
// ControlServer: the control door. ROUTER sockets with CURVE; the ZAP question "is this key
// known?" is answered on the same thread from a socket of its own. Identity is what CURVE proved
// (User-Id), never what a message says. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "mesh/keys.h"
#include "mesh/refusals.h"

namespace zmq {
class context_t;
}

namespace distcron::mesh {

struct Incoming {
  std::string peer;     ///< Way back, for send().
  std::string user_id;  ///< Public key that the peer proved to own, z85.
  std::string bytes;
};

struct ControlCounters {
  std::int64_t refused_keys = 0;    ///< ZAP said no.
  std::int64_t malformed = 0;       ///< Wrong number of frames.
  std::int64_t too_many_parts = 0;  ///< So many frames that the sender was cut.
  std::int64_t too_large = 0;       ///< A message so long that the sender was cut.
  std::int64_t failed_handshakes = 0;
  std::int64_t unauthenticated = 0;  ///< Without User-Id: dropped.
  std::int64_t undeliverable = 0;    ///< Replies to peers that had gone.
};

class ControlServer {
 public:
  using IsKnown = std::function<bool(const std::string& public_key)>;

  /// Binds all endpoints (ipc://PATH with mode 0666, tcp://HOST:PORT). kInvalid: a path too long
  /// for a unix socket, an endpoint of another kind. kUnavailable: in use. `context` must outlive
  /// it. One server per context: it owns inproc://zeromq.zap.01.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> make(
      zmq::context_t& context, const KeyPair& keys, const std::vector<std::string>& endpoints,
      IsKnown is_known);
  virtual ~ControlServer() = default;

  /// Sockets for zmq::poll, for reading.
  [[nodiscard]] virtual std::vector<void*> sockets() = 0;
  /// Answers ZAP questions and takes at most `limit` messages, the doors in turn. Never blocks.
  [[nodiscard]] virtual std::vector<Incoming> receive(int limit) = 0;
  /// kUnavailable: the peer has gone, or takes no more.
  [[nodiscard]] virtual Status send(const std::string& peer, const std::string& bytes) = 0;
  [[nodiscard]] virtual const ControlCounters& counters() const = 0;
  /// What came in and had no effect.
  [[nodiscard]] virtual Refusals& refusals() = 0;
};

inline constexpr std::int64_t kMessageBytesMax = 4 << 20;

}  // namespace distcron::mesh
