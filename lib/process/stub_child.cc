// SPDX-License-Identifier: Apache-2.0
#include "process/stub_child.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/job_env.h"
#include "process/proc_tree.h"
#include "process/text_buffer.h"

namespace distcron::process {

namespace {

constexpr int kLastCapGuess = 63;
constexpr std::size_t kPathMax = 4'096;

[[noreturn]] void quit(const ChildSetup& setup, ChildSays says, Step step, int sys_errno) {
  const ChildReport report{says, step, sys_errno, wall_now_us(), boot_now_us()};
  while (::write(setup.status_fd, &report, sizeof(report)) < 0 && errno == EINTR) {
  }
  ::_exit(127);
}

void need(const ChildSetup& setup, Step step, bool ok) {
  if (!ok) quit(setup, ChildSays::kFailed, step, errno);
}

bool place_fd(int from, int to) {
  if (from != to) return ::dup2(from, to) == to;
  return ::fcntl(to, F_SETFD, 0) == 0;
}

void set_limits(const ChildSetup& setup) {
  const PlanView& plan = *setup.plan;
  need(setup, Step::kLimits, ::setrlimit(RLIMIT_NOFILE, &setup.open_files) == 0);
  if (!plan.has(kPlanCompatCron)) {
    rlimit core{};
    need(setup, Step::kLimits, ::getrlimit(RLIMIT_CORE, &core) == 0);
    core.rlim_cur = 0;
    need(setup, Step::kLimits, ::setrlimit(RLIMIT_CORE, &core) == 0);
  }
  for (std::uint32_t i = 0; i < plan.header.limit_count; ++i) {
    const LimitEntry entry = plan.limit(i);
    if (entry.resource < 0 || entry.resource >= RLIM_NLIMITS) {
      errno = EINVAL;
      need(setup, Step::kLimits, false);
    }
    const rlimit value{entry.soft < 0 ? RLIM_INFINITY : static_cast<rlim_t>(entry.soft),
                       entry.hard < 0 ? RLIM_INFINITY : static_cast<rlim_t>(entry.hard)};
    const auto resource = static_cast<__rlimit_resource>(entry.resource);
    need(setup, Step::kLimits, ::setrlimit(resource, &value) == 0);
  }
}

void set_priority(const ChildSetup& setup) {
  // With cron's session PAM may have set one.
  const bool keeps = setup.plan->has(kPlanCompatCron) && setup.plan->header.nice == 0;
  errno = 0;
  const int before = ::getpriority(PRIO_PROCESS, 0);
  if (!keeps && (before != setup.plan->header.nice || errno != 0)) {
    need(setup, Step::kNice, ::setpriority(PRIO_PROCESS, 0, setup.plan->header.nice) == 0);
  }
  if (setup.resets_oom_score) {
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    need(setup, Step::kLimits, fd >= 0 && ::write(fd, "0", 1) == 1);
    ::close(fd);
  }
}

/// No id of the executor may be left, and root must be out of reach.
bool has_dropped(const UserInfo& user) {
  uid_t ruid = 0;
  uid_t euid = 0;
  uid_t suid = 0;
  gid_t rgid = 0;
  gid_t egid = 0;
  gid_t sgid = 0;
  if (::getresuid(&ruid, &euid, &suid) != 0 || ::getresgid(&rgid, &egid, &sgid) != 0) return false;
  errno = EPERM;
  if (ruid != user.uid || euid != user.uid || suid != user.uid) return false;
  if (rgid != user.gid || egid != user.gid || sgid != user.gid) return false;
  if (::getgroups(0, nullptr) != static_cast<int>(user.group_count)) return false;
  if (user.uid == 0) return true;
  return ::syscall(SYS_setuid, 0) != 0 && ::syscall(SYS_setresuid, -1, 0, -1) != 0;
}

/// The child's own capabilities are gone with the uid; this closes the ways to get some back.
bool drop_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
    return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  for (const __user_cap_data_struct& set : sets) {
    if (set.effective != 0 || set.permitted != 0) {
      errno = EPERM;
      return false;
    }
  }
  // With inheritable capabilities a file could hand some back.
  for (__user_cap_data_struct& set : sets)
    set.inheritable = 0;
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// Needs CAP_SETPCAP, so it comes before the uid is changed.
bool drop_bounding_set() {
  for (int cap = 0; cap <= kLastCapGuess; ++cap) {
    if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) return errno == EINVAL;
  }
  return true;
}

void drop_privileges(const ChildSetup& setup) {
  const UserInfo& user = *setup.user;
  const bool is_native = !setup.plan->has(kPlanCompatCron);
  const bool keeps_sudo = !is_native || !setup.plan->has(kPlanNoNewPrivs);
  if (setup.is_root) {
    if (!keeps_sudo && user.uid != 0) need(setup, Step::kCaps, drop_bounding_set());
    // System calls, not glibc's wrappers: those also look for other threads.
    need(setup, Step::kGroups, ::syscall(SYS_setgroups, user.group_count, user.groups.data()) == 0);
    need(setup, Step::kGid, ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0);
    need(setup, Step::kUid, ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0);
    need(setup, Step::kVerify, has_dropped(user));
    if (is_native && user.uid != 0) need(setup, Step::kCaps, drop_capabilities());
  }
  if (!keeps_sudo) {
    need(setup, Step::kNoNewPrivs, ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
}

void reset_signals() {
  // Through the system call: glibc keeps two real-time signals for itself and refuses them.
  for (int signum = 1; signum < NSIG; ++signum) {
    struct {
      void (*handler)(int);
      unsigned long flags;
      void (*restorer)();
      unsigned long mask;
    } plain{};

    ::syscall(SYS_rt_sigaction, signum, &plain, nullptr, sizeof(plain.mask));
  }
  const unsigned long none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
}

void open_standard_files(const ChildSetup& setup) {
  int input = setup.stdin_fd;
  if (!setup.plan->stdin_path.empty()) {
    // As the job's user, and without waiting for the other end of a FIFO for ever: the stub's
    // timeout does not run yet, a kill request does.
    input = ::open(setup.plan->stdin_path.data(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    need(setup, Step::kStdin, input >= 0);
  } else if (input < 0) {
    input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    need(setup, Step::kStdin, input >= 0);
  }
  need(setup, Step::kFds, place_fd(input, 0));
  need(setup, Step::kFds, place_fd(setup.stdout_fd, 1));
  need(setup, Step::kFds, place_fd(setup.stderr_fd, 2));
  // All others are opened close-on-exec already; this holds also if one was not.
  need(setup, Step::kFds, ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0);
}

/// Source: Debian's cron and cronie: they work in their spool folder and go from there to HOME of
/// the job's environment. Debian's cron starts the job all the same when that fails, cronie does
/// not.
void change_to_cron_home(const ChildSetup& setup) {
  need(setup, Step::kCwd, ::chdir("/var/spool/cron") == 0 || ::chdir("/") == 0);
  const char* home = find_env(setup.envp, "HOME");
  const bool is_there = home != nullptr && ::chdir(home) == 0;
  if (setup.plan->has(kPlanCronieEnv)) need(setup, Step::kCwd, is_there);
}

void change_directory(const ChildSetup& setup) {
  const PlanView& plan = *setup.plan;
  if (plan.cwd.empty() && plan.has(kPlanCompatCron)) {
    change_to_cron_home(setup);
    return;
  }
  const char* cwd = plan.cwd.empty() ? setup.user->home.data() : plan.cwd.data();
  if (::chdir(cwd) == 0) return;
  const int chdir_errno = errno;
  // As systemd: a missing home means /. A directory that the job names must be there.
  if (plan.cwd.empty() && ::chdir("/") == 0) return;
  errno = chdir_errno;
  need(setup, Step::kCwd, false);
}

void wait_for_release(const ChildSetup& setup) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(setup.release_fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) quit(setup, ChildSays::kNotReleased, Step::kNone, 0);
  const std::int64_t start_by = setup.plan->header.start_by_boottime_us;
  if (start_by != 0 && boot_now_us() > start_by) quit(setup, ChildSays::kLate, Step::kNone, 0);
}

/// A file without a #! line that the kernel does not know is a shell script, as in execvp(3).
void exec_path(const ChildSetup& setup, const char* path) {
  ::execve(path, setup.argv, setup.envp);
  if (errno != ENOEXEC) return;
  const std::uint32_t argc = setup.plan->header.argc;
  std::array<char*, kPlanArgsMax + 2> args{};
  args[0] = const_cast<char*>("/bin/sh");
  args[1] = const_cast<char*>(path);
  for (std::uint32_t i = 1; i <= argc; ++i)
    args[i + 1] = setup.argv[i];
  ::execve("/bin/sh", args.data(), setup.envp);
}

void exec_in_path(const ChildSetup& setup) {
  const char* name = setup.argv[0];
  const std::size_t name_bytes = std::strlen(name);
  if (std::strchr(name, '/') != nullptr || name_bytes == 0) {
    if (name_bytes == 0) errno = ENOENT;
    if (name_bytes != 0) exec_path(setup, name);
    return;
  }
  TextBuffer<kPathMax> path;
  int worst = ENOENT;
  const char* at = setup.search_path;
  while (at != nullptr) {
    const char* end = std::strchr(at, ':');
    const std::size_t bytes = end != nullptr ? static_cast<std::size_t>(end - at) : std::strlen(at);
    if (bytes + name_bytes + 3 < kPathMax) {
      const char* slash = bytes == 0 ? "." : "";
      path.clear();
      path.add({at, bytes}).add(slash).add("/").add(name);
      exec_path(setup, path.c_str());
      if (errno == EACCES) worst = EACCES;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return;
    }
    at = end != nullptr ? end + 1 : nullptr;
  }
  errno = worst;
}

/// Runs the script by its #! line, read here so that a noexec file system does not matter.
void exec_script(const ChildSetup& setup) {
  const char* path = setup.script_path;
  if (path == nullptr || ::access(path, R_OK) != 0) {
    // The folder of the private copies is closed to this user: the copy in memory serves, as the
    // one descriptor that such a job sees beyond 0, 1 and 2.
    need(setup, Step::kScript, ::dup2(setup.script_copy_fd, 3) == 3);
    path = "/proc/self/fd/3";
  }
  std::array<char, 256> line{};
  const std::string_view text = setup.plan->script;
  std::size_t length = 0;
  while (length < text.size() && length < line.size() - 1 && text[length] != '\n')
    ++length;
  std::memcpy(line.data(), text.data(), length);
  char* interpreter = const_cast<char*>("/bin/sh");
  char* option = nullptr;
  if (length > 2 && line[0] == '#' && line[1] == '!') {
    char* at = line.data() + 2;
    while (*at == ' ' || *at == '\t')
      ++at;
    char* end = at + std::strlen(at);
    while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
      *--end = '\0';
    if (*at != '\0') interpreter = at;
    at += std::strcspn(at, " \t");
    while (*at == ' ' || *at == '\t')
      *at++ = '\0';
    if (*at != '\0') option = at;
  }
  std::array<char*, kPlanArgsMax + 4> args{};
  std::size_t count = 0;
  args[count++] = interpreter;
  if (option != nullptr) args[count++] = option;
  args[count++] = const_cast<char*>(path);
  for (std::uint32_t i = 1; i < setup.plan->header.argc; ++i)
    args[count++] = setup.argv[i];
  ::execve(interpreter, args.data(), setup.envp);
}

}  // namespace

void run_child(const ChildSetup& setup) {
  need(setup, Step::kSession, ::setsid() >= 0);
  set_limits(setup);
  set_priority(setup);
  ::umask(setup.umask);
  drop_privileges(setup);
  reset_signals();
  open_standard_files(setup);
  change_directory(setup);
  wait_for_release(setup);
  const ChildReport go{ChildSays::kGo, Step::kNone, 0, wall_now_us(), boot_now_us()};
  need(setup, Step::kExec, ::write(setup.status_fd, &go, sizeof(go)) == sizeof(go));
  if (setup.plan->script.empty()) {
    exec_in_path(setup);
  } else {
    exec_script(setup);
  }
  quit(setup, ChildSays::kFailed, Step::kExec, errno);
}

}  // namespace distcron::process
