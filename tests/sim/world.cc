// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <algorithm>
#include <string>
#include <utility>

#include "consensus/codec.h"

namespace distcron::sim {

using consensus::Member;
using consensus::MemberKind;
using consensus::Message;
using consensus::NodeId;

namespace {

/// More events than any sane world has in a second of simulated time: a core that never rests.
constexpr std::int64_t kEventsPerSecondMax = 2'000'000;

}  // namespace

World::World(const Script& script)
    : script_(script),
      oracle_(trace_),
      net_rng_(mix64(script.seed ^ 0x2e7)),
      disk_rng_(mix64(script.seed ^ 0xd15c)),
      links_(static_cast<std::size_t>((kNodesMax + 1) * (kNodesMax + 1))),
      tries_(script.ops.size()) {
  clients_ = std::make_unique<Clients>(*this);
  oracle_.is_lease_exact = std::none_of(script_.ops.begin(), script_.ops.end(), [](const Op& op) {
    return op.kind == OpKind::kClockJump || op.kind == OpKind::kClockRate ||
           op.kind == OpKind::kTransfer;
  });
  make_first_config();
}

void World::make_first_config() {
  const Options& o = options();
  const auto add = [this, &o](std::int64_t count, MemberKind kind) {
    for (std::int64_t i = 0; i < count && last_id_ < kNodesMax; ++i) {
      ++last_id_;
      const auto rank = static_cast<std::int32_t>(o.ranked != 0 ? last_id_ : 0);
      first_config_.members.push_back(Member{.id = last_id_, .kind = kind, .rank = rank});
    }
  };
  add(o.voters, MemberKind::kVoter);
  add(o.learners, MemberKind::kLearner);
  add(o.witnesses, MemberKind::kWitness);
}

Outcome World::run() {
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    hosts_[static_cast<std::size_t>(id)] = std::make_unique<Host>(*this, id, false);
  }
  for (std::int64_t id = 1; id <= last_id_; ++id)
    node(id).start();
  for (std::size_t i = 0; i < script_.ops.size(); ++i) {
    post({.at = script_.ops[i].at,
          .kind = EventKind::kOpStart,
          .arg = static_cast<std::int64_t>(i)});
  }
  clients_->start();
  if (options().flood_us > 0) post({.at = options().flood_us, .kind = EventKind::kFlood});
  run_until(options().duration_us);
  if (options().liveness != 0 && !oracle_.violation()) run_liveness();
  outcome_.violation = oracle_.violation();
  outcome_.hash = trace_.hash();
  outcome_.marks = trace_.marks;
  outcome_.ended_at = now_;
  outcome_.elections = oracle_.elections();
  outcome_.committed = oracle_.committed_index();
  outcome_.acked = clients_->acked_commands();
  outcome_.reads = clients_->reads();
  outcome_.installs = oracle_.installs();
  outcome_.changes = oracle_.changes();
  return outcome_;
}

void World::run_until(SimTime end) {
  std::int64_t second = 0;
  std::int64_t in_second = 0;
  while (!queue_.is_empty() && queue_.next_at() <= end && !oracle_.violation()) {
    const QueuedEvent event = queue_.pop();
    now_ = event.at;
    oracle_.now = now_;
    ++outcome_.events;
    if (now_ / 1'000'000 != second) {
      second = now_ / 1'000'000;
      in_second = 0;
    }
    if (++in_second > kEventsPerSecondMax) {
      oracle_.fail("storm", "more than " + std::to_string(kEventsPerSecondMax) +
                                " events within a second: something never rests");
    }
    handle(event);
  }
  if (!oracle_.violation()) now_ = end;
  oracle_.now = now_;
}

