// SPDX-License-Identifier: Apache-2.0
#include "mesh/unix_path.h"

#include <cerrno>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace distcron::mesh {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  constexpr std::size_t kBytesMax = sizeof address.sun_path - 1;
  if (path.empty() || path.size() > kBytesMax) {
    return fail_hint(ErrorCode::kInvalid,
                     "cannot use '" + path + "': the path has " + std::to_string(path.size()) +
                         " bytes, a unix socket takes 1 to " + std::to_string(kBytesMax),
                     "set a shorter control.listen or storage.dir");
  }
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), kBytesMax);
  return address;
}

int try_unix(const sockaddr_un& address) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API wants it.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return 0;
  }
  return errno == EAGAIN ? 0 : errno;
}

Status clear_socket_path(const std::string& path) {
  DC_TRY(const sockaddr_un address, unix_address(path));

  struct stat facts {};

  if (::lstat(path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode)) {
    return fail(ErrorCode::kInvalid,
                "cannot listen on '" + path + "': a file that is no socket is there");
  }
  if (try_unix(address) == 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot listen on '" + path + "': another process listens there");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(ErrorCode::kIo, "cannot remove the old socket '" + path + "'", errno);
  }
  return {};
}

}  // namespace distcron::mesh
