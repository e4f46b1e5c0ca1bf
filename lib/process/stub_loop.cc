// SPDX-License-Identifier: Apache-2.0
#include "process/stub_loop.h"

#include <algorithm>
#include <cerrno>
#include <variant>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/proc_tree.h"
#include "process/stub.h"

namespace distcron::process {

namespace {

constexpr std::size_t kReadMax = std::size_t{64} << 10U;
constexpr int kReadsPerTurn = 4;  // 256 KiB
constinit std::array<std::byte, kReadMax> buffer{};

int open_signals() {
  const auto bit = [](int signum) { return 1UL << static_cast<unsigned>(signum - 1); };
  const unsigned long wanted = bit(SIGCHLD) | bit(SIGTERM) | bit(kKillSignal);
  // The raw call: glibc's sigset_t has 1024 bits, the kernel's 64.
  return static_cast<int>(
      ::syscall(SYS_signalfd4, -1, &wanted, sizeof(wanted), SFD_CLOEXEC | SFD_NONBLOCK));
}

void make_nonblocking(const UniqueFd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, O_RDONLY | O_NONBLOCK);
}

std::int64_t micros(const timeval& t) {
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec;
}

}  // namespace

StubLoop::StubLoop(const LoopSetup& setup, LoopPipes pipes)
    : setup_(setup),
      pipes_(std::move(pipes)),
      signals_(open_signals()),
      machine_(setup.limits),
      out_(setup.dir, "out", setup.output_max_bytes),
      err_(setup.dir, "err", setup.output_max_bytes) {
  make_nonblocking(pipes_.status);
  make_nonblocking(pipes_.out);
  make_nonblocking(pipes_.err);
}

MonoTime StubLoop::now() const {
  return MonoTime(Micros(boot_now_us()));
}

void StubLoop::run() {
  while (!is_done_)
    turn();
  fill_record();
}

void StubLoop::turn() {
  std::array<pollfd, 4> fds = {{{signals_.get(), POLLIN, 0},
                                {pipes_.status.get(), POLLIN, 0},
                                {pipes_.out.get(), POLLIN, 0},
                                {pipes_.err.get(), POLLIN, 0}}};
  timespec wait{};
  if (timer_at_us_ != 0) {
    const std::int64_t left = std::max<std::int64_t>(0, timer_at_us_ - boot_now_us());
    wait = {left / 1'000'000, (left % 1'000'000) * 1'000};
  }
  const int ready = ::ppoll(fds.data(), fds.size(), timer_at_us_ != 0 ? &wait : nullptr, nullptr);
  if (ready < 0 && errno != EINTR) {
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  if (fds[1].revents != 0) read_status();
  if (fds[2].revents != 0) pump(pipes_.out, out_);
  if (fds[3].revents != 0) pump(pipes_.err, err_);
  if (!output_closed_ && !pipes_.out && !pipes_.err) {
    output_closed_ = true;
    step(supervise::OutputClosed{});
  }
  if (fds[0].revents != 0) read_signals();
  if (!is_done_ && timer_at_us_ != 0 && boot_now_us() >= timer_at_us_) {
    timer_at_us_ = 0;
    step(supervise::TimerFired{});
    reap();
  }
}

void StubLoop::read_status() {
  for (;;) {
    ChildReport report;
    const ssize_t got = ::read(pipes_.status.get(), &report, sizeof(report));
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got != sizeof(report)) break;
    // The child may say kGo and then, when exec failed, kFailed.
    report_ = report;
    has_report_ = true;
    if (report.says == ChildSays::kGo) {
      setup_.record->started_wall_us = report.wall_us;
      setup_.record->started_boot_us = report.boot_us;
      step(supervise::Released{});
    }
  }
  pipes_.status.reset();
}

void StubLoop::read_signals() {
  std::array<signalfd_siginfo, 16> infos{};
  const ssize_t got = ::read(signals_.get(), infos.data(), sizeof(infos));
  if (got <= 0) return;
  const std::size_t count = static_cast<std::size_t>(got) / sizeof(signalfd_siginfo);
  bool has_child = false;
  for (std::size_t i = 0; i < count; ++i) {
    const signalfd_siginfo& info = infos[i];
    if (info.ssi_signo == SIGCHLD) {
      has_child = true;
    } else if (info.ssi_signo == SIGTERM) {
      step(supervise::KillRequested{});
    } else if (info.ssi_code < 0) {
      const KillOrder order = unpack_kill(info.ssi_ptr);
      const Micros grace = order.grace_ms < 0 ? Micros(-1) : Micros(Millis(order.grace_ms));
      const bool was_asked = machine_.killed_by_request();
      step(supervise::KillRequested{order.signum == 0 ? SIGTERM : order.signum, grace});
      if (order.is_host_down && !was_asked) is_host_down_ = machine_.killed_by_request();
    }
  }
  if (has_child) reap();
}

void StubLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::wait4(-1, &status, WNOHANG, nullptr);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    if (pid != setup_.pid) continue;
    main_exited_ = true;
    note_main_status(status);
    step(supervise::MainExited{});
  }
  check_tree();
}

