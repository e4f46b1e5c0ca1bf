// SPDX-License-Identifier: Apache-2.0
// A leader replicates: probe, pipeline (10.2.1), heartbeats, what is lost; and commits (3.6.2).
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

void Raft::Impl::tick_leader() {
  check_quorum();
  if (role != Role::kLeader) return;
  if (transfer_to != 0 && now >= transfer_deadline) end_transfer();
  if (now >= mark_at) {
    mark_old = std::exchange(mark_new, log.last_index());
    mark_at = now + settings.election;
  }
  if (now >= heartbeat_at) {
    heartbeat_at = now + settings.heartbeat;
    new_round();
    assign_reads();
    broadcast_heartbeat(false);
  }
  if (now >= learner_heartbeat_at) {
    learner_heartbeat_at = now + settings.learner_heartbeat;
    broadcast_heartbeat(true);
  }
}

/// A leader that no quorum answers steps down: its clients look for another one (6.2).
void Raft::Impl::check_quorum() {
  if (!holds_lease()) become_follower(hard.term, 0);
}

/// A round proves, once answered, that its receiver followed this leader when the round began. Few
/// begins are kept: a round counts from the last one kept before it, which is on the safe side.
void Raft::Impl::new_round() {
  ++round;
  while (rounds.size() > 1 && rounds[1].at + 2 * settings.election <= now) {
    rounds.pop_front();
  }
  if (rounds.empty() || rounds.back().at + settings.heartbeat / 8 <= now) {
    rounds.push_back({round, now});
  }
}

void Raft::Impl::broadcast() {
  for (Progress& peer : progress) {
    send_entries(peer);
  }
}

void Raft::Impl::broadcast_heartbeat(bool to_learners) {
  for (Progress& peer : progress) {
    if ((peer.kind == MemberKind::kLearner) == to_learners) send_heartbeat(peer);
  }
}

/// No entries, and as previous entry the last one known to be there: it always fits, and its answer
/// waits for no disk.
void Raft::Impl::send_heartbeat(Progress& peer) {
  Message message;
  message.kind = MessageKind::kAppend;
  message.to = peer.id;
  message.prev_index = log.has_term(peer.match) ? peer.match : 0;
  message.prev_term = log.term_at(message.prev_index);
  message.commit = mutant("heartbeat-commit") ? commit : std::min(commit, message.prev_index);
  message.round = round;
  peer.commit_sent = std::max(peer.commit_sent, message.commit);
  send(std::move(message));
}

void Raft::Impl::send_entries(Progress& peer) {
  if (peer.flow == Flow::kSnapshot) return;
  if (!log.has_term(peer.next - 1)) return send_snapshot(peer);
  if (peer.flow == Flow::kProbe) {
    if (peer.is_probe_sent) return;
    peer.is_probe_sent = true;
    peer.probe_round = round;
    return send_append(peer, batch_end(peer));
  }
  while (peer.next <= log.last_index() && !is_window_full(peer)) {
    send_append(peer, batch_end(peer));
  }
}

bool Raft::Impl::is_window_full(const Progress& peer) const {
  return peer.inflight.size() >= settings.inflight_messages_max ||
         peer.inflight_bytes >= settings.inflight_bytes_max;
}

/// Last entry of the next message: as many as fit, at least one.
Index Raft::Impl::batch_end(const Progress& peer) const {
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  Index end = peer.next - 1;
  while (end < log.last_index() && count < settings.append_entries_max) {
    bytes += bytes_of(log.at(end + 1));
    if (count > 0 && bytes > settings.append_bytes_max) break;
    ++end;
    ++count;
  }
  return end;
}

/// Entries from the peer's next to `last`, none when `last` is before it.
void Raft::Impl::send_append(Progress& peer, Index last) {
  Message message;
  message.kind = MessageKind::kAppend;
  message.to = peer.id;
  message.prev_index = peer.next - 1;
  message.prev_term = log.term_at(peer.next - 1);
  message.commit = commit;
  message.round = round;
  message.context = ++peer.sends;
  std::uint64_t bytes = 0;
  for (Index i = peer.next; i <= last; ++i) {
    bytes += bytes_of(log.at(i));
    message.entries.push_back(log.at(i));
  }
  if (peer.flow == Flow::kPipeline && last >= peer.next) {
    peer.next = last + 1;
    peer.sent(last, bytes, round);
  }
  peer.commit_sent = std::max(peer.commit_sent, std::min(commit, last));
  send(std::move(message));
}

/// So that a follower applies at once and not with the next entry or heartbeat.
void Raft::Impl::send_commit(Progress& peer) {
  if (peer.flow != Flow::kPipeline || !log.has_term(peer.next - 1)) return;
  if (std::min(commit, peer.next - 1) > peer.commit_sent) send_append(peer, peer.next - 1);
}

void Raft::Impl::on_append_reply(const Message& message) {
  Progress* const peer = find(message.from);
  if (role != Role::kLeader || peer == nullptr || message.match > log.last_index()) return;
  note_contact(*peer, message.round);
  if (message.reject && mutant("reject-sets-match")) {
    on_match(*peer, std::min(message.prev_index, log.last_index()));
  } else if (message.reject) {
    on_reject(*peer, message);
  } else {
    on_match(*peer, message.match);
  }
  retry_lost(*peer, message.round);
  send_entries(*peer);
  drive_transfer(*peer);
  advance_commit();
  confirm_reads();
}

void Raft::Impl::note_contact(Progress& peer, std::uint64_t acked_round) {
  peer.heard_at = now;
  if (acked_round <= peer.acked_round || acked_round > round) return;
  peer.acked_round = acked_round;
  for (const RoundStart& start : rounds) {
    if (start.round <= acked_round) peer.contact_at = std::max(peer.contact_at, start.at);
  }
}

