// SPDX-License-Identifier: Apache-2.0
// The store against the limits of the disk and of SQLite, taken in the same run:
//   store_bench [JOBS [DIR]]     JOBS of the cold start, 100000 by default; DIR on a real disk.
// Prints one figure a line and the ratios that PERFORMANCE.md names.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <sqlite3.h>

#include "model/job_spec.h"
#include "store/store.h"

namespace {

using namespace distcron;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Processor time of all threads, which other programs on the host disturb less.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "store_bench: %s\n", text.c_str());
  std::exit(1);
}

struct Spread {
  double p50 = 0;
  double p99 = 0;
};

Spread spread_us(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {1e6 * seconds[seconds.size() / 2], 1e6 * seconds[seconds.size() * 99 / 100]};
}

template <class Once>
Spread measure(int times, Once once) {
  std::vector<double> taken;
  for (int i = 0; i < times; ++i) {
    const auto start = Clock::now();
    once(i);
    taken.push_back(seconds_since(start));
  }
  return spread_us(std::move(taken));
}

Spread bench_fdatasync(const std::string& dir) {
  const std::string path = dir + "/plain";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4096, 'x');
  const Spread spread = measure(1000, [&](int) {
    if (::write(fd, page.data(), page.size()) < 0 || ::fdatasync(fd) != 0) die("cannot write");
  });
  ::close(fd);
  return spread;
}

// --- SQLite alone, with the same row -------------------------------------------------------------

constexpr int kColumns = 39;

struct RawDb {
  sqlite3* db = nullptr;
  sqlite3_stmt* insert = nullptr;

  explicit RawDb(const std::string& path) {
    if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) die("cannot open " + path);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    std::string columns = "id INTEGER PRIMARY KEY";
    std::string marks = "?";
    for (int i = 1; i < kColumns; ++i) {
      columns += ", c" + std::to_string(i);
      marks += ", ?";
    }
    run(("CREATE TABLE t(" + columns + ")").c_str());
    sqlite3_prepare_v2(db, ("INSERT INTO t VALUES(" + marks + ")").c_str(), -1, &insert, nullptr);
  }

  ~RawDb() {
    sqlite3_finalize(insert);
    sqlite3_close(db);
  }

  RawDb(const RawDb&) = delete;
  RawDb& operator=(const RawDb&) = delete;

  void run(const char* sql) const {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) die(sqlite3_errmsg(db));
  }

  /// The widths of a row of `runs`: a dozen texts, some instants, small numbers, nulls.
  void add(std::int64_t id) const {
    sqlite3_bind_int64(insert, 1, id);
    for (int i = 1; i < kColumns; ++i) {
      if (i % 3 == 1) sqlite3_bind_text(insert, i + 1, "schedule", 8, nullptr);
      if (i % 3 == 2) sqlite3_bind_int64(insert, i + 1, i < 15 ? 1'800'000'000'000'000 + id : 1);
    }
    if (sqlite3_step(insert) != SQLITE_DONE) die(sqlite3_errmsg(db));
    sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
  }
};

struct Rate {
  double per_second = 0;
  double cpu_us = 0;  ///< Each.
};

Rate raw_rows(const std::string& path, int batches, int rows) {
  const RawDb raw(path);
  std::int64_t id = 0;
  const auto start = Clock::now();
  const double cpu = cpu_seconds();
  for (int batch = 0; batch < batches; ++batch) {
    raw.run("BEGIN");
    for (int i = 0; i < rows; ++i)
      raw.add(++id);
    raw.run("COMMIT");
  }
  return {batches * rows / seconds_since(start), 1e6 * (cpu_seconds() - cpu) / (batches * rows)};
}

// --- the store -----------------------------------------------------------------------------------

std::unique_ptr<store::Store> open_store(const std::string& dir) {
  auto opened = store::Store::open(dir);
  if (!opened) die(opened.error().message);
  return std::move(*opened);
}

/// Waits until something is done; how much.
std::size_t take_some(store::Store& store) {
  pollfd waiting{store.wake_fd(), POLLIN, 0};
  ::poll(&waiting, 1, -1);
  const std::vector<store::Completion> done = store.take_completions();
  for (const store::Completion& completion : done) {
    if (const auto* durable = std::get_if<store::Durable>(&completion)) {
      if (!durable->status) die(durable->status.error().message);
    }
    if (const auto* written = std::get_if<store::StateWritten>(&completion)) {
      if (!written->status) die(written->status.error().message);
    }
  }
  return done.size();
}

