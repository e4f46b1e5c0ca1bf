// SPDX-License-Identifier: Apache-2.0
// What a host says of the runs that it started by itself while it had no majority (RUNS.md 6.3).
// Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/run_commands.h"
#include "model/visit.h"

namespace distcron::model {

/// Ids of local runs are not below this, those that the log gives are.
inline constexpr std::int64_t kLocalIds = 1LL << 40;
/// A host gives its local runs ids of a range that is its own; in it they grow with the time.
inline constexpr std::int64_t kLocalIdsOfNode = 1LL << 23;
/// Hosts with this id or a higher one have no such range: no run id is above 2^53, up to where
/// readers of JSON with floating-point numbers tell all integers apart. `node.id` may be 10^9, and
/// each restore goes on 2^20 further (apply_losses.cc).
inline constexpr std::int64_t kLocalNodesMax = ((1LL << 53) - kLocalIds) / kLocalIdsOfNode;
static_assert(kLocalNodesMax > 1'000'000'000 && kLocalIds % kLocalIdsOfNode == 0);

/// Its local runs have the ids after this one.
[[nodiscard]] constexpr std::int64_t local_ids_of(std::int64_t node_id) {
  return kLocalIds + kLocalIdsOfNode * node_id;
}

[[nodiscard]] inline bool is_local_id_of(std::int64_t run_id, std::int64_t node_id) {
  return node_id > 0 && node_id < kLocalNodesMax && run_id > local_ids_of(node_id) &&
         run_id < local_ids_of(node_id + 1);
}

[[nodiscard]] inline std::string local_origin(std::int64_t run_id) {
  return "local:" + std::to_string(run_id);
}

/// One slot of a job with on_no_quorum = run-local.
struct LocalRun {
  std::int64_t run_id = 0;  ///< 0: the host let the slot go by; `reason` says why.
  std::uint64_t job_uid = 0;
  std::string job;
  std::int64_t job_version = 0;
  WallTime scheduled_at{};
  WallTime accepted_at{};
  Reason reason = Reason::kNone;  ///< run_id 0: kOverlap or kNoMajority.
  std::string
      detail;         ///< run_id 0: earlier slots that it stands for. Else: of a claim of the slot.
  HostReport report;  ///< Else: the latest that is known of its only attempt.
};

DC_VISIT(LocalRun, c) {
  visit(Field{"run_id", ""}, c.run_id);
  visit(Field{"job_uid", ""}, c.job_uid);
  visit(Field{"job", ""}, c.job);
  visit(Field{"job_version", ""}, c.job_version);
  visit(Field{"scheduled_at", ""}, c.scheduled_at);
  visit(Field{"accepted_at", ""}, c.accepted_at);
  visit(Field{"reason", ""}, c.reason);
  visit(Field{"detail", ""}, c.detail);
  visit(Field{"report", ""}, c.report);
}

/// The lines of a job stand in the order of its slots, those of a host in that of their run ids. A
/// host says the next lines only once these are applied: so what has been said is known by the
/// highest id. Feature level 3.
struct LocalRuns {
  std::int64_t node_id = 0;
  std::vector<LocalRun> runs;
};

DC_VISIT(LocalRuns, c) {
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"runs", ""}, c.runs);
}

}  // namespace distcron::model