void Raft::Impl::on_match(Progress& peer, Index match) {
  peer.match = std::max(peer.match, match);
  peer.acked(match);
  switch (peer.flow) {
    case Flow::kProbe:
      if (match + 1 >= peer.next) peer.pipeline_from(match + 1);
      break;
    case Flow::kPipeline:
      peer.next = std::max(peer.next, match + 1);
      break;
    case Flow::kSnapshot:
      if (log.has_term(peer.match)) peer.probe_from(peer.match + 1);
      break;
  }
}

/// The logs do not agree at prev_index. Old answers, about what has been settled since, are told by
/// their prev_index.
void Raft::Impl::on_reject(Progress& peer, const Message& message) {
  switch (peer.flow) {
    case Flow::kSnapshot:
      return;
    case Flow::kPipeline:
      // Not for what was sent before the last fall-back: each such refusal would send a whole
      // window of entries again, whose refusals do the same.
      if (message.prev_index > peer.match && message.context > peer.pipelined_after) {
        peer.probe_from(peer.match + 1);
      }
      return;
    case Flow::kProbe:
      break;
  }
  if (message.prev_index != peer.next - 1 || mutant("reject-no-backoff")) return;
  Index agree = std::min(message.hint_index, message.prev_index - 1);
  if (agree > log.base_index()) agree = log.last_not_after(agree, message.hint_term);
  peer.probe_from(std::max(peer.match, agree) + 1);
}

/// The peer has answered a round that began after something was sent to it which it has not
/// answered: it may be lost.
void Raft::Impl::retry_lost(Progress& peer, std::uint64_t acked_round) {
  switch (peer.flow) {
    case Flow::kProbe:
      if (acked_round > peer.probe_round) peer.is_probe_sent = false;
      break;
    case Flow::kPipeline:
      if (peer.inflight.empty() || acked_round <= peer.inflight.front().round) break;
      if (peer.check_round == round || !log.has_term(peer.next - 1)) break;
      peer.check_round = round;
      send_append(peer, peer.next - 1);  // empty: refused if something before it is missing
      break;
    case Flow::kSnapshot:
      if (!peer.is_chunk_asked && acked_round > peer.chunk_round + 2) want_chunk(peer);
      break;
  }
}

/// Commits what a quorum has durably; only entries of this term by count, earlier ones along with
/// them (3.6.2, figure 3.7). This member counts with what is durable here, as any other.
void Raft::Impl::advance_commit() {
  if (role != Role::kLeader) return;
  std::vector<Index> matches;
  for (const Member& one : config().members) {
    if (!counts(one)) continue;
    if (one.id == settings.self) {
      matches.push_back(mutant("count-before-fsync") ? log.last_index() : durable);
    } else {
      const Progress* const peer = find(one.id);
      matches.push_back(peer == nullptr ? 0 : peer->match);
    }
  }
  if (mutant("removed-leader-counts") && !is_voting(settings.self)) matches.push_back(durable);
  if (matches.size() < quorum()) return;
  std::sort(matches.begin(), matches.end(), std::greater<>());
  const Index reached = matches[quorum() - 1];
  if (mutant("commit-only-at-last") && reached != log.last_index()) return;
  const bool is_ours = log.term_at(reached) == hard.term;
  if (reached <= commit || (!is_ours && !mutant("commit-old-term"))) return;
  const Index old_commit = std::exchange(commit, reached);
  after_commit(old_commit);
}

void Raft::Impl::after_commit(Index old_commit) {
  for (Index i = old_commit + 1; i <= commit; ++i) {
    uncommitted_bytes -= std::min(uncommitted_bytes, bytes_of(log.at(i)));
  }
  for (Progress& peer : progress) {
    send_entries(peer);
    send_commit(peer);
  }
  const Index config_index = log.config_point().index;
  const Member* const self = member(settings.self);
  const bool is_voter = self != nullptr && self->kind == MemberKind::kVoter;
  if (config_index > old_commit && config_index <= commit && !is_voter) {
    return become_follower(hard.term, 0);  // 4.2.2: it manages the cluster until then
  }
  if (mutant("config-at-commit")) sync_progress();
  start_reads();
}

void Raft::Impl::lead_entry(Entry entry) {
  uncommitted_bytes += bytes_of(entry);
  if (const Status status = append(std::move(entry)); !status) report(status.error().message);
}

Progress* Raft::Impl::find(NodeId id) {
  const auto at = std::lower_bound(progress.begin(), progress.end(), id,
                                   [](const Progress& peer, NodeId one) { return peer.id < one; });
  return at == progress.end() || at->id != id ? nullptr : &*at;
}

/// The instant at which a quorum last followed this leader for certain; of those that vote and
/// `joining`, if that is not 0.
MonoTime Raft::Impl::quorum_contact(NodeId joining) const {
  std::vector<MonoTime> contacts;
  if (is_voting(settings.self)) contacts.push_back(now);
  for (const Progress& peer : progress) {
    if (is_voting(peer.id) || peer.id == joining) contacts.push_back(peer.contact_at);
  }
  const std::size_t needed = joining == 0 ? quorum() : (voting_count() + 1) / 2 + 1;
  if (contacts.size() < needed) return MonoTime::min();
  std::sort(contacts.begin(), contacts.end(), std::greater<>());
  return contacts[needed - 1];
}

bool Raft::Impl::holds_lease() const {
  if (is_sole_voter() || mutant("lease-forever")) return true;
  const MonoTime contact = quorum_contact();
  return contact != MonoTime::min() && contact + settings.election > now;
}

bool Raft::Impl::is_scheduler() const {
  return role == Role::kLeader && commit >= term_start && holds_lease();
}

}  // namespace distcron::consensus
