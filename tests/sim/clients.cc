// SPDX-License-Identifier: Apache-2.0
#include "sim/clients.h"

#include <algorithm>

#include "sim/world.h"

namespace distcron::sim {

Clients::Clients(World& world) : world_(world), rng_(mix64(world.script().seed ^ 0xc11e)) {
  const Options& o = world.options();
  clients_.resize(static_cast<std::size_t>(std::min<std::int64_t>(o.clients, kReader)));
  if (o.reader_us > 0) clients_.emplace_back().is_reader = true;
}

void Clients::start() {
  for (std::int64_t c = 0; c < count(); ++c) {
    world_.post({.at = world_.now() + draw_between(rng_, 0, world_.options().think_us),
                 .kind = EventKind::kClientStart,
                 .arg = c});
  }
}

void Clients::on_start(std::int64_t client) {
  Client& c = at(client);
  const Options& o = world_.options();
  c.request.is_read = c.is_reader || draw_chance(rng_, o.reads_permille);
  if (!c.request.is_read) {
    c.request.seq = c.acked + 1;
    c.request.count = static_cast<std::uint64_t>(draw_between(rng_, 1, o.batch));
    c.request.payload = static_cast<std::size_t>(draw_between(rng_, 0, o.payload));
  }
  c.is_out = true;
  c.made_at = world_.now();
  c.floor = answered_;
  attempt(client);
}

void Clients::attempt(std::int64_t client) {
  Client& c = at(client);
  ++c.request.attempt;
  // A read is asked anew: it must see all that has been answered by now.
  if (c.request.is_read) c.floor = answered_;
  const bool asks_anyone = c.hint == 0 || c.is_reader || rng_.below(c.request.is_read ? 3 : 8) == 0;
  const consensus::NodeId to = asks_anyone ? world_.pick_for_client(rng_) : c.hint;
  const SimTime now = world_.now();
  world_.post({.at = now + 4 * world_.options().election_us,
               .kind = EventKind::kClientTimeout,
               .arg = client << 32U | c.request.attempt});
  if (to == 0) return;
  c.hint = to;
  world_.post({.at = now + world_.options().delay_min_us,
               .kind = EventKind::kRequest,
               .node = static_cast<std::uint16_t>(to),
               .arg = client});
}

void Clients::on_timeout(std::int64_t arg) {
  const std::int64_t client = arg >> 32U;
  Client& c = at(client);
  if (!c.is_out || c.request.attempt != (arg & 0xffffffff)) return;
  c.hint = 0;
  attempt(client);
}

void Clients::on_failed(std::int64_t client, std::int64_t attempt) {
  Client& c = at(client);
  if (!c.is_out || c.request.attempt != attempt) return;
  // Not at once: a cluster without a leader would be asked without end.
  c.hint = world_.leader_known_by(c.hint);
  ++c.request.attempt;
  world_.post({.at = world_.now() + world_.options().election_us / 4 + 1,
               .kind = EventKind::kClientTimeout,
               .arg = client << 32U | c.request.attempt});
}

void Clients::on_written(std::int64_t client, std::int64_t attempt, const Machine::ClientRow& row,
                         consensus::NodeId through) {
  Client& c = at(client);
  if (!c.is_out || c.request.attempt != attempt) return;
  if (draw_chance(rng_, world_.options().reply_loss_permille)) return;
  const std::uint64_t last = c.request.seq + c.request.count - 1;
  if (row.seq != last || row.index <= c.floor) {
    world_.oracle().fail("linearizable",
                         "client " + std::to_string(client) + ": command " + std::to_string(last) +
                             " has its place at " + std::to_string(row.index) +
                             ", not behind what was answered before, " + std::to_string(c.floor));
  }
  world_.trace().add({.at = world_.now(),
                      .mark = Mark::kAck,
                      .a = client,
                      .b = row.index,
                      .c = static_cast<std::int64_t>(last)});
  c.acked = last;
  c.hint = through;
  acked_commands_ += static_cast<std::int64_t>(c.request.count);
  if (c.made_at >= fresh_from_) ++fresh_writes_;
  answered_ = std::max(answered_, row.index);
  finish(client);
}

void Clients::on_read(std::int64_t client, std::int64_t attempt, consensus::Index index,
                      consensus::NodeId through) {
  Client& c = at(client);
  if (!c.is_out || c.request.attempt != attempt) return;
  if (index < c.floor) {
    world_.oracle().fail("linearizable",
                         "client " + std::to_string(client) + " reads at " + std::to_string(index) +
                             " through node " + std::to_string(through) +
                             "; answered before it asked: " + std::to_string(c.floor));
  }
  world_.trace().add(
      {.at = world_.now(), .mark = Mark::kRead, .a = client, .b = index, .c = through});
  c.hint = through;
  ++reads_;
  answered_ = std::max(answered_, index);
  finish(client);
}

void Clients::finish(std::int64_t client) {
  at(client).is_out = false;
  const Options& o = world_.options();
  const SimTime think = at(client).is_reader  ? o.reader_us
                        : world_.is_healing() ? std::min(o.think_us, 8 * o.election_us)
                                              : o.think_us;
  world_.post({.at = world_.now() + draw_between(rng_, 1, think),
               .kind = EventKind::kClientStart,
               .arg = client});
}

void Clients::count_fresh_from(SimTime at) {
  fresh_from_ = at;
  fresh_writes_ = 0;
}

}  // namespace distcron::sim
