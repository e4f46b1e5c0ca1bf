// SPDX-License-Identifier: Apache-2.0
// The liveness phase: a majority of the voters is healed, everybody else stays as broken as the
// option `others` says, for ever. The healed must then elect, commit and agree within a number of
// election timeouts, and keep their leader. Faults that always heal would hide livelocks.
//
// others: 0 healed too, 1 down, 2 cut off, 3 heard but deaf, 4 hearing but mute, 5 mixed.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sim/world.h"

namespace distcron::sim {

using consensus::Config;
using consensus::Index;
using consensus::Member;
using consensus::MemberKind;

namespace {

constexpr SimTime kForever = INT64_MAX / 4;
constexpr std::int64_t kTimeoutsToConverge = 60;
constexpr std::int64_t kTimeoutsStable = 10;
constexpr std::int64_t kWritesWanted = 3;
constexpr Index kNear = 100;  ///< Entries.

/// Whether the healed voters are a majority of the configuration. Witnesses do not help here: one
/// with the longest log may neither lead nor let others lead, and a message under way can make it
/// that.
bool has_majority(const Config& config, std::uint64_t healed) {
  std::size_t counted = 0;
  std::size_t alive = 0;
  for (const Member& m : config.members) {
    if (!is_counted(m)) continue;
    ++counted;
    if (m.kind == MemberKind::kVoter && has(healed, m.id)) ++alive;
  }
  return counted == 0 || alive * 2 > counted;
}

}  // namespace

/// Whether some healed voter could be elected by its own configuration's healed voters, and any
/// configuration that it may still learn of can be committed by them.
bool World::can_progress(std::uint64_t healed) const {
  if (!has_majority(oracle_.committed_config(), healed)) return false;
  for (const Config& open : oracle_.open_configs()) {
    if (!has_majority(open, healed)) return false;
  }
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    if (!has(healed, id)) continue;
    const Config& config = oracle_.config_of(id);
    const Member* const self = find_member(config, id);
    if (self == nullptr || self->kind != MemberKind::kVoter) continue;
    const RaftDb& own = node(id).disk().raft_db();
    std::size_t counted = 0;
    std::size_t behind = 0;
    for (const Member& m : config.members) {
      if (!is_counted(m)) continue;
      ++counted;
      if (m.kind != MemberKind::kVoter || !has(healed, m.id)) continue;
      const RaftDb& other = node(m.id).disk().raft_db();
      const auto own_term = own.term_at(own.last_index());
      const auto other_term = other.term_at(other.last_index());
      const bool is_current = other_term < own_term ||
                              (other_term == own_term && other.last_index() <= own.last_index());
      if (is_current) ++behind;
    }
    if (behind * 2 > counted) return true;
  }
  return false;
}

/// Last indices of the shortest and of the longest log among the members of these hosts.
std::pair<Index, Index> World::log_span(std::uint64_t hosts) const {
  std::optional<Index> shortest;
  Index longest = 0;
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    if (!has(hosts, id) || find_member(oracle_.committed_config(), id) == nullptr) continue;
    const Index last = node(id).disk().raft_db().last_index();
    shortest = std::min(shortest.value_or(last), last);
    longest = std::max(longest, last);
  }
  return {shortest.value_or(0), longest};
}

/// Members in a random order, until they can make progress. 0: not even all of them can.
std::uint64_t World::choose_majority() {
  std::vector<std::int64_t> order;
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    const Host* const at = host(id);
    if (at == nullptr || at->is_stopped()) continue;
    bool is_member = find_member(oracle_.committed_config(), id) != nullptr;
    is_member = is_member || find_member(oracle_.config_of(id), id) != nullptr;
    if (is_member) order.push_back(id);
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[net_rng_.below(i)]);
  }
  std::uint64_t healed = 0;
  for (const std::int64_t id : order) {
    if (options().others != 0 && can_progress(healed)) return healed;
    healed |= std::uint64_t{1} << id;
  }
  return can_progress(healed) ? healed : 0;
}

void World::heal(std::uint64_t healed) {
  healed_ = healed;
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    if (!has(healed, id)) continue;
    Host& at = node(id);
    for (std::int64_t other = 1; other <= last_id_; ++other) {
      if (has(healed, other)) link(id, other) = Link{};
    }
    at.down_until = 0;
    at.doomed_for = -1;
    at.slow_until = 0;
    if (at.paused_until > now_) at.paused_until = now_;
    if (at.full_until > now_) {
      at.full_until = now_;
      if (at.is_up()) at.on_disk_state(false);
    }
    if (!at.is_up()) {
      at.start();
    } else {
      at.rearm();
    }
  }
}

