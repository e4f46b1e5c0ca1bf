// SPDX-License-Identifier: Apache-2.0
// The job of the executor's tests: tells what it was given, or misbehaves as asked.
//   probe fds | state | lines N PAUSE_MS | stubborn SECONDS | tree SECONDS MARKER | bytes N | bomb
//   N
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

void pause_ms(long ms) {
  timespec wait{ms / 1000, (ms % 1000) * 1'000'000};
  nanosleep(&wait, nullptr);
}

int show_fds() {
  for (int fd = 0; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) std::printf("%d ", fd);
  }
  std::printf("\n");
  return 0;
}

int show_state() {
  uid_t r = 0;
  uid_t e = 0;
  uid_t s = 0;
  gid_t rg = 0;
  gid_t eg = 0;
  gid_t sg = 0;
  getresuid(&r, &e, &s);
  getresgid(&rg, &eg, &sg);
  std::printf("uid %u %u %u gid %u %u %u groups", r, e, s, rg, eg, sg);
  static gid_t groups[65536];
  const int count = getgroups(65536, groups);
  for (int i = 0; i < count; ++i)
    std::printf(" %u", groups[i]);
  const mode_t mask = umask(0);
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  int odd = 0;
  for (int i = 1; i < 65; ++i) {
    if (i == 32 || i == 33) continue;

    struct sigaction action {};

    sigaction(i, nullptr, &action);
    if (action.sa_handler != SIG_DFL || sigismember(&blocked, i) == 1) ++odd;
  }
  rlimit files{};
  rlimit core{};
  getrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_CORE, &core);
  char cwd[4096] = "?";
  (void)!getcwd(cwd, sizeof(cwd));
  std::printf("\numask %03o nice %d odd_signals %d nnp %d\n", mask, getpriority(PRIO_PROCESS, 0),
              odd, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  std::printf("nofile %lld %lld core %lld\n", static_cast<long long>(files.rlim_cur),
              static_cast<long long>(files.rlim_max), static_cast<long long>(core.rlim_cur));
  std::printf("cwd %s\nsession_leader %d\n", cwd, getsid(0) == getpid() ? 1 : 0);
  char line[256];
  FILE* status = std::fopen("/proc/self/status", "r");
  while (status != nullptr && std::fgets(line, sizeof(line), status) != nullptr) {
    if (std::strncmp(line, "Cap", 3) == 0) std::fputs(line, stdout);
  }
  return 0;
}

int write_lines(long count, long pause) {
  for (long i = 0; i < count; ++i) {
    dprintf(1, "line %ld\n", i);
    if (pause > 0) pause_ms(pause);
  }
  return 7;
}

int write_bytes(long count) {
  static char block[65536];
  std::uint32_t state = 1;
  for (long done = 0; done < count;) {
    for (char& c : block) {
      state = state * 1664525U + 1013904223U;
      c = static_cast<char>(state >> 24U);
    }
    const long part = count - done < 65536 ? count - done : 65536;
    long put = 0;
    while (put < part) {
      const ssize_t n = write(1, block + put, static_cast<size_t>(part - put));
      if (n <= 0) return 1;
      put += n;
    }
    done += part;
  }
  return 0;
}

void ignore_all() {
  for (int i = 1; i < 32; ++i)
    signal(i, SIG_IGN);
}

/// Ignores what can be ignored.
int be_stubborn(long seconds) {
  ignore_all();
  dprintf(1, "stubborn\n");
  for (long i = 0; i < seconds * 10; ++i)
    pause_ms(100);
  return 0;
}

/// Leaves three generations behind, each in a session of its own, holding the pipe.
int grow_tree(long seconds, const char* marker) {
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      setsid();
      ignore_all();
      prctl(PR_SET_NAME, marker, 0, 0, 0);
      for (long tick = 0; tick < seconds * 10; ++tick)
        pause_ms(100);
      _exit(0);
    }
  }
  return 0;
}

/// Forks `count` processes that each fork again for ever, slowly enough for a small machine.
int be_bomb(long count) {
  ignore_all();
  for (long i = 0; i < count; ++i) {
    if (fork() == 0) {
      for (;;) {
        if (fork() != 0) _exit(0);
        pause_ms(2);
      }
    }
  }
  pause_ms(60'000);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  const long number = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 0;
  if (std::strcmp(mode, "fds") == 0) return show_fds();
  if (std::strcmp(mode, "state") == 0) return show_state();
  if (std::strcmp(mode, "bytes") == 0) return write_bytes(number);
  if (std::strcmp(mode, "stubborn") == 0) return be_stubborn(number);
  if (std::strcmp(mode, "bomb") == 0) return be_bomb(number);
  if (std::strcmp(mode, "tree") == 0 && argc > 3) return grow_tree(number, argv[3]);
  if (std::strcmp(mode, "lines") == 0) {
    return write_lines(number, argc > 3 ? std::strtol(argv[3], nullptr, 10) : 0);
  }
  return 64;
}
