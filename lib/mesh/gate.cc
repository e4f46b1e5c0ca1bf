// SPDX-License-Identifier: Apache-2.0
#include "mesh/gate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace distcron::mesh {

namespace {

using std::chrono::steady_clock;

constexpr int kFaults = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr int kEvents =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | kFaults | ZMQ_EVENT_DISCONNECTED;
/// Whoever is cut by the limit of handshakes was there for about that long.
constexpr std::chrono::milliseconds kSlow{kHandshakeMs * 9 / 10};

std::string port_of(std::uint16_t port) {
  return ":" + std::to_string(ntohs(port));
}

std::string from_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API wants it.
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);  // NOLINT: as above
    ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
    return text.data() + port_of(ip.sin_port);
  }
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);  // NOLINT: as above
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
    return plain_address(text.data()) + port_of(ip.sin6_port);
  }
  ucred who{};
  size = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return {};
  return "uid:" + std::to_string(who.uid) + ",pid:" + std::to_string(who.pid);
}

std::string from_word(const std::string& from) {
  return "from=" + (from.empty() ? "?" : from);
}

std::string why_of(const SocketEvent& fault) {
  if (fault.kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) return "broken-off";
  switch (fault.value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return "no-curve";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return "wrong-server-key";
    default:
      return "malformed";
  }
}

}  // namespace

Gate::Gate(zmq::context_t& context, zmq::socket_t& socket, Refusals& refusals)
    : refusals_(refusals), monitor_(context, socket, kEvents) {}

void Gate::fetch() {
  while (const std::optional<SocketEvent> event = monitor_.take())
    events_.push_back(*event);
}

void Gate::read() {
  for (fetch(); !events_.empty(); fetch()) {
    const SocketEvent event = events_.front();
    events_.pop_front();
    on_event(event);
  }
}

void Gate::on_message(zmq::message_t& frame) {
  read();  // what was said before it: its descriptor may have been another one's
  const auto found = visitors_.find(source_fd(frame));
  if (found == visitors_.end() || std::exchange(found->second.has_spoken, true)) return;
  --silent_;
}

void Gate::cut(zmq::message_t& frame) {
  const int fd = source_fd(frame);
  read();
  const auto found = visitors_.find(fd);
  // The number may be another connection's by now.
  if (found == visitors_.end() || found->second.from != from_of(fd)) return;
  static_cast<void>(::shutdown(fd, SHUT_RDWR));
}

void Gate::on_event(const SocketEvent& event) {
  const int fd = static_cast<int>(event.value);
  switch (event.kind) {
    case ZMQ_EVENT_ACCEPTED:
      on_accepted(fd);
      break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      ++silent_;
      break;
    case ZMQ_EVENT_DISCONNECTED:
      ++ended_;
      on_end(fd);
      break;
    default:
      ++failed_;
      fault_ = event;  // the I/O thread says who right after it
      break;
  }
}

/// Where it has been cut meanwhile its descriptor may be another one's: then nobody is named.
void Gate::on_accepted(int fd) {
  std::string from = from_of(fd);
  fetch();
  const bool has_ended =
      std::any_of(events_.begin(), events_.end(), [fd](const SocketEvent& event) {
        return event.kind == ZMQ_EVENT_DISCONNECTED && static_cast<int>(event.value) == fd;
      });
  if (has_ended) from.clear();
  visitors_[fd] = Visitor{std::move(from), steady_clock::now(), false};
}

/// libzmq says nothing of those whose greeting it does not understand, such as ZMTP 1 and 2: they
/// are the ones that end without ever having been let in.
void Gate::on_end(int fd) {
  const std::optional<SocketEvent> fault = std::exchange(fault_, std::nullopt);
  auto visitor = visitors_.extract(fd);
  if (visitor.empty()) return;
  const Visitor& who = visitor.mapped();
  if (who.has_spoken) return;
  if (fault && fault->kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return;  // ZapDesk has told it
  std::string why = "no-zmtp3";
  if (fault) {
    const bool is_slow = steady_clock::now() - who.since >= kSlow;
    const auto error = static_cast<int>(fault->value);
    const bool is_broken_off = fault->kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    const bool left = is_broken_off && (error == EPIPE || error == ECONNRESET);
    if (left && !is_slow) return refusals_.note(Refusal::kLeft, from_word(who.from));
    why = is_broken_off && is_slow ? "too-slow" : why_of(*fault);
  } else if (silent_ > 0) {
    --silent_;  // it was let in, had nothing to say and went
    return;
  }
  refusals_.note(Refusal::kHandshake, from_word(who.from) + " why=" + why);
}

}  // namespace distcron::mesh
