// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace distcron::mesh {

namespace {

constexpr int kReconnectMs = 100;
constexpr int kReconnectMaxMs = 5'000;
constexpr int kConnectMs = 2'000;
constexpr Micros kDelayMin{200'000};
constexpr Micros kDelayMax{5'000'000};
constexpr Micros kTryFor{3'000'000};      // one of several targets
constexpr Micros kNudgeAfter{1'000'000};  // an attempt that is older is not waited for
constexpr Micros kLook{100'000};          // while there is no connection
constexpr Micros kLookConnected{1'000'000};

}  // namespace

PeerLink::PeerLink(zmq::context_t& context, const KeyPair& keys, std::vector<LinkTarget> targets,
                   const LinkLimits& limits)
    : context_(context),
      keys_(keys),
      targets_(std::move(targets)),
      limits_(limits),
      delay_(kDelayMin) {}

void PeerLink::open(MonoTime now) {
  close();
  opened_at_ = now;
  look_at_ = now + kLook;
  next_at_.reset();
  if (targets_.size() > 1) next_at_ = now + kTryFor;
  const LinkTarget& target = targets_[target_];
  try {
    zmq::socket_t& socket = socket_.emplace(context_, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::immediate, 1);  // nothing waits for a peer that is not there
    socket.set(zmq::sockopt::sndhwm, limits_.send_queue);
    socket.set(zmq::sockopt::rcvhwm, limits_.receive_queue);
    socket.set(zmq::sockopt::maxmsgsize, limits_.receive_bytes);
    socket.set(zmq::sockopt::ipv6, 1);
    socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
    socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMaxMs);
    socket.set(zmq::sockopt::connect_timeout, kConnectMs);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    watch_tcp(socket);
    authenticate_as(socket, keys_, target.server_key);
    monitor_.emplace(context_, socket,
                     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_DISCONNECTED |
                         ZMQ_EVENT_CLOSED);
    socket.connect(target.address);
  } catch (const zmq::error_t&) {
    close();  // an address that is none, or too many sockets: later again
    opened_at_ = now;
    retry_later(now);
  }
}

void PeerLink::close() {
  if (is_connected_) ++breaks_;
  is_connected_ = false;
  monitor_.reset();
  socket_.reset();
  next_at_.reset();
}

void PeerLink::retarget(std::vector<LinkTarget> targets, MonoTime now) {
  const auto same = std::find(targets.begin(), targets.end(), targets_[target_]);
  const bool keeps = is_connected_ && same != targets.end();
  target_ = keeps ? static_cast<std::size_t>(same - targets.begin()) : 0;
  targets_ = std::move(targets);
  if (!keeps && is_open()) open(now);
}

void PeerLink::advance(MonoTime now) {
  target_ = (target_ + 1) % targets_.size();
  open(now);
}

bool PeerLink::send(const PeerFrame& frame, std::string_view body) {
  if (!socket_) return false;
  try {
    zmq::message_t message(kPeerHeaderBytes + body.size());
    write_header(frame, message.data<char>());
    if (!body.empty()) {
      std::memcpy(message.data<char>() + kPeerHeaderBytes, body.data(), body.size());
    }
    return socket_->send(message, zmq::send_flags::dontwait).has_value();
  } catch (const zmq::error_t&) {
    return false;
  }
}

std::optional<std::string> PeerLink::receive() {
  if (!socket_) return std::nullopt;
  try {
    std::vector<zmq::message_t> frames = read_frames(*socket_, 1);
    if (frames.empty()) return std::nullopt;
    return frames.size() == 1 ? frames[0].to_string() : std::string();
  } catch (const zmq::error_t&) {
    return std::nullopt;
  }
}

void PeerLink::look(MonoTime now) {
  if (!monitor_) return;
  try {
    while (const std::optional<SocketEvent> event = monitor_->take())
      on_event(*event, now);
  } catch (const zmq::error_t&) {
    retry_later(now);
  }
  look_at_ = now + (is_connected_ ? kLookConnected : kLook);
}

void PeerLink::on_timer(MonoTime now) {
  if (now >= look_at_) look(now);
  if (is_connected_ || !next_at_ || now < *next_at_) return;
  advance(now);
}

std::optional<MonoTime> PeerLink::next_timer() const {
  if (!socket_) return next_at_;
  return next_at_ && !is_connected_ ? std::min(*next_at_, look_at_) : look_at_;
}

void PeerLink::nudge(MonoTime now) {
  if (is_connected_ || now - opened_at_ < kNudgeAfter) return;
  look(now);  // the handshake may be done by now
  if (!is_connected_) open(now);
}

void PeerLink::on_event(const SocketEvent& event, MonoTime now) {
  switch (event.kind) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      is_connected_ = true;
      is_refused_ = false;
      next_at_.reset();
      delay_ = kDelayMin;
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      ++refusals_;
      is_refused_ = true;
      [[fallthrough]];
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      retry_later(now);  // libzmq has given the socket up
      break;
    case ZMQ_EVENT_DISCONNECTED:
      if (is_connected_) {
        is_connected_ = false;
        ++breaks_;
        if (targets_.size() > 1) next_at_ = now + kTryFor;
        break;
      }
      [[fallthrough]];
    case ZMQ_EVENT_CLOSED:
      if (targets_.size() > 1 && !is_connected_) retry_later(now);
      break;
    default:
      break;
  }
}

void PeerLink::retry_later(MonoTime now) {
  is_connected_ = false;
  if (next_at_ && *next_at_ <= now + delay_) return;
  next_at_ = now + delay_;
  if (target_ + 1 == targets_.size()) delay_ = std::min(delay_ * 2, kDelayMax);  // all have failed
}

}  // namespace distcron::mesh