void World::handle(const QueuedEvent& event) {
  if (event.node != 0) {
    Host* const at = host(event.node);
    const bool is_gone =
        at == nullptr || !at->is_up() || (event.boot != 0 && event.boot != at->boot());
    if (is_gone) {
      if (event.kind == EventKind::kDeliver) free_.push_back(static_cast<std::size_t>(event.arg));
      return;
    }
    if (now_ < at->paused_until) {
      at->was_paused = true;
      QueuedEvent later = event;
      later.at = at->paused_until;
      post(later);
      return;
    }
    return handle_host(*at, event);
  }
  switch (event.kind) {
    case EventKind::kClientTimeout:
      return clients_->on_timeout(event.arg);
    case EventKind::kClientStart:
      return clients_->on_start(event.arg);
    case EventKind::kFlood:
      return flood();
    case EventKind::kOpStart:
      return begin_op(static_cast<std::size_t>(event.arg));
    case EventKind::kOpEnd:
      return end_op(static_cast<std::size_t>(event.arg));
    case EventKind::kDeliver:
    case EventKind::kTick:
    case EventKind::kFlushed:
    case EventKind::kApply:
    case EventKind::kCheckpoint:
    case EventKind::kChunkRead:
    case EventKind::kChunkStored:
    case EventKind::kDiskState:
    case EventKind::kDoomed:
    case EventKind::kRequest:
      return;
  }
}

void World::handle_host(Host& at, const QueuedEvent& event) {
  if (at.was_paused) {
    at.was_paused = false;
    const bool is_superseded = at.raft().role() == consensus::Role::kLeader && leader() != at.id();
    if (is_superseded) trace_.marks.add(Situation::kLeaderWokeSuperseded);
  }
  switch (event.kind) {
    case EventKind::kDeliver:
      return receive(at, event.arg);
    case EventKind::kTick:
      return at.on_tick();
    case EventKind::kFlushed:
      return at.on_flushed(event.arg);
    case EventKind::kApply:
      return at.on_apply();
    case EventKind::kCheckpoint:
      return at.on_checkpoint(event.arg);
    case EventKind::kChunkRead:
      return at.on_chunk_read();
    case EventKind::kChunkStored:
      return at.on_chunk_stored();
    case EventKind::kDiskState:
      return at.on_disk_state(event.arg != 0);
    case EventKind::kDoomed:
      return crash(at, event.arg);
    case EventKind::kRequest:
      return at.on_request(event.arg);
    case EventKind::kClientTimeout:
    case EventKind::kClientStart:
    case EventKind::kFlood:
    case EventKind::kOpStart:
    case EventKind::kOpEnd:
      return;
  }
}

// --- network -------------------------------------------------------------------------------------

void World::send(Message message) {
  oracle_.on_send(message);
  const Options& o = options();
  const bool is_known = host(message.to) != nullptr && message.to != message.from;
  const std::int64_t extra_loss = now_ < lossy_until_ ? lossy_permille_ : 0;
  // While healing, only links of nodes that stay broken lose messages.
  const std::int64_t loss = is_healing() ? 0 : o.loss_permille + extra_loss;
  if (!is_known || now_ < link(message.from, message.to).blocked_until ||
      draw_chance(net_rng_, loss)) {
    trace_.add({.at = now_,
                .mark = Mark::kLost,
                .kind = message.kind,
                .a = message.from,
                .b = message.to,
                .term = message.term});
    return;
  }
  if (o.codec_permille > 0 && draw_chance(net_rng_, o.codec_permille)) {
    const std::string bytes = consensus::encode_message(message);
    auto decoded = consensus::decode_message(bytes);
    if (!decoded || *decoded != message) {
      oracle_.fail("codec", "a message is not the same after its wire form: " +
                                (decoded ? "it differs" : decoded.error().message));
      return;
    }
    message = *std::move(decoded);
  }
  if (o.duplicate_permille > 0 && draw_chance(net_rng_, o.duplicate_permille)) {
    deliver(message, draw_scaled(net_rng_, 1, o.election_us * 4));
  }
  deliver(std::move(message), 0);
}

