// SPDX-License-Identifier: Apache-2.0
#include "process/exec_spawn.h"

#include <array>
#include <cerrno>
#include <cstdint>

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/stub.h"

namespace distcron::process {

namespace {

constexpr std::size_t kStackBytes = 16'384;
constexpr unsigned kCloseRangeUnshare = 2;  // CLOSE_RANGE_UNSHARE
alignas(16) std::array<char, kStackBytes> child_stack;

struct ExecOrder {
  const char* path;
  char** argv;
  char** envp;
  int sys_errno;
};

/// Runs in the child, in the parent's memory. The table of descriptors is shared too, so that a
/// table of thousands is not copied per start; close_range gives the child its own short one.
int exec_stub(void* arg) {
  auto* order = static_cast<ExecOrder*>(arg);
  if (::syscall(SYS_close_range, static_cast<unsigned>(kFdFirstFree), ~0U, kCloseRangeUnshare) ==
      0) {
    ::execve(order->path, order->argv, order->envp);
  }
  order->sys_errno = errno;
  return 127;
}

/// clone3 whose child calls fn(arg) on the stack named in `args` and exits with its result.
/// Differs from syscall(SYS_clone3): the child returns through no frame of the parent's stack.
long clone3_call(clone_args& args, int (*fn)(void*), void* arg) {
#if defined(__x86_64__)
  long result = 0;
  register void* child_arg __asm__("r8") = arg;
  register int (*child_fn)(void*) __asm__("r9") = fn;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r8, %%rdi\n\t"
      "callq *%%r9\n\t"
      "movl %%eax, %%edi\n\t"
      "movl %[exit], %%eax\n\t"
      "syscall\n\t"
      "hlt\n\t"
      "1:\n\t"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(&args), "S"(sizeof(args)), "r"(child_arg),
        "r"(child_fn), [exit] "i"(SYS_exit)
      : "rcx", "r11", "memory", "cc");
  return result;
#elif defined(__aarch64__)
  register long result __asm__("x0") = reinterpret_cast<long>(&args);
  register std::size_t size __asm__("x1") = sizeof(args);
  register void* child_arg __asm__("x9") = arg;
  register int (*child_fn)(void*) __asm__("x10") = fn;
  register long number __asm__("x8") = SYS_clone3;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x30, #0\n\t"
      "mov x0, x9\n\t"
      "blr x10\n\t"
      "mov x8, %[exit]\n\t"
      "svc #0\n\t"
      "1:\n\t"
      : "+r"(result)
      : "r"(size), "r"(child_arg), "r"(child_fn), "r"(number), [exit] "i"(SYS_exit)
      : "memory", "cc");
  return result;
#else
#error "write clone3_call for this processor"
#endif
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts)
    list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Spawner::Spawner(std::string path, std::vector<std::string> args)
    : path_(std::move(path)), args_(std::move(args)), argv_(pointers(args_)) {}

SpawnResult Spawner::spawn() {
  int pidfd = -1;
  char* no_environment = nullptr;
  ExecOrder order{path_.c_str(), argv_.data(), &no_environment, 0};
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_FILES;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(child_stack.data());
  args.stack_size = kStackBytes;
  const long pid = clone3_call(args, exec_stub, &order);
  SpawnResult result;
  if (pid < 0) {
    result.sys_errno = static_cast<int>(-pid);
    return result;
  }
  result.pidfd.reset(pidfd);
  if (order.sys_errno != 0) {
    ::waitpid(static_cast<pid_t>(pid), nullptr, 0);  // it has exited already
    result.sys_errno = order.sys_errno;
    return result;
  }
  result.pid = static_cast<pid_t>(pid);
  return result;
}

int probe_clone_into_cgroup(int cgroup_fd) {
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(cgroup_fd);
  const long pid = ::syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0) return errno;
  if (pid == 0) ::_exit(0);
  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return 0;
}

}  // namespace distcron::process
