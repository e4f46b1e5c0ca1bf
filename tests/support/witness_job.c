// SPDX-License-Identifier: Apache-2.0
// The job of the whole-program tests: tells a witness file, past the agent, that it runs and ends,
// and writes numbered lines of 64 bytes to its output in between.
// witness_job FILE SECONDS BYTES_PER_SECOND EXIT_CODE
// FILE gets one write(2) per line, with O_APPEND:
//   START run job slot attempt pid t
//   END run attempt code lines t
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <stdio.h>

enum { kLine = 64, kBatch = 1024, kTickNs = 50 * 1000 * 1000 };

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char* text(const char* name) {
  const char* value = getenv(name);
  return value != NULL && *value != '\0' ? value : "-";
}

static void write_all(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t done = write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) _exit(97);
    bytes += done;
    size -= (size_t)done;
  }
}

int main(int argc, char** argv) {
  const double started = seconds(CLOCK_REALTIME);  // before a slow disk makes us wait
  if (argc != 5) return 98;
  const int witness = open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0666);
  if (witness < 0) return 96;
  const double length = atof(argv[2]);
  const double rate = atof(argv[3]) / kLine;
  char line[512];
  int size = snprintf(line, sizeof line, "START %s %s %s %s %d %.6f\n", text("DISTCRON_RUN_ID"),
                      text("DISTCRON_JOB"), text("DISTCRON_SCHEDULED_EPOCH"),
                      text("DISTCRON_ATTEMPT"), (int)getpid(), started);
  write_all(witness, line, (size_t)size);

  static char batch[kLine * kBatch];
  const double begin = seconds(CLOCK_BOOTTIME);
  long lines = 0;
  for (int last = 0; !last;) {
    double past = seconds(CLOCK_BOOTTIME) - begin;
    last = past >= length;
    if (last) past = length;
    const long due = (long)(past * rate);
    while (lines < due) {
      long n = due - lines < kBatch ? due - lines : kBatch;
      for (long i = 0; i < n; ++i) {
        char* at = batch + i * kLine;
        memset(at, '.', kLine);
        size = snprintf(at, kLine, "L %010ld ", ++lines);
        at[size] = '.';
        at[kLine - 1] = '\n';
      }
      write_all(STDOUT_FILENO, batch, (size_t)n * kLine);
    }
    const struct timespec tick = {0, kTickNs};
    if (!last) nanosleep(&tick, NULL);
  }
  const int code = atoi(argv[4]);
  size = snprintf(line, sizeof line, "END %s %s %d %ld %.6f\n", text("DISTCRON_RUN_ID"),
                  text("DISTCRON_ATTEMPT"), code, lines, seconds(CLOCK_REALTIME));
  write_all(witness, line, (size_t)size);
  return code;
}
