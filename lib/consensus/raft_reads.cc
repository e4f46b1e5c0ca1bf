// SPDX-License-Identifier: Apache-2.0
// Linearizable reads without a log entry (6.4, ReadIndex). Reads are gathered while one heartbeat
// round is under way, and go with the next.
#include <algorithm>
#include <functional>
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {
namespace {

constexpr std::size_t kReadsMax = 16'384;

}  // namespace

void Raft::Impl::handle(Read event) {
  if (role == Role::kLeader) {
    if (reads.size() >= kReadsMax) return answer_read({0, event.tag, 0, 0}, 0);
    reads.push_back({0, event.tag, 0, 0});
    return start_reads();
  }
  if (leader == 0 || forwarded.size() >= kReadsMax) return answer_read({0, event.tag, 0, 0}, 0);
  const std::uint64_t context = ++next_context;
  forwarded.push_back({context, event.tag, now + settings.election});
  Message request;
  request.kind = MessageKind::kReadIndex;
  request.to = leader;
  request.context = context;
  promise(std::move(request), 0);
}

/// Begins a round for the reads that wait, unless one is under way.
void Raft::Impl::start_reads() {
  if (role != Role::kLeader || reads.empty()) return;
  // Before that it does not know what the terms before it committed (6.4).
  if (commit < term_start && !mutant("read-before-noop")) return;
  if (is_sole_voter() || mutant("read-without-quorum")) {
    for (const PendingRead& read : std::exchange(reads, {})) {
      answer_read(read, commit);
    }
    return;
  }
  if (reads.front().round != 0) return;
  new_round();
  assign_reads();
  broadcast_heartbeat(false);
}

/// A round that begins now proves that the commit index of now was current.
void Raft::Impl::assign_reads() {
  if (commit < term_start && !mutant("read-before-noop")) return;
  for (PendingRead& read : reads) {
    if (read.round != 0) continue;
    read.round = round;
    read.index = commit;
  }
}

void Raft::Impl::confirm_reads() {
  if (role != Role::kLeader || reads.empty()) return;
  std::vector<std::uint64_t> acked;
  if (is_voting(settings.self)) acked.push_back(round);
  for (const Progress& peer : progress) {
    if (is_voting(peer.id)) acked.push_back(peer.acked_round);
  }
  if (acked.size() < quorum()) return;
  std::sort(acked.begin(), acked.end(), std::greater<>());
  const std::uint64_t confirmed = acked[quorum() - 1];
  while (!reads.empty() && reads.front().round != 0 && reads.front().round <= confirmed) {
    answer_read(reads.front(), reads.front().index);
    reads.pop_front();
  }
  start_reads();
}

/// `index` 0: this member cannot say.
void Raft::Impl::answer_read(const PendingRead& read, Index index) {
  if (read.from == 0) {
    out.reads.push_back({read.tag, index});
    return;
  }
  Message reply;
  reply.kind = MessageKind::kReadIndexReply;
  reply.to = read.from;
  reply.context = read.tag;
  reply.commit = index;
  reply.reject = index == 0;
  promise(std::move(reply), 0);
}

void Raft::Impl::drop_reads() {
  for (const PendingRead& read : std::exchange(reads, {})) {
    answer_read(read, 0);
  }
}

/// Reads sent to a leader that did not answer; with `all` because it leads no longer.
void Raft::Impl::expire_forwarded(bool all) {
  for (const ForwardedRead& read : std::exchange(forwarded, {})) {
    if (all || read.deadline <= now) {
      out.reads.push_back({read.tag, 0});
    } else {
      forwarded.push_back(read);
    }
  }
}

void Raft::Impl::on_read_index(const Message& message) {
  const PendingRead read{message.from, message.context, 0, 0};
  if (role != Role::kLeader || reads.size() >= kReadsMax) return answer_read(read, 0);
  reads.push_back(read);
  start_reads();
}

void Raft::Impl::on_read_reply(const Message& message) {
  for (std::size_t i = 0; i < forwarded.size(); ++i) {
    if (forwarded[i].context != message.context) continue;
    const Index index = mutant("read-own-commit") ? commit : message.commit;
    out.reads.push_back({forwarded[i].tag, message.reject ? 0 : index});
    forwarded.erase(forwarded.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

}  // namespace distcron::consensus
