// SPDX-License-Identifier: Apache-2.0
// LD_PRELOAD: while the file named by FSYNC_SHIM_TRIGGER exists, writes to and syncs of a file
// whose path holds FSYNC_SHIM_FILE fail with EIO, as a broken disk does.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dlfcn.h>
#include <stdio.h>

static int is_broken(int fd) {
  const char* trigger = getenv("FSYNC_SHIM_TRIGGER");
  const char* file = getenv("FSYNC_SHIM_FILE");
  if (trigger == NULL || file == NULL || access(trigger, F_OK) != 0) return 0;
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = '\0';
  return strstr(path, file) != NULL;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int fsync(int fd) {
  if (is_broken(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(int, "fsync", int)(fd);
}

int fdatasync(int fd) {
  if (is_broken(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(int, "fdatasync", int)(fd);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  if (is_broken(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(ssize_t, "pwrite", int, const void*, size_t, off_t)(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  if (is_broken(fd)) {
    errno = EIO;
    return -1;
  }
  return REAL(ssize_t, "pwrite64", int, const void*, size_t, off64_t)(fd, bytes, size, at);
}
