// SPDX-License-Identifier: Apache-2.0
// Many seeds in several threads. Each seed's world belongs to the thread that runs it; what became
// of it is taken by one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace distcron::sim {

struct SeedRange {
  std::int64_t first = 1;
  std::int64_t seeds = 1;
  std::int64_t jobs = 1;  ///< Threads.
};

/// Calls `run(seed)` for each seed, in any order, and gives what it returns to `take`, which says
/// whether to go on. Returns the seconds that it took.
template <class Run, class Take>
double run_pool(const SeedRange& range, Run run, Take take) {
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> is_stopped{false};
  std::mutex mutex;
  const auto work = [&] {
    for (std::int64_t i = next++; i < range.seeds && !is_stopped; i = next++) {
      const auto result = run(static_cast<std::uint64_t>(range.first + i));
      const std::lock_guard lock(mutex);
      if (!take(result, is_stopped.load())) is_stopped = true;
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t i = 1; i < range.jobs; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread& thread : threads)
    thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace distcron::sim
