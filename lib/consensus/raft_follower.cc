// SPDX-License-Identifier: Apache-2.0
// A follower takes entries (3.5) and says how far its log agrees with the leader's.
#include <algorithm>
#include <string>
#include <utility>

#include "base/mutant.h"
#include "consensus/codec.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

void Raft::Impl::on_append(Message& message) {
  // A snapshot that is being installed replaces the log: nothing may be promised for it meanwhile.
  const bool waits_for_install = installing && !mutant("append-during-install");
  if (is_disk_full || waits_for_install) return answer_alive(message);
  if (!is_well_formed(message)) return;
  if (message.prev_index < log.base_index()) {
    // What the base contains is committed, so it is the same everywhere.
    const Index count = static_cast<Index>(message.entries.size());
    const Index skipped = std::min(count, log.base_index() - message.prev_index);
    message.entries.erase(message.entries.begin(), message.entries.begin() + skipped);
    message.prev_index += skipped;
    if (message.prev_index < log.base_index()) {
      Message reply = reply_to(message, MessageKind::kAppendReply);
      reply.match = message.prev_index;
      return promise(std::move(reply), 0);
    }
    message.prev_term = log.term_at(message.prev_index);
  }
  const bool fits =
      log.has_term(message.prev_index) &&
      (log.term_at(message.prev_index) == message.prev_term || mutant("prev-unchecked"));
  if (!fits) return reject(message);
  accept(message);
}

/// The consistency check has passed: up to prev_index + n the logs are the same afterwards, and
/// only that far. What this log has beyond it says nothing about the leader's (3.5).
void Raft::Impl::accept(Message& message) {
  const Index reached = message.prev_index + static_cast<Index>(message.entries.size());
  if (!store_entries(message)) return;
  const bool trusts_all = mutant("heartbeat-commit");
  learn_commit(std::min(message.commit, trusts_all ? log.last_index() : reached));
  Message reply = reply_to(message, MessageKind::kAppendReply);
  reply.match = mutant("ack-whole-log") ? log.last_index() : reached;
  promise(std::move(reply), reply.match);
}

/// Terms rise along a log and end at the sender's; a configuration can be read.
bool Raft::Impl::is_well_formed(const Message& message) const {
  Index index = message.prev_index;
  Term term = message.prev_term;
  for (const Entry& entry : message.entries) {
    ++index;
    if (entry.index != index || entry.term < term || entry.term <= 0 || entry.term > message.term) {
      return false;
    }
    if (entry.kind == EntryKind::kConfig && !decode_config(entry.data)) return false;
    term = entry.term;
  }
  return true;
}

/// Entries that are there already stay, whatever order messages come in; a conflict removes the
/// rest of the log (3.5). False: the message contradicts what is committed.
bool Raft::Impl::store_entries(Message& message) {
  for (Entry& entry : message.entries) {
    const bool is_there = entry.index <= log.last_index();
    if (is_there && log.term_at(entry.index) == entry.term && !mutant("truncate-matching")) {
      continue;
    }
    if (is_there && mutant("conflict-kept")) continue;
    if (is_there) {
      if (entry.index <= commit && !mutant("truncate-matching")) {
        report("entry " + std::to_string(entry.index) + " of term " + std::to_string(entry.term) +
               " from " + std::to_string(message.from) + " contradicts a committed one of term " +
               std::to_string(log.term_at(entry.index)));
        return false;
      }
      truncate_from(entry.index);
    }
    if (!append(std::move(entry))) return false;
  }
  return true;
}

/// Tells the leader where the logs may agree, so that it need not try every index (3.5): the last
/// index whose term is no newer than that of the leader's entry there.
void Raft::Impl::reject(const Message& message) {
  Message reply = reply_to(message, MessageKind::kAppendReply);
  reply.reject = true;
  reply.prev_index = message.prev_index;
  reply.hint_index = log.last_not_after(message.prev_index - 1, message.prev_term);
  reply.hint_term = log.term_at(reply.hint_index);
  promise(std::move(reply), 0);
}

/// Says no more than that this member is there.
void Raft::Impl::answer_alive(const Message& message) {
  promise(reply_to(message, MessageKind::kAppendReply), 0);
}

void Raft::Impl::learn_commit(Index index) {
  commit = std::max(commit, index);
}

}  // namespace distcron::consensus
