// SPDX-License-Identifier: Apache-2.0
// The invariants between nodes: elections, commits, what may be said before it is durable.
#include <algorithm>
#include <string>

#include "sim/oracle.h"

namespace distcron::sim {

using consensus::Config;
using consensus::Index;
using consensus::Member;
using consensus::Message;
using consensus::MessageKind;
using consensus::NodeId;
using consensus::Role;
using consensus::Term;

namespace {

bool is_voter(const Config& config, NodeId id) {
  const Member* const member = find_member(config, id);
  return member != nullptr && member->kind == consensus::MemberKind::kVoter;
}

}  // namespace

bool Oracle::has_durable(NodeId id, Index index, Term term) const {
  if (id < 0 || id > kNodesMax || view(id).disk == nullptr) return false;
  const RaftDb& db = view(id).disk->raft_db();
  return db.base_index >= index || db.term_at(index) == term;
}

void Oracle::check_role(NodeId id) {
  View& v = view(id);
  const Role role = v.raft->role();
  const Term term = v.raft->term();
  if (role == v.role && term == v.role_term) return;
  if (role != v.role) {
    trace_.add(
        {.at = now, .mark = Mark::kRole, .a = id, .b = static_cast<std::int64_t>(role), .c = term});
  }
  const bool is_removed = role == Role::kPreCandidate && v.role == Role::kFollower &&
                          !committed_configs_.empty() &&
                          find_member(committed_config(), id) == nullptr;
  if (is_removed) trace_.marks.add(Situation::kRemovedCampaigns);
  const bool is_elected = role == Role::kLeader && (v.role != Role::kLeader || term != v.role_term);
  v.role = role;
  v.role_term = term;
  if (is_elected) check_elected(id);
}

/// Election safety (3.4), leader completeness (3.6.3), and a majority of real votes.
void Oracle::check_elected(NodeId id) {
  const View& v = view(id);
  const Term term = v.role_term;
  const std::string what = "node " + std::to_string(id) + " leads in term " + std::to_string(term);
  ++elections_;
  for (auto l = leaders_.rbegin(); l != leaders_.rend(); ++l) {
    if (l->first == term) {
      fail("election_safety", what + ", in which " + std::to_string(l->second) + " has led");
    }
  }
  leaders_.emplace_back(term, id);
  if (term >= newest_term_) {
    newest_term_ = term;
    newest_leader_ = id;
  }
  // Its own no-op may stand in the log, a configuration of this term cannot.
  const Config& config = v.configs.back().config;
  // Whoever is being removed may still be needed until that is committed (4.2.2).
  const bool is_leaving = v.configs.size() > 1 && v.configs.back().index > v.commit &&
                          is_voter(v.configs[v.configs.size() - 2].config, id);
  if (!is_voter(config, id) && !is_leaving) {
    fail("voters_lead", what + " and is no voter of its configuration");
  }
  std::size_t counted = 0;
  std::size_t votes = 0;
  for (const Member& m : config.members) {
    if (!is_counted(m)) continue;
    ++counted;
    const auto& cast = view(m.id).votes;
    const auto found = std::find_if(cast.rbegin(), cast.rend(),
                                    [term](const Vote& vote) { return vote.term == term; });
    if (found != cast.rend() && found->vote == id) ++votes;
  }
  if (votes * 2 <= counted) {
    fail("election_quorum",
         what + " with " + std::to_string(votes) + " durable votes of " + std::to_string(counted));
  }
  Index needed = 0;
  for (const auto& [by_term, index] : commits_) {
    if (by_term < term) needed = std::max(needed, index);
  }
  if (needed > v.base && v.term_at(needed) != committed_[static_cast<std::size_t>(needed)].term) {
    fail("leader_completeness", what + " without the committed entry " + std::to_string(needed));
  }
}

void Oracle::check_commit(NodeId id) {
  View& v = view(id);
  const Index commit = v.raft->commit_index();
  if (commit == v.commit) return;
  const std::string what =
      "node " + std::to_string(id) + " commits up to " + std::to_string(commit);
  if (commit < v.commit) {
    fail("commit_monotone", what + " after " + std::to_string(v.commit));
    return;
  }
  trace_.add({.at = now, .mark = Mark::kCommit, .a = id, .b = commit});
  if (commit > v.last()) {
    fail("state_machine_safety", what + ", its log ends at " + std::to_string(v.last()));
    return;
  }
  if (commit > committed_index()) {
    if (v.role != Role::kLeader && v.raft->role() != Role::kLeader) {
      fail("state_machine_safety", what + ", which no leader has committed");
      return;
    }
    commit_as_leader(id, commit);
  }
  for (Index i = std::max(v.commit, v.base) + 1; i <= commit; ++i) {
    if (v.term_at(i) == committed_[static_cast<std::size_t>(i)].term) continue;
    fail("state_machine_safety",
         what + "; its entry " + std::to_string(i) + " is not the committed one");
    return;
  }
  v.commit = commit;
}

/// Only entries of the own term, by counting (3.6.2), on disks of a majority: we look at the disks.
void Oracle::commit_as_leader(NodeId id, Index commit) {
  const View& v = view(id);
  const Term term = v.raft->role() == Role::kLeader ? v.raft->term() : v.role_term;
  const Term entry_term = v.term_at(commit);
  const Config& config = v.configs.back().config;
  std::size_t counted = 0;
  std::size_t copies = 0;
  for (const Member& m : config.members) {
    if (!is_counted(m)) continue;
    ++counted;
    if (has_durable(m.id, commit, entry_term)) ++copies;
  }
  const std::string what = "node " + std::to_string(id) + " commits entry " +
                           std::to_string(commit) + " of term " + std::to_string(entry_term) +
                           " in term " + std::to_string(term);
  if (copies * 2 <= counted) {
    fail("durable_quorum", what + " with " + std::to_string(copies) + " durable copies of " +
                               std::to_string(counted));
  }
  if (entry_term != term) fail("commit_own_term", what);
  for (Index i = committed_index() + 1; i <= commit; ++i) {
    if (i <= v.base) {
      fail("state_machine_safety", what + " without the entries before");
      return;
    }
    const Slot& slot = v.log[static_cast<std::size_t>(i - v.base - 1)];
    committed_.push_back(Committed{.term = slot.term,
                                   .by = term,
                                   .digest = slot.digest,
                                   .chain = mix64(committed_.back().chain ^ slot.digest)});
  }
  for (const ConfigAt& c : v.configs) {
    if (c.index > committed_configs_.back().index && c.index <= commit) {
      note_change(id, committed_configs_.back().config, c.config);
      committed_configs_.push_back(c);
    }
  }
  if (!commits_.empty() && commits_.back().first == term) {
    commits_.back().second = commit;
  } else {
    commits_.emplace_back(term, commit);
  }
}

void Oracle::note_change(NodeId by, const Config& before, const Config& after) {
  for (const Member& m : after.members) {
    const Member* const old = find_member(before, m.id);
    const bool is_promoted = old != nullptr && !is_counted(*old) && is_counted(m);
    if (is_promoted) trace_.marks.add(Situation::kMemberPromoted);
  }
  for (const Member& m : before.members) {
    if (find_member(after, m.id) != nullptr) continue;
    trace_.marks.add(m.id == by ? Situation::kLeaderRemoved : Situation::kMemberRemoved);
  }
}

/// A leader that is out of the committed configuration must give way (4.2.2); what calls itself
/// the scheduler must lead, and with exact clocks nobody else may have committed since.
void Oracle::check_scheduler(NodeId id) {
  const View& v = view(id);
  const bool may_lead = is_voter(v.configs.back().config, id);
  if (!may_lead && v.configs.back().index <= v.commit && v.configs.back().index > 0) {
    fail("removed_leads", "node " + std::to_string(id) + " leads after its removal at " +
                              std::to_string(v.configs.back().index) + " is committed");
  }
  if (!is_lease_exact || !v.raft->is_scheduler()) return;
  if (!commits_.empty() && commits_.back().first > v.raft->term()) {
    fail("stale_scheduler", "node " + std::to_string(id) +
                                " holds itself for the scheduler in term " +
                                std::to_string(v.raft->term()) + ", entries of term " +
                                std::to_string(commits_.back().first) + " are committed");
  }
}

/// Who is told to take over has the whole log of the leader (3.10): else it could not win.
void Oracle::check_transfer(const Message& m) {
  const View& leader = view(m.from);
  const Index last = leader.last();
  if (has_durable(m.to, last, leader.term_at(last))) return;
  fail("transfer_behind", "node " + std::to_string(m.from) + " hands over to node " +
                              std::to_string(m.to) + ", which has not entry " +
                              std::to_string(last));
}

/// The one rule of persistence: promises leave only after they are durable.
void Oracle::on_send(const Message& m) {
  trace_.add({.at = now,
              .mark = Mark::kSend,
              .kind = m.kind,
              .reject = m.reject,
              .count = static_cast<std::uint16_t>(m.entries.size()),
              .a = m.from,
              .b = m.to,
              .term = m.term,
              .index = m.kind == MessageKind::kAppendReply ? m.match : m.prev_index,
              .commit = m.commit});
  if (violation_) return;
  const consensus::HardState& hard = view(m.from).disk->raft_db().hard;
  const std::string what = "node " + std::to_string(m.from);
  switch (m.kind) {
    case MessageKind::kVote:
      if (hard.term < m.term || (hard.term == m.term && hard.vote != m.from)) {
        fail("durable_before_send", what + " asks for votes in term " + std::to_string(m.term) +
                                        " before its own is durable");
      }
      break;
    case MessageKind::kVoteReply:
      if (!m.reject && (hard.term < m.term || (hard.term == m.term && hard.vote != m.to))) {
        fail("durable_before_send", what + " grants its vote in term " + std::to_string(m.term) +
                                        " before that is durable");
      }
      break;
    case MessageKind::kAppendReply:
      if (!m.reject) check_match(m);
      break;
    case MessageKind::kAppend:
    case MessageKind::kSnapshotChunk:
    case MessageKind::kTimeoutNow:
      if (hard.term < m.term) {
        fail("durable_before_send",
             what + " leads in term " + std::to_string(m.term) + " before that is durable");
      }
      if (m.kind == MessageKind::kTimeoutNow) check_transfer(m);
      break;
    case MessageKind::kSnapshotReply:
      if (m.match > view(m.from).disk->raft_db().last_index()) {
        fail("durable_before_send", what + " acknowledges snapshot " + std::to_string(m.match) +
                                        " before it is installed");
      }
      break;
    case MessageKind::kPreVote:
    case MessageKind::kPreVoteReply:
    case MessageKind::kReadIndex:
    case MessageKind::kReadIndexReply:
      break;
  }
}

/// What a follower acknowledges is on its disk, and is what the leader of that term has there.
void Oracle::check_match(const Message& m) {
  const RaftDb& db = view(m.from).disk->raft_db();
  const std::string what = "node " + std::to_string(m.from) + " acknowledges entry " +
                           std::to_string(m.match) + " in term " + std::to_string(m.term);
  if (db.hard.term < m.term) {
    fail("durable_before_send", what + " before that term is durable");
  }
  if (m.match > db.last_index()) {
    fail("durable_before_send", what + ", its disk ends at " + std::to_string(db.last_index()));
    return;
  }
  const Term durable = db.term_at(m.match);
  if (durable == 0 || m.to < 0 || m.to > kNodesMax) return;
  const View& leader = view(m.to);
  if (leader.raft == nullptr || leader.role != Role::kLeader || leader.role_term != m.term) return;
  const Term wanted = leader.term_at(m.match);
  if (m.match > leader.last() || (wanted != 0 && wanted != durable)) {
    fail("false_match", what + "; it has one of term " + std::to_string(durable) +
                            " there, the leader one of " + std::to_string(wanted));
  }
}

/// Remembers the last committed entry that may be gone after the write.
void Oracle::on_replace(NodeId id, Index from) {
  const RaftDb& db = view(id).disk->raft_db();
  for (Index i = std::min(db.last_index(), committed_index()); i >= from; --i) {
    if (db.term_at(i) != committed_[static_cast<std::size_t>(i)].term) continue;
    replaced_.node = id;
    replaced_.index = i;
    return;
  }
}

void Oracle::on_durable(NodeId id, const DiskWrite& write) {
  View& v = view(id);
  const RaftDb& db = v.disk->raft_db();
  if (v.votes.empty() || v.votes.back().term != db.hard.term ||
      v.votes.back().vote != db.hard.vote) {
    v.votes.push_back(Vote{.term = db.hard.term, .vote = db.hard.vote});
  }
  trace_.add({.at = now, .mark = Mark::kDurable, .a = id, .b = db.hard.term, .c = db.last_index()});
  // An entry that was written again, the same, is no loss. Nor is one of a host that has yet to
  // hear of the term in which it was committed: its copy was not counted, and a leader of a term
  // between may replace it.
  if (replaced_.node == id && write.kind != DiskWrite::Kind::kCompact) {
    const Index at = replaced_.index;
    replaced_.node = 0;
    const Committed& entry = committed_[static_cast<std::size_t>(at)];
    if (db.hard.term >= entry.by && !has_durable(id, at, entry.term)) {
      fail("committed_lost", "node " + std::to_string(id) + " drops the committed entry " +
                                 std::to_string(at) + " from its disk");
    }
  }
}

}  // namespace distcron::sim
