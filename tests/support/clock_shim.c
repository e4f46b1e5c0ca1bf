// SPDX-License-Identifier: Apache-2.0
// LD_PRELOAD: the wall clock is CLOCK_SHIM_OFFSET seconds ahead of the real one. Clocks that count
// from boot are as they are, as on a host whose time of day was set wrong.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <stddef.h>

static long offset(void) {
  static long seconds;
  static int is_known;
  if (!is_known) {
    const char* text = getenv("CLOCK_SHIM_OFFSET");
    if (text != NULL) seconds = strtol(text, NULL, 10);
    is_known = 1;
  }
  return seconds;
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
