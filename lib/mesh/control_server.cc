// SPDX-License-Identifier: Apache-2.0
#include "mesh/control_server.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include <zmq.hpp>

#include "mesh/unix_path.h"
#include "mesh/zap.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr int kQueueMessages = 1'000;
constexpr const char* kZapDomain = "distcron-control";

class ZmqControlServer final : public ControlServer {
 public:
  ZmqControlServer(zmq::context_t& context, IsKnown is_known)
      : desk_(context, kZapDomain, std::move(is_known)) {}

  Status bind(zmq::context_t& context, const KeyPair& keys, const std::string& endpoint) {
    const bool is_ipc = endpoint.rfind(kIpc, 0) == 0;
    if (!is_ipc && endpoint.rfind(kTcp, 0) != 0) {
      return fail_hint(ErrorCode::kInvalid, "cannot listen on " + endpoint,
                       "ipc:///PATH and tcp://ADDRESS:PORT are possible");
    }
    const std::string path = is_ipc ? endpoint.substr(kIpc.size()) : std::string();
    if (is_ipc) DC_CHECK_OK(clear_socket_path(path));
    zmq::socket_t socket(context, zmq::socket_type::router);
    require_authentication(socket, keys, kZapDomain);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket.set(zmq::sockopt::maxmsgsize, kMessageBytesMax);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, kQueueMessages);
    socket.set(zmq::sockopt::rcvhwm, kQueueMessages);
    socket.set(zmq::sockopt::router_mandatory, 1);
    if (!is_ipc) socket.set(zmq::sockopt::ipv6, 1);
    try {
      socket.bind(endpoint);
    } catch (const zmq::error_t& error) {
      const bool busy = error.num() == EADDRINUSE;
      return fail(busy ? ErrorCode::kUnavailable : ErrorCode::kInvalid,
                  "cannot listen on " + endpoint + ": " + error.what());
    }
    if (is_ipc) ::chmod(path.c_str(), 0666);  // CURVE decides who is let in
    doors_.push_back(std::move(socket));
    return {};
  }

  std::vector<void*> sockets() override {
    std::vector<void*> out{desk_.socket()};
    for (zmq::socket_t& door : doors_)
      out.push_back(door.handle());
    return out;
  }

  std::vector<Incoming> receive(int limit) override {
    std::vector<Incoming> out;
    try {
      for (int i = 0; i < limit && desk_.answer(); ++i) {
      }
      counters_.refused_keys = desk_.refused();
      // Each call begins with the next door, so that a busy one does not starve the others.
      int left = limit;
      for (std::size_t i = 0; i < doors_.size(); ++i) {
        const std::size_t door = (first_door_ + i) % doors_.size();
        while (left > 0 && take(door, out))
          --left;
      }
      first_door_ = doors_.empty() ? 0 : (first_door_ + 1) % doors_.size();
    } catch (const zmq::error_t&) {
      ++counters_.malformed;
    }
    return out;
  }

  Status send(const std::string& peer, const std::string& bytes) override {
    const std::size_t door = peer.empty() ? doors_.size() : static_cast<unsigned char>(peer[0]);
    try {
      if (door >= doors_.size()) throw zmq::error_t(EHOSTUNREACH);
      zmq::socket_t& socket = doors_[door];
      zmq::message_t identity(peer.data() + 1, peer.size() - 1);
      const bool sent =
          socket.send(identity, zmq::send_flags::sndmore | zmq::send_flags::dontwait) &&
          socket.send(zmq::message_t(bytes.data(), bytes.size()), zmq::send_flags::dontwait);
      if (sent) return {};
    } catch (const zmq::error_t&) {
      // EHOSTUNREACH: it has gone; told below.
    }
    ++counters_.undeliverable;
    return fail(ErrorCode::kUnavailable, "the client has gone");
  }

  const ControlCounters& counters() const override { return counters_; }

 private:
  /// Takes one message; false when none waits.
  bool take(std::size_t door, std::vector<Incoming>& out) {
    std::vector<zmq::message_t> frames = read_frames(doors_[door]);
    if (frames.empty()) return false;
    if (frames.size() != 2) {
      ++counters_.malformed;
      return true;
    }
    const std::string user_id = user_id_of(frames[1]);
    if (user_id.empty()) {
      ++counters_.unauthenticated;
      return true;
    }
    Incoming incoming;
    incoming.peer.push_back(static_cast<char>(door));
    incoming.peer += frames[0].to_string();
    incoming.user_id = user_id;
    incoming.bytes = frames[1].to_string();
    out.push_back(std::move(incoming));
    return true;
  }

  ZapDesk desk_;
  std::vector<zmq::socket_t> doors_;
  std::size_t first_door_ = 0;
  ControlCounters counters_;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::make(
    zmq::context_t& context, const KeyPair& keys, const std::vector<std::string>& endpoints,
    IsKnown is_known) {
  try {
    auto server = std::make_unique<ZmqControlServer>(context, std::move(is_known));
    for (const std::string& endpoint : endpoints) {
      DC_CHECK_OK(server->bind(context, keys, endpoint));
    }
    return std::unique_ptr<ControlServer>(std::move(server));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kIo, std::string("cannot open the control door: ") + error.what());
  }
}

}  // namespace distcron::mesh
