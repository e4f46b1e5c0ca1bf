// SPDX-License-Identifier: Apache-2.0
// Start, loop and the agent's connection. Starting and ending of runs: executor_runs.cc.
#include "process/executor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/end_record.h"
#include "process/exec_socket.h"
#include "process/exec_spool.h"
#include "process/failpoint.h"
#include "process/packet.h"
#include "process/proc_tree.h"
#include "process/stub.h"
#include "process/user_lookup.h"

namespace distcron::process {

namespace {

constexpr int kMessagesPerTurn = 256;
constexpr std::size_t kOutgoingMax = 200'000;
constexpr std::uint64_t kTokenListener = 1;
constexpr std::uint64_t kTokenAgent = 2;
constexpr std::uint64_t kTokenSignals = 3;
constexpr const char* kJournalName = "exec.journal";
/// Socket buffer; a herd of 10,000 starts must not be slowed by a small one.
constexpr int kSocketBytes = 4 << 20;

UserInfo own_info;  // static: large

std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::string read_boot_id() {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, kBootIdBytes> id{};
  if (!fd || ::read(fd.get(), id.data(), id.size()) != static_cast<ssize_t>(id.size())) return {};
  return {id.data(), id.size()};
}

/// Opens a folder at descriptor `number`, without close-on-exec: stubs get it.
std::string place_dir(const std::string& path, int number) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd || ::dup2(fd.get(), number) != number) return with_errno("cannot open '" + path + "'");
  return {};
}

bool has_oom_score() {
  const UniqueFd fd(::open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC));
  std::array<char, 16> text{};
  return fd && ::read(fd.get(), text.data(), text.size() - 1) > 0 && text[0] != '0';
}

}  // namespace

std::string make_dirs(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (::mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) {
      return with_errno("cannot make '" + path.substr(0, at) + "'");
    }
  }
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return with_errno("cannot make '" + path + "'");
  }
  return {};
}

std::string Executor::start() {
  boot_id_ = read_boot_id();
  if (boot_id_.empty()) return "cannot read the boot id from /proc";
  if (std::string error = open_files(); !error.empty()) return error;
  if (std::string error = open_socket(); !error.empty()) return error;
  (void)lookup_in_files({}, {}, {}, ::geteuid(), own_info);
  own_user_ = own_info.name.data();
  make_spawner();
  if (std::string error = journal_.open(run_dir_.get(), kJournalName, boot_id_); !error.empty()) {
    return error;
  }
  adopt();
  note_own_pid(options_.run_dir);
  notify_ready();
  idle_since_us_ = boot_now_us();
  return {};
}

std::string Executor::open_output_dir() {
  const std::string out = options_.state_dir + "/out";
  if (std::string error = make_dirs(out, 0750); !error.empty()) return error;
  if (std::string error = place_dir(out, kFdOut); !error.empty()) return error;
  if (options_.peer_gid < 0 || ::geteuid() != 0) return {};
  // Set-group-id: all below belongs to the agent's group, which may read and not write.
  const bool ok = ::fchown(kFdOut, 0, static_cast<gid_t>(options_.peer_gid)) == 0 &&
                  ::fchmod(kFdOut, 02750) == 0;
  return ok ? std::string() : with_errno("cannot hand '" + out + "' to the agent's group");
}

