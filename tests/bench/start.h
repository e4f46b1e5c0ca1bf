// SPDX-License-Identifier: Apache-2.0
// Start and system calls of the small programs of the benchmarks. On x86-64 they do without the C
// library, whose start-up costs more than all they do; elsewhere they use it. Such a program
// defines run(argc, argv, envp), which returns its exit status. One thread, no allocation.
#pragma once

static int run(long argc, char** argv, char** envp);

#ifdef DISTCRON_NO_LIBC
#include <asm/unistd.h>

/// The kernel's answer: negative errno on failure.
static inline __attribute__((always_inline)) long call4(long number, long a, long b, long c,
                                                        long d) {
  long result;
  register long fourth __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                   : "rcx", "r11", "memory");
  return result;
}

__attribute__((used, noreturn)) static void start_c(long* stack) {
  char** argv = (char**)(stack + 1);
  const int status = run(stack[0], argv, argv + stack[0] + 1);
  for (;;)
    call4(__NR_exit_group, status, 0, 0, 0);
}

__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "xorl %ebp, %ebp\n\t"
    "movq %rsp, %rdi\n\t"
    "andq $-16, %rsp\n\t"
    "call start_c\n\t"
    "hlt\n");
#else
int main(int argc, char** argv, char** envp) {
  return run(argc, argv, envp);
}
#endif