void World::break_others(std::uint64_t healed) {
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    Host* const at = host(id);
    if (has(healed, id) || at == nullptr || at->is_stopped()) continue;
    const std::int64_t how =
        options().others == 5 ? draw_between(net_rng_, 0, 4) : options().others;
    if (how == 0) {
      for (std::int64_t other = 1; other <= last_id_; ++other) {
        link(id, other) = Link{};
        link(other, id) = Link{};
      }
    }
    if (how == 1) crash(*at, kForever);
    for (std::int64_t other = 1; other <= last_id_; ++other) {
      if (how == 2 || how == 4) cut(id, other, kForever);
      if (how == 2 || how == 3) cut(other, id, kForever);
    }
  }
}

/// New commands are acknowledged, and every healed member has them or gets nearer to them.
bool World::has_converged(std::uint64_t healed) {
  if (clients_->count() > 0 && clients_->fresh_writes() < kWritesWanted &&
      options().reads_permille < 1'000) {
    return false;
  }
  const Index wanted = oracle_.committed_index();
  bool is_near = true;
  for (const Member& m : oracle_.committed_config().members) {
    const Host* const at = host(m.id);
    if (at == nullptr || !has(healed, m.id)) continue;
    const Index applied = at->machine().applied;
    Index& before = applied_before_[static_cast<std::size_t>(m.id)];
    is_near = is_near && (applied + kNear >= wanted || (before > 0 && applied > before));
    before = applied;
  }
  if (!is_near) return false;
  return host(oracle_.newest_leader()) != nullptr && node(oracle_.newest_leader()).is_up();
}

void World::run_liveness() {
  const std::uint64_t healed = choose_majority();
  if (healed == 0) {
    outcome_.unhealable = 1;
    return;
  }
  trace_.add({.at = now_, .mark = Mark::kPhase, .a = 2, .b = static_cast<std::int64_t>(healed)});
  const bool is_minority_broken = options().others != 0 && (healed & (healed - 1)) != 0;
  if (is_minority_broken) trace_.marks.add(Situation::kOnlyMinorityBroken);
  break_others(healed);
  heal(healed);
  clients_->count_fresh_from(now_);
  const SimTime timeout = options().election_us * 2;
  SimTime end = now_ + timeout * kTimeoutsToConverge;
  // On a slow way it takes long until the others have what one log held: that is progress, too.
  const auto [shortest, longest] = log_span(healed);
  Index reached = shortest;
  while (!oracle_.violation() && !has_converged(healed)) {
    if (now_ >= end) return describe_stuck(healed);
    run_until(now_ + timeout / 2);
    const Index all_have = log_span(healed).first;
    if (all_have > reached && reached < longest) end = now_ + timeout * kTimeoutsToConverge;
    reached = std::max(reached, all_have);
  }
  if (oracle_.violation()) return;
  // Nothing changes any more: neither may the leader.
  trace_.add({.at = now_, .mark = Mark::kPhase, .a = 3});
  run_until(now_ + timeout * 2);
  const std::int64_t elections = oracle_.elections();
  run_until(now_ + timeout * kTimeoutsStable);
  if (!oracle_.violation() && oracle_.elections() > elections) {
    oracle_.fail("stable_leader", "a healed majority has lost its leader without a fault");
  }
  for (std::int64_t c = 0; c < clients_->count() && !oracle_.violation(); ++c) {
    const Host* const at = host(oracle_.newest_leader());
    if (at == nullptr || !at->is_up()) return;
    if (at->machine().clients[static_cast<std::size_t>(c)].seq < clients_->acked_seq(c)) {
      oracle_.fail("acked_lost", "the leader has not command " +
                                     std::to_string(clients_->acked_seq(c)) + " of client " +
                                     std::to_string(c) + ", which was acknowledged");
    }
  }
}

void World::describe_stuck(std::uint64_t healed) {
  std::string text = "no progress within " + std::to_string(kTimeoutsToConverge) +
                     " election timeouts after the majority was healed:";
  for (std::int64_t id = 1; id <= last_id_; ++id) {
    if (!has(healed, id)) continue;
    const Host& at = node(id);
    text += " [node " + std::to_string(id);
    if (at.is_up()) {
      text += " role " + std::to_string(static_cast<int>(at.raft().role())) + " term " +
              std::to_string(at.raft().term()) + " leader " + std::to_string(at.raft().leader()) +
              " last " + std::to_string(at.raft().last_index()) + " commit " +
              std::to_string(at.raft().commit_index()) + " applied " +
              std::to_string(at.machine().applied);
    }
    text += "]";
  }
  oracle_.fail("progress", text + "; committed " + std::to_string(oracle_.committed_index()) +
                               ", answered since: " + std::to_string(clients_->fresh_writes()));
}

}  // namespace distcron::sim
