// SPDX-License-Identifier: Apache-2.0
// For searches over all schedules: a copy of a member, and what tells two of them apart.
#include <algorithm>
#include <initializer_list>

#include "consensus/raft_impl.h"

namespace distcron::consensus {
namespace {

void put(std::string& out, std::initializer_list<std::int64_t> numbers) {
  for (const std::int64_t number : numbers) {
    out += std::to_string(number);
    out += ' ';
  }
}

void put_progress(std::string& out, const Progress& peer) {
  put(out, {peer.id, static_cast<std::int64_t>(peer.flow), peer.match, peer.next, peer.commit_sent,
            peer.is_probe_sent ? 1 : 0, peer.snapshot_index,
            static_cast<std::int64_t>(peer.snapshot_offset), peer.is_chunk_asked ? 1 : 0});
  for (const Inflight& one : peer.inflight) {
    put(out, {one.last});
  }
  out += ';';
}

}  // namespace

std::unique_ptr<Raft> Raft::clone(Dice& dice) const {
  auto impl = std::make_unique<Impl>(*impl_);
  impl->dice = &dice;
  return std::unique_ptr<Raft>(new Raft(std::move(impl)));
}

std::string Raft::fingerprint() const {
  const Impl& self = *impl_;
  std::string out;
  put(out, {static_cast<std::int64_t>(self.role), self.hard.term, self.hard.vote, self.leader,
            self.commit, self.emitted, self.durable, self.handed, self.durable_hard.term,
            self.durable_hard.vote, self.is_disk_full ? 1 : 0, self.transfer_to, self.term_start,
            self.is_transfer_election ? 1 : 0, self.is_storing_chunk ? 1 : 0,
            self.installing ? self.installing->index : 0, self.log.base_index(),
            self.log.term_at(self.log.base_index()), self.log.config_point().index});
  for (Index i = self.log.base_index() + 1; i <= self.log.last_index(); ++i) {
    const Entry& entry = self.log.at(i);
    put(out, {entry.term, static_cast<std::int64_t>(entry.kind)});
    out += entry.data;
    out += ';';
  }
  std::vector<NodeId> votes = self.granted;
  std::sort(votes.begin(), votes.end());
  out += '|';
  for (const NodeId id : votes) {
    put(out, {id});
  }
  out += '|';
  for (const Unsynced& one : self.unsynced) {
    put(out, {one.hard.term, one.hard.vote, one.last});
  }
  out += '|';
  for (const Progress& peer : self.progress) {
    put_progress(out, peer);
  }
  put(out, {static_cast<std::int64_t>(self.reads.size()),
            static_cast<std::int64_t>(self.forwarded.size())});
  return out;
}

}  // namespace distcron::consensus