/// As the stub is subreaper, whatever is left of the job ends up as its child.
void StubLoop::check_tree() {
  if (!main_exited_ || is_done_) return;
  siginfo_t info{};
  const bool has_children =
      ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
  if (has_children) return;
  if (*setup_.cgroup && setup_.cgroup->is_populated() && !setup_.limits.leaves_orphans) return;
  step(supervise::TreeEmpty{});
}

void StubLoop::note_main_status(int status) {
  EndRecord& record = *setup_.record;
  if (WIFEXITED(status)) {
    record.how = EndHow::kExited;
    record.exit_code = WEXITSTATUS(status);
  } else {
    record.how = EndHow::kSignaled;
    record.signal = WTERMSIG(status);
    record.core_dumped = WCOREDUMP(status);
  }
}

void StubLoop::pump(UniqueFd& pipe, OutputWriter& writer) {
  for (int i = 0; i < kReadsPerTurn && pipe; ++i) {
    const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      pipe.reset();
      return;
    }
    writer.append({buffer.data(), static_cast<std::size_t>(got)});
    if (static_cast<std::size_t>(got) < buffer.size()) return;
  }
}

void StubLoop::step(const supervise::Event& event) {
  const supervise::Effects effects = machine_.step(now(), event);
  for (const supervise::Effect& effect : effects)
    perform(effect);
}

void StubLoop::perform(const supervise::Effect& effect) {
  if (const auto* arm = std::get_if<supervise::ArmTimer>(&effect)) {
    timer_at_us_ = std::max<std::int64_t>(1, arm->at.time_since_epoch().count());
  } else if (std::holds_alternative<supervise::DisarmTimer>(effect)) {
    timer_at_us_ = 0;
  } else if (const auto* group = std::get_if<supervise::SignalGroup>(&effect)) {
    // The child makes its own session first thing; before that it has no group of its own.
    if (::kill(-setup_.pid, group->signum) != 0) ::kill(setup_.pid, group->signum);
    if (group->signum == SIGTERM) ::kill(-setup_.pid, SIGCONT);
  } else if (const auto* tree = std::get_if<supervise::SignalTree>(&effect)) {
    signal_descendants(::getpid(), tree->signum);
    if (tree->signum == SIGTERM) signal_descendants(::getpid(), SIGCONT);
  } else if (std::holds_alternative<supervise::KillTree>(effect)) {
    kill_tree();
  } else if (const auto* finish = std::get_if<supervise::Finish>(&effect)) {
    is_done_ = true;
    kill_incomplete_ = finish->kill_incomplete;
  }
}

void StubLoop::kill_tree() {
  // As much processor as this user may have: a job that forks must not be faster. The main process
  // has its own value already.
  if (kill_rounds_ == 0) (void)::setpriority(PRIO_PROCESS, 0, -20);
  const bool by_cgroup = *setup_.cgroup && setup_.cgroup->kill_all();
  // A job of root can leave its cgroup; it cannot leave its subreaper.
  if (!by_cgroup || kill_rounds_ > 0) kill_descendants(::getpid());
  ++kill_rounds_;
}

void StubLoop::fill_record() {
  EndRecord& record = *setup_.record;
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  record.utime_us = micros(usage.ru_utime);
  record.stime_us = micros(usage.ru_stime);
  record.maxrss_kb = usage.ru_maxrss;
  record.out = out_.count();
  record.err = err_.count();
  record.output_errno = out_.first_errno() != 0 ? out_.first_errno() : err_.first_errno();
  record.timed_out = machine_.timed_out();
  record.killed_by_request = machine_.killed_by_request();
  record.killed_by_shutdown = is_host_down_;
  if (kill_incomplete_) {
    record.how = EndHow::kKillIncomplete;
  } else if (has_report_ && report_.says != ChildSays::kGo) {
    record.started_wall_us = 0;
    record.started_boot_us = 0;
    record.step = report_.step;
    record.sys_errno = report_.sys_errno;
    record.how = EndHow::kSetupFailed;
    if (report_.says == ChildSays::kLate) record.how = EndHow::kLate;
    if (report_.says == ChildSays::kNotReleased) record.how = EndHow::kNotReleased;
  }
}

}  // namespace distcron::process
