// SPDX-License-Identifier: Apache-2.0
#include "agent/output_keeper.h"

namespace distcron::agent {

namespace {
constexpr int kMeasuresPerStep = 32;
}  // namespace

void OutputKeeper::forget(std::int64_t run_id) {
  unmeasured_.erase(run_id);
  const auto found = kept_.find(run_id);
  if (found == kept_.end()) return;
  total_ -= found->second.bytes;
  by_age_.erase({found->second.ended_at, run_id});
  kept_.erase(found);
}

std::vector<std::int64_t> OutputKeeper::step(std::int64_t limit, const Measure& measure,
                                             const IsLive& is_live) {
  for (int i = 0; i < kMeasuresPerStep && !unmeasured_.empty(); ++i) {
    const std::int64_t run_id = *unmeasured_.begin();
    forget(run_id);
    if (is_live(run_id)) continue;  // its end adds it again
    const Kept kept = measure(run_id);
    if (kept.bytes <= 0) continue;
    kept_[run_id] = kept;
    by_age_.insert({kept.ended_at, run_id});
    total_ += kept.bytes;
  }
  std::vector<std::int64_t> surplus;
  // Not before all are known: what is found later may be older.
  while (unmeasured_.empty() && total_ > limit && !by_age_.empty()) {
    surplus.push_back(by_age_.begin()->second);
    forget(surplus.back());
  }
  return surplus;
}

}  // namespace distcron::agent
