// SPDX-License-Identifier: Apache-2.0
#include "mesh/control_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <netdb.h>
#include <zmq.hpp>

#include "base/unique_fd.h"
#include "mesh/control_server.h"
#include "mesh/unix_path.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr int kProbeMs = 2'000;
constexpr std::uint32_t kZapDenied = 400;  // RFC 27; other codes are troubles of the agent

Error unreachable(const std::string& endpoint, int error) {
  return Error{ErrorCode::kUnavailable,
               "cannot reach an agent at " + endpoint + ": " + std::strerror(error), error,
               "is distcrond running? another endpoint: --endpoint or DISTCRON_ENDPOINT"};
}

Status probe_ipc(const std::string& endpoint) {
  const std::string path = endpoint.substr(kIpc.size());
  DC_TRY(const sockaddr_un address, unix_address(path));
  const int error = try_unix(address);
  if (error != 0) return fail(unreachable(endpoint, error));
  return {};
}

/// 0, or the errno of the attempt.
int try_address(const addrinfo& address) {
  const UniqueFd fd(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                             address.ai_protocol));
  if (!fd) return errno;
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{fd.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, kProbeMs) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

Status probe_tcp(const std::string& endpoint) {
  const std::string rest = endpoint.substr(kTcp.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos) {
    return fail(ErrorCode::kInvalid, endpoint + ": a port is missing, such as :8472");
  }
  std::string host = rest.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), rest.substr(colon + 1).c_str(), &hints, &found);
  if (failed != 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot reach an agent at " + endpoint + ": " + ::gai_strerror(failed));
  }
  int error = EHOSTUNREACH;
  for (const addrinfo* one = found; one != nullptr && error != 0; one = one->ai_next) {
    error = try_address(*one);
  }
  ::freeaddrinfo(found);
  if (error != 0) return fail(unreachable(endpoint, error));
  return {};
}

Status probe(const std::string& endpoint) {
  return endpoint.rfind(kIpc, 0) == 0 ? probe_ipc(endpoint) : probe_tcp(endpoint);
}

class ZmqControlClient final : public ControlClient {
 public:
  ZmqControlClient(std::string endpoint, KeyFile key)
      : endpoint_(std::move(endpoint)), key_(std::move(key)) {
    open();
  }

  Result<std::string> request(std::string_view bytes, Millis timeout) override {
    if (bytes.size() > static_cast<std::size_t>(kMessageBytesMax)) {
      return fail(ErrorCode::kInvalid, "cannot send a request of " + std::to_string(bytes.size()) +
                                           " bytes to " + endpoint_ + ": at most " +
                                           std::to_string(kMessageBytesMax) + " are taken");
    }
    try {
      // An answer to an earlier request may still come on the old session; on a new one it cannot.
      while (is_open_ && !is_lost_ && read_monitor()) {
      }
      if (is_lost_) {
        DC_CHECK_OK(probe(endpoint_));
        monitor_.reset();
        open();
      }
      // libzmq gives a socket up whose key was refused. It takes nothing then, so that a send which
      // waits would wait for ever.
      const bool is_sent =
          socket_.send(zmq::message_t(bytes.data(), bytes.size()), zmq::send_flags::dontwait)
              .has_value();
      Result<std::string> reply = is_sent ? wait(timeout) : fail(unsent());
      is_lost_ = !reply.has_value();
      return reply;
    } catch (const zmq::error_t& error) {
      return fail(ErrorCode::kIo, "cannot talk to " + endpoint_ + ": " + error.what());
    }
  }

 private:
  void open() {
    socket_ = zmq::socket_t(context_, zmq::socket_type::dealer);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::maxmsgsize, kMessageBytesMax);
    authenticate_as(socket_, KeyPair{key_.public_key, key_.secret_key}, key_.server_key);
    if (endpoint_.rfind(kTcp, 0) == 0) socket_.set(zmq::sockopt::ipv6, 1);
    monitor_.emplace(context_, socket_,
                     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                         ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    is_open_ = false;
    is_lost_ = false;
    is_refused_ = false;
    is_foreign_ = false;
    cuts_ = 0;
    socket_.connect(endpoint_);
  }

