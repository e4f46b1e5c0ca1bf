// SPDX-License-Identifier: Apache-2.0
// Messages: whose they are, and what their term means (3.3, figure 3.1).
#include <string>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {
namespace {

[[nodiscard]] bool is_from_leader(MessageKind kind) {
  return kind == MessageKind::kAppend || kind == MessageKind::kSnapshotChunk;
}

}  // namespace

void Raft::Impl::receive(Message& message) {
  if (!is_for_us(message)) return;
  if (message.term > hard.term && !receive_newer(message)) return;
  if (message.term < hard.term) {
    const bool is_reply = message.kind == MessageKind::kAppendReply ||
                          message.kind == MessageKind::kVoteReply ||
                          message.kind == MessageKind::kSnapshotReply;
    if (is_reply && mutant("stale-reply")) return dispatch(message);
    return receive_older(message);
  }
  dispatch(message);
}

/// Another cluster's message, or one of the cluster's earlier life (before a forced quorum), has no
/// effect whatever it says. One of a later life is reported: this member has to join again.
bool Raft::Impl::is_for_us(const Message& message) {
  if (message.cluster != settings.cluster || message.to != settings.self || message.from <= 0 ||
      message.from == settings.self || message.term <= 0) {
    return false;
  }
  if (mutant("incarnation-unchecked")) return true;
  if (message.incarnation > settings.incarnation) out.newer_incarnation = message.incarnation;
  return message.incarnation == settings.incarnation;
}

/// A higher term ends what was (3.3), except: a vote wanted within the minimum election timeout of
/// a leader's message is ignored (4.2.3; false), and a pre-vote changes no term (9.6).
bool Raft::Impl::receive_newer(const Message& message) {
  switch (message.kind) {
    case MessageKind::kVote:
      if (!message.force && in_lease()) return false;
      break;
    case MessageKind::kPreVote:
      return true;
    case MessageKind::kPreVoteReply:
      if (!message.reject) return true;  // granted for the term after ours
      break;
    case MessageKind::kVoteReply:
    case MessageKind::kAppend:
    case MessageKind::kAppendReply:
    case MessageKind::kSnapshotChunk:
    case MessageKind::kSnapshotReply:
    case MessageKind::kTimeoutNow:
    case MessageKind::kReadIndex:
    case MessageKind::kReadIndexReply:
      break;
  }
  become_follower(message.term, 0);
  return true;
}

/// The sender of an older term is told the newer one where it would otherwise go on for ever.
void Raft::Impl::receive_older(const Message& message) {
  Message reply;
  switch (message.kind) {
    case MessageKind::kAppend:
    case MessageKind::kSnapshotChunk:
      out.old_leader = message.from;
      reply = reply_to(message, MessageKind::kAppendReply);
      break;
    case MessageKind::kPreVote:
      reply = reply_to(message, MessageKind::kPreVoteReply);
      break;
    case MessageKind::kVote:
      reply = reply_to(message, MessageKind::kVoteReply);
      break;
    case MessageKind::kPreVoteReply:
    case MessageKind::kVoteReply:
    case MessageKind::kAppendReply:
    case MessageKind::kSnapshotReply:
    case MessageKind::kTimeoutNow:
    case MessageKind::kReadIndex:
    case MessageKind::kReadIndexReply:
      return;
  }
  reply.reject = true;
  promise(std::move(reply), 0);
}

void Raft::Impl::dispatch(Message& message) {
  if (is_from_leader(message.kind)) {
    // The votes of a term make one leader (3.2, election safety). Whoever else says that it leads
    // has broken the rule, or is no member of ours that does as we do: it has no say.
    const NodeId known = role == Role::kLeader ? settings.self : leader;
    if (known != 0 && known != message.from) {
      out.second_leader = message.from;
      return;
    }
    if (role == Role::kLeader) return;
    follow(message.from);
  }
  switch (message.kind) {
    case MessageKind::kPreVote:
    case MessageKind::kVote:
      return on_vote_request(message);
    case MessageKind::kPreVoteReply:
    case MessageKind::kVoteReply:
      return on_vote_reply(message);
    case MessageKind::kAppend:
      return on_append(message);
    case MessageKind::kAppendReply:
      return on_append_reply(message);
    case MessageKind::kSnapshotChunk:
      return on_chunk(message);
    case MessageKind::kSnapshotReply:
      return on_snapshot_reply(message);
    case MessageKind::kTimeoutNow:
      return on_timeout_now(message);
    case MessageKind::kReadIndex:
      return on_read_index(message);
    case MessageKind::kReadIndexReply:
      return on_read_reply(message);
  }
}

}  // namespace distcron::consensus