std::string Executor::open_files() {
  ::umask(022);
  if (std::string error = make_dirs(options_.run_dir, 0755); !error.empty()) return error;
  run_dir_.reset(::open(options_.run_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!run_dir_) return with_errno("cannot open '" + options_.run_dir + "'");
  if (std::string error = open_output_dir(); !error.empty()) return error;
  const std::string scripts =
      options_.script_dir.empty() ? options_.run_dir + "/scripts" : options_.script_dir;
  if (std::string error = make_dirs(scripts, 0711); !error.empty()) return error;
  if (std::string error = place_dir(scripts, kFdScripts); !error.empty()) return error;
  (void)::fchmod(kFdScripts, 0711);
  ::umask(027);  // for what the stubs make
  std::array<char, 24> instance{};
  const auto name_sum = crc32(std::as_bytes(std::span(options_.run_dir)));
  std::snprintf(instance.data(), instance.size(), "%08x", name_sum);
  cgroup_ = make_cgroup_place(options_.cgroup, instance.data());
  if (cgroup_.jobs && ::dup2(cgroup_.jobs.get(), kFdCgroup) != kFdCgroup) {
    return with_errno("cannot place the cgroup folder");
  }
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return with_errno("cannot make an epoll set");
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGTERM);
  ::sigaddset(&wanted, SIGUSR2);
  signals_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return with_errno("cannot make a signal descriptor");
  watch(signals_.get(), kTokenSignals, EPOLLIN);
  ::getrlimit(RLIMIT_NOFILE, &open_files_);
  rlimit raised = open_files_;
  raised.rlim_cur = raised.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &raised);
  return {};
}

std::string Executor::open_socket() {
  if (options_.listener >= 0) {
    listener_.reset(options_.listener);
    ::fcntl(listener_.get(), F_SETFD, FD_CLOEXEC);
  } else {
    std::string error;
    lock_ = lock_run_dir(options_.run_dir, error);
    if (lock_) listener_ = listen_for_agent(options_.socket, options_.peer_uid, error).fd;
    if (!listener_) return error;
  }
  ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
  watch(listener_.get(), kTokenListener, EPOLLIN);
  return {};
}

void Executor::make_spawner() {
  std::array<char, 4096> self{};
  const ssize_t got = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  std::string path(self.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  path = path.substr(0, path.rfind('/') + 1) + "distcron-run";
  unsigned flags = 0;
  if (cgroup_.jobs) flags |= kStubHasCgroup;
  if (has_oom_score()) flags |= kStubResetsOomScore;
  const auto number = [](auto value) { return std::to_string(value); };
  spawner_.emplace_back(path,
                        std::vector<std::string>{"distcron-run", number(open_files_.rlim_cur),
                                                 number(open_files_.rlim_max), number(flags)});
}

void Executor::fail_here(const char* name) const {
  if (options_.has_failpoints) failpoint(name, kFdScripts);
}

void Executor::watch(int fd, std::uint64_t token, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  }
}

int Executor::run() {
  while (!is_ending_)
    turn();
  flush();
  if (runs_.empty()) leave_cgroup_place(cgroup_);
  return 0;
}

void Executor::turn() {
  std::array<epoll_event, 256> events{};
  const int ready =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
  bool has_agent_input = false;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kTokenListener) {
      accept_agent();
    } else if (event.data.u64 == kTokenSignals) {
      read_signals();
    } else if (event.data.u64 == kTokenAgent) {
      has_agent_input = has_agent_input || (event.events & ~std::uint32_t{EPOLLOUT}) != 0;
    } else {
      reap(event.data.u64);
    }
  }
  // Ends first, so that a start in the same turn finds the places that they freed.
  if (has_agent_input && agent_) read_agent();
  check_timers();
  flush();
  if (is_host_down_ && runs_.empty()) is_ending_ = true;
  if (agent_ || !runs_.empty()) {
    idle_since_us_ = boot_now_us();
  } else if (options_.idle_exit_s > 0 &&
             boot_now_us() - idle_since_us_ >= std::int64_t{options_.idle_exit_s} * 1'000'000) {
    is_ending_ = true;
  }
}

int Executor::wait_ms() const {
  std::int64_t at = timers_.empty() ? 0 : timers_.begin()->first;
  if (!agent_ && runs_.empty() && options_.idle_exit_s > 0) {
    const std::int64_t idle_end = idle_since_us_ + std::int64_t{options_.idle_exit_s} * 1'000'000;
    at = at == 0 ? idle_end : std::min(at, idle_end);
  }
  if (at == 0) return -1;
  const std::int64_t left = at - boot_now_us();
  return left <= 0 ? 0 : static_cast<int>(std::min<std::int64_t>(left / 1'000 + 1, 60'000));
}

