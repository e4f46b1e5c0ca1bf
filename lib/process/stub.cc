// SPDX-License-Identifier: Apache-2.0
#include "process/stub.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/attempt_dir.h"
#include "process/job_cgroup.h"
#include "process/job_env.h"
#include "process/proc_tree.h"
#include "process/stub_child.h"
#include "process/stub_loop.h"
#include "process/text_buffer.h"

namespace distcron::process {

namespace {

constexpr int kExitNoRecord = 1;
constexpr int kOpenFlags = O_CLOEXEC;
constexpr mode_t kUmaskDefault = 022;
constexpr int kPipeBytesMin = 65'536;  // as pipe(2) makes them

constinit UserInfo user_info{};  // static: 270 KiB that exist only once touched

/// What the start of a run needs; one per process.
struct Start {
  unsigned flags = 0;
  bool is_root = false;
  rlimit open_files{};
  mode_t umask = kUmaskDefault;  ///< Of the session.
  PlanView plan;
  EndRecord record;
  UniqueFd dir;
  UniqueFd record_file;
  UniqueFd script_copy;
  TextBuffer<512> script_path;
  TextBuffer<48> script_name;
  const UserBackend* backend = nullptr;
};

constinit Start start;

/// Ends the stub with a record that says why nothing has run.
[[noreturn]] void give_up(Step step, int sys_errno, EndHow how = EndHow::kSetupFailed) {
  start.record.how = how;
  start.record.step = step;
  start.record.sys_errno = sys_errno;
  start.record.ended_wall_us = wall_now_us();
  start.record.ended_boot_us = boot_now_us();
  const bool has_file = start.dir && start.record_file;
  const bool ok =
      has_file && store_end_record(start.dir.get(), start.record_file.get(), start.record) == 0;
  if (!start.script_name.is_empty()) ::unlinkat(kFdScripts, start.script_name.c_str(), 0);
  ::_exit(ok ? 0 : kExitNoRecord);
}

void on_lookup_expiry(int) {
  give_up(Step::kUser, ETIMEDOUT);
}

std::span<const std::byte> map_plan() {
  struct stat info {};

  if (::fstat(kFdPlan, &info) != 0 || info.st_size <= 0) return {};
  const auto bytes = static_cast<std::size_t>(info.st_size);
  if (bytes > kPlanBytesMax) return {};
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, kFdPlan, 0);
  if (memory == MAP_FAILED) return {};
  return {static_cast<const std::byte*>(memory), bytes};
}

bool parse_args(int argc, char** argv) {
  if (argc != kArgCount) return false;
  const char* soft = argv[kArgNofileSoft];
  const char* hard = argv[kArgNofileHard];
  const char* flags = argv[kArgFlags];
  start.open_files.rlim_cur = take_decimal(soft);
  start.open_files.rlim_max = take_decimal(hard);
  start.flags = static_cast<unsigned>(take_decimal(flags));
  return true;
}

void block_signals() {
  const unsigned long all = ~0UL;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof(all));
}

/// Runs the program with NSS and PAM instead, from beside this one.
[[noreturn]] void exec_pam_program(char** argv) {
  std::array<char, PATH_MAX> path{};
  const ssize_t got = ::readlink("/proc/self/exe", path.data(), path.size() - 8);
  if (got <= 0) give_up(Step::kUser, errno);
  std::memcpy(path.data() + got, "-pam", 5);
  char* no_environment = nullptr;
  ::execve(path.data(), argv, &no_environment);
  give_up(Step::kUser, errno);
}

/// PAM sees limits and umask as the executor got them, and what it changes is the job's.
void open_session() {
  const bool is_cron = start.is_root && start.plan.has(kPlanCompatCron);
  if (is_cron) (void)::setrlimit(RLIMIT_NOFILE, &start.open_files);
  const mode_t own = ::umask(kUmaskDefault);
  const int error = start.backend->open_session(start.plan, start.is_root, user_info);
  start.umask = ::umask(own);
  if (is_cron) (void)::getrlimit(RLIMIT_NOFILE, &start.open_files);
  if (error != 0) give_up(Step::kPam, error);
}

