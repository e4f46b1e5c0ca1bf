// SPDX-License-Identifier: Apache-2.0
// What a world is made of: how many nodes, how fast, how bad. Every seed draws its own ("swarm":
// each fault is on or off and weak or strong, so that no fault hides another). Plain numbers, so
// that a failing world can be printed, read back and made smaller. Faults in time are in script.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/rng.h"
#include "sim/queue.h"

namespace distcron::sim {

struct Options {
  // The cluster at its start: ids 1..voters, then learners, then witnesses.
  std::int64_t voters = 3;
  std::int64_t learners = 0;
  std::int64_t witnesses = 0;
  // The core's settings.
  std::int64_t election_us = 300'000;
  std::int64_t heartbeat_us = 50'000;
  std::int64_t learner_heartbeat_us = 150'000;
  std::int64_t append_entries = 1'024;
  std::int64_t append_bytes = 262'144;
  std::int64_t inflight_messages = 64;
  std::int64_t inflight_bytes = 4'194'304;
  std::int64_t uncommitted_bytes = 64'194'304;
  std::int64_t chunk_bytes = 262'144;
  // Network, per message.
  std::int64_t delay_min_us = 500;
  std::int64_t delay_max_us = 500;
  std::int64_t is_ordered = 1;  ///< 1: what goes from one node to another keeps its order.
  std::int64_t loss_permille = 0;
  std::int64_t duplicate_permille = 0;
  std::int64_t straggler_permille = 0;  ///< This many take up to `straggler_us`.
  std::int64_t straggler_us = 0;
  std::int64_t codec_permille = 0;    ///< This many go through the wire form.
  std::int64_t foreign_permille = 0;  ///< This many are followed by a forged copy.
  // Disks.
  std::int64_t disk_min_us = 300;
  std::int64_t disk_max_us = 300;
  std::int64_t is_torn = 0;  ///< 1: a crash may cut inside of a write.
  // The state machine and its snapshots.
  std::int64_t apply_us = 0;        ///< From commit to apply.
  std::int64_t snapshot_every = 0;  ///< Entries; 0: none are made.
  std::int64_t snapshot_keep = 0;   ///< Entries kept in the log behind a snapshot.
  std::int64_t snapshot_pad = 0;    ///< Bytes by which a snapshot is larger than need be.
  // Clients.
  std::int64_t clients = 2;
  std::int64_t think_us = 50'000;  ///< Pause of a client between two requests.
  std::int64_t flood_us = 0;       ///< A command every so often, answered or not; 0: none.
  std::int64_t reader_us = 0;      ///< A read by anyone every so often; 0: none.
  std::int64_t batch = 1;          ///< Largest number of commands of a request.
  std::int64_t reads_permille = 200;
  std::int64_t payload = 16;  ///< Largest number of bytes of a command beyond its header.
  std::int64_t reply_loss_permille = 0;
  // The run.
  std::int64_t duration_us = 10'000'000;  ///< Of the safety phase.
  std::int64_t liveness = 1;              ///< 1: a liveness phase follows.
  std::int64_t others = 0;  ///< Nodes outside of the healed majority: see liveness.cc.
  std::int64_t ranked = 0;  ///< 1: members have their id as rank.

  bool operator==(const Options&) const = default;
};

struct OptionField {
  std::string_view name;
  std::int64_t Options::*member;
};

/// All members of Options with their names, in their order.
[[nodiscard]] std::span<const OptionField> option_fields();

/// The options of a seed. `duration_us` is the caller's.
[[nodiscard]] Options draw_options(Rng& rng, SimTime duration_us);

/// Uniform in [low, high].
[[nodiscard]] std::int64_t draw_between(Rng& rng, std::int64_t low, std::int64_t high);
/// Between low and high (both above 0), each power of two as likely as another.
[[nodiscard]] std::int64_t draw_scaled(Rng& rng, std::int64_t low, std::int64_t high);
[[nodiscard]] bool draw_chance(Rng& rng, std::int64_t permille);

}  // namespace distcron::sim
