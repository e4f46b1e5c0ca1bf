// SPDX-License-Identifier: Apache-2.0
// Start of the static stub on x86-64 without the C library, whose start-up asks the processor for
// its features: each question costs an exit of the virtual machine, together more than all the stub
// does (measured: 0.3 ms of 0.4 ms per start). Here are start, memory and text functions; system
// calls are in run_syscalls.cc. It is linked with -nostdlib, so whatever else the stub would use is
// an error of the link. The stub has one thread, no constructors, no exceptions.
#include <cstddef>
#include <cstdint>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <asm/prctl.h>

/// main(), under a name that C++ allows to call.
int stub_main(int argc, char** argv) __asm__("main");

namespace {

constexpr std::size_t kHeapBytes = std::size_t{64} << 20U;

/// What fs points to: the compiler's stack guard is read from its word 5.
alignas(64) constinit std::uintptr_t thread_block[8] = {};
constinit char* heap_at = nullptr;
constinit std::size_t heap_left = 0;

long raw_call(long number, long a, long b, long c) {
  long result = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

[[noreturn]] void quit(int status) {
  for (;;)
    raw_call(SYS_exit_group, status, 0, 0);
}

/// The kernel hands 16 random bytes to each program.
constexpr std::uintptr_t kAuxRandom = 25;  // AT_RANDOM

bool set_thread_block(const std::uintptr_t* aux) {
  for (; aux[0] != 0; aux += 2) {
    if (aux[0] == kAuxRandom) {
      // As the library does: a guard whose first byte in memory is zero stops text overruns.
      thread_block[5] = *reinterpret_cast<const std::uintptr_t*>(aux[1]) & ~std::uintptr_t{0xff};
    }
  }
  return raw_call(SYS_arch_prctl, ARCH_SET_FS, reinterpret_cast<long>(thread_block), 0) == 0;
}

}  // namespace

extern "C" {

/// `stack`: argc, argv, null, envp, null, auxiliary vector.
[[gnu::used]] [[noreturn]] void start_stub(std::uintptr_t* stack) {
  const auto argc = static_cast<int>(stack[0]);
  const std::uintptr_t* aux = stack + argc + 2;
  while (*aux != 0)
    ++aux;
  if (!set_thread_block(aux + 1)) quit(1);
  quit(stub_main(argc, reinterpret_cast<char**>(stack + 1)));
}

__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "xorl %ebp, %ebp\n\t"
    "movq %rsp, %rdi\n\t"
    "andq $-16, %rsp\n\t"
    "call start_stub\n\t"
    "hlt\n");

void* memcpy(void* to, const void* from, std::size_t bytes) {
  void* const result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
  if (to <= from || static_cast<const char*>(from) + bytes <= to) return memcpy(to, from, bytes);
  for (std::size_t i = bytes; i > 0; --i) {
    static_cast<char*>(to)[i - 1] = static_cast<const char*>(from)[i - 1];
    __asm__ volatile("" ::: "memory");  // keeps the loop a loop
  }
  return to;
}

void* memset(void* to, int value, std::size_t bytes) {
  void* const result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return result;
}

int memcmp(const void* a, const void* b, std::size_t bytes) {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (x[i] != y[i]) return x[i] - y[i];
  }
  return 0;
}

// The library's own headers declare two forms of these; here is the one that the linker sees.
void* stub_memchr(const void* text, int wanted, std::size_t bytes) __asm__("memchr");

void* stub_memchr(const void* text, int wanted, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(text);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (at[i] == static_cast<unsigned char>(wanted)) return const_cast<unsigned char*>(at + i);
  }
  return nullptr;
}

std::size_t strlen(const char* text) {
  std::size_t bytes = 0;
  while (text[bytes] != '\0') {
    ++bytes;
    __asm__ volatile("" ::: "memory");
  }
  return bytes;
}

char* stub_strchr(const char* text, int wanted) __asm__("strchr");

char* stub_strchr(const char* text, int wanted) {
  for (;; ++text) {
    if (*text == static_cast<char>(wanted)) return const_cast<char*>(text);
    if (*text == '\0') return nullptr;
  }
}

char* stub_strrchr(const char* text, int wanted) __asm__("strrchr");

char* stub_strrchr(const char* text, int wanted) {
  const char* found = nullptr;
  for (;; ++text) {
    if (*text == static_cast<char>(wanted)) found = text;
    if (*text == '\0') return const_cast<char*>(found);
  }
}

int strncmp(const char* a, const char* b, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto x = static_cast<unsigned char>(a[i]);
    const auto y = static_cast<unsigned char>(b[i]);
    if (x != y || x == 0) return x - y;
  }
  return 0;
}

std::size_t strcspn(const char* text, const char* stops) {
  std::size_t bytes = 0;
  while (text[bytes] != '\0' && stub_strchr(stops, text[bytes]) == nullptr)
    ++bytes;
  return bytes;
}

/// The stub allocates a few lists once; nothing is given back.
void* malloc(std::size_t bytes) {
  if (heap_at == nullptr) {
    void* memory = ::mmap(nullptr, kHeapBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    heap_at = static_cast<char*>(memory);
    heap_left = kHeapBytes;
  }
  const std::size_t rounded = (bytes + 15) / 16 * 16;
  if (rounded < bytes || rounded > heap_left) return nullptr;
  char* result = heap_at;
  heap_at += rounded;
  heap_left -= rounded;
  return result;
}

void* calloc(std::size_t count, std::size_t bytes) {
  if (bytes != 0 && count > kHeapBytes / bytes) return nullptr;
  return malloc(count * bytes);  // fresh memory is zero
}

void free(void*) {}

// What compilers call for checks that failed: end at once, the executor sees a stub without record.
[[noreturn]] void __stack_chk_fail() {
  __builtin_trap();
}

[[noreturn]] void _Unwind_Resume(void*) {
  __builtin_trap();
}

[[noreturn]] int __gxx_personality_v0() {
  __builtin_trap();
}

/// clang names these two where it would end the process for an exception.
[[noreturn]] void* __cxa_begin_catch(void*) {
  __builtin_trap();
}

/// Destructors of globals never run: the process ends by _exit.
int __cxa_atexit(void (*)(void*), void*, void*) {
  return 0;
}

[[gnu::visibility("hidden")]] void* __dso_handle = nullptr;

}  // extern "C"

namespace std {
[[gnu::noreturn]] void __glibcxx_assert_fail(const char*, int, const char*, const char*) noexcept {
  __builtin_trap();
}

[[gnu::noreturn]] void terminate() noexcept {
  __builtin_trap();
}
}  // namespace std
