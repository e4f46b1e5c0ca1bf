// SPDX-License-Identifier: Apache-2.0
// Who counts, and changes of one member at a time (4.1-4.3).
#include <algorithm>
#include <string>
#include <utility>

#include "base/mutant.h"
#include "consensus/codec.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {
namespace {

[[nodiscard]] std::size_t voters_of(const Config& config) {
  return static_cast<std::size_t>(
      std::count_if(config.members.begin(), config.members.end(),
                    [](const Member& one) { return one.kind == MemberKind::kVoter; }));
}

}  // namespace

/// The newest in the log, committed or not (4.1).
const Config& Raft::Impl::config() const {
  if (mutant("config-at-commit")) return log.config_point_at(commit).config;
  return log.config_point().config;
}

const Member* Raft::Impl::member(NodeId id) const {
  for (const Member& one : config().members) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

bool Raft::Impl::counts(const Member& one) const {
  return one.kind != MemberKind::kLearner || mutant("learner-counts");
}

bool Raft::Impl::is_voting(NodeId id) const {
  const Member* const one = member(id);
  return one != nullptr && counts(*one);
}

std::size_t Raft::Impl::voting_count() const {
  const auto& members = config().members;
  return static_cast<std::size_t>(std::count_if(members.begin(), members.end(),
                                                [this](const Member& one) { return counts(one); }));
}

std::size_t Raft::Impl::quorum() const {
  if (mutant("quorum-half")) return std::max<std::size_t>(voting_count() / 2, 1);
  return voting_count() / 2 + 1;
}

bool Raft::Impl::is_sole_voter() const {
  return voting_count() == 1 && is_voting(settings.self);
}

/// Nobody else can be the leader: no reason to wait for an election timeout. Not so for a voter
/// that has become the only one lately: the leader that gave its own vote away counts on this
/// member for its lease until it has heard that the change is committed (4.2.2, 6.4.1).
bool Raft::Impl::leads_alone() const {
  return is_sole_voter() && (hard.vote == settings.self || hard.term == 0);
}

/// 0 for the voter that shall lead if it can; by rank, then by id.
std::int64_t Raft::Impl::place_in_order() const {
  constexpr std::int64_t kPlaceMax = 8;
  const Member* const self = member(settings.self);
  if (self == nullptr) return 0;
  const auto& members = config().members;
  const auto before = std::count_if(members.begin(), members.end(), [self](const Member& one) {
    return one.kind == MemberKind::kVoter &&
           (one.rank < self->rank || (one.rank == self->rank && one.id < self->id));
  });
  return std::min<std::int64_t>(before, kPlaceMax);
}

bool Raft::Impl::is_config_pending() const {
  return log.config_point().index > commit;
}

void Raft::Impl::handle(ChangeMember& event) {
  if (Status status = check_change(event); !status) {
    return refuse(event.tag, std::move(status).error());
  }
  Result<Config> next = changed_config(event);
  if (!next) return refuse(event.tag, std::move(next).error());
  const Index index = log.last_index() + 1;
  lead_entry({index, hard.term, EntryKind::kConfig, encode_config(*next)});
  sync_progress();
  out.accepted.push_back({event.tag, hard.term, index, index});
  broadcast();
  advance_commit();
}

/// One change at a time, because only neighbouring configurations are sure to share a member of
/// their quorums (4.1); and only after an entry of this term is committed, because two leaders
/// could otherwise each have one under way ("bug in single-server membership changes", raft-dev,
/// 2015).
Status Raft::Impl::check_change(const ChangeMember& change) const {
  if (role != Role::kLeader) return fail(no_leader());
  if (transfer_to != 0) return fail(ErrorCode::kUnavailable, "leadership is being handed over");
  if (is_config_pending() && !mutant("two-changes")) {
    return fail(ErrorCode::kConflict, "another change of a member is not yet committed");
  }
  if (commit < term_start && !mutant("config-before-commit")) {
    return fail(ErrorCode::kUnavailable, "the new leader has not yet committed an entry");
  }
  const Member* const old = member(change.member.id);
  const bool gains_vote = !change.removes && change.member.kind != MemberKind::kLearner &&
                          (old == nullptr || old->kind == MemberKind::kLearner);
  return gains_vote ? check_promotion(change.member.id) : Status{};
}

/// A vote for a member that lacks the log would leave the cluster without a usable majority
/// (4.2.1). Caught up: it has everything that was in the log one election timeout ago.
Status Raft::Impl::check_promotion(NodeId id) const {
  const auto peer = std::find_if(progress.begin(), progress.end(),
                                 [id](const Progress& one) { return one.id == id; });
  const std::string name = "member " + std::to_string(id);
  if (peer == progress.end()) {
    return fail_hint(ErrorCode::kInvalid, "cannot give a vote to " + name + ": it has no log yet",
                     "add it as a standby first");
  }
  const Micros silence_max = settings.election + settings.learner_heartbeat;
  const bool is_recent = peer->heard_at && *peer->heard_at + silence_max > now;
  if (!is_recent || peer->flow == Flow::kSnapshot || peer->match < mark_old) {
    return fail(ErrorCode::kUnavailable,
                "cannot give a vote to " + name + ": it has not caught up");
  }
  return {};
}

Result<Config> Raft::Impl::changed_config(const ChangeMember& change) const {
  Config next = log.config_point().config;
  auto& members = next.members;
  const NodeId id = change.member.id;
  const auto at = std::lower_bound(members.begin(), members.end(), id,
                                   [](const Member& one, NodeId key) { return one.id < key; });
  const bool exists = at != members.end() && at->id == id;
  const std::string name = "member " + std::to_string(id);
  if (id <= 0) return fail(ErrorCode::kInvalid, "cannot change a member without an id");
  if (change.removes) {
    if (!exists) return fail(ErrorCode::kNotFound, "no " + name);
    members.erase(at);
  } else if (exists) {
    if (*at == change.member) return fail(ErrorCode::kConflict, name + " is that already");
    *at = change.member;
  } else {
    members.insert(at, change.member);
  }
  if (voters_of(next) == 0) {
    return fail(ErrorCode::kInvalid, "cannot leave the cluster without a voter that may lead");
  }
  return next;
}

/// The peers of a leader are the others of its configuration.
void Raft::Impl::sync_progress() {
  std::vector<Progress> kept;
  for (const Member& one : config().members) {
    if (one.id == settings.self) continue;
    if (Progress* const peer = find(one.id); peer != nullptr) {
      kept.push_back(std::move(*peer));
    } else {
      Progress fresh;
      fresh.id = one.id;
      fresh.next = log.last_index() + 1;
      kept.push_back(std::move(fresh));
    }
    kept.back().kind = one.kind;
  }
  progress = std::move(kept);
}

void Raft::Impl::refuse(std::uint64_t tag, Error error) {
  out.refused.push_back({tag, std::move(error)});
}

Error Raft::Impl::no_leader() const {
  const std::string who =
      leader == 0 ? "none is known" : "member " + std::to_string(leader) + " is";
  return {ErrorCode::kUnavailable, "this member is not the leader: " + who, 0, {}};
}

}  // namespace distcron::consensus
