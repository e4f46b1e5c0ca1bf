// SPDX-License-Identifier: Apache-2.0
#include "sim/options.h"

#include <algorithm>
#include <array>

namespace distcron::sim {
namespace {

constexpr SimTime kLongRun = 600'000'000;

constexpr std::array kFields{
    OptionField{"voters", &Options::voters},
    OptionField{"learners", &Options::learners},
    OptionField{"witnesses", &Options::witnesses},
    OptionField{"election_us", &Options::election_us},
    OptionField{"heartbeat_us", &Options::heartbeat_us},
    OptionField{"learner_heartbeat_us", &Options::learner_heartbeat_us},
    OptionField{"append_entries", &Options::append_entries},
    OptionField{"append_bytes", &Options::append_bytes},
    OptionField{"inflight_messages", &Options::inflight_messages},
    OptionField{"inflight_bytes", &Options::inflight_bytes},
    OptionField{"uncommitted_bytes", &Options::uncommitted_bytes},
    OptionField{"chunk_bytes", &Options::chunk_bytes},
    OptionField{"delay_min_us", &Options::delay_min_us},
    OptionField{"delay_max_us", &Options::delay_max_us},
    OptionField{"is_ordered", &Options::is_ordered},
    OptionField{"loss_permille", &Options::loss_permille},
    OptionField{"duplicate_permille", &Options::duplicate_permille},
    OptionField{"straggler_permille", &Options::straggler_permille},
    OptionField{"straggler_us", &Options::straggler_us},
    OptionField{"codec_permille", &Options::codec_permille},
    OptionField{"foreign_permille", &Options::foreign_permille},
    OptionField{"disk_min_us", &Options::disk_min_us},
    OptionField{"disk_max_us", &Options::disk_max_us},
    OptionField{"is_torn", &Options::is_torn},
    OptionField{"apply_us", &Options::apply_us},
    OptionField{"snapshot_every", &Options::snapshot_every},
    OptionField{"snapshot_keep", &Options::snapshot_keep},
    OptionField{"snapshot_pad", &Options::snapshot_pad},
    OptionField{"clients", &Options::clients},
    OptionField{"think_us", &Options::think_us},
    OptionField{"flood_us", &Options::flood_us},
    OptionField{"reader_us", &Options::reader_us},
    OptionField{"batch", &Options::batch},
    OptionField{"reads_permille", &Options::reads_permille},
    OptionField{"payload", &Options::payload},
    OptionField{"reply_loss_permille", &Options::reply_loss_permille},
    OptionField{"duration_us", &Options::duration_us},
    OptionField{"liveness", &Options::liveness},
    OptionField{"others", &Options::others},
    OptionField{"ranked", &Options::ranked},
};
static_assert(sizeof(Options) == kFields.size() * sizeof(std::int64_t));

template <std::size_t N>
std::int64_t pick(Rng& rng, const std::array<std::int64_t, N>& values) {
  return values[rng.below(N)];
}

void draw_cluster(Rng& rng, Options& o) {
  o.voters = pick(rng, std::array<std::int64_t, 12>{1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7});
  o.learners = draw_chance(rng, 250) ? draw_between(rng, 1, 2) : 0;
  o.witnesses = o.voters > 1 && draw_chance(rng, 150) ? 1 : 0;
  o.ranked = draw_chance(rng, 500) ? 1 : 0;
  o.election_us = pick(
      rng, std::array<std::int64_t, 6>{100'000, 200'000, 300'000, 500'000, 1'000'000, 1'000'000});
  o.heartbeat_us = o.election_us / draw_between(rng, 3, 10);
  o.learner_heartbeat_us = draw_between(rng, o.heartbeat_us, o.election_us);
}

void draw_messages(Rng& rng, Options& o) {
  o.append_entries = pick(rng, std::array<std::int64_t, 8>{1, 1, 2, 2, 4, 16, 64, 1'024});
  o.append_bytes = draw_chance(rng, 300) ? draw_scaled(rng, 32, 4'096) : 262'144;
  o.inflight_messages = pick(rng, std::array<std::int64_t, 5>{1, 2, 4, 16, 64});
  o.inflight_bytes = draw_chance(rng, 200) ? draw_scaled(rng, 64, 8'192) : 4'194'304;
  o.uncommitted_bytes = draw_chance(rng, 100) ? draw_scaled(rng, 256, 8'192) : 64'194'304;
  o.chunk_bytes = pick(rng, std::array<std::int64_t, 6>{7, 32, 64, 128, 512, 262'144});
}

void draw_net(Rng& rng, Options& o) {
  o.delay_min_us = draw_scaled(rng, 50, std::max<std::int64_t>(51, o.election_us / 30));
  o.delay_max_us =
      o.delay_min_us + draw_scaled(rng, 1, std::max<std::int64_t>(2, o.election_us / 10));
  o.is_ordered = draw_chance(rng, 500) ? 1 : 0;
  if (draw_chance(rng, 400)) o.loss_permille = draw_scaled(rng, 5, 300);
  if (draw_chance(rng, 400)) o.duplicate_permille = draw_scaled(rng, 5, 500);
  if (draw_chance(rng, 400)) {
    o.straggler_permille = draw_scaled(rng, 5, 300);
    o.straggler_us = draw_scaled(rng, o.election_us / 4, o.election_us * 20);
  }
  o.codec_permille = draw_chance(rng, 120) ? 1'000 : 0;
  o.foreign_permille = draw_chance(rng, 200) ? draw_scaled(rng, 1, 20) : 0;
}

void draw_disk_and_state(Rng& rng, Options& o) {
  o.disk_min_us = draw_scaled(rng, 20, 2'000);
  o.disk_max_us =
      o.disk_min_us + draw_scaled(rng, 1, draw_chance(rng, 500) ? o.election_us / 2 : 2'000);
  o.is_torn = draw_chance(rng, 500) ? 1 : 0;
  o.apply_us = draw_chance(rng, 300) ? draw_scaled(rng, 10, o.election_us) : 0;
  if (draw_chance(rng, 600)) {
    o.snapshot_every = pick(rng, std::array<std::int64_t, 7>{1, 2, 4, 8, 16, 32, 256});
    o.snapshot_keep = draw_chance(rng, 500) ? draw_between(rng, 0, 16) : 0;
    o.snapshot_pad = draw_chance(rng, 300) ? draw_scaled(rng, 1, 2'000) : 0;
  }
}

/// What one entry takes at least on its way to a follower: an overloaded cluster shows nothing.
SimTime entry_time(const Options& o) {
  const std::int64_t entry_bytes = 128 + o.payload;
  const std::int64_t entries =
      std::clamp<std::int64_t>(o.append_bytes / entry_bytes, 1, o.append_entries);
  // Whatever overtakes another message is refused and sent again.
  const std::int64_t window = o.is_ordered != 0 ? o.inflight_messages : 1;
  const std::int64_t messages =
      std::clamp<std::int64_t>(o.inflight_bytes / (entries * entry_bytes), 1, window);
  return 1 + 2 * (o.delay_max_us + o.disk_max_us) / (entries * messages);
}

/// So many commands that the last one is never acknowledged before the next one is there.
void draw_flood(Rng& rng, Options& o) {
  if (!draw_chance(rng, 60) || o.is_ordered == 0 || o.voters < 2) return;
  o.append_entries = std::max<std::int64_t>(o.append_entries, 16);
  o.append_bytes = 262'144;
  o.inflight_messages = std::max<std::int64_t>(o.inflight_messages, 16);
  o.inflight_bytes = 4'194'304;
  o.uncommitted_bytes = 64'194'304;
  o.delay_min_us = std::max(o.delay_min_us, o.election_us / 40);
  o.delay_max_us = std::max(o.delay_max_us, o.delay_min_us + 1);
  o.flood_us = o.delay_min_us;
}

}  // namespace

std::span<const OptionField> option_fields() {
  return kFields;
}

std::int64_t draw_between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

std::int64_t draw_scaled(Rng& rng, std::int64_t low, std::int64_t high) {
  // Only shifts and additions: the result must not depend on a math library.
  std::int64_t steps = 0;
  while ((low << (steps + 1)) <= high)
    ++steps;
  const std::int64_t from = low << draw_between(rng, 0, steps);
  return draw_between(rng, from, std::min(high, from * 2 - 1));
}

bool draw_chance(Rng& rng, std::int64_t permille) {
  return static_cast<std::int64_t>(rng.below(1'000)) < permille;
}

Options draw_options(Rng& rng, SimTime duration_us) {
  Options o;
  draw_cluster(rng, o);
  draw_messages(rng, o);
  draw_net(rng, o);
  draw_disk_and_state(rng, o);
  o.clients = draw_between(rng, 1, 4);
  o.batch = pick(rng, std::array<std::int64_t, 5>{1, 1, 4, 16, 64});
  o.payload = draw_chance(rng, 200) ? draw_scaled(rng, 1, 1'000) : draw_between(rng, 0, 16);
  // Few commands in many situations find more than many in few.
  const SimTime share = 3 * o.clients * entry_time(o);
  o.batch = std::clamp<std::int64_t>(4 * o.election_us / share, 1, o.batch);
  const SimTime think = draw_scaled(rng, o.election_us / 5, o.election_us * 3) * (4 + o.batch) / 4;
  o.think_us = std::max(think, o.batch * share);
  draw_flood(rng, o);
  if (draw_chance(rng, 300)) o.reader_us = o.election_us / 4;
  o.reads_permille = draw_between(rng, 0, 500);
  o.reply_loss_permille = draw_chance(rng, 300) ? draw_scaled(rng, 5, 200) : 0;
  o.duration_us = duration_us;
  // Each restart reads the whole log: in a long run it must be forgotten now and then.
  const bool is_long = duration_us > kLongRun && o.snapshot_every == 0;
  if (is_long) o.snapshot_every = 1'024;
  o.others = draw_between(rng, 0, 5);
  return o;
}

}  // namespace distcron::sim
