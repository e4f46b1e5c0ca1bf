// SPDX-License-Identifier: Apache-2.0
// JobTimers: when to look at which job again, as a 4-ary min-heap with lazy removal. An item whose
// stamp is not its job's is stale; the owner skips it and calls compact() now and then.
// Owned by StateData; not locked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/time.h"

namespace distcron::planner {

struct JobTimer {
  WallTime at{};
  std::uint64_t job_uid = 0;
  std::uint32_t stamp = 0;

  friend bool operator<(const JobTimer& a, const JobTimer& b) {
    return a.at != b.at ? a.at < b.at : a.job_uid < b.job_uid;
  }
};

class JobTimers {
 public:
  [[nodiscard]] bool is_empty() const { return items_.empty(); }

  [[nodiscard]] std::size_t size() const { return items_.size(); }

  [[nodiscard]] const JobTimer& top() const { return items_.front(); }

  void push(const JobTimer& item) {
    items_.push_back(item);
    sift_up(items_.size() - 1);
  }

  JobTimer pop() {
    const JobTimer out = items_.front();
    items_.front() = items_.back();
    items_.pop_back();
    if (!items_.empty()) sift_down(0);
    return out;
  }

  /// Drops all items for which `is_stale` holds. O(size).
  template <class IsStale>
  void compact(IsStale&& is_stale) {
    items_.erase(std::remove_if(items_.begin(), items_.end(), is_stale), items_.end());
    std::sort(items_.begin(), items_.end());  // a sorted array is a heap
  }

 private:
  static constexpr std::size_t kWays = 4;

  void sift_up(std::size_t at) {
    while (at > 0) {
      const std::size_t parent = (at - 1) / kWays;
      if (!(items_[at] < items_[parent])) return;
      std::swap(items_[at], items_[parent]);
      at = parent;
    }
  }

  void sift_down(std::size_t at) {
    for (;;) {
      const std::size_t first = at * kWays + 1;
      if (first >= items_.size()) return;
      std::size_t least = first;
      const std::size_t end = std::min(first + kWays, items_.size());
      for (std::size_t child = first + 1; child < end; ++child) {
        if (items_[child] < items_[least]) least = child;
      }
      if (!(items_[least] < items_[at])) return;
      std::swap(items_[at], items_[least]);
      at = least;
    }
  }

  std::vector<JobTimer> items_;
};

}  // namespace distcron::planner