void Executor::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGTERM) is_ending_ = true;
    if (info.ssi_signo == SIGUSR2) shut_host_down();
  }
}

void Executor::accept_agent() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  const bool is_known =
      peer.uid == 0 || peer.uid == ::geteuid() || std::int64_t{peer.uid} == options_.peer_uid;
  if (!is_known) {
    exec_log("refused a connection from user number " + std::to_string(peer.uid));
    return;
  }
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof(kSocketBytes));
  drop_agent();
  agent_ = std::move(fd);
  watch(agent_.get(), kTokenAgent, EPOLLIN);
  send_hello();
}

void Executor::drop_agent() {
  agent_.reset();
  outgoing_.clear();
}

void Executor::read_agent() {
  std::vector<Request> spawns;
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    if (!read_message(spawns)) break;
  }
  if (!spawns.empty()) start_batch(spawns);
}

/// False when there is nothing more to read now.
bool Executor::read_message(std::vector<Request>& spawns) {
  std::array<std::byte, kMessageBytesMax + 1> bytes{};
  Request request;
  const ssize_t got = receive_packet(agent_.get(), bytes, request.plan);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    drop_agent();
    return false;
  }
  const std::span<const std::byte> packet(bytes.data(), static_cast<std::size_t>(got));
  if (!decode_message(packet, request.message)) {
    exec_log("dropped the agent: it sent a message that is not one");
    drop_agent();
    return false;
  }
  if (request.message.type == MessageType::kSpool) {
    answer_spool(request.message.a, request.message.text);
    return static_cast<bool>(agent_);
  }
  request.message.text = {};
  if (request.message.type == MessageType::kSpawn) {
    spawns.push_back(std::move(request));
  } else {
    // Orders keep their place: what was asked to start before is started before.
    if (!spawns.empty()) start_batch(spawns);
    handle(request.message);
  }
  return static_cast<bool>(agent_);
}

void Executor::send_hello() {
  const std::string text = boot_id_ + "\n" + cgroup_.reason;
  Message hello;
  hello.type = MessageType::kHello;
  hello.code = ::getpid();
  hello.a = cgroup_.jobs ? 1 : 0;
  hello.b = starts_per_s_;
  hello.text = text;
  post(hello);
}

void Executor::answer_spool(std::int64_t question, std::string_view name) {
  SpoolAnswer found =
      name.empty() ? list_spool(options_.spool_dir) : open_spool_table(options_.spool_dir, name);
  Message answer;
  answer.type = MessageType::kSpoolFile;
  answer.code = found.sys_errno;
  answer.a = question;
  answer.text = name;
  post(answer, std::move(found.fd));
}

void Executor::post(const Message& message, UniqueFd file) {
  if (!agent_) return;
  if (outgoing_.size() >= kOutgoingMax) {
    exec_log("dropped the agent: it does not read");
    drop_agent();
    return;
  }
  std::array<std::byte, kMessageBytesMax> bytes{};
  const std::size_t size = encode_message(message, bytes);
  Outgoing packet{std::string(reinterpret_cast<const char*>(bytes.data()), size), std::move(file)};
  if (outgoing_.empty() && send_packet(agent_.get(), packet.bytes, packet.file.get()) >= 0) return;
  outgoing_.push_back(std::move(packet));
}

void Executor::flush() {
  if (!agent_) return;
  const bool had_queue = !outgoing_.empty();
  while (!outgoing_.empty()) {
    const Outgoing& packet = outgoing_.front();
    if (send_packet(agent_.get(), packet.bytes, packet.file.get()) < 0) {
      const bool is_full = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
      if (is_full || errno == ETOOMANYREFS) break;
      drop_agent();
      return;
    }
    outgoing_.pop_front();
  }
  if (had_queue || !outgoing_.empty()) {
    const std::uint32_t events = outgoing_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
    watch(agent_.get(), kTokenAgent, events);
  }
}

}  // namespace distcron::process
