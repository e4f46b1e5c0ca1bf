// SPDX-License-Identifier: Apache-2.0
#include "mesh/control_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include <zmq.hpp>

#include "mesh/unix_path.h"

namespace distcron::mesh {

namespace {

constexpr int kHandshakeMs = 5'000;
constexpr int kQueueMessages = 1'000;
constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";
constexpr int kZapEnforceDomain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN: named only with the draft API
constexpr const char* kZapDomain = "distcron-control";
// Delimiter, version, id, domain, address, identity, mechanism.
constexpr std::size_t kZapFrames = 7;
constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

/// Both options together, before bind: either alone lets everybody in.
void require_authentication(zmq::socket_t& socket, const KeyPair& keys) {
  socket.set(zmq::sockopt::zap_domain, kZapDomain);
  const int enforce = 1;
  if (::zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0) {
    throw zmq::error_t();
  }
  socket.set(zmq::sockopt::curve_server, 1);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

std::string z85_of(const zmq::message_t& raw) {
  std::array<char, kKeyTextBytes + 1> text{};
  if (raw.size() != 32) return {};
  ::zmq_z85_encode(text.data(), raw.data<std::uint8_t>(), raw.size());
  return text.data();
}

/// All frames of one message that has begun to arrive; empty when none waits.
std::vector<zmq::message_t> read_frames(zmq::socket_t& socket) {
  std::vector<zmq::message_t> frames;
  bool more = true;
  while (more) {
    zmq::message_t frame;
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return {};
    more = frame.more();
    frames.push_back(std::move(frame));
  }
  return frames;
}

class ZmqControlServer final : public ControlServer {
 public:
  ZmqControlServer(zmq::context_t& context, IsKnown is_known)
      : zap_(context, zmq::socket_type::router), is_known_(std::move(is_known)) {
    zap_.set(zmq::sockopt::linger, 0);
    zap_.bind(kZapEndpoint);
  }

  Status bind(zmq::context_t& context, const KeyPair& keys, const std::string& endpoint) {
    const bool is_ipc = endpoint.rfind(kIpc, 0) == 0;
    if (!is_ipc && endpoint.rfind(kTcp, 0) != 0) {
      return fail_hint(ErrorCode::kInvalid, "cannot listen on " + endpoint,
                       "ipc:///PATH and tcp://ADDRESS:PORT are possible");
    }
    const std::string path = is_ipc ? endpoint.substr(kIpc.size()) : std::string();
    if (is_ipc) DC_CHECK_OK(clear_socket_path(path));
    zmq::socket_t socket(context, zmq::socket_type::router);
    require_authentication(socket, keys);
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
    std::vector<void*> out{zap_.handle()};
    for (zmq::socket_t& door : doors_)
      out.push_back(door.handle());
    return out;
  }

  std::vector<Incoming> receive(int limit) override {
    std::vector<Incoming> out;
    try {
      for (int i = 0; i < limit && answer_zap(); ++i) {
      }
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
    const char* user_id = nullptr;
    try {
      user_id = frames[1].gets("User-Id");
    } catch (const zmq::error_t&) {
      user_id = nullptr;
    }
    if (user_id == nullptr || *user_id == '\0') {
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

  /// Source: RFC 27 (ZAP). True when a question was answered.
  bool answer_zap() {
    std::vector<zmq::message_t> frames = read_frames(zap_);
    if (frames.empty()) return false;
    // An envelope of one routing id, then the frames of the request.
    if (frames.size() < kZapFrames + 1) return true;
    const std::string mechanism = frames[7].to_string();
    const bool has_key = frames.size() == kZapFrames + 2 && mechanism == "CURVE";
    const std::string public_key = has_key ? z85_of(frames[8]) : std::string();
    const bool known = !public_key.empty() && is_known_(public_key);
    if (!known) ++counters_.refused_keys;
    const std::array<std::string, 6> reply{"1.0",
                                           frames[3].to_string(),
                                           known ? "200" : "400",
                                           known ? "OK" : "unknown key",
                                           known ? public_key : std::string(),
                                           std::string()};
    try {
      zap_.send(frames[0], zmq::send_flags::sndmore);
      zap_.send(zmq::message_t(), zmq::send_flags::sndmore);
      for (std::size_t i = 0; i < reply.size(); ++i) {
        const bool last = i + 1 == reply.size();
        zap_.send(zmq::message_t(reply[i].data(), reply[i].size()),
                  last ? zmq::send_flags::none : zmq::send_flags::sndmore);
      }
    } catch (const zmq::error_t&) {
      ++counters_.undeliverable;
    }
    return true;
  }

  zmq::socket_t zap_;
  std::vector<zmq::socket_t> doors_;
  std::size_t first_door_ = 0;
  IsKnown is_known_;
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
