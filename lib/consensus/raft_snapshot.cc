// SPDX-License-Identifier: Apache-2.0
// Snapshots for members whose entries are gone (5.1): the state is here, the bytes are the owner's.
// One chunk at a time; each answer names the next byte wanted, so a transfer resumes after
// anything.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

void Raft::Impl::send_snapshot(Progress& peer) {
  peer.flow = Flow::kSnapshot;
  peer.clear_inflight();
  peer.snapshot_index = 0;
  peer.snapshot_offset = 0;
  peer.is_chunk_asked = false;
  want_chunk(peer);
}

void Raft::Impl::want_chunk(Progress& peer) {
  peer.is_chunk_asked = true;
  peer.chunk_round = round;
  out.chunks_wanted.push_back(
      {peer.id, peer.snapshot_index, peer.snapshot_offset, settings.chunk_bytes});
}

/// A snapshot that ends before this log begins would not help: wait for a newer one.
void Raft::Impl::handle(ChunkRead& event) {
  Progress* const peer = find(event.to);
  if (role != Role::kLeader || peer == nullptr || peer->flow != Flow::kSnapshot) return;
  peer->is_chunk_asked = false;
  peer->chunk_round = round;
  const bool is_usable = event.index >= log.base_index() && event.index <= emitted;
  if (event.index == 0 || !is_usable) {
    peer->snapshot_index = 0;
    peer->snapshot_offset = 0;
    return;
  }
  peer->snapshot_index = event.index;
  Message message;
  message.kind = MessageKind::kSnapshotChunk;
  message.to = peer->id;
  message.prev_index = event.index;
  message.prev_term = event.term;
  message.round = round;
  message.config = std::move(event.config);
  message.config_index = event.config_index;
  message.offset = event.offset;
  message.size = event.size;
  message.crc = event.crc;
  message.data = std::move(event.data);
  send(std::move(message));
}

/// Whoever has the snapshot's last entry has everything before it (3.5) and needs no snapshot.
void Raft::Impl::on_chunk(Message& message) {
  const Index index = message.prev_index;
  if (is_disk_full || index <= 0 || message.prev_term <= 0) return;
  const bool has_it =
      index <= commit || (log.has_term(index) && log.term_at(index) == message.prev_term);
  if (has_it) {
    learn_commit(index);
    Message reply = reply_to(message, MessageKind::kSnapshotReply);
    reply.prev_index = index;
    reply.match = index;
    return promise(std::move(reply), index);
  }
  if (is_storing_chunk) return;
  const std::uint64_t bytes = message.data.size();
  if (message.size < bytes || message.offset > message.size - bytes) return;
  if (message.offset + bytes == message.size) {
    installing = Install{index, message.prev_term, message.config, message.config_index};
  }
  if (installing && mutant("install-acks-early")) {
    Message reply = reply_to(message, MessageKind::kSnapshotReply);
    reply.prev_index = index;
    reply.match = index;
    promise(std::move(reply), 0);
  }
  is_storing_chunk = true;
  out.chunk_received = std::move(message);
}

void Raft::Impl::handle(ChunkStored event) {
  is_storing_chunk = false;
  const std::optional<Install> last = std::exchange(installing, std::nullopt);
  const bool is_installed = event.is_installed && last && last->index == event.index;
  if (is_installed) install(*last);
  if (leader == 0 || leader == settings.self) return;
  Message reply;
  reply.kind = MessageKind::kSnapshotReply;
  reply.to = leader;
  reply.prev_index = event.index;
  reply.offset = event.next_offset;
  reply.match = is_installed ? event.index : 0;
  promise(std::move(reply), reply.match);
}

/// The whole log goes: this member did not have the snapshot's last entry, so whatever it has
/// beyond contradicts it or is not there (5.1; figure 5.3, step 7).
void Raft::Impl::install(const Install& snapshot) {
  if (mutant("install-keeps-tail") && log.last_index() > snapshot.index) {
    log.compact(snapshot.index);
  } else {
    Config members = mutant("install-old-config") ? config() : snapshot.config;
    log.reset(snapshot.index, snapshot.term, std::move(members), snapshot.config_index);
  }
  commit = emitted = applied = std::max(commit, snapshot.index);
  durable = handed = log.last_index();
  for (Unsynced& one : unsynced) {
    one.last = std::min(one.last, snapshot.index);
  }
  reset_election_timer();
}

void Raft::Impl::on_snapshot_reply(const Message& message) {
  Progress* const peer = find(message.from);
  if (role != Role::kLeader || peer == nullptr || message.match > log.last_index()) return;
  note_contact(*peer, message.round);
  peer->match = std::max(peer->match, message.match);
  if (peer->flow == Flow::kSnapshot) {
    if (log.has_term(peer->match)) {
      peer->probe_from(peer->match + 1);
    } else if (message.prev_index == peer->snapshot_index && !peer->is_chunk_asked) {
      peer->snapshot_offset = message.offset;
      want_chunk(*peer);
    }
  }
  send_entries(*peer);
  drive_transfer(*peer);
  advance_commit();
  confirm_reads();
}

}  // namespace distcron::consensus
