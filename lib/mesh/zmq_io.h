// SPDX-License-Identifier: Apache-2.0
// What the sockets of this module have in common: reading messages of several frames, who sent
// them, what became of a connection, and the options that CURVE needs. Each function belongs to
// the thread of the socket that it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "mesh/keys.h"

namespace distcron::mesh {

inline constexpr std::string_view kIpc = "ipc://";
inline constexpr std::string_view kTcp = "tcp://";
inline constexpr int kHandshakeMs = 5'000;
/// Routing id and body are two. A message of more than so many ends its connection.
inline constexpr std::size_t kFramesMax = 8;
/// ZMQ_MAXMSGSIZE is so many times the limit: libzmq ends the connection of whoever exceeds it and
/// tells nobody why. What is longer than the limit itself is read, counted and cut here.
inline constexpr std::int64_t kSpareBytes = 4;

/// The endpoint of an address, which may have the scheme already.
[[nodiscard]] std::string tcp_endpoint(const std::string& address);

/// All frames of one message; empty when none waits. Of a message of more than `most` frames the
/// first `most` and its last: more of it is not kept.
[[nodiscard]] std::vector<zmq::message_t> read_frames(zmq::socket_t& socket, std::size_t most);

/// Whether one of the frames has more than `most` bytes.
[[nodiscard]] bool is_too_large(const std::vector<zmq::message_t>& frames, std::size_t most);

/// An address as people write it: libzmq names those of IPv4 ::ffff:a.b.c.d, and who comes by a
/// unix socket localhost:UID:GID:PID.
[[nodiscard]] std::string plain_address(const std::string& address);

/// The public key, z85, that the sender of this frame proved to own; empty when he did not.
[[nodiscard]] std::string user_id_of(zmq::message_t& frame);

/// Address of who sent this frame, as libzmq noted it; empty: it did not.
[[nodiscard]] std::string address_of(zmq::message_t& frame);

/// Descriptor of the connection that a frame came in by, -1 when it is not known. It may be closed
/// by now, and its number be another file's.
[[nodiscard]] int source_fd(zmq::message_t& frame);

/// Makes a socket a CURVE server of a ZAP domain (not empty), before bind. Both options of ZAP
/// together: a domain alone, or the enforcement alone, lets everybody in.
void require_authentication(zmq::socket_t& socket, const KeyPair& keys, const char* domain);

/// Makes a socket a CURVE client, before connect.
void authenticate_as(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key);

/// TCP that finds out about dead peers by itself: user timeout 5 s, keepalive after 10 s. Never
/// libzmq's own heartbeats: they can abort the process (libzmq 4.3.4).
void watch_tcp(zmq::socket_t& socket);

struct SocketEvent {
  int kind = 0;  ///< ZMQ_EVENT_*
  std::uint32_t value = 0;
};

/// The events of one socket, which must outlive it.
class Monitor {
 public:
  Monitor(zmq::context_t& context, zmq::socket_t& socket, int events);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// The next one that waits. Never blocks.
  [[nodiscard]] std::optional<SocketEvent> take();

  /// For zmq::poll.
  [[nodiscard]] void* socket() { return pair_.handle(); }

 private:
  zmq::socket_t& watched_;
  zmq::socket_t pair_;
};

}  // namespace distcron::mesh
