// SPDX-License-Identifier: Apache-2.0
// What a seed of the fleet's world draws: the cluster, the habits of its network, disks and jobs,
// and the list of orders and faults. Each kind of trouble is in some seeds only. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/log_limits.h"
#include "model/job_spec.h"
#include "sim/fleet_exec.h"

namespace distcron::sim {

/// 2026-11-20T00:00:00Z: the wall clock at the start of the world.
inline constexpr WallTime kFleetEpoch = wall_from_seconds(1'795'132'800);

enum class FleetOpKind : std::uint8_t {
  kKillAgent,   ///< span: until it is started again.
  kPowerOff,    ///< span: until it boots.
  kCrashExec,   ///< span: until it is back.
  kPause,       ///< span.
  kIsolate,     ///< Both ways to all others, span.
  kDeafen,      ///< The host hears nobody, span.
  kMute,        ///< Nobody hears the host, span.
  kSlowDisk,    ///< span.
  kFullDisk,    ///< span.
  kHandOver,    ///< The leader, whoever it is.
  kClock,       ///< arg: milliseconds ahead.
  kPutJob,      ///< arg: number of the job; a new version.
  kToggleJob,   ///< arg: number of the job.
  kRemoveJob,   ///< arg: number of the job.
  kTrigger,     ///< arg: number of the job.
  kKillRun,     ///< Of the host's choice.
  kDrain,       ///< arg: the node that is drained for span.
  kCrashWrite,  ///< The agent dies at a write of raft.db, for span. arg: a FleetCrash.
  // What draw_trouble() adds.
  kBlackout,    ///< All hosts lose power; each boots within span.
  kInsist,      ///< arg: number of the job. A client disables it and asks until that is done, at
                ///< whatever host; and after span enables it again likewise.
  kCutStart,    ///< With the next start there the host is cut off for span. arg: 1: it still hears.
  kCrashSpawn,  ///< The agent dies with an order on its way to the executor. arg: ms until that.
  kRelease,     ///< Places that runs keep are given away. arg: 1: also of live runs.
  kCrashStart,  ///< The executor dies with the next start, for span.
  // What draw_members() adds.
  kJoin,     ///< arg: the host that joins, until it has.
  kRemove,   ///< arg: the host that is removed, alive or not.
  kLeave,    ///< The host itself leaves.
  kSetNode,  ///< arg: the host that gets another part in the majority.
};

struct FleetOp {
  FleetTime at = 0;
  FleetOpKind kind = FleetOpKind::kTrigger;
  std::int64_t node = 1;  ///< Where it happens, or which agent is asked.
  FleetTime span = 0;
  std::int64_t arg = 0;
};

struct FleetOptions {
  std::uint64_t seed = 0;
  std::int64_t nodes = 3;
  std::int64_t standbys = 0;  ///< The last ones.
  std::int64_t joiners = 0;   ///< Hosts beside `nodes` that may join.
  /// The entry of which the founders' logs begin. 0: who joins has what was before.
  std::int64_t founded_at = 0;
  std::int64_t capacity = 64;
  FleetTime election = 1 * kSecond;
  FleetTime faults_until = 60 * kSecond;
  FleetTime settle = 75 * kSecond;
  FleetExecHabits habits;
  bool drifts = false;
  bool steps_clocks = false;
  std::int64_t loss_percent = 0;
  std::int64_t double_percent = 0;
  std::int64_t late_percent = 0;
  FleetTime delay_max = 2 * kMs;
  agent::LogLimits log;
  Seconds no_quorum_max{0};  ///< 0: the setting is not made.
  std::vector<model::JobSpec> jobs;
};

struct FleetPlan {
  FleetOptions options;
  std::vector<FleetOp> ops;  ///< By time.
};

[[nodiscard]] FleetPlan draw_fleet_plan(std::uint64_t seed, std::int64_t seconds);
/// Without what draw_trouble() adds.
[[nodiscard]] FleetPlan draw_plain_plan(std::uint64_t seed, std::int64_t seconds);
/// Faults that aim at one moment each, from random numbers of their own.
void draw_trouble(FleetPlan& plan);
/// Hosts that join, leave, are removed, and get another part in the majority.
void draw_members(FleetPlan& plan);
/// A cluster of `hosts` with 3, 5 or 7 voters, the rest standbys; a few faults at its voters.
[[nodiscard]] FleetPlan draw_large_plan(std::uint64_t seed, std::int64_t seconds,
                                        std::int64_t hosts);
/// Logs that are cut short, so that who was away needs a snapshot.
void draw_snapshots(FleetPlan& plan);

/// 0: the job has no schedule.
[[nodiscard]] Seconds period_of(const model::JobSpec& spec);

[[nodiscard]] std::string node_name(std::int64_t id);
[[nodiscard]] std::string format_op(const FleetOp& op);
/// The cluster and its jobs in a few lines.
[[nodiscard]] std::string format_options(const FleetOptions& options);

}  // namespace distcron::sim
