// SPDX-License-Identifier: Apache-2.0
#include "agent/layout.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace distcron::agent {

namespace {

constexpr const char* kInstalledDir = "/usr/lib/distcron";
constexpr Seconds kExecutorWait{10};
constexpr int kExecutorPollMs = 10;
constexpr int kGreetingWaitMs = 1'000;

Status make_dir(const std::string& path, mode_t mode, const std::optional<AgentUser>& owner) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(parent, error);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return fail_errno(ErrorCode::kIo, "cannot make directory " + path, errno);
  }

  struct stat facts {};

  if (::lstat(path.c_str(), &facts) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot read directory " + path, errno);
  }
  if (!S_ISDIR(facts.st_mode)) {
    return fail(ErrorCode::kInvalid, "cannot use " + path + ": it is not a directory");
  }
  const bool is_ours = ::geteuid() == 0 || facts.st_uid == ::geteuid();
  if (!is_ours) return {};  // made by root for us: a unit did, or a start as root
  const bool wants_owner = owner && (facts.st_uid != owner->uid || facts.st_gid != owner->gid);
  if (wants_owner && ::lchown(path.c_str(), owner->uid, owner->gid) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot give " + path + " to its owner", errno);
  }
  if ((facts.st_mode & 07777U) != mode && ::chmod(path.c_str(), mode) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot set the mode of " + path, errno);
  }
  return {};
}

/// The guard must not be our child: it is a grandchild whose parent ends at once.
Status spawn_detached(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(ErrorCode::kIo, "cannot start the executor", errno);
  if (child == 0) {
    ::setsid();
    const pid_t guard = ::fork();
    if (guard != 0) ::_exit(guard < 0 ? 1 : 0);
    // The guard outlives us: it must not hold a pipe on which somebody waits for our end.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
      ::dup2(null, 0);
      ::dup2(null, 1);
    }
    if (::chdir("/") != 0) ::_exit(1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(ErrorCode::kIo, "cannot start the executor: cannot fork");
  return {};
}

}  // namespace

std::optional<AgentUser> find_agent_user() {
  const passwd* entry = ::getpwnam("distcron");
  if (entry == nullptr) return std::nullopt;
  AgentUser user{entry->pw_uid, entry->pw_gid};
  if (const group* own = ::getgrnam("distcron"); own != nullptr) user.gid = own->gr_gid;
  return user;
}

bool is_system_agent() {
  if (::geteuid() == 0) return true;
  const auto user = find_agent_user();
  return user && user->uid == ::geteuid();
}

Result<std::string> find_programs_dir() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = self.parent_path().string();
  for (const std::string& dir : {beside, std::string(kInstalledDir)}) {
    if (::access((dir + "/distcron-exec").c_str(), X_OK) == 0) return dir;
  }
  return fail_hint(
      ErrorCode::kNotFound,
      "cannot find distcron-exec: it is neither in " + beside + " nor in " + kInstalledDir,
      "install the package distcrond, or build all programs");
}

Status make_directories(const Layout& layout, const std::optional<AgentUser>& user) {
  const bool is_root = ::geteuid() == 0;
  std::optional<AgentUser> exec_owner;
  if (is_root) exec_owner = AgentUser{0, user ? user->gid : 0};
  DC_CHECK_OK(make_dir(layout.storage_dir, is_root ? 0711 : 0700, is_root ? user : std::nullopt));
  DC_CHECK_OK(make_dir(layout.runtime_dir, 0755, is_root ? user : std::nullopt));
  DC_CHECK_OK(make_dir(layout.keys_dir, 0750, exec_owner));
  DC_CHECK_OK(make_dir(layout.exec_dir, 0750, exec_owner));
  DC_CHECK_OK(make_dir(layout.exec_run_dir, is_root ? 0755 : 0700, exec_owner));
  return {};
}

Result<process::ExecClient> hold_executor(const Layout& layout) {
  DC_TRY(process::ExecClient held, process::ExecClient::connect(layout.exec_socket));
  pollfd greeting{held.fd(), POLLIN, 0};
  ::poll(&greeting, 1, kGreetingWaitMs);
  char byte = 0;
  const ssize_t got = ::recv(held.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0 || (got < 0 && errno == EAGAIN)) return held;  // it greets, or is slow
  return fail(ErrorCode::kUnavailable,
              "the executor at " + layout.exec_socket + " takes no connection of this agent");
}

Result<process::ExecClient> start_executor(const Layout& layout,
                                           const std::optional<AgentUser>& user,
                                           Seconds idle_exit) {
  if (auto held = hold_executor(layout)) return held;
  std::vector<std::string> words{layout.programs_dir + "/distcron-exec",
                                 "--guard",
                                 "--socket",
                                 layout.exec_socket,
                                 "--run-dir",
                                 layout.exec_run_dir,
                                 "--state-dir",
                                 layout.exec_dir,
                                 "--idle-exit",
                                 std::to_string(idle_exit.count())};
  if (!layout.spool_dir.empty()) {
    words.emplace_back("--spool-dir");
    words.push_back(layout.spool_dir);
  }
  if (user) {
    words.emplace_back("--peer-uid");
    words.push_back(std::to_string(user->uid));
    words.emplace_back("--peer-gid");
    words.push_back(std::to_string(user->gid));
  }
  DC_CHECK_OK(spawn_detached(words));
  const auto until = std::chrono::steady_clock::now() + kExecutorWait;
  while (true) {
    auto held = hold_executor(layout);
    if (held) return held;
    if (std::chrono::steady_clock::now() >= until) {
      return fail(ErrorCode::kUnavailable, "cannot reach the executor at " + layout.exec_socket +
                                               " within 10 s: " + held.error().message);
    }
    ::poll(nullptr, 0, kExecutorPollMs);
  }
}

Status become(const AgentUser& user) {
  const std::array<gid_t, 1> groups{user.gid};
  if (::setgroups(groups.size(), groups.data()) != 0 ||
      ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot become the user distcron", errno);
  }
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  const bool same = ::getresuid(&real, &effective, &saved) == 0 && real == user.uid &&
                    effective == user.uid && saved == user.uid;
  if (!same || ::setuid(0) == 0) {
    return fail(ErrorCode::kIo, "cannot become the user distcron: root was not given up");
  }
  return {};
}

Result<std::string> read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!(file >> id)) {
    return fail(ErrorCode::kIo, "cannot read /proc/sys/kernel/random/boot_id");
  }
  return id;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

std::string own_user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

}  // namespace distcron::agent
