// SPDX-License-Identifier: Apache-2.0
#include "mesh/zmq_io.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace distcron::mesh {

namespace {

constexpr int kZapEnforceDomain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN: named only with the draft API
constexpr int kDeadAfterMs = 5'000;

}  // namespace

std::string tcp_endpoint(const std::string& address) {
  return address.rfind(kTcp, 0) == 0 ? address : std::string(kTcp) + address;
}

std::vector<zmq::message_t> read_frames(zmq::socket_t& socket, std::size_t most) {
  std::vector<zmq::message_t> frames;
  bool more = true;
  while (more) {
    zmq::message_t frame;
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return {};
    more = frame.more();
    if (frames.size() > most) frames.pop_back();
    frames.push_back(std::move(frame));
  }
  return frames;
}

bool is_too_large(const std::vector<zmq::message_t>& frames, std::size_t most) {
  return std::any_of(frames.begin(), frames.end(),
                     [most](const zmq::message_t& frame) { return frame.size() > most; });
}

std::string plain_address(const std::string& address) {
  constexpr std::string_view kMapped = "::ffff:";
  const bool is_mapped = address.starts_with(kMapped) && address.find('.') != std::string::npos;
  if (is_mapped) return address.substr(kMapped.size());
  constexpr std::string_view kLocal = "localhost:";
  const std::size_t gid = address.find(':', kLocal.size());
  if (!address.starts_with(kLocal) || gid == std::string::npos) return address;
  const std::string uid = address.substr(kLocal.size(), gid - kLocal.size());
  return "uid:" + uid + ",pid:" + address.substr(address.rfind(':') + 1);
}

std::string user_id_of(zmq::message_t& frame) {
  const char* user_id = ::zmq_msg_gets(frame.handle(), "User-Id");
  return user_id == nullptr ? std::string() : std::string(user_id);
}

std::string address_of(zmq::message_t& frame) {
  const char* address = ::zmq_msg_gets(frame.handle(), "Peer-Address");
  return address == nullptr ? std::string() : plain_address(address);
}

int source_fd(zmq::message_t& frame) {
  return ::zmq_msg_get(frame.handle(), ZMQ_SRCFD);
}

void require_authentication(zmq::socket_t& socket, const KeyPair& keys, const char* domain) {
  socket.set(zmq::sockopt::zap_domain, domain);
  const int enforce = 1;
  if (::zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0) {
    throw zmq::error_t();
  }
  socket.set(zmq::sockopt::curve_server, 1);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

void authenticate_as(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key) {
  socket.set(zmq::sockopt::curve_serverkey, server_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

void watch_tcp(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::tcp_maxrt, kDeadAfterMs);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 10);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 5);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& socket, int events)
    : watched_(socket), pair_(context, zmq::socket_type::pair) {
  static std::atomic<std::uint64_t> count = 0;
  const std::string address = "inproc://monitor-" + std::to_string(++count);
  if (::zmq_socket_monitor(watched_.handle(), address.c_str(), events) != 0) {
    throw zmq::error_t();
  }
  pair_.set(zmq::sockopt::linger, 0);
  // libzmq writes events with a lock held that the end of this monitor needs: it must never wait
  // for room. There are at most three events of a connection between two looks.
  pair_.set(zmq::sockopt::rcvhwm, 0);
  pair_.connect(address);
}

Monitor::~Monitor() {
  ::zmq_socket_monitor(watched_.handle(), nullptr, 0);
}

std::optional<SocketEvent> Monitor::take() {
  std::vector<zmq::message_t> frames = read_frames(pair_, 2);
  if (frames.empty()) return std::nullopt;
  std::uint16_t kind = 0;
  SocketEvent event;
  if (frames[0].size() < sizeof kind + sizeof event.value) return event;
  std::memcpy(&kind, frames[0].data(), sizeof kind);
  std::memcpy(&event.value, frames[0].data<char>() + sizeof kind, sizeof event.value);
  event.kind = kind;
  return event;
}

}  // namespace distcron::mesh
