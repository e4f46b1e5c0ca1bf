// SPDX-License-Identifier: Apache-2.0
// The system calls of the static stub on x86-64, which links no C library (see run_start.cc). Each
// does what section 2 of the manual says, with errno. Declared here and not taken from the headers,
// whose inline forms differ by compiler flags. One thread.
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include <linux/time_types.h>
#include <sys/syscall.h>

namespace {

constinit int errno_value = 0;
constexpr int kPriorityZero = 20;  ///< The kernel returns 20 - nice.
constexpr std::size_t kSignalSetBytes = 8;

struct Args {
  long a = 0;
  long b = 0;
  long c = 0;
  long d = 0;
  long e = 0;
  long f = 0;
};

long call(long number, Args args) {
  long result = 0;
  register long r10 __asm__("r10") = args.d;
  register long r8 __asm__("r8") = args.e;
  register long r9 __asm__("r9") = args.f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(args.a), "S"(args.b), "d"(args.c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (result >= 0 || result < -4'095) return result;
  errno_value = static_cast<int>(-result);
  return -1;
}

long at(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

long size(std::size_t bytes) {
  return static_cast<long>(bytes);
}

int small(long result) {
  return static_cast<int>(result);
}

}  // namespace

extern "C" {

int* __errno_location() {
  return &errno_value;
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const int mode = va_arg(rest, int);  // without O_CREAT the kernel does not look at it
  va_end(rest);
  return small(call(SYS_open, {at(path), flags, mode}));
}

int openat(int dir, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const int mode = va_arg(rest, int);
  va_end(rest);
  return small(call(SYS_openat, {dir, at(path), flags, mode}));
}

int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  const long value = va_arg(rest, long);
  va_end(rest);
  return small(call(SYS_fcntl, {fd, command, value}));
}

int prctl(int option, ...) {
  va_list rest;
  va_start(rest, option);
  Args args{option};
  args.b = va_arg(rest, long);
  args.c = va_arg(rest, long);
  args.d = va_arg(rest, long);
  args.e = va_arg(rest, long);
  va_end(rest);
  return small(call(SYS_prctl, args));
}

long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  Args args;
  args.a = va_arg(rest, long);
  args.b = va_arg(rest, long);
  args.c = va_arg(rest, long);
  args.d = va_arg(rest, long);
  args.e = va_arg(rest, long);
  args.f = va_arg(rest, long);
  va_end(rest);
  return call(number, args);
}

long read(int fd, void* to, std::size_t bytes) {
  return call(SYS_read, {fd, at(to), size(bytes)});
}

long write(int fd, const void* from, std::size_t bytes) {
  return call(SYS_write, {fd, at(from), size(bytes)});
}

long pread(int fd, void* to, std::size_t bytes, long offset) {
  return call(SYS_pread64, {fd, at(to), size(bytes), offset});
}

long pwrite(int fd, const void* from, std::size_t bytes, long offset) {
  return call(SYS_pwrite64, {fd, at(from), size(bytes), offset});
}

long readlink(const char* path, char* to, std::size_t bytes) {
  return call(SYS_readlink, {at(path), at(to), size(bytes)});
}

int close(int fd) {
  return small(call(SYS_close, {fd}));
}

int dup2(int from, int to) {
  return small(call(SYS_dup2, {from, to}));
}

int pipe2(int* ends, int flags) {
  return small(call(SYS_pipe2, {at(ends), flags}));
}

int fstat(int fd, void* info) {
  return small(call(SYS_fstat, {fd, at(info)}));
}

int flock(int fd, int operation) {
  return small(call(SYS_flock, {fd, operation}));
}

int fchown(int fd, unsigned uid, unsigned gid) {
  return small(call(SYS_fchown, {fd, uid, gid}));
}

int mkdirat(int dir, const char* path, unsigned mode) {
  return small(call(SYS_mkdirat, {dir, at(path), mode}));
}

int unlinkat(int dir, const char* path, int flags) {
  return small(call(SYS_unlinkat, {dir, at(path), flags}));
}

int renameat(int from_dir, const char* from, int to_dir, const char* to) {
  return small(call(SYS_renameat, {from_dir, at(from), to_dir, at(to)}));
}

int access(const char* path, int mode) {
  return small(call(SYS_access, {at(path), mode}));
}

int chdir(const char* path) {
  return small(call(SYS_chdir, {at(path)}));
}

unsigned umask(unsigned mask) {
  return static_cast<unsigned>(call(SYS_umask, {mask}));
}

void* mmap(void* where, std::size_t bytes, int access_mode, int flags, int fd, long offset) {
  return reinterpret_cast<void*>(
      call(SYS_mmap, {at(where), size(bytes), access_mode, flags, fd, offset}));
}

int kill(int pid, int signum) {
  return small(call(SYS_kill, {pid, signum}));
}

int getpid() {
  return small(call(SYS_getpid, {}));
}

unsigned geteuid() {
  return static_cast<unsigned>(call(SYS_geteuid, {}));
}

unsigned getegid() {
  return static_cast<unsigned>(call(SYS_getegid, {}));
}

int getresuid(unsigned* real, unsigned* effective, unsigned* saved) {
  return small(call(SYS_getresuid, {at(real), at(effective), at(saved)}));
}

int getresgid(unsigned* real, unsigned* effective, unsigned* saved) {
  return small(call(SYS_getresgid, {at(real), at(effective), at(saved)}));
}

int getgroups(int count, unsigned* groups) {
  return small(call(SYS_getgroups, {count, at(groups)}));
}

int setsid() {
  return small(call(SYS_setsid, {}));
}

int getrlimit(int resource, void* limit) {
  return small(call(SYS_getrlimit, {resource, at(limit)}));
}

int setrlimit(int resource, const void* limit) {
  return small(call(SYS_setrlimit, {resource, at(limit)}));
}

int getpriority(int which, unsigned who) {
  const long result = call(SYS_getpriority, {which, who});
  return result < 0 ? -1 : kPriorityZero - small(result);
}

int setpriority(int which, unsigned who, int value) {
  return small(call(SYS_setpriority, {which, who, value}));
}

int getrusage(int who, void* usage) {
  return small(call(SYS_getrusage, {who, at(usage)}));
}

int wait4(int pid, int* status, int options, void* usage) {
  return small(call(SYS_wait4, {pid, at(status), options, at(usage)}));
}

int waitid(unsigned kind, unsigned id, void* info, int options) {
  return small(call(SYS_waitid, {kind, id, at(info), options}));
}

int nanosleep(const void* wanted, void* left) {
  return small(call(SYS_nanosleep, {at(wanted), at(left)}));
}

int ppoll(void* fds, unsigned long count, const __kernel_timespec* wait, const void* mask) {
  // The kernel writes the time that is left; the library's caller may pass a constant.
  __kernel_timespec copy{};
  if (wait != nullptr) copy = *wait;
  const long wait_at = wait != nullptr ? at(&copy) : 0;
  return small(call(SYS_ppoll,
                    {at(fds), static_cast<long>(count), wait_at, at(mask), size(kSignalSetBytes)}));
}

int clock_gettime(int clock, void* now) {
  return small(call(SYS_clock_gettime, {clock, at(now)}));
}

int execve(const char* path, char* const* argv, char* const* envp) {
  return small(call(SYS_execve, {at(path), at(argv), at(envp)}));
}

[[noreturn]] void _exit(int status) {
  for (;;)
    call(SYS_exit_group, {status});
}

// Forms that the compiler chooses when it checks sizes itself (_FORTIFY_SOURCE).
[[noreturn]] void __chk_fail() {
  __builtin_trap();
}

long __read_chk(int fd, void* to, std::size_t bytes, std::size_t room) {
  if (bytes > room) __chk_fail();
  return read(fd, to, bytes);
}

long __pread_chk(int fd, void* to, std::size_t bytes, long offset, std::size_t room) {
  if (bytes > room) __chk_fail();
  return pread(fd, to, bytes, offset);
}

long __readlink_chk(const char* path, char* to, std::size_t bytes, std::size_t room) {
  if (bytes > room) __chk_fail();
  return readlink(path, to, bytes);
}

}  // extern "C"
