// SPDX-License-Identifier: Apache-2.0
#include "process/exec_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace distcron::process {

namespace {
constexpr int kBacklog = 8;

UniqueFd fail(std::string& error, const std::string& what) {
  error = what + ": " + std::strerror(errno);
  return {};
}
}  // namespace

UniqueFd listen_for_agent(const std::string& path, std::int64_t peer_uid, std::string& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    error = "cannot use socket path '" + path + "': it must have 1 to 107 bytes";
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return fail(error, "cannot make a socket");
  if (::connect(fd.get(), plain, sizeof(address)) == 0) {
    error = "cannot listen at '" + path + "': an executor serves it already";
    return {};
  }
  if (errno == ECONNREFUSED) (void)::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const bool is_bound = ::bind(fd.get(), plain, sizeof(address)) == 0;
  ::umask(before);
  if (!is_bound || ::listen(fd.get(), kBacklog) != 0) {
    return fail(error, "cannot listen at '" + path + "'");
  }
  if (peer_uid >= 0 && ::geteuid() == 0 &&
      ::lchown(path.c_str(), static_cast<uid_t>(peer_uid), static_cast<gid_t>(-1)) != 0) {
    return fail(error, "cannot hand '" + path + "' to the agent's user");
  }
  return fd;
}

}  // namespace distcron::process
