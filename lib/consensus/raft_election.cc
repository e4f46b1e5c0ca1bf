// SPDX-License-Identifier: Apache-2.0
// Elections: pre-vote (9.6), votes (3.4, 3.6), the lease that protects a working leader (4.2.3).
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

void Raft::Impl::tick_follower() {
  if (now < election_deadline) return;
  leader = 0;
  expire_forwarded(true);
  if (may_campaign()) {
    reset_election_timer();
    campaign();
  } else {
    become_follower(hard.term, 0);
  }
}

/// Differs from 3.4: members low in the order wait longer, so that the preferred one usually wins
/// at once. Safety does not rest on it.
void Raft::Impl::reset_election_timer() {
  const std::int64_t base = settings.election.count();
  const Member* const self = member(settings.self);
  const bool is_slow = self == nullptr || self->kind == MemberKind::kLearner;
  const auto spread = static_cast<std::uint64_t>(std::max<std::int64_t>(base, 1));
  const auto random = static_cast<std::int64_t>(dice->draw() % spread);
  election_deadline = now + Micros(base + place_in_order() * (base / 8) + random);
  if (is_slow) election_deadline += settings.learner_heartbeat;  // it is spoken to less often
}

void Raft::Impl::become_follower(Term term, NodeId new_leader) {
  if (role == Role::kLeader) {
    drop_reads();
    end_transfer();
    progress.clear();
    rounds.clear();
    uncommitted_bytes = 0;
  }
  if (term > hard.term) {
    hard = {term, 0};
    expire_forwarded(true);
  }
  role = Role::kFollower;
  leader = new_leader;
  granted.clear();
  is_transfer_election = false;
  reset_election_timer();
}

/// A leader of this term has spoken.
void Raft::Impl::follow(NodeId new_leader) {
  heard_leader_at = now;
  if (role != Role::kFollower || leader != new_leader) {
    become_follower(hard.term, new_leader);
  } else {
    reset_election_timer();
  }
}

/// Whether a leader was heard of within the minimum election timeout (4.2.3); the leader itself has
/// its quorum's answers instead (6.2).
bool Raft::Impl::in_lease() const {
  if (mutant("sticky-off")) return false;
  if (role == Role::kLeader) return holds_lease();
  return leader != 0 && heard_leader_at + settings.election > now;
}

/// A voter of the active configuration; or of the one before it while the change is not known to be
/// committed: its log may be the only one that can still win (4.2.2). A joining member has neither.
bool Raft::Impl::is_electable() const {
  const auto is_voter = [this](const Config& one) {
    return std::any_of(one.members.begin(), one.members.end(), [this](const Member& m) {
      return m.id == settings.self && m.kind == MemberKind::kVoter;
    });
  };
  return is_voter(config()) || (is_config_pending() && is_voter(log.previous_config().config));
}

bool Raft::Impl::may_campaign() const {
  return settings.may_lead && !is_disk_full && !installing && is_electable();
}

/// Asks first whether it could win, at no cost to anybody's term (9.6).
void Raft::Impl::campaign() {
  role = Role::kPreCandidate;
  leader = 0;
  granted.clear();
  if (is_sole_voter() || mutant("no-pre-vote")) return start_election(false);
  request_votes(MessageKind::kPreVote, hard.term + 1, false);
  count_vote(settings.self);
}

/// 3.4. The vote for oneself binds as any other: it counts, and the others are asked, once durable.
void Raft::Impl::start_election(bool is_forced) {
  role = Role::kCandidate;
  leader = 0;
  hard = {hard.term + 1, settings.self};
  granted.clear();
  is_transfer_election = is_forced;
  expire_forwarded(true);
  reset_election_timer();
  request_votes(MessageKind::kVote, hard.term, is_forced);
  if (is_hasty()) count_vote(settings.self);
}

void Raft::Impl::request_votes(MessageKind kind, Term term, bool is_forced) {
  for (const Member& other : config().members) {
    if (other.id == settings.self || !counts(other)) continue;
    Message request;
    request.kind = kind;
    request.to = other.id;
    request.term = term;
    request.prev_index = vote_index();
    request.prev_term = log.term_at(vote_index());
    request.force = is_forced;
    promise(std::move(request), vote_index());
  }
}

/// A candidate presents what is durable: more than it may need, never more than it has.
Index Raft::Impl::vote_index() const {
  return is_hasty() ? log.last_index() : durable;
}

