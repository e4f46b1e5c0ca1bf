// SPDX-License-Identifier: Apache-2.0
#include "agent/membership.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace distcron::agent {

namespace {

using consensus::Member;
using consensus::MemberKind;

constexpr Micros kDeadFor{300'000'000};    // a voter that is silent so long is replaced
constexpr Micros kStableFor{600'000'000};  // before a swap towards a lower id
constexpr Micros kSwapPause{300'000'000};
constexpr std::int64_t kCaughtUp = 64;  // entries behind

auto order_of(const MemberFacts& member) {
  return std::tuple(member.rank, member.id);
}

/// Votes first go to those that may lead.
auto vote_order_of(const MemberFacts& member) {
  return std::tuple(!member.is_eligible, order_of(member));
}

class Step {
 public:
  explicit Step(const MembershipFacts& facts) : facts_(facts) {
    for (const MemberFacts& member : facts.members)
      known_[member.id] = &member;
    for (const Member& member : facts.config.members) {
      configured_[member.id] = &member;
      if (member.kind != MemberKind::kLearner) ++voters_;
      if (member.kind == MemberKind::kWitness) ++witnesses_;
    }
    for (const auto& [id, member] : known_) {
      if (!member->is_standby) ++candidates_;
    }
    wanted_ =
        std::min(wanted_voters(static_cast<std::int64_t>(known_.size()), facts.voters_setting),
                 std::max<std::int64_t>(1, candidates_));
  }

  MembershipStep next() const {
    for (const auto& [id, member] : known_) {
      if (!configured_.contains(id)) {
        return AddMember{Member{id, MemberKind::kLearner, member->rank}};
      }
    }
    for (const auto& [id, member] : configured_) {
      const auto known = known_.find(id);
      if (known == known_.end()) {
        if (is_last_leader(*member)) return heir();
        return DropMember{id};
      }
      MemberKind kind = member->kind;
      const bool may_change = kind != MemberKind::kVoter || fits_witness(voters_ - 1);
      if (kind != MemberKind::kLearner && may_change) kind = voter(*known->second).kind;
      if (kind != member->kind || member->rank != known->second->rank) {
        return ChangeKind{Member{id, kind, known->second->rank}, false};
      }
    }
    if (const auto promoted = promotion()) return *promoted;
    if (const auto demoted = demotion()) return *demoted;
    return {};
  }

 private:
  [[nodiscard]] bool is_voter(consensus::NodeId id) const {
    const auto found = configured_.find(id);
    return found != configured_.end() && found->second->kind != MemberKind::kLearner;
  }

  static Member voter(const MemberFacts& member) {
    return Member{member.id, member.is_witness ? MemberKind::kWitness : MemberKind::kVoter,
                  member.rank};
  }

  /// Whether one more witness among `others` other votes is still outnumbered by those that may
  /// lead: a witness with the longest log elects nobody else, so the rest must be a quorum alone.
  [[nodiscard]] bool fits_witness(std::int64_t others) const {
    return witnesses_ + 1 < others - witnesses_;
  }

  /// Without it nobody could ever be elected again.
  [[nodiscard]] bool is_last_leader(const Member& member) const {
    return member.kind == MemberKind::kVoter &&
           std::none_of(configured_.begin(), configured_.end(), [&member](const auto& item) {
             return item.first != member.id && item.second->kind == MemberKind::kVoter;
           });
  }

  /// Gives a vote to somebody before the last one who may lead is dropped, if need be against what
  /// was wanted of it; nothing while nobody has caught up.
  [[nodiscard]] MembershipStep heir() const {
    const auto reluctance = [](const MemberFacts& member) {
      return std::tuple(member.is_standby, member.is_draining, vote_order_of(member));
    };
    const MemberFacts* best = nullptr;
    for (const auto& [id, member] : known_) {
      const bool is_fit = configured_.contains(id) && !member->is_witness && member->is_alive &&
                          member->lag <= kCaughtUp;
      if (is_fit && (best == nullptr || reluctance(*member) < reluctance(*best))) best = member;
    }
    if (best == nullptr) return {};
    return ChangeKind{voter(*best), false};
  }

  /// The best member without a vote that could have one; of those that may lead, if `leads`.
  [[nodiscard]] const MemberFacts* best_standby(bool leads) const {
    const MemberFacts* best = nullptr;
    for (const auto& [id, member] : known_) {
      const bool is_fit = !is_voter(id) && !member->is_standby && !member->is_draining &&
                          member->is_alive && member->lag <= kCaughtUp &&
                          (!member->is_witness || fits_witness(voters_)) &&
                          (!leads || (member->is_eligible && !member->is_witness));
      if (is_fit && (best == nullptr || vote_order_of(*member) < vote_order_of(*best))) {
        best = member;
      }
    }
    return best;
  }

