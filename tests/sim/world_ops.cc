// SPDX-License-Identifier: Apache-2.0
// The lines of a script: faults and orders.
#include <algorithm>
#include <string>
#include <utility>

#include "sim/world.h"

namespace distcron::sim {

using consensus::ChangeMember;
using consensus::Config;
using consensus::Member;
using consensus::MemberKind;
using consensus::Role;

namespace {

constexpr std::int32_t kTriesMax = 20;  ///< Of a change of members.

}  // namespace

std::int64_t World::leader() const {
  std::int64_t best = 0;
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    const Host* const at = host(id);
    if (at == nullptr || !at->is_up() || at->raft().role() != Role::kLeader) continue;
    if (best == 0 || at->raft().term() > node(best).raft().term()) best = id;
  }
  return best;
}

void World::begin_op(std::size_t number) {
  if (is_healing()) return;
  const Op& op = script_.ops[number];
  trace_.add({.at = now_, .mark = Mark::kOp, .a = static_cast<std::int64_t>(number) + 1});
  const SimTime until = now_ + op.length;
  switch (op.kind) {
    case OpKind::kCrashAll:
      for (std::int64_t id = 1; id <= last_id_; ++id) {
        if (Host* const at = host(id); at != nullptr && at->is_up()) crash(*at, op.length);
      }
      break;
    case OpKind::kBlock:
      return cut(or_leader(op.a), or_leader(op.b), until);
    case OpKind::kSplit:
      for (std::int64_t a = 1; a <= kNodesMax; ++a) {
        for (std::int64_t b = 1; b <= kNodesMax; ++b) {
          if ((op.a >> a & 1) != (op.a >> b & 1)) cut(a, b, until);
        }
      }
      return;
    case OpKind::kClog: {
      const std::int64_t from = or_leader(op.a);
      const std::int64_t to = or_leader(op.b);
      if (from >= 1 && to >= 1 && from <= kNodesMax && to <= kNodesMax) {
        link(from, to).clogged_until = until;
      }
      return;
    }
    case OpKind::kLossy:
      lossy_permille_ = op.a;
      lossy_until_ = until;
      return;
    case OpKind::kAddLearner:
    case OpKind::kPromote:
    case OpKind::kDemote:
    case OpKind::kMakeWitness:
    case OpKind::kRemove:
      return change_member(number, op);
    case OpKind::kTransfer:
      if (Host* const at = host(leader()); at != nullptr)
        at->order(consensus::Transfer{.to = op.a});
      return;
    case OpKind::kCrash:
    case OpKind::kCrashWriting:
    case OpKind::kPause:
    case OpKind::kIsolate:
    case OpKind::kDeaf:
    case OpKind::kMute:
    case OpKind::kDiskFull:
    case OpKind::kDiskSlow:
    case OpKind::kClockJump:
    case OpKind::kClockRate:
    case OpKind::kStop:
    case OpKind::kCompact:
    case OpKind::kPropose: {
      Host* const at = host(or_leader(op.a));
      if (at != nullptr && !at->is_stopped()) begin_node_op(op, *at);
      break;
    }
  }
}

void World::begin_node_op(const Op& op, Host& at) {
  const SimTime until = now_ + op.length;
  switch (op.kind) {
    case OpKind::kCrash:
      return crash(at, op.length);
    case OpKind::kCrashWriting:
      at.doomed_for = op.length;
      at.is_doomed_installing = op.b == 1;
      return;
    case OpKind::kPause:
      at.paused_until = std::max(at.paused_until, until);
      return;
    case OpKind::kIsolate:
    case OpKind::kDeaf:
    case OpKind::kMute:
      for (std::int64_t other = 1; other <= kNodesMax; ++other) {
        if (op.kind != OpKind::kDeaf) cut(at.id(), other, until);
        if (op.kind != OpKind::kMute) cut(other, at.id(), until);
      }
      return;
    case OpKind::kDiskFull:
      at.full_until = until;
      post({.at = now_,
            .kind = EventKind::kDiskState,
            .node = static_cast<std::uint16_t>(at.id()),
            .arg = 1});
      post({.at = until,
            .kind = EventKind::kDiskState,
            .node = static_cast<std::uint16_t>(at.id()),
            .arg = 0});
      return;
    case OpKind::kDiskSlow:
      at.slow_until = until;
      at.slow_by = op.b;
      return;
    case OpKind::kClockJump:
      at.clock.jump(now_, op.b);
      break;
    case OpKind::kClockRate:
      at.clock.run_at(now_, op.b);
      break;
    case OpKind::kStop:
      if (may_stop(at.id())) at.stop();
      return;
    case OpKind::kCompact:
      at.make_snapshot();
      return;
    case OpKind::kPropose:
      if (at.is_up() && now_ >= at.paused_until) propose_scripted(at, op.b);
      return;
    case OpKind::kCrashAll:
    case OpKind::kBlock:
    case OpKind::kSplit:
    case OpKind::kClog:
    case OpKind::kLossy:
    case OpKind::kAddLearner:
    case OpKind::kPromote:
    case OpKind::kDemote:
    case OpKind::kMakeWitness:
    case OpKind::kRemove:
    case OpKind::kTransfer:
      return;
  }
  at.rearm();
}

