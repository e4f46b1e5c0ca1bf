// SPDX-License-Identifier: Apache-2.0
#include "process/proc_tree.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "process/dir_reader.h"
#include "process/text_buffer.h"

namespace distcron::process {

namespace {

constexpr std::size_t kProcessesMax = 65'536;
/// A kill works at most this long before its caller may reap: zombies make each round slower.
constexpr std::int64_t kKillRoundUs = 60'000;
constexpr int kChildPasses = 30;

struct Entry {
  pid_t pid;
  pid_t parent;
  bool is_ours;
};

struct Table {
  std::array<Entry, kProcessesMax> entries;
  std::size_t count;
};

constinit Table table{};  // static: 768 KiB that exist only once touched

struct Stat {
  char state = 0;
  pid_t parent = 0;
  std::uint64_t starttime = 0;
};

bool read_stat(pid_t pid, Stat& stat) {
  TextBuffer<64> path;
  path.add("/proc/").add(pid).add("/stat");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 1024> text{};
  const ssize_t got = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (got <= 0) return false;
  // The name in parentheses may hold anything; the fields follow its last closing one.
  const char* at = std::strrchr(text.data(), ')');
  if (at == nullptr || at[1] != ' ') return false;
  at += 2;
  stat.state = *at;
  const char* next = at + 2;
  stat.parent = static_cast<pid_t>(take_decimal(next));
  for (int field = 5; field < 22; ++field) {
    next = std::strchr(next + 1, ' ');
    if (next == nullptr) return false;
  }
  ++next;
  stat.starttime = take_decimal(next);
  return true;
}

bool load_table() {
  const UniqueFd dir(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return false;
  table.count = 0;
  DirReader reader(dir.get());
  while (const char* name = reader.next()) {
    if (*name < '1' || *name > '9') continue;
    const auto pid = static_cast<pid_t>(take_decimal(name));
    Stat stat;
    // Zombies count too: a leader that left its threads behind looks like one.
    if (table.count == kProcessesMax || !read_stat(pid, stat)) continue;
    table.entries[table.count++] = {pid, stat.parent, false};
  }
  std::sort(table.entries.begin(), table.entries.begin() + static_cast<std::ptrdiff_t>(table.count),
            [](const Entry& a, const Entry& b) { return a.pid < b.pid; });
  return true;
}

bool is_marked(pid_t root, pid_t pid) {
  if (pid == root) return true;
  const Entry* begin = table.entries.data();
  const Entry* end = begin + table.count;
  const Entry* found = std::lower_bound(
      begin, end, pid, [](const Entry& e, pid_t wanted) { return e.pid < wanted; });
  return found != end && found->pid == pid && found->is_ours;
}

void mark_descendants(pid_t root) {
  bool has_changed = true;
  while (has_changed) {
    has_changed = false;
    for (std::size_t i = 0; i < table.count; ++i) {
      Entry& entry = table.entries[i];
      if (entry.is_ours || entry.pid == root || !is_marked(root, entry.parent)) continue;
      entry.is_ours = true;
      has_changed = true;
    }
  }
}

std::int64_t now_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

std::uint64_t starttime_of(pid_t pid) {
  Stat stat;
  return read_stat(pid, stat) && stat.state != 'Z' ? stat.starttime : 0;
}

bool is_stuck(pid_t pid) {
  Stat stat;
  return read_stat(pid, stat) && (stat.state == 'D' || stat.state == 'T' || stat.state == 't');
}

int signal_descendants(pid_t root, int signum) {
  if (!load_table()) return -1;
  mark_descendants(root);
  int count = 0;
  for (std::size_t i = 0; i < table.count; ++i) {
    const Entry& entry = table.entries[i];
    if (entry.is_ours && ::kill(entry.pid, signum) == 0) ++count;
  }
  return count;
}

/// Kills what is now a direct child of `root`. Much faster than a walk over all processes: it
/// catches a chain whose members live for less time than such a walk takes.
void kill_children(pid_t root) {
  TextBuffer<64> path;
  path.add("/proc/").add(root).add("/task/").add(root).add("/children");
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  static constinit std::array<char, 32'768> text{};
  for (int pass = 0; file && pass < kChildPasses; ++pass) {
    const ssize_t got = ::pread(file.get(), text.data(), text.size() - 1, 0);
    if (got <= 0) return;
    text[static_cast<std::size_t>(got)] = '\0';
    for (const char* at = text.data(); *at != '\0';) {
      const auto pid = static_cast<pid_t>(take_decimal(at));
      // A number cut by the end of the buffer has no blank behind it.
      if (pid > 1 && *at == ' ') (void)::kill(pid, SIGKILL);
      if (*at != '\0') ++at;
    }
  }
}

int kill_descendants(pid_t root) {
  const std::int64_t end_us = boot_now_us() + kKillRoundUs;
  kill_children(root);
  int before = -1;
  while (boot_now_us() < end_us) {
    const int stopped = signal_descendants(root, SIGSTOP);
    if (stopped <= 0 || stopped == before) break;
    before = stopped;
  }
  const int killed = signal_descendants(root, SIGKILL);
  kill_children(root);
  return killed;
}

std::int64_t boot_now_us() {
  return now_us(CLOCK_BOOTTIME);
}

std::int64_t wall_now_us() {
  return now_us(CLOCK_REALTIME);
}

}  // namespace distcron::process
