// SPDX-License-Identifier: Apache-2.0
// OutputKeeper: keeps what runs have written on this host within output.keep.bytes, by removing the
// output of the oldest ended runs; their rows stay. Knows sizes, a few runs measured at a time, so
// that a host with many runs is not held up. Pure of clocks and disks: its caller measures and
// removes. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"

namespace distcron::agent {

class OutputKeeper {
 public:
  struct Kept {
    std::int64_t bytes = 0;
    WallTime ended_at{};  ///< The oldest go first; their ids do not tell (local runs).
  };

  /// What is kept of a run now.
  using Measure = std::function<Kept(std::int64_t run_id)>;
  /// Whether a run is alive: what it writes is not removed, and counts once it has ended.
  using IsLive = std::function<bool(std::int64_t run_id)>;

  /// Runs that have output, or may have it: all that were found at start, each that ends.
  void add(std::int64_t run_id) { unmeasured_.insert(run_id); }

  void forget(std::int64_t run_id);

  [[nodiscard]] bool has_work() const { return !unmeasured_.empty(); }

  [[nodiscard]] std::int64_t total() const { return total_; }

  /// Measures some of the runs that were added. Returns those, oldest first, whose output has to go
  /// so that no more than `limit` bytes are left; they are forgotten.
  [[nodiscard]] std::vector<std::int64_t> step(std::int64_t limit, const Measure& measure,
                                               const IsLive& is_live);

 private:
  std::set<std::int64_t> unmeasured_;
  std::map<std::int64_t, Kept> kept_;  ///< By run.
  std::set<std::pair<WallTime, std::int64_t>> by_age_;
  std::int64_t total_ = 0;
};

}  // namespace distcron::agent
