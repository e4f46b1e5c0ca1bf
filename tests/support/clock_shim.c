// SPDX-License-Identifier: Apache-2.0
// LD_PRELOAD: the wall clock is CLOCK_SHIM_OFFSET seconds ahead of the real one, or as many as the
// file CLOCK_SHIM_FILE says at the moment, and nothing disciplines it. Clocks that count from boot
// are as they are, as on a host whose time of day was set wrong.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static long file_offset(const char* path) {
  char text[32] = "";
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 ? strtol(text, NULL, 10) : 0;
}

static long offset(void) {
  static long seconds;
  static const char* path;
  static int is_known;
  if (!is_known) {
    const char* text = getenv("CLOCK_SHIM_OFFSET");
    if (text != NULL) seconds = strtol(text, NULL, 10);
    path = getenv("CLOCK_SHIM_FILE");
    is_known = 1;
  }
  return path != NULL ? file_offset(path) : seconds;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const long result = syscall(SYS_clock_gettime, clock, time);
  const int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && is_wall) time->tv_sec += offset();
  return (int)result;
}

int gettimeofday(struct timeval* restrict value, void* restrict zone) {
  (void)zone;
  struct timespec time;
  if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
  value->tv_sec = time.tv_sec;
  value->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int adjtimex(struct timex* state) {
  memset(state, 0, sizeof *state);
  state->status = STA_UNSYNC;
  return TIME_ERROR;
}