void World::deliver(Message message, SimTime extra) {
  const Options& o = options();
  SimTime at = now_ + extra + draw_between(net_rng_, o.delay_min_us, o.delay_max_us);
  if (!is_healing() && o.straggler_permille > 0 && draw_chance(net_rng_, o.straggler_permille)) {
    at += draw_scaled(net_rng_, 1, o.straggler_us);
  }
  Link& way = link(message.from, message.to);
  if (now_ < way.clogged_until) at = way.clogged_until + draw_between(net_rng_, 0, o.delay_max_us);
  if (o.is_ordered != 0 && extra == 0) {
    at = std::max(at, way.last_at);
    way.last_at = at;
  }
  const auto to = static_cast<std::uint16_t>(message.to);
  std::size_t slot = pool_.size();
  if (free_.empty()) {
    pool_.push_back(std::move(message));
  } else {
    slot = free_.back();
    free_.pop_back();
    pool_[slot] = std::move(message);
  }
  post({.at = at, .kind = EventKind::kDeliver, .node = to, .arg = static_cast<std::int64_t>(slot)});
}

void World::receive(Host& at, std::int64_t slot) {
  Message message = std::move(pool_[static_cast<std::size_t>(slot)]);
  free_.push_back(static_cast<std::size_t>(slot));
  trace_.add({.at = now_,
              .mark = Mark::kReceive,
              .kind = message.kind,
              .reject = message.reject,
              .count = static_cast<std::uint16_t>(message.entries.size()),
              .a = at.id(),
              .b = message.from,
              .term = message.term,
              .index = message.kind == consensus::MessageKind::kAppendReply ? message.match
                                                                            : message.prev_index,
              .commit = message.commit});
  if (message.term < at.raft().term()) trace_.marks.add(Situation::kStaleTermReceived);
  const bool is_forged =
      options().foreign_permille > 0 && draw_chance(net_rng_, options().foreign_permille);
  if (is_forged) forge(at, message);
  if (!oracle_.violation()) at.on_message(std::move(message));
}

/// The same message again, as of another cluster or of the cluster's life before a restore.
void World::forge(Host& at, const Message& message) {
  Message forged = message;
  forged.term += static_cast<std::int64_t>(net_rng_.below(3));
  if (net_rng_.below(2) == 0) {
    forged.cluster ^= 1;
  } else {
    forged.incarnation -= 1;
  }
  trace_.add({.at = now_,
              .mark = Mark::kForged,
              .kind = message.kind,
              .a = at.id(),
              .b = message.from,
              .term = forged.term});
  oracle_.before_forged(at.id());
  at.on_message(std::move(forged));
  if (!oracle_.violation()) oracle_.after_forged(at.id());
}

/// A command of the scripted client for whoever leads.
void World::flood() {
  post({.at = now_ + options().flood_us, .kind = EventKind::kFlood});
  Host* const at = host(leader());
  if (at != nullptr && now_ >= at->paused_until) propose_scripted(*at, 1);
}

// --- for hosts and clients -----------------------------------------------------------------------

SimTime World::disk_delay(const Host& at) {
  const Options& o = options();
  const SimTime slow = now_ < at.slow_until ? at.slow_by : 0;
  return slow +
         draw_between(disk_rng_, o.disk_min_us,
                      is_healing() ? std::min(o.disk_max_us, o.disk_min_us * 2) : o.disk_max_us);
}

NodeId World::pick_for_client(Rng& rng) const {
  std::vector<Member> members = oracle_.committed_config().members;
  if (is_healing()) {
    // Who is let alone by the faults is there for clients as well.
    std::erase_if(members, [this](const Member& m) { return !has(healed_, m.id); });
  }
  if (members.empty()) return 0;
  const NodeId any = members[rng.below(members.size())].id;
  const NodeId known = leader_known_by(any);
  return known != 0 && rng.below(2) == 0 ? known : any;
}

NodeId World::leader_known_by(NodeId id) const {
  const Host* const at = host(id);
  return at != nullptr && at->is_up() ? at->raft().leader() : 0;
}

}  // namespace distcron::sim
