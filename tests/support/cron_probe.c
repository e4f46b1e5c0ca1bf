// SPDX-License-Identifier: Apache-2.0
// cron_probe DIR NAME: writes all that a program can tell about how it was started into DIR/NAME,
// one "key value" a line; bytes are in hex. Without libraries that would touch signals or
// descriptors first.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stdio.h>

extern char** environ;

static FILE* out;

static void put_hex(const char* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i)
    fprintf(out, "%02x", (unsigned char)bytes[i]);
}

static int by_number(const void* a, const void* b) {
  const gid_t left = *(const gid_t*)a;
  const gid_t right = *(const gid_t*)b;
  return left < right ? -1 : left > right;
}

static void put_ids(void) {
  uid_t uid[3];
  gid_t gid[3];
  static gid_t groups[65536];
  getresuid(&uid[0], &uid[1], &uid[2]);
  getresgid(&gid[0], &gid[1], &gid[2]);
  fprintf(out, "uids %u %u %u\ngids %u %u %u\ngroups", uid[0], uid[1], uid[2], gid[0], gid[1],
          gid[2]);
  const int count = getgroups(65536, groups);
  qsort(groups, count < 0 ? 0 : (size_t)count, sizeof(gid_t), by_number);
  for (int i = 0; i < count; ++i)
    fprintf(out, " %u", groups[i]);
  fprintf(out, "\n");
}

/// Kinds, not names: "pipe:[123]" is "pipe".
static void put_descriptors(int known) {
  DIR* folder = opendir("/proc/self/fd");
  const struct dirent* entry = NULL;
  while (folder != NULL && (entry = readdir(folder)) != NULL) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(folder) || fd == known) continue;
    char path[64];
    char target[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(path, target, sizeof(target) - 1);
    target[size < 0 ? 0 : size] = '\0';
    target[strcspn(target, ":")] = '\0';
    const int flags = fcntl(fd, F_GETFL);
    fprintf(out, "fd%d %s access=%d append=%d nonblock=%d\n", fd, target, flags & O_ACCMODE,
            (flags & O_APPEND) != 0, (flags & O_NONBLOCK) != 0);
  }
  closedir(folder);
  struct stat one;
  struct stat two;
  if (fstat(1, &one) == 0 && fstat(2, &two) == 0) {
    fprintf(out, "joined %d\n", one.st_dev == two.st_dev && one.st_ino == two.st_ino);
  }
}

static void put_status(void) {
  static const char* const kept[] = {"Sig", "Shd", "Cap", "NoNewPrivs", "Seccomp", "Umask"};
  char line[4096];
  FILE* status = fopen("/proc/self/status", "re");
  while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
    if (strncmp(line, "SigQ", 4) == 0) continue;  // of the user, at this moment
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); ++i) {
      if (strncmp(line, kept[i], strlen(kept[i])) != 0) continue;
      line[strcspn(line, "\n")] = '\0';
      char* value = strchr(line, ':');
      *value = '\0';
      fprintf(out, "%s %s\n", line, value + 1 + strspn(value + 1, " \t"));
    }
  }
  if (status != NULL) fclose(status);
}

static void put_file(const char* key, const char* path) {
  char line[4096] = "";
  FILE* file = fopen(path, "re");
  if (file != NULL) {
    if (fgets(line, sizeof(line), file) == NULL) line[0] = '\0';
    fclose(file);
  }
  line[strcspn(line, "\n")] = '\0';
  fprintf(out, "%s %s\n", key, line);
}

static void put_process(void) {
  int death_signal = 0;
  int reaper = 0;
  char cwd[PATH_MAX];
  prctl(PR_GET_PDEATHSIG, &death_signal);
  prctl(PR_GET_CHILD_SUBREAPER, &reaper);
  fprintf(out, "cwd %s\n", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : strerror(errno));
  fprintf(out, "session_leader %d\ngroup_leader %d\n", getsid(0) == getpid(),
          getpgrp() == getpid());
  const int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  fprintf(out, "terminal %d\n", tty >= 0);
  fprintf(out, "death_signal %d\nsubreaper %d\nslack %d\n", death_signal, reaper,
          prctl(PR_GET_TIMERSLACK));
  fprintf(out, "nice %d\nscheduler %d\nio %ld\n", getpriority(PRIO_PROCESS, 0),
          sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0));
  put_file("oom_score_adj", "/proc/self/oom_score_adj");
  put_file("loginuid", "/proc/self/loginuid");
  put_file("personality", "/proc/self/personality");
  for (int i = 0; i < RLIM_NLIMITS; ++i) {
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)i, &limit);
    fprintf(out, "rlimit%d %llx %llx\n", i, (unsigned long long)limit.rlim_cur,
            (unsigned long long)limit.rlim_max);
  }
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  char path[PATH_MAX];
  char hidden[PATH_MAX];
  snprintf(path, sizeof(path), "%s/%s", argv[1], argv[2]);
  snprintf(hidden, sizeof(hidden), "%s/.%s.%d", argv[1], argv[2], getpid());
  const int fd = open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  out = fd < 0 ? NULL : fdopen(fd, "w");
  if (out == NULL) return 3;
  struct stat made;
  fstat(fd, &made);
  fprintf(out, "made_mode %o\n", made.st_mode & 07777);
  put_descriptors(fd);
  put_ids();
  put_status();
  put_process();
  for (int i = 3; i < argc; ++i) {
    fprintf(out, "arg%d ", i);
    put_hex(argv[i], strlen(argv[i]));
    fprintf(out, "\n");
  }
  for (char** entry = environ; *entry != NULL; ++entry) {
    fprintf(out, "env ");
    put_hex(*entry, strlen(*entry));
    fprintf(out, "\n");
  }
  char bytes[4096];
  ssize_t got = 0;
  fprintf(out, "stdin ");
  while ((got = read(0, bytes, sizeof(bytes))) > 0)
    put_hex(bytes, (size_t)got);
  fprintf(out, "\n");
  if (fclose(out) != 0) return 4;
  return rename(hidden, path) == 0 ? 0 : 5;
}
