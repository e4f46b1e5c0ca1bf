// SPDX-License-Identifier: Apache-2.0
#include "mesh/control_server.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include <zmq.hpp>

#include "mesh/gate.h"
#include "mesh/unix_path.h"
#include "mesh/zap.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr int kQueueMessages = 1'000;
constexpr const char* kZapDomain = "distcron-control";

struct Door {
  Door(zmq::context_t& context, Refusals& refusals)
      : socket(context, zmq::socket_type::router), gate(context, socket, refusals) {}

  zmq::socket_t socket;
  Gate gate;
};

class ZmqControlServer final : public ControlServer {
 public:
  ZmqControlServer(zmq::context_t& context, IsKnown is_known)
      : desk_(context, kZapDomain, refusals_, std::move(is_known)) {}

  Status bind(zmq::context_t& context, const KeyPair& keys, const std::string& endpoint) {
    const bool is_ipc = endpoint.rfind(kIpc, 0) == 0;
    if (!is_ipc && endpoint.rfind(kTcp, 0) != 0) {
      return fail_hint(ErrorCode::kInvalid, "cannot listen on " + endpoint,
                       "ipc:///PATH and tcp://ADDRESS:PORT are possible");
    }
    const std::string path = is_ipc ? endpoint.substr(kIpc.size()) : std::string();
    if (is_ipc) DC_CHECK_OK(clear_socket_path(path));
    auto door = std::make_unique<Door>(context, refusals_);
    zmq::socket_t& socket = door->socket;
    require_authentication(socket, keys, kZapDomain);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket.set(zmq::sockopt::maxmsgsize, kMessageBytesMax * kSpareBytes);
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
    doors_.push_back(std::move(door));
    return {};
  }

  std::vector<void*> sockets() override {
    std::vector<void*> out{desk_.socket()};
    for (const std::unique_ptr<Door>& door : doors_) {
      out.push_back(door->socket.handle());
      out.push_back(door->gate.socket());
    }
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
      counters_.failed_handshakes = 0;
      for (const std::unique_ptr<Door>& door : doors_) {
        door->gate.read();
        counters_.failed_handshakes += door->gate.failed();
      }
    } catch (const zmq::error_t&) {
      ++counters_.malformed;
    }
    return out;
  }

  Status send(const std::string& peer, const std::string& bytes) override {
    const std::size_t door = peer.empty() ? doors_.size() : static_cast<unsigned char>(peer[0]);
    try {
      if (door >= doors_.size()) throw zmq::error_t(EHOSTUNREACH);
      zmq::socket_t& socket = doors_[door]->socket;
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

  Refusals& refusals() override { return refusals_; }

 private:
  /// Takes one message; false when none waits.
  bool take(std::size_t door, std::vector<Incoming>& out) {
    std::vector<zmq::message_t> frames = read_frames(doors_[door]->socket, kFramesMax);
    if (frames.empty()) return false;
    Gate& gate = doors_[door]->gate;
    gate.on_message(frames.back());
    const std::string user_id = user_id_of(frames.back());
    if (user_id.empty()) {
      refuse(Refusal::kUnauthenticated, counters_.unauthenticated, frames.back());
      gate.cut(frames.back());
      return true;
    }
    if (frames.size() > kFramesMax) {
      refuse(Refusal::kTooManyParts, counters_.too_many_parts, frames.back());
      gate.cut(frames.back());
      return true;
    }
    if (is_too_large(frames, kMessageBytesMax)) {
      refuse(Refusal::kTooLarge, counters_.too_large, frames.back());
      gate.cut(frames.back());
      return true;
    }
    if (frames.size() != 2) {
      refuse(Refusal::kMalformed, counters_.malformed, frames.back());
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

  void refuse(Refusal reason, std::int64_t& counter, zmq::message_t& message) {
    ++counter;
    std::string about = "from=" + address_of(message);
    if (const std::string key = user_id_of(message); !key.empty()) about += " key=" + key;
    refusals_.note(reason, std::move(about));
  }

  Refusals refusals_{"control"};
  ZapDesk desk_;
  std::vector<std::unique_ptr<Door>> doors_;
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