void find_user(char** argv) {
  const UserBackend& backend = *start.backend;
  bool wants_pam = false;
  backend.set_alarm(kLookupSeconds, on_lookup_expiry);
  const int error = backend.find(start.plan, start.is_root, user_info, &wants_pam);
  if (wants_pam) exec_pam_program(argv);
  if (error != 0) give_up(Step::kUser, error);
  if (start.is_root && user_info.is_refused) give_up(Step::kUser, EPERM, EndHow::kDenied);
  if (!start.is_root && (user_info.uid != ::geteuid() || user_info.gid != ::getegid())) {
    give_up(Step::kUser, EPERM);
  }
  open_session();
  backend.set_alarm(0, nullptr);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

/// A memory file with `bytes`, to be read from its start.
UniqueFd memory_file(const char* name, std::string_view bytes, Step step) {
  UniqueFd file(static_cast<int>(::syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */)));
  if (!file || !write_all(file.get(), bytes)) give_up(step, errno);
  // Read-only for the job, and shared with nobody.
  TextBuffer<32> path;
  path.add("/proc/self/fd/").add(file.get());
  UniqueFd reader(::open(path.c_str(), O_RDONLY | kOpenFlags));
  if (!reader) give_up(step, errno);
  return reader;
}

/// Puts the script into a file that only the job's user can read, and a copy into memory.
void store_script() {
  if (start.plan.script.empty()) return;
  start.script_name.add(start.record.run_id).add("-").add(start.record.attempt);
  ::unlinkat(kFdScripts, start.script_name.c_str(), 0);
  const UniqueFd file(::openat(kFdScripts, start.script_name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | kOpenFlags, 0500));
  if (!file || !write_all(file.get(), start.plan.script)) give_up(Step::kScript, errno);
  if (start.is_root && ::fchown(file.get(), user_info.uid, user_info.gid) != 0) {
    give_up(Step::kScript, errno);
  }
  TextBuffer<32> link;
  link.add("/proc/self/fd/").add(kFdScripts);
  std::array<char, PATH_MAX> dir{};
  const ssize_t got = ::readlink(link.c_str(), dir.data(), dir.size() - 1);
  if (got > 0) start.script_path.add(dir.data()).add("/").add(start.script_name.c_str());
  if (!start.script_path.is_whole()) start.script_path.clear();  // the copy in memory serves
  start.script_copy = memory_file("distcron-script", start.plan.script, Step::kScript);
}

struct Pipes {
  UniqueFd read;
  UniqueFd write;
};

Pipes make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up(Step::kFds, errno);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// A closed pipe that holds `bytes`; none when they do not fit.
UniqueFd filled_pipe(std::string_view bytes) {
  Pipes ends = make_pipe();
  const auto size = static_cast<int>(bytes.size());
  (void)::fcntl(ends.write.get(), F_SETPIPE_SZ, std::max(size, kPipeBytesMin));
  (void)::fcntl(ends.write.get(), F_SETFL, O_NONBLOCK);
  return write_all(ends.write.get(), bytes) ? std::move(ends.read) : UniqueFd();
}

/// Standard input where the plan says what is in it. None: /dev/null or the plan's file.
UniqueFd make_input() {
  const PlanView& plan = start.plan;
  if (!plan.stdin_path.empty()) return {};
  if (plan.has(kPlanCompatCron)) {
    // As cron: always a pipe, and with nothing in it without a % in the line.
    if (UniqueFd input = filled_pipe(plan.stdin_data)) return input;
  }
  if (plan.stdin_data.empty()) return {};
  return memory_file("distcron-stdin", plan.stdin_data, Step::kStdin);
}

/// fork(2), into the cgroup where there is one. 0 in the child, -1 with errno on failure.
pid_t fork_into(const JobCgroup& cgroup) {
  clone_args args{};
  args.exit_signal = SIGCHLD;
  if (cgroup) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(cgroup.fd());
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
}

char** make_argv() {
  auto** list = static_cast<char**>(std::calloc(start.plan.argv.count + 1U, sizeof(char*)));
  if (list == nullptr) give_up(Step::kEnv, ENOMEM);
  start.plan.argv.fill(list);
  return list;
}

