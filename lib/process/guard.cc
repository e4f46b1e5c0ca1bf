// SPDX-License-Identifier: Apache-2.0
#include "process/guard.h"

#include <array>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/exec_socket.h"
#include "process/proc_tree.h"
#include "process/stub.h"
#include "process/text_buffer.h"

namespace distcron::process {

namespace {

constexpr int kLogFdMin = 64;
/// Restart at once after a life of a second; else after a pause, well below one second.
constexpr std::int64_t kShortLifeUs = 1'000'000;
constexpr long kPauseNs = 200'000'000;
constexpr int kExitFailed = 75;
constexpr int kFailuresMax = 50;

int log_fd = 2;

pid_t start_child(const ExecOptions& options, int (*executor)(ExecOptions)) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::_exit(executor(options));
}

/// Waits until `child` has ended or SIGTERM came; reaps orphans meanwhile. Status of the child.
int wait_for(pid_t child, bool& is_told_to_end) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  ::sigaddset(&wanted, SIGTERM);
  for (;;) {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid == child) return status;
    }
    siginfo_t info{};
    if (::sigwaitinfo(&wanted, &info) == SIGTERM) {
      is_told_to_end = true;
      (void)::kill(child, SIGTERM);  // our own child, not reaped yet
    }
  }
}

}  // namespace

void exec_log(std::string_view text) {
  std::string line = "distcron-exec: ";
  line += text;
  line += '\n';
  (void)!::write(log_fd, line.data(), line.size());
}

void settle_descriptors(int& listener) {
  const int moved_log = ::fcntl(2, F_DUPFD_CLOEXEC, kLogFdMin);
  if (moved_log >= 0) log_fd = moved_log;
  if (listener >= 0 && listener < kLogFdMin) {
    const int moved = ::fcntl(listener, F_DUPFD_CLOEXEC, kLogFdMin);
    if (moved >= 0) listener = moved;
  }
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int number = 0; null_fd >= 0 && number < kFdFirstFree; ++number) {
    if (number != null_fd) (void)::dup2(null_fd, number);
  }
  if (null_fd >= kFdFirstFree) {
    ::close(null_fd);
  } else if (null_fd >= 0) {
    ::fcntl(null_fd, F_SETFD, 0);
  }
}

int request_host_shutdown(const std::string& run_dir, int seconds) {
  const UniqueFd file(::open((run_dir + "/exec.pid").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 16> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  const char* digits = text.data();
  const auto pid = static_cast<pid_t>(take_decimal(digits));
  if (pid <= 1) return 0;
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::array<char, 16> name{};
  const UniqueFd comm(::open(("/proc/" + std::to_string(pid) + "/comm").c_str(), O_RDONLY));
  const bool is_executor = process && comm && ::read(comm.get(), name.data(), name.size()) > 0 &&
                           std::string_view(name.data()).starts_with("distcron-exec");
  if (!is_executor) return 0;  // the number belongs to somebody else by now
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGUSR2, nullptr, 0) != 0) return 1;
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, seconds * 1'000) == 1 ? 0 : 1;
}

int run_guard(ExecOptions options, int (*executor)(ExecOptions)) {
  (void)::setsid();  // Ctrl-C at the agent's terminal is not for us
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  std::string error = make_dirs(options.run_dir, 0755);
  UniqueFd lock;
  if (error.empty()) lock = lock_run_dir(options.run_dir, error);
  AgentSocket listener;
  if (lock) listener = listen_for_agent(options.socket, options.peer_uid, error);
  if (!listener.fd) {
    exec_log(error);
    return kExitFailed;
  }
  options.listener = listener.fd.get();
  bool is_told_to_end = false;
  int failures = 0;
  for (;;) {
    const std::int64_t began_us = boot_now_us();
    const pid_t child = start_child(options, executor);
    int status = -1;
    if (child > 0) status = wait_for(child, is_told_to_end);
    if (is_told_to_end || status == 0) break;
    const bool was_short = boot_now_us() - began_us < kShortLifeUs;
    failures = was_short ? failures + 1 : 0;
    exec_log("the executor ended unexpectedly and is started again");
    if (failures >= kFailuresMax) {
      exec_log("gave up: the executor ended " + std::to_string(failures) + " times in a row");
      break;
    }
    if (was_short) {
      const timespec pause{0, kPauseNs};
      (void)::nanosleep(&pause, nullptr);
    }
  }
  remove_own_socket(options.socket, listener, options.run_dir, lock);
  return 0;
}

}  // namespace distcron::process
