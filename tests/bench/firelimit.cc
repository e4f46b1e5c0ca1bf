// SPDX-License-Identifier: Apache-2.0
// What the machine can do at best, for the ratios of tests/bench/run:
//   firelimit fire COUNT THREADS WINDOW FILE STAMP [--shell] [--stub STUB]
//     starts COUNT times "STAMP FILE n" with vfork and exec, in THREADS threads with at most WINDOW
//     unfinished children each; --shell puts /bin/sh -c between, --stub a process in front.
//     FILE must be new. Prints one JSON object; lateness counts from the first vfork.
//   firelimit late COUNT FILE STAMP [--stub STUB]
//     COUNT times: waits for the next odd second on a timerfd and starts "[STUB] STAMP FILE 0", and
//     half a second later "STAMP FILE 1". Prints nothing; the lateness is in FILE.
// The launcher itself writes nothing, logs nothing and keeps no account.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr int kUsageExit = 2;

struct Order {
  int count = 0;
  int threads = 1;
  int window = 1;
  std::string file;
  std::string stamp;
  std::string stub;  ///< Empty: none.
  bool with_shell = false;
};

/// As tests/bench/stamp.c writes it.
struct Record {
  std::int64_t ns;
  std::uint32_t pid;
  std::uint32_t id;
};

static_assert(sizeof(Record) == 16);

std::int64_t wall_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

/// utime + stime of all threads, without children.
double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

/// The words of one start.
class Words {
 public:
  Words(const Order& order, int id) : texts_{} {
    if (!order.stub.empty()) texts_.push_back(order.stub);
    const std::string number = std::to_string(id);
    if (order.with_shell) {
      texts_.insert(texts_.end(), {"/bin/sh", "-c", order.stamp + " " + order.file + " " + number});
    } else {
      texts_.insert(texts_.end(), {order.stamp, order.file, number});
    }
    for (std::string& text : texts_)
      argv_.push_back(text.data());
    argv_.push_back(nullptr);
  }

  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  char** argv() { return argv_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> argv_;
};

/// Whether a child was made; a program that cannot be executed ends with 127.
bool start(Words& words) {
  char** const argv = words.argv();
  char* no_environment = nullptr;
  const pid_t pid = ::vfork();
  if (pid == 0) {
    ::execve(argv[0], argv, &no_environment);
    ::_exit(127);
  }
  return pid > 0;
}

/// Waits for one child of this thread. False when it failed or there is none.
bool reap() {
  int status = 0;
  return ::waitpid(-1, &status, __WNOTHREAD) > 0 && status == 0;
}

void fire_part(const Order& order, std::atomic<int>& next, std::atomic<int>& failures) {
  int alive = 0;
  for (int id = next++; id < order.count; id = next++) {
    if (alive == order.window) {
      if (!reap()) ++failures;
      --alive;
    }
    Words words(order, id);
    if (start(words)) {
      ++alive;
    } else {
      ++failures;
    }
  }
  for (; alive > 0; --alive) {
    if (!reap()) ++failures;
  }
}

std::vector<Record> read_records(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<Record> records;
  for (Record record{}; file.read(reinterpret_cast<char*>(&record), sizeof record);)
    records.push_back(record);
  return records;
}

int print_result(const Order& order, std::int64_t begin_ns, double cpu_us) {
  std::vector<Record> records = read_records(order.file);
  if (records.empty()) {
    std::fprintf(stderr, "firelimit: nothing was started; see whether %s can be executed\n",
                 order.stamp.c_str());
    return 1;
  }
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return a.ns < b.ns; });
  std::set<std::uint32_t> ids;
  for (const Record& record : records)
    ids.insert(record.id);
  const auto late_ms = [&](std::size_t percent) {
    const Record& record = records[(records.size() - 1) * percent / 100];
    return static_cast<double>(record.ns - begin_ns) / 1e6;
  };
  const double count = static_cast<double>(records.size());
  std::printf(
      "{\"count\":%zu,\"distinct\":%zu,\"threads\":%d,\"window\":%d,\"begin_ns\":%lld,"
      "\"first_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"last_ms\":%.3f,"
      "\"starts_per_s\":%.1f,\"cpu_us_per_job\":%.2f}\n",
      records.size(), ids.size(), order.threads, order.window, static_cast<long long>(begin_ns),
      late_ms(0), late_ms(50), late_ms(99), late_ms(100), count / (late_ms(100) / 1e3),
      cpu_us / count);
  return 0;
}

int fire(const Order& order) {
  std::atomic<int> next = 0;
  std::atomic<int> failures = 0;
  const double cpu_before = own_cpu_us();
  const std::int64_t begin_ns = wall_ns();
  std::vector<std::thread> threads;
  for (int i = 0; i < order.threads; ++i) {
    threads.emplace_back([&] { fire_part(order, next, failures); });
  }
  for (std::thread& thread : threads)
    thread.join();
  const double cpu_us = own_cpu_us() - cpu_before;
  if (failures != 0) {
    std::fprintf(stderr, "firelimit: %d of %d starts failed\n", failures.load(), order.count);
    return 1;
  }
  return print_result(order, begin_ns, cpu_us);
}

bool wait_until(int timer, std::int64_t at_ns) {
  itimerspec spec{};
  spec.it_value.tv_sec = at_ns / kSecondNs;
  spec.it_value.tv_nsec = at_ns % kSecondNs;
  std::uint64_t ticks = 0;
  return ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, nullptr) == 0 &&
         ::read(timer, &ticks, sizeof ticks) == static_cast<ssize_t>(sizeof ticks);
}

int late(const Order& order) {
  Order bare = order;
  bare.stub.clear();
  const int timer = ::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
  if (timer < 0) return 1;
  std::int64_t due_ns = (wall_ns() / (2 * kSecondNs) + 1) * 2 * kSecondNs + kSecondNs;
  for (int i = 0; i < order.count; ++i, due_ns += 2 * kSecondNs) {
    Words with_stub(order, 0);
    Words without_stub(bare, 1);
    if (!wait_until(timer, due_ns) || !start(with_stub) || !reap()) return 1;
    if (!wait_until(timer, due_ns + kSecondNs / 2) || !start(without_stub) || !reap()) return 1;
  }
  ::close(timer);
  return 0;
}

int usage() {
  std::fputs(
      "usage: firelimit fire COUNT THREADS WINDOW FILE STAMP [--shell] [--stub STUB]\n"
      "       firelimit late COUNT FILE STAMP [--stub STUB]\n",
      stderr);
  return kUsageExit;
}

/// A number from 1 on; 0 for anything else.
int number(const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return *end == '\0' && value > 0 && value < 10'000'000 ? static_cast<int>(value) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  Order order;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--shell") {
      order.with_shell = true;
    } else if (word == "--stub" && i + 1 < argc) {
      order.stub = argv[++i];
    } else {
      words.push_back(word);
    }
  }
  const bool fires = words.size() == 6 && words[0] == "fire";
  if (!fires && !(words.size() == 4 && words[0] == "late")) return usage();
  order.count = number(words[1].c_str());
  if (fires) {
    order.threads = number(words[2].c_str());
    order.window = number(words[3].c_str());
  }
  order.file = words[words.size() - 2];
  order.stamp = words.back();
  if (order.count == 0 || order.threads == 0 || order.window == 0) return usage();
  return fires ? fire(order) : late(order);
}
