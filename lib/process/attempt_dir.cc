// SPDX-License-Identifier: Apache-2.0
#include "process/attempt_dir.h"

#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/dir_reader.h"
#include "process/text_buffer.h"

namespace distcron::process {

namespace {

constexpr int kAttemptDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr const char* kRecord = "end";
constexpr const char* kRecordTmp = "end.tmp";
constexpr int kDirLockTries = 100;
using Name = TextBuffer<32>;

Name number_name(std::int64_t number) {
  Name name;
  name.add(number);
  return name;
}

int open_dir(int parent, std::int64_t number, bool makes, bool& is_new, UniqueFd& dir) {
  const Name name = number_name(number);
  if (makes) {
    is_new = ::mkdirat(parent, name.c_str(), 0750) == 0;
    if (!is_new && errno != EEXIST) return errno;
  }
  dir.reset(::openat(parent, name.c_str(), kAttemptDirFlags));
  return dir ? 0 : errno;
}

int empty_dir(int dir) {
  const UniqueFd copy(::openat(dir, ".", kAttemptDirFlags));
  if (!copy) return errno;
  DirReader reader(copy.get());
  int result = 0;
  while (const char* name = reader.next()) {
    if (name[0] == '.') continue;
    if (::unlinkat(dir, name, 0) != 0) result = errno;
  }
  return result;
}

int lock_dir(int dir) {
  for (int i = 0; i < kDirLockTries; ++i) {
    if (::flock(dir, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return errno;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return EWOULDBLOCK;
}

}  // namespace

int make_attempt_dir(int out_fd, RunKey key, UniqueFd& dir, UniqueFd& record_file) {
  UniqueFd run_dir;
  bool is_new = false;
  if (const int e = open_dir(out_fd, key.run_id, true, is_new, run_dir)) return e;
  if (const int e = open_dir(run_dir.get(), key.attempt, true, is_new, dir)) return e;
  if (const int e = lock_dir(dir.get())) return e;
  if (!is_new) {
    if (const int e = empty_dir(dir.get())) return e;
  }
  record_file.reset(
      ::openat(dir.get(), kRecordTmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!record_file) return errno;
  const EndRecordBytes room{};
  const ssize_t put = ::pwrite(record_file.get(), room.data(), room.size(), 0);
  if (put == static_cast<ssize_t>(room.size())) return 0;
  return put < 0 ? errno : ENOSPC;
}

int store_end_record(int dir, int record_file, const EndRecord& record) {
  const EndRecordBytes bytes = encode_end_record(record);
  const ssize_t put = ::pwrite(record_file, bytes.data(), bytes.size(), 0);
  if (put != static_cast<ssize_t>(bytes.size())) return put < 0 ? errno : ENOSPC;
  return ::renameat(dir, kRecordTmp, dir, kRecord) == 0 ? 0 : errno;
}

int load_end_record(int out_fd, RunKey key, EndRecord& record) {
  TextBuffer<80> path;
  path.add(key.run_id).add("/").add(key.attempt).add("/").add(kRecord);
  const UniqueFd fd(::openat(out_fd, path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno;
  EndRecordBytes bytes{};
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return errno;
  const bool is_good = decode_end_record(
      std::span<const std::byte>(bytes.data(), static_cast<std::size_t>(got)), record);
  return is_good && record.run_id == key.run_id && record.attempt == key.attempt ? 0 : EBADMSG;
}

int remove_attempt_dir(int out_fd, RunKey key) {
  UniqueFd run_dir;
  UniqueFd dir;
  bool is_new = false;
  if (const int e = open_dir(out_fd, key.run_id, false, is_new, run_dir)) return e;
  if (const int e = open_dir(run_dir.get(), key.attempt, false, is_new, dir)) return e;
  if (const int e = empty_dir(dir.get())) return e;
  if (::unlinkat(run_dir.get(), number_name(key.attempt).c_str(), AT_REMOVEDIR) != 0) return errno;
  ::unlinkat(out_fd, number_name(key.run_id).c_str(),
             AT_REMOVEDIR);  // fails while others are there
  return 0;
}

}  // namespace distcron::process
