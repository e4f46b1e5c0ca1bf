// SPDX-License-Identifier: Apache-2.0
#include "mesh/login_server.h"

#include <array>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "mesh/keys.h"
#include "mesh/unix_path.h"

namespace distcron::mesh {

namespace {

constexpr int kWaitSeconds = 5;
constexpr std::size_t kLineMax = 256;

Result<UniqueFd> unix_socket(const std::string& path, sockaddr_un& address, int flags) {
  DC_TRY(address, unix_address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) return fail_errno(ErrorCode::kIo, "cannot make a socket for " + path, errno);
  return fd;
}

const sockaddr* generic(const sockaddr_un& address) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API wants it.
  return reinterpret_cast<const sockaddr*>(&address);
}

class UnixLoginServer final : public LoginServer {
 public:
  UnixLoginServer(UniqueFd listener, Handler handler)
      : listener_(std::move(listener)), handler_(std::move(handler)) {}

  std::vector<std::pair<int, short>> poll_fds() override {
    std::vector<std::pair<int, short>> out;
    if (visitors_.size() < kConnectionsMax) out.emplace_back(listener_.get(), POLLIN);
    for (const Visitor& visitor : visitors_)
      out.emplace_back(visitor.fd.get(), POLLIN);
    return out;
  }

  void poll() override {
    while (visitors_.size() < kConnectionsMax) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) break;
      visitors_.push_back(Visitor{std::move(fd), {}, std::chrono::steady_clock::now()});
    }
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(visitors_, [this, now](Visitor& visitor) {
      return serve(visitor) || now - visitor.since > std::chrono::seconds(kWaitSeconds);
    });
  }

 private:
  struct Visitor {
    UniqueFd fd;
    std::string line;
    std::chrono::steady_clock::time_point since;
  };

  /// True when the visitor is done with.
  bool serve(Visitor& visitor) {
    std::array<char, kLineMax> piece{};
    const ssize_t count = ::read(visitor.fd.get(), piece.data(), piece.size());
    if (count < 0) return errno != EAGAIN && errno != EINTR;
    if (count == 0) return true;
    visitor.line.append(piece.data(), static_cast<std::size_t>(count));
    if (visitor.line.size() > kLineMax) return true;
    const std::size_t end = visitor.line.find('\n');
    if (end == std::string::npos) return false;
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(visitor.fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return true;
    const std::string public_key = visitor.line.substr(0, end);
    std::string reply = "no this is not a public key\n";
    if (is_key_text(public_key)) {
      const Result<std::string> answer = handler_(who.uid, who.gid, public_key);
      reply = answer ? "ok " + *answer + "\n" : "no " + answer.error().message + "\n";
    }
    static_cast<void>(::send(visitor.fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL));
    return true;
  }

  UniqueFd listener_;
  Handler handler_;
  std::vector<Visitor> visitors_;
};

}  // namespace

Result<std::unique_ptr<LoginServer>> LoginServer::make(const std::string& path, Handler handler) {
  sockaddr_un address{};
  DC_TRY(UniqueFd fd, unix_socket(path, address, SOCK_NONBLOCK));
  DC_CHECK_OK(clear_socket_path(path));
  if (::bind(fd.get(), generic(address), sizeof address) != 0 || ::listen(fd.get(), 16) != 0) {
    return fail_errno(ErrorCode::kUnavailable, "cannot listen on " + path, errno);
  }
  ::chmod(path.c_str(), 0666);  // the peer's uid decides who is let in
  return std::unique_ptr<LoginServer>(
      std::make_unique<UnixLoginServer>(std::move(fd), std::move(handler)));
}

Result<std::string> login(const std::string& path, const std::string& public_key) {
  sockaddr_un address{};
  DC_TRY(const UniqueFd fd, unix_socket(path, address, 0));
  const timeval limit{kWaitSeconds, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), generic(address), sizeof address) != 0) {
    return fail_errno(ErrorCode::kUnavailable, "cannot reach an agent at " + path, errno);
  }
  const std::string line = public_key + "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return fail_errno(ErrorCode::kUnavailable, "cannot talk to " + path, errno);
  }
  std::string reply;
  std::array<char, kLineMax> piece{};
  ssize_t count = 0;
  while ((count = ::read(fd.get(), piece.data(), piece.size())) > 0) {
    reply.append(piece.data(), static_cast<std::size_t>(count));
  }
  if (count < 0 && reply.empty()) {
    return fail(ErrorCode::kTimeout, "no answer from " + path + " within 5 s");
  }
  while (!reply.empty() && reply.back() == '\n')
    reply.pop_back();
  if (reply.rfind("ok ", 0) == 0) return reply.substr(3);
  const std::string why = reply.rfind("no ", 0) == 0 ? reply.substr(3) : "no sensible answer";
  return fail(ErrorCode::kDenied, "cannot log in: " + why);
}

}  // namespace distcron::mesh
