// SPDX-License-Identifier: Apache-2.0
// Delta debugging (Zeller and Hildebrandt 2002, ddmin) over the lines, then over the options.
#include "sim/shrink.h"

#include <algorithm>
#include <utility>

namespace distcron::sim {
namespace {

class Shrinker {
 public:
  Shrinker(const Script& script, std::int64_t events_max) : events_left_(events_max) {
    best_.script = script;
    best_.outcome = World(script).run();
  }

  Shrunk run() {
    if (!best_.outcome.violation) return std::move(best_);
    cut_time();
    for (bool is_smaller = true; is_smaller && events_left_ > 0;) {
      is_smaller = drop_lines();
      is_smaller = simplify_options() || is_smaller;
    }
    cut_time();
    return std::move(best_);
  }

 private:
  /// Keeps `script` if it still fails in the same way.
  bool keeps(Script script) {
    if (script == best_.script || events_left_ <= 0) return false;
    Outcome outcome = World(script).run();
    ++best_.runs;
    events_left_ -= outcome.events;
    if (!outcome.violation || outcome.violation->invariant != best_.outcome.violation->invariant) {
      return false;
    }
    best_.script = std::move(script);
    best_.outcome = std::move(outcome);
    return true;
  }

  void cut_time() {
    Script script = best_.script;
    const SimTime at = best_.outcome.violation->at;
    if (at <= script.options.duration_us) {
      script.options.duration_us = at + 1;
      script.options.liveness = 0;
      std::erase_if(script.ops, [at](const Op& op) { return op.at > at; });
    }
    keeps(std::move(script));
    // A failure of the liveness phase may need less before it.
    for (int i = 0; i < 6 && best_.script.options.liveness != 0; ++i) {
      Script half = best_.script;
      half.options.duration_us /= 2;
      std::erase_if(half.ops, [&](const Op& op) { return op.at > half.options.duration_us; });
      if (!keeps(std::move(half))) break;
    }
  }

  bool drop_lines() {
    bool is_smaller = false;
    for (std::size_t size = std::max<std::size_t>(best_.script.ops.size() / 2, 1); size > 0;
         size /= 2) {
      for (std::size_t from = 0; from < best_.script.ops.size() && events_left_ > 0;) {
        Script script = best_.script;
        const auto begin = script.ops.begin() + static_cast<std::ptrdiff_t>(from);
        const std::size_t count = std::min(size, script.ops.size() - from);
        script.ops.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        if (keeps(std::move(script))) {
          is_smaller = true;
        } else {
          from += size;
        }
      }
    }
    return is_smaller;
  }

  bool simplify_options() {
    const Options defaults;
    bool is_smaller = false;
    for (const OptionField& field : option_fields()) {
      // Less time to think could overload the cluster: that would be another failure.
      const bool is_fixed = field.member == &Options::duration_us ||
                            field.member == &Options::liveness ||
                            field.member == &Options::think_us;
      if (is_fixed) continue;
      Script script = best_.script;
      script.options.*field.member = defaults.*field.member;
      is_smaller = keeps(std::move(script)) || is_smaller;
    }
    return is_smaller;
  }

  Shrunk best_;
  std::int64_t events_left_;
};

}  // namespace

Shrunk shrink(const Script& script, std::int64_t events_max) {
  return Shrinker(script, events_max).run();
}

}  // namespace distcron::sim
