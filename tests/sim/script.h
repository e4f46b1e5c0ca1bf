// SPDX-License-Identifier: Apache-2.0
// A script: options, and what happens when (faults, changes of members, transfers). Every seed is
// turned into one first and then run, so that a failure can be printed, cut down line by line and
// kept as a scenario (tests/sim/scenarios). Each line stands for itself: none needs another one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/options.h"
#include "sim/queue.h"

namespace distcron::sim {

constexpr std::int64_t kNodesMax = 48;  ///< Ids of a world, those given by storms included.
constexpr std::int64_t kLeader = 0;     ///< As a node of an op: whoever leads at that time.

enum class OpKind : std::uint8_t {
  kCrash,         ///< a: node; back from its disk after `length`.
  kCrashWriting,  ///< As kCrash, amid a's next write (b: 1: of a snapshot's).
  kCrashAll,      ///< As kCrash, all at once.
  kPause,         ///< a: node does nothing for `length`, then goes on.
  kBlock,         ///< Nothing arrives from a at b.
  kIsolate,       ///< Nothing to or from a.
  kDeaf,          ///< a is heard, and hears nothing.
  kMute,          ///< a hears, and is not heard.
  kSplit,         ///< a: bit mask of ids; nothing between them and the others.
  kClog,          ///< What goes from a to b arrives only at the end of `length`.
  kLossy,         ///< a: permille of all messages lost, on top.
  kDiskFull,      ///< a: its disk takes no writes.
  kDiskSlow,      ///< a: each flush of its disk takes b more microseconds.
  kClockJump,     ///< a: its clock jumps forward by b microseconds.
  kClockRate,     ///< a: its clock runs b millionths too fast (below 0: too slow).
  kAddLearner,    ///< a: a new process with an empty disk, and the order to add it.
  kMakeWitness,   ///< a: becomes a witness.
  kPromote,       ///< a: learner becomes voter.
  kDemote,        ///< a: voter becomes learner.
  kRemove,        ///< a: out of the cluster; its process goes on.
  kStop,          ///< a: process and disk are gone for good.
  kTransfer,      ///< Leadership to a (0: the core chooses).
  kCompact,       ///< a: makes a snapshot now and forgets its log.
  kPropose,       ///< A client of its own asks a for b commands.
};

struct Op {
  SimTime at = 0;
  OpKind kind = OpKind::kCrash;
  std::int64_t a = 0;
  std::int64_t b = 0;
  SimTime length = 0;

  bool operator==(const Op&) const = default;
};

struct Script {
  std::uint64_t seed = 0;
  Options options;
  std::vector<Op> ops;  ///< By time.

  bool operator==(const Script&) const = default;
};

/// The world of a seed. Same seed and duration: same script.
[[nodiscard]] Script draw_script(std::uint64_t seed, SimTime duration_us);

/// Lines that parse_script() reads back; options that have their default are left out.
[[nodiscard]] std::string format_script(const Script& script);
[[nodiscard]] std::string format_op(const Op& op);
/// kInvalid names the line.
[[nodiscard]] Result<Script> parse_script(std::string_view text);

/// Seconds with six decimals and an `s`.
[[nodiscard]] std::string format_time(SimTime at);

}  // namespace distcron::sim