void fill_setup(ChildSetup& setup) {
  setup.plan = &start.plan;
  setup.user = &user_info;
  setup.argv = make_argv();
  setup.envp = make_job_env(start.plan, user_info, start.backend->session_env());
  if (setup.envp == nullptr) give_up(Step::kEnv, ENOMEM);
  setup.search_path = find_env(setup.envp, "PATH");
  setup.script_path = start.script_path.is_empty() ? nullptr : start.script_path.c_str();
  setup.script_copy_fd = start.script_copy.get();
  setup.release_fd = kFdRelease;
  setup.open_files = start.open_files;
  const auto wanted = static_cast<mode_t>(start.plan.header.umask);
  setup.umask = wanted == kUmaskDefault ? start.umask : wanted;
  setup.is_root = start.is_root;
  setup.resets_oom_score = (start.flags & kStubResetsOomScore) != 0;
}

supervise::Limits limits_of(const PlanHeader& header) {
  supervise::Limits limits;
  limits.timeout = Millis(header.timeout_ms);
  limits.kill_grace = Millis(header.kill_grace_ms);
  limits.leaves_orphans = (header.flags & kPlanLeaveOrphans) != 0;
  return limits;
}

/// Forks the child and stays with it until no process of the job is left.
void supervise_run() {
  Pipes status = make_pipe();
  Pipes out = make_pipe();
  Pipes err = start.plan.has(kPlanSplitOutput) ? make_pipe() : Pipes{};
  UniqueFd input = make_input();
  ChildSetup setup;
  fill_setup(setup);
  setup.status_fd = status.write.get();
  setup.stdout_fd = out.write.get();
  setup.stderr_fd = err.write ? err.write.get() : out.write.get();
  setup.stdin_fd = input.get();
  JobCgroup cgroup;
  if ((start.flags & kStubHasCgroup) != 0) {
    const int e = cgroup.make(kFdCgroup, {start.record.run_id, start.record.attempt});
    if (e != 0) give_up(Step::kCgroup, e);
  }
  const pid_t pid = fork_into(cgroup);
  if (pid < 0) {
    const int fork_errno = errno;
    if (cgroup) cgroup.remove();
    give_up(Step::kFork, fork_errno);
  }
  if (pid == 0) run_child(setup);
  status.write.reset();
  out.write.reset();
  err.write.reset();
  input.reset();
  ::close(kFdRelease);
  start.record.job_pid = pid;
  StubLoop loop({.pid = pid,
                 .dir = start.dir.get(),
                 .output_max_bytes = start.plan.header.output_max_bytes,
                 .limits = limits_of(start.plan.header),
                 .cgroup = &cgroup,
                 .record = &start.record},
                {std::move(status.read), std::move(out.read), std::move(err.read)});
  loop.run();
  if (cgroup) cgroup.remove();
}

}  // namespace

std::uint64_t pack_kill(const KillOrder& order) {
  const std::uint64_t grace =
      order.grace_ms < 0 ? 0 : static_cast<std::uint64_t>(order.grace_ms) + 1;
  return (grace << 8U) | (order.is_host_down ? 0x80U : 0U) |
         (static_cast<std::uint64_t>(order.signum) & 0x7fU);
}

KillOrder unpack_kill(std::uint64_t packed) {
  return {static_cast<int>(packed & 0x7fU), static_cast<std::int64_t>(packed >> 8U) - 1,
          (packed & 0x80U) != 0};
}

int run_stub(int argc, char** argv, const UserBackend& backend) {
  block_signals();
  start.backend = &backend;
  start.is_root = ::geteuid() == 0;
  if (!parse_args(argc, argv)) return kExitNoRecord;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return kExitNoRecord;
  const std::span<const std::byte> bytes = map_plan();
  const char* wrong = decode_plan(bytes, start.plan);
  start.record.run_id = start.plan.header.run_id;
  start.record.attempt = start.plan.header.attempt;
  if (start.record.run_id <= 0 || start.record.attempt <= 0) return kExitNoRecord;
  const int e = make_attempt_dir(kFdOut, {start.record.run_id, start.record.attempt}, start.dir,
                                 start.record_file);
  if (e != 0) give_up(Step::kFiles, e);
  if (wrong != nullptr) give_up(Step::kPlan, EBADMSG);
  find_user(argv);
  store_script();
  supervise_run();
  backend.close_session();
  start.record.ended_wall_us = wall_now_us();
  start.record.ended_boot_us = boot_now_us();
  if (!start.script_name.is_empty()) ::unlinkat(kFdScripts, start.script_name.c_str(), 0);
  const int stored = store_end_record(start.dir.get(), start.record_file.get(), start.record);
  return stored == 0 ? 0 : kExitNoRecord;
}

}  // namespace distcron::process