/// Only for two seeded bugs; always false otherwise.
bool Raft::Impl::is_hasty() const {
  return mutant("election-undurable") || (is_transfer_election && mutant("timeout-now-undurable"));
}

void Raft::Impl::count_own_vote() {
  if (role != Role::kCandidate || durable_hard != hard) return;
  if (std::find(granted.begin(), granted.end(), settings.self) == granted.end()) {
    count_vote(settings.self);
  }
}

void Raft::Impl::count_vote(NodeId from) {
  if (std::find(granted.begin(), granted.end(), from) == granted.end()) granted.push_back(from);
  const auto votes =
      std::count_if(granted.begin(), granted.end(), [this](NodeId id) { return is_voting(id); });
  if (static_cast<std::size_t>(votes) < quorum()) return;
  if (role == Role::kPreCandidate) return start_election(false);
  if (durable_hard != hard && !is_hasty()) return;  // count_own_vote comes
  become_leader();
}

/// The candidate's log is at least as current as this one: terms first, then length (3.6.1). What
/// is still being written counts here: its acknowledgement is on its way, ahead of this vote.
bool Raft::Impl::is_log_current(const Message& message) const {
  if (mutant("vote-any-log")) return true;
  const Index mine = mutant("vote-durable-log") ? durable : log.last_index();
  const Term my_term = log.term_at(mine);
  return message.prev_term > my_term ||
         (message.prev_term == my_term && message.prev_index >= mine);
}

/// One vote a term, first come first served, to a log that holds all that may be committed (3.4,
/// 3.6.1). Members that do not count by their own configuration vote too: they may by a newer one
/// that they do not have yet (4.1).
void Raft::Impl::on_vote_request(const Message& message) {
  const bool is_pre = message.kind == MessageKind::kPreVote;
  if (is_disk_full) return;
  if (is_pre && in_lease()) return;
  bool grants = is_log_current(message);
  if (is_pre) {
    grants = grants && message.term > hard.term;
  } else if (!mutant("two-votes")) {
    grants = grants && (hard.vote == message.from || (hard.vote == 0 && leader == 0));
  }
  Message reply = reply_to(message, is_pre ? MessageKind::kPreVoteReply : MessageKind::kVoteReply);
  reply.reject = !grants;
  if (grants && is_pre) reply.term = message.term;
  if (grants && !is_pre) {
    hard.vote = message.from;
    reset_election_timer();
  }
  promise(std::move(reply), 0);
}

void Raft::Impl::on_vote_reply(const Message& message) {
  if (message.reject) return;
  const bool is_pre = message.kind == MessageKind::kPreVoteReply;
  if (is_pre && mutant("pre-vote-as-vote") && role == Role::kCandidate) {
    return count_vote(message.from);
  }
  const bool fits = is_pre ? role == Role::kPreCandidate && message.term == hard.term + 1
                           : role == Role::kCandidate;
  if (fits) count_vote(message.from);
}

/// 3.10. Only with everything durable: a transfer to a log that is still being written would be
/// lost with a crash of this member, and the leader repeats itself anyway.
void Raft::Impl::on_timeout_now(const Message& message) {
  if (message.from != leader || role != Role::kFollower || !may_campaign()) return;
  if (durable != log.last_index() && !mutant("timeout-now-undurable")) return;
  start_election(true);
}

/// The no-op lets it commit what earlier terms left (3.6.2, 6.4).
void Raft::Impl::become_leader() {
  role = Role::kLeader;
  leader = settings.self;
  granted.clear();
  progress.clear();
  rounds.assign(1, {++round, now});
  sync_progress();
  for (Progress& peer : progress) {
    peer.contact_at = now;  // those who voted did so just now
    peer.probe_from(log.last_index() + 1);
  }
  uncommitted_bytes = 0;
  for (Index i = commit + 1; i <= log.last_index(); ++i) {
    uncommitted_bytes += bytes_of(log.at(i));
  }
  term_start = log.last_index() + 1;
  if (!mutant("commit-old-term")) {
    lead_entry({term_start, hard.term, EntryKind::kNoop, {}});
  }
  heartbeat_at = now + settings.heartbeat;
  learner_heartbeat_at = now + settings.learner_heartbeat;
  mark_old = mark_new = log.last_index();
  mark_at = now + settings.election;
  broadcast();
  broadcast_heartbeat(true);
  advance_commit();
}

}  // namespace distcron::consensus
