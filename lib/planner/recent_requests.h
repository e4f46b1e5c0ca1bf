// SPDX-License-Identifier: Apache-2.0
// RecentRequests: which requests were carried out of late. A client that asks again, perhaps of
// another host, while its first asking is still under way, makes a second entry of the log; that
// must change nothing. Part of the replicated state: bounded by number and by the entries' own
// times, so all members forget at the same entry.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/time.h"

namespace distcron::planner {

class RecentRequests {
 public:
  static constexpr std::size_t kMax = 2'048;
  static constexpr Seconds kKept{3'600};

  RecentRequests() = default;
  RecentRequests(RecentRequests&&) = default;
  RecentRequests& operator=(RecentRequests&&) = default;
  RecentRequests(const RecentRequests&) = delete;
  RecentRequests& operator=(const RecentRequests&) = delete;

  [[nodiscard]] bool knows(const std::string& id, WallTime at) const {
    const auto found = times_.find(id);
    return found != times_.end() && at - found->second <= kKept && found->second - at <= kKept;
  }

  void add(const std::string& id, WallTime at) {
    const auto [place, is_new] = times_.insert_or_assign(id, at);
    if (!is_new) order_.erase(std::find(order_.begin(), order_.end(), &place->first));
    order_.push_back(&place->first);
    if (order_.size() <= kMax) return;
    const std::string oldest = *order_.front();
    order_.pop_front();
    times_.erase(oldest);
  }

  /// `visit(id, at)`, the oldest first.
  template <class Visit>
  void each(Visit visit) const {
    for (const std::string* id : order_)
      visit(*id, times_.at(*id));
  }

 private:
  std::unordered_map<std::string, WallTime> times_;
  std::deque<const std::string*> order_;  ///< Keys of `times_`, whose addresses stay.
};

}  // namespace distcron::planner