  Result<std::string> wait(Millis timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (true) {
      const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now());
      if (left <= Millis(0)) return fail(too_late(timeout));
      std::array<zmq::pollitem_t, 2> items{zmq::pollitem_t{socket_.handle(), 0, ZMQ_POLLIN, 0},
                                           zmq::pollitem_t{monitor_->socket(), 0, ZMQ_POLLIN, 0}};
      zmq::poll(items.data(), items.size(), left);
      if ((items[0].revents & ZMQ_POLLIN) != 0) {
        zmq::message_t reply;
        if (socket_.recv(reply, zmq::recv_flags::dontwait)) return reply.to_string();
      }
      if ((items[1].revents & ZMQ_POLLIN) == 0) continue;
      const int cuts = cuts_;
      if (!read_monitor()) continue;
      DC_CHECK_OK(refusal());
      // The socket connects anew by itself; that is of no use where nobody listens any more.
      if (cuts_ > cuts) DC_CHECK_OK(probe(endpoint_));
    }
  }

  Error too_late(Millis timeout) const {
    const std::string within = " within " + std::to_string(timeout.count()) + " ms";
    if (is_open_ || cuts_ == 0) {
      return Error{ErrorCode::kTimeout, "no answer from " + endpoint_ + within, 0, {}};
    }
    return Error{
        ErrorCode::kUnavailable,
        "cannot open a session with the agent at " + endpoint_ + within + ": it cut " +
            std::to_string(cuts_) + " connections",
        0, "either it is overloaded, or the server_key of the key file is of another cluster"};
  }

  /// Why the session took no request.
  Error unsent() {
    while (read_monitor()) {
    }
    const Status said = verdict();
    if (!said) return said.error();
    return Error{ErrorCode::kUnavailable,
                 "the session with " + endpoint_ + " ended before the request was sent",
                 0,
                 {}};
  }

  /// Takes one event of the session; false when none waits.
  bool read_monitor() {
    const std::optional<SocketEvent> event = monitor_->take();
    if (!event) return false;
    if (event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      is_open_ = true;
    } else if (is_open_) {
      is_lost_ = true;
    } else if (event->kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && event->value == kZapDenied) {
      is_refused_ = true;
    } else if (event->kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
      is_foreign_ = true;
    } else if (event->kind == ZMQ_EVENT_DISCONNECTED) {
      ++cuts_;
    }
    return true;
  }

  /// Only the agent's word about the key is a refusal. A connection that is cut before it is open
  /// says nothing: the agent may be stopping, or be too busy to answer in time.
  Status refusal() const {
    if (is_lost_) {
      return fail(ErrorCode::kTimeout, "the connection to " + endpoint_ +
                                           " broke before the answer came; the request may have "
                                           "taken effect");
    }
    return verdict();
  }

  Status verdict() const {
    if (is_refused_) {
      return fail_hint(ErrorCode::kDenied, "the agent at " + endpoint_ + " refuses this key",
                       "the key is not known there; distcronctl login gets one of your own");
    }
    if (is_foreign_) {
      return fail_hint(ErrorCode::kUnavailable, "what listens at " + endpoint_ + " is no agent",
                       "another endpoint: --endpoint or DISTCRON_ENDPOINT");
    }
    return {};
  }

  std::string endpoint_;
  KeyFile key_;
  zmq::context_t context_{1};
  zmq::socket_t socket_;
  std::optional<Monitor> monitor_;
  bool is_open_ = false;
  bool is_lost_ = false;  ///< The session ended, or answers to it are no longer waited for.
  bool is_refused_ = false;
  bool is_foreign_ = false;
  int cuts_ = 0;  ///< Connections that ended before the handshake did.
};

}  // namespace

Result<std::unique_ptr<ControlClient>> ControlClient::connect(const std::string& endpoint,
                                                              const KeyFile& key) {
  const bool is_ipc = endpoint.rfind(kIpc, 0) == 0;
  if (!is_ipc && endpoint.rfind(kTcp, 0) != 0) {
    return fail_hint(ErrorCode::kInvalid, "\"" + endpoint + "\" is no endpoint",
                     "ipc:///run/distcron/control.sock and tcp://HOST:8472 are");
  }
  if (!is_key_text(key.server_key)) {
    return fail_hint(ErrorCode::kInvalid, "the key file has no server_key",
                     "copy it from a key file of the cluster");
  }
  DC_CHECK_OK(probe(endpoint));
  try {
    return std::unique_ptr<ControlClient>(std::make_unique<ZmqControlClient>(endpoint, key));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kIo, "cannot connect to " + endpoint + ": " + error.what());
  }
}

}  // namespace distcron::mesh