/// The time of a crashed node is over.
void World::end_op(std::size_t node_number) {
  Host* const at = host(static_cast<std::int64_t>(node_number));
  if (at == nullptr || at->is_up() || at->is_stopped() || now_ < at->down_until) return;
  at->start();
}

void World::propose_scripted(Host& at, std::int64_t count) {
  consensus::Propose propose;
  for (std::int64_t i = 0; i < count; ++i) {
    const Command command{.client = kScriptedClient, .seq = ++scripted_seq_};
    propose.commands.push_back(encode_command(command, 0));
  }
  at.order(std::move(propose));
}

void World::crash(Host& at, SimTime length) {
  if (at.is_up()) {
    at.crash();
    ++outcome_.crashes;
  }
  at.down_until = std::max(at.down_until, now_ + length);
  post({.at = at.down_until, .kind = EventKind::kOpEnd, .arg = at.id()});
}

void World::cut(std::int64_t from, std::int64_t to, SimTime until) {
  if (from < 1 || to < 1 || from > kNodesMax || to > kNodesMax || from == to) return;
  Link& way = link(from, to);
  way.blocked_until = std::max(way.blocked_until, until);
}

// --- members -------------------------------------------------------------------------------------

/// Whether the committed configuration is as the line wants it.
bool World::is_done(const Op& op) const {
  const Member* const member = find_member(oracle_.committed_config(), op.a);
  switch (op.kind) {
    case OpKind::kRemove:
      return member == nullptr;
    case OpKind::kAddLearner:
      return member != nullptr;
    case OpKind::kPromote:
      return member != nullptr && member->kind == MemberKind::kVoter;
    case OpKind::kDemote:
      return member != nullptr && member->kind == MemberKind::kLearner;
    case OpKind::kMakeWitness:
      return member != nullptr && member->kind == MemberKind::kWitness;
    case OpKind::kCrash:
    case OpKind::kCrashWriting:
    case OpKind::kCrashAll:
    case OpKind::kPause:
    case OpKind::kBlock:
    case OpKind::kIsolate:
    case OpKind::kDeaf:
    case OpKind::kMute:
    case OpKind::kSplit:
    case OpKind::kClog:
    case OpKind::kLossy:
    case OpKind::kDiskFull:
    case OpKind::kDiskSlow:
    case OpKind::kClockJump:
    case OpKind::kClockRate:
    case OpKind::kStop:
    case OpKind::kTransfer:
    case OpKind::kCompact:
    case OpKind::kPropose:
      return true;
  }
  return true;
}

/// Orders it of the leader, and again until it is so.
void World::change_member(std::size_t number, const Op& op) {
  if (op.a < 1 || op.a > kNodesMax || is_done(op)) return;
  if (op.kind == OpKind::kAddLearner && host(op.a) == nullptr) {
    last_id_ = std::max(last_id_, op.a);
    hosts_[static_cast<std::size_t>(op.a)] = std::make_unique<Host>(*this, op.a, true);
    node(op.a).start();
  }
  ChangeMember change;
  change.removes = op.kind == OpKind::kRemove;
  change.member.id = op.a;
  change.member.rank = static_cast<std::int32_t>(options().ranked != 0 ? op.a : 0);
  change.member.kind = op.kind == OpKind::kPromote       ? MemberKind::kVoter
                       : op.kind == OpKind::kMakeWitness ? MemberKind::kWitness
                                                         : MemberKind::kLearner;
  const bool is_sensible = op.kind == OpKind::kAddLearner || op.kind == OpKind::kRemove ||
                           find_member(oracle_.committed_config(), op.a) != nullptr;
  Host* const at = host(leader());
  if (is_sensible && at != nullptr && now_ >= at->paused_until && may_change(change)) {
    at->order(change);
  }
  if (++tries_[number] < kTriesMax) {
    post({.at = now_ + options().election_us / 2,
          .kind = EventKind::kOpStart,
          .arg = static_cast<std::int64_t>(number)});
  }
}

/// Not so that the voters left would be dead for ever for the most part.
bool World::may_change(const ChangeMember& change) const {
  Config next = oracle_.committed_config();
  std::erase_if(next.members, [&](const Member& m) { return m.id == change.member.id; });
  if (!change.removes) next.members.push_back(change.member);
  return has_live_majority(next, 0);
}

bool World::has_live_majority(const Config& config, std::int64_t without) const {
  std::size_t counted = 0;
  std::size_t alive = 0;
  for (const Member& m : config.members) {
    if (!is_counted(m)) continue;
    ++counted;
    const Host* const at = host(m.id);
    if (m.id != without && at != nullptr && !at->is_stopped()) ++alive;
  }
  return counted == 0 || alive * 2 > counted;
}

/// Raft does not outlive the loss of a majority's disks: we do not ask for that.
bool World::may_stop(std::int64_t id) const {
  if (!has_live_majority(oracle_.committed_config(), id)) return false;
  for (std::int64_t other = 1; other <= last_id_; ++other) {
    const Host* const at = host(other);
    if (at == nullptr || at->is_stopped()) continue;
    if (!has_live_majority(oracle_.config_of(other), id)) return false;
  }
  return true;
}

}  // namespace distcron::sim
