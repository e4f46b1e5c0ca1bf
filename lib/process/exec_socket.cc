// SPDX-License-Identifier: Apache-2.0
#include "process/exec_socket.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace distcron::process {

namespace {
constexpr int kBacklog = 8;
constexpr int kSocketLockTries = 50;
constexpr timespec kLockPause = {0, 20'000'000};

UniqueFd fail(std::string& error, const std::string& what) {
  error = what + ": " + std::strerror(errno);
  return {};
}

bool is_same_file(const UniqueFd& a, const UniqueFd& b) {
  struct stat first {};

  struct stat second {};

  return ::fstat(a.get(), &first) == 0 && ::fstat(b.get(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}
}  // namespace

UniqueFd lock_run_dir(const std::string& run_dir, std::string& error) {
  const std::string path = run_dir + "/exec.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(error, "cannot open '" + path + "'");
  for (int i = 0; i < kSocketLockTries; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) break;
    (void)::nanosleep(&kLockPause, nullptr);
  }
  return fail(error, "cannot lock '" + path + "': another executor lives in this directory");
}

void note_own_pid(const std::string& run_dir) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  const UniqueFd fd(::open((run_dir + "/exec.pid").c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (fd) (void)!::write(fd.get(), pid.data(), pid.size());
}

void notify_ready() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const std::size_t bytes = std::strlen(path);
  if (bytes >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, path, bytes);
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string_view text = "READY=1";
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes);
  (void)::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

AgentSocket listen_for_agent(const std::string& path, std::int64_t peer_uid, std::string& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    error = "cannot use socket path '" + path + "': it must have 1 to 107 bytes";
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  AgentSocket made;
  made.fd.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!made.fd) return {fail(error, "cannot make a socket")};

  struct stat old {};

  if (::lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) (void)::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const bool is_bound = ::bind(made.fd.get(), plain, sizeof(address)) == 0;
  ::umask(before);
  if (!is_bound || ::listen(made.fd.get(), kBacklog) != 0) {
    return {fail(error, "cannot listen at '" + path + "'")};
  }
  if (peer_uid >= 0 && ::geteuid() == 0 &&
      ::lchown(path.c_str(), static_cast<uid_t>(peer_uid), static_cast<gid_t>(-1)) != 0) {
    return {fail(error, "cannot hand '" + path + "' to the agent's user")};
  }

  struct stat own {};

  if (::lstat(path.c_str(), &own) == 0) {
    made.device = own.st_dev;
    made.inode = own.st_ino;
  }
  return made;
}

void remove_own_socket(const std::string& path, const AgentSocket& own, const std::string& run_dir,
                       const UniqueFd& lock) {
  const std::string lock_path = run_dir + "/exec.lock";
  const UniqueFd there(::open(lock_path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  // A new lock file without an owner is held meanwhile; with one, the socket is its owner's matter.
  const bool is_held =
      !there || is_same_file(there, lock) || ::flock(there.get(), LOCK_EX | LOCK_NB) == 0;
  if (!is_held) return;

  struct stat found {};

  const bool is_own =
      ::lstat(path.c_str(), &found) == 0 && found.st_dev == own.device && found.st_ino == own.inode;
  if (is_own) (void)::unlink(path.c_str());
}

}  // namespace distcron::process
