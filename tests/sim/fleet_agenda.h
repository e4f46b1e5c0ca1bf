// SPDX-License-Identifier: Apache-2.0
// Agenda: virtual time of the fleet's world, a queue of closures ordered by (time, sequence).
// Whatever captures an agent checks that it is still the same life. One world, one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace distcron::sim {

/// Microseconds of true time since the start of the world.
using FleetTime = std::int64_t;

constexpr FleetTime kMs = 1'000;
constexpr FleetTime kSecond = 1'000'000;

class Agenda {
 public:
  [[nodiscard]] FleetTime now() const { return now_; }

  void at(FleetTime when, std::function<void()> what) {
    heap_.push_back(Item{std::max(when, now_), ++sequence_, std::move(what)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  void after(FleetTime span, std::function<void()> what) { at(now_ + span, std::move(what)); }

  /// Runs the next item if it is due by `until`; false: there is none, and it is `until` now.
  bool step(FleetTime until) {
    if (heap_.empty() || heap_.front().when > until) {
      now_ = std::max(now_, until);
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Item item = std::move(heap_.back());
    heap_.pop_back();
    now_ = item.when;
    item.what();
    return true;
  }

 private:
  struct Item {
    FleetTime when = 0;
    std::uint64_t sequence = 0;
    std::function<void()> what;
  };

  static bool later(const Item& a, const Item& b) {
    return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
  }

  FleetTime now_ = 0;
  std::uint64_t sequence_ = 0;
  std::vector<Item> heap_;
};

/// Uniform in [low, high].
[[nodiscard]] inline FleetTime draw_between(Rng& rng, FleetTime low, FleetTime high) {
  return low + static_cast<FleetTime>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

/// True with a chance of `percent`.
[[nodiscard]] inline bool draw_chance(Rng& rng, std::int64_t percent) {
  return draw_between(rng, 1, 100) <= percent;
}

}  // namespace distcron::sim
