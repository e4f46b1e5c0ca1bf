// SPDX-License-Identifier: Apache-2.0
#include "agent/output_keeper.h"

namespace distcron::agent {

namespace {
constexpr int kMeasuresPerStep = 32;
}  // namespace

void OutputKeeper::forget(std::int64_t run_id) {
  unmeasured_.erase(run_id);
  const auto found = bytes_.find(run_id);
  if (found == bytes_.end()) return;
  total_ -= found->second;
  bytes_.erase(found);
}

std::vector<std::int64_t> OutputKeeper::step(std::int64_t limit, const Measure& measure,
                                             const IsLive& is_live) {
  for (int i = 0; i < kMeasuresPerStep && !unmeasured_.empty(); ++i) {
    const std::int64_t run_id = *unmeasured_.begin();
    forget(run_id);
    if (is_live(run_id)) continue;  // its end adds it again
    const std::int64_t bytes = measure(run_id);
    if (bytes <= 0) continue;
    bytes_[run_id] = bytes;
    total_ += bytes;
  }
  std::vector<std::int64_t> surplus;
  // Not before all are known: what is found later may be older.
  while (unmeasured_.empty() && total_ > limit && !bytes_.empty()) {
    surplus.push_back(bytes_.begin()->first);
    forget(surplus.back());
  }
  return surplus;
}

}  // namespace distcron::agent