  /// The voter that can be spared first: unwanted, then dead, then the last in order.
  [[nodiscard]] const MemberFacts* worst_voter() const {
    const MemberFacts* worst = nullptr;
    const auto weight = [this](const MemberFacts& member) {
      return std::tuple(member.id != facts_.self, member.is_standby, member.is_draining,
                        member.silent_for > kDeadFor, vote_order_of(member));
    };
    for (const auto& [id, member] : known_) {
      if (!is_voter(id)) continue;
      if (worst == nullptr || weight(*member) > weight(*worst)) worst = member;
    }
    return worst;
  }

  [[nodiscard]] std::int64_t fit_voters() const {
    return std::count_if(known_.begin(), known_.end(), [this](const auto& item) {
      const MemberFacts& member = *item.second;
      return is_voter(member.id) && !member.is_standby && !member.is_draining &&
             member.silent_for <= kDeadFor;
    });
  }

  /// Whether one that votes may lead and is there.
  [[nodiscard]] bool has_leader() const {
    return std::any_of(known_.begin(), known_.end(), [this](const auto& item) {
      const MemberFacts& member = *item.second;
      return is_voter(member.id) && member.is_eligible && !member.is_witness &&
             (member.is_alive || member.id == facts_.self);
    });
  }

  [[nodiscard]] std::optional<MembershipStep> promotion() const {
    const MemberFacts* best = best_standby(false);
    if (best == nullptr) return std::nullopt;
    // One vote too many for a moment: first the new one, then the old one goes.
    if (voters_ > wanted_) return std::nullopt;
    const MemberFacts* leader = has_leader() ? nullptr : best_standby(true);
    if (leader != nullptr) return ChangeKind{voter(*leader), true};
    if (voters_ < wanted_ || fit_voters() < std::min(voters_, wanted_)) {
      return ChangeKind{voter(*best), false};
    }
    const MemberFacts* worst = worst_voter();
    const bool is_better = worst != nullptr && worst->id != facts_.self &&
                           vote_order_of(*best) < vote_order_of(*worst) &&
                           best->alive_for >= kStableFor && facts_.since_swap >= kSwapPause;
    if (is_better) return ChangeKind{voter(*best), true};
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MembershipStep> demotion() const {
    const MemberFacts* worst = worst_voter();
    if (worst == nullptr || worst->id == facts_.self) return std::nullopt;
    const bool is_unwanted = worst->is_standby && voters_ > 1;
    if (voters_ <= wanted_ && !is_unwanted) return std::nullopt;
    // The rest must be a live majority by itself.
    const std::int64_t alive =
        std::count_if(known_.begin(), known_.end(), [this, worst](const auto& item) {
          return item.first != worst->id && is_voter(item.first) &&
                 (item.second->is_alive || item.first == facts_.self);
        });
    if (alive * 2 <= voters_ - 1) return std::nullopt;
    return ChangeKind{Member{worst->id, MemberKind::kLearner, worst->rank}, false};
  }

  const MembershipFacts& facts_;
  std::map<consensus::NodeId, const MemberFacts*> known_;
  std::map<consensus::NodeId, const Member*> configured_;
  std::int64_t voters_ = 0;
  std::int64_t witnesses_ = 0;
  std::int64_t candidates_ = 0;
  std::int64_t wanted_ = 1;
};

}  // namespace

std::int64_t wanted_voters(std::int64_t members, std::int64_t setting) {
  if (members <= 2) return std::max<std::int64_t>(1, members);
  if (members <= 4) return 3;
  if (members <= 6) return 5;
  return setting;
}

MembershipStep next_membership_step(const MembershipFacts& facts) {
  return Step(facts).next();
}

consensus::NodeId preferred_scheduler(const MembershipFacts& facts, Micros heartbeat) {
  const MemberFacts* self = nullptr;
  for (const MemberFacts& member : facts.members) {
    if (member.id == facts.self) self = &member;
  }
  const bool is_unfit = self == nullptr || self->is_draining || !self->is_eligible ||
                        self->is_witness || self->is_standby || !self->is_clock_good;
  const MemberFacts* best = nullptr;
  for (const MemberFacts& member : facts.members) {
    const bool votes = std::any_of(facts.config.members.begin(), facts.config.members.end(),
                                   [&member](const Member& one) {
                                     return one.id == member.id && one.kind == MemberKind::kVoter;
                                   });
    const bool is_fit = votes && member.id != facts.self && member.is_eligible &&
                        !member.is_draining && !member.is_witness && !member.is_standby &&
                        member.is_alive && member.is_clock_good &&
                        member.silent_for <= 3 * heartbeat && member.lag <= kCaughtUp;
    if (!is_fit) continue;
    if (!is_unfit && (order_of(member) > order_of(*self) || member.alive_for < member.hold)) {
      continue;
    }
    if (best == nullptr || order_of(member) < order_of(*best)) best = &member;
  }
  return best == nullptr ? 0 : best->id;
}

}  // namespace distcron::agent