void wait_for(store::Store& store, std::size_t count) {
  while (count > 0) {
    count -= std::min(count, take_some(store));
  }
}

store::DurableBatch one_entry(std::int64_t index) {
  store::DurableBatch batch;
  batch.entries.push_back({index, 1, std::string(420, 'x')});
  return batch;
}

planner::Job job(std::int64_t id) {
  model::JobSpec spec;
  spec.name = "team-" + std::to_string(id % 97) + "/job-" + std::to_string(id);
  spec.schedule = {std::to_string(id % 60) + " * * * *"};
  spec.tz = "Europe/Berlin";
  spec.command = "/usr/local/bin/task --shard " + std::to_string(id) + " > /dev/null";
  spec.user = "www-data";
  planner::Job job;
  job.id = id;
  job.uid = static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15ULL;
  job.version = 1;
  job.spec = std::make_shared<const model::JobSpec>(std::move(spec));
  return job;
}

model::Run run(std::int64_t id) {
  model::Run run;
  run.run_id = id;
  run.job_uid = static_cast<std::uint64_t>(id % 10'000 + 1) * 0x9e3779b97f4a7c15ULL;
  run.job = "team-1/job-" + std::to_string(id % 10'000);
  run.origin = "schedule";
  run.scheduled_at = wall_from_seconds(1'800'000'000 + id / 10'000 * 60);
  run.created_at = run.scheduled_at;
  run.dispatched_at = run.scheduled_at;
  run.started_at = run.scheduled_at;
  run.ended_at = run.scheduled_at;
  run.state = model::RunState::kOk;
  run.attempt = 1;
  run.node = "host-a";
  run.exit_code = 0;
  return run;
}

void verdict(const char* goal, const char* what, double ratio, double least) {
  std::printf("%-4s %-60s %7.2f, at least %5.2f  %s\n", goal, what, ratio, least,
              ratio >= least ? "met" : "missed");
}

void bench_log(const std::string& dir, const Spread& disk) {
  auto store = open_store(dir);
  store->start();
  std::int64_t index = 0;
  const Spread one = measure(2000, [&](int) {
    store->post(one_entry(++index));
    wait_for(*store, 1);
  });
  std::printf("durable entry, one client        p50 %7.0f us  p99 %7.0f us  (%.2f x fdatasync)\n",
              one.p50, one.p99, one.p50 / disk.p50);
  constexpr int kClients = 256;
  constexpr int kRounds = 100;
  const auto start = Clock::now();
  for (int i = 0; i < kClients; ++i) {
    store->post(one_entry(++index));
  }
  const std::int64_t last = index + kClients * (kRounds - 1);
  for (std::int64_t answered = 0; answered < kClients * kRounds;) {
    const auto done = static_cast<std::int64_t>(take_some(*store));
    answered += done;
    for (std::int64_t i = 0; i < done && index < last; ++i) {
      store->post(one_entry(++index));
    }
  }
  const double rate = kClients * kRounds / seconds_since(start);
  const double alone = 1e6 / one.p50;
  const Rate raw = raw_rows(dir + "/raw", 2000, 1);
  std::printf(
      "commits, one entry each          %9.0f /s, SQLite FULL alone %9.0f, fdatasync %9.0f\n",
      alone, raw.per_second, 1e6 / disk.p50);
  std::printf(
      "durable entries, 256 clients     %9.0f /s  (%.1f x one client, %.1f x SQLite FULL "
      "alone, %.1f x fdatasync)\n",
      rate, rate / alone, rate / raw.per_second, rate * disk.p50 / 1e6);
  verdict("G11", "durable entries of 256 clients, times those of one", rate / alone, 20);
}

void bench_rows(const std::string& dir) {
  for (const int rows : {1, 100, 1000}) {
    const int batches = rows == 1 ? 2000 : 200'000 / rows;
    const std::string name = dir + "/rows" + std::to_string(rows);
    const Rate raw = raw_rows(name + ".raw", batches, rows);
    auto store = open_store(name);
    store->start();
    std::int64_t id = 0;
    std::vector<planner::Changes> all;
    for (int batch = 1; batch <= batches; ++batch) {
      planner::Changes changes;
      changes.index = batch;
      for (int i = 0; i < rows; ++i)
        changes.runs.push_back(run(++id));
      all.push_back(std::move(changes));
    }
    const auto start = Clock::now();
    const double cpu = cpu_seconds();
    for (planner::Changes& changes : all) {
      store->post(one_entry(changes.index));
      wait_for(*store, 1);
      store->post(std::move(changes));
      wait_for(*store, 1);
    }
    const double ours = batches * rows / seconds_since(start);
    const double ours_cpu = 1e6 * (cpu_seconds() - cpu) / (batches * rows);
    std::printf(
        "log entry + run rows, batch %4d  %9.0f rows/s, SQLite FULL alone %9.0f  (%.2f); "
        "CPU %.1f and %.1f us a row\n",
        rows, ours, raw.per_second, ours / raw.per_second, ours_cpu, raw.cpu_us);
    if (rows == 1000) {
      verdict("G10", "rows of runs, of those of SQLite FULL alone", ours / raw.per_second, 0.6);
    }
  }
}

void bench_start(const std::string& dir, std::int64_t jobs) {
  {
    auto store = open_store(dir);
    store->start();
    const auto start = Clock::now();
    std::int64_t id = 0;
    for (std::int64_t index = 1; id < jobs; ++index) {
      planner::Changes changes;
      changes.index = index;
      for (int i = 0; i < 1000 && id < jobs; ++i)
        changes.jobs.push_back(job(++id));
      store->post(one_entry(index));
      store->post(std::move(changes));
      wait_for(*store, 2);
    }
    std::printf("import of %7lld jobs           %9.0f jobs/s\n", static_cast<long long>(jobs),
                static_cast<double>(jobs) / seconds_since(start));
  }
  sqlite3* db = nullptr;
  sqlite3_open_v2((dir + "/state.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
  auto start = Clock::now();
  sqlite3_exec(
      db, "SELECT sum(length(name) + length(spec) + length(source_text)) FROM jobs",
      [](void*, int, char**, char**) { return 0; }, nullptr, nullptr);
  const double scan = seconds_since(start);
  sqlite3_close(db);
  start = Clock::now();
  const double cpu = cpu_seconds();
  auto store = open_store(dir);
  auto loaded = store->load();
  if (!loaded) die(loaded.error().message);
  const double taken = seconds_since(start);
  std::printf("open and load %7lld jobs       %9.3f s, scan alone %.3f s  (%.1f x), CPU %.3f s\n",
              static_cast<long long>(loaded->jobs.size()), taken, scan, taken / scan,
              cpu_seconds() - cpu);
}

/// A copy of state.db, and what commits cost beside it.
void bench_copy(const std::string& dir) {
  auto store = open_store(dir);
  auto loaded = store->load();
  if (!loaded) die(loaded.error().message);
  std::int64_t index = loaded->last_index;
  store->start();
  const auto start = Clock::now();
  store->make_snapshot();
  std::vector<double> beside;
  std::optional<store::StateCopy> copy;
  double taken = 0;
  while (!copy) {
    const auto before = Clock::now();
    store->post(one_entry(++index));
    bool is_durable = false;
    while (!is_durable) {
      pollfd waiting{store->wake_fd(), POLLIN, 0};
      ::poll(&waiting, 1, -1);
      for (const store::Completion& completion : store->take_completions()) {
        if (const auto* made = std::get_if<store::SnapshotMade>(&completion)) {
          if (!made->status) die(made->status.error().message);
          copy = made->copy;
          taken = seconds_since(start);
        }
        is_durable = is_durable || std::holds_alternative<store::Durable>(completion);
      }
    }
    beside.push_back(seconds_since(before));
  }
  const Spread spread = spread_us(std::move(beside));
  const double mib = static_cast<double>(copy->size) / (1U << 20U);
  std::printf(
      "copy of state.db, %7.1f MiB    %9.3f s, %6.0f MiB/s; durable entries beside it "
      "p50 %.0f us  p99 %.0f us\n",
      mib, taken, mib / taken, spread.p50, spread.p99);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::int64_t jobs = argc > 1 ? std::atoll(argv[1]) : 100'000;
  std::string dir = std::string(argc > 2 ? argv[2] : "/tmp") + "/store-bench-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) die("cannot make a directory in " + dir);
  const Spread disk = bench_fdatasync(dir);
  std::printf("append 4 KiB + fdatasync         p50 %7.0f us  p99 %7.0f us\n", disk.p50, disk.p99);
  bench_log(dir + "/log", disk);
  bench_rows(dir);
  bench_start(dir + "/start", jobs);
  bench_copy(dir + "/start");
  std::filesystem::remove_all(dir);
  return 0;
}
