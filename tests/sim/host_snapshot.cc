// SPDX-License-Identifier: Apache-2.0
// Snapshots of a simulated process: made, served in pieces, received, installed.
#include <algorithm>
#include <utility>

#include "sim/host.h"
#include "sim/world.h"

namespace distcron::sim {

using consensus::ChunkRead;
using consensus::ChunkStored;
using consensus::Index;

namespace {

constexpr std::size_t kSnapshotsKept = 2;
constexpr SimTime kServedTimeouts = 8;  ///< Election timeouts since a piece was asked for.

}  // namespace

/// Syncs state.db when enough has been applied since the log's beginning.
void Host::consider_snapshot() {
  const std::int64_t every = world_.options().snapshot_every;
  if (every == 0 ||
      machine_.applied - disk_.raft_db().base_index < every + world_.options().snapshot_keep) {
    return;
  }
  make_snapshot();
}

void Host::make_snapshot() {
  if (is_checkpoint_posted_ || !is_up() || world_.now() < full_until) return;
  is_checkpoint_posted_ = true;
  checkpoint_ = machine_;
  post(EventKind::kCheckpoint, world_.disk_delay(*this), ++checkpoint_number_);
}

void Host::on_checkpoint(std::int64_t number) {
  if (number != checkpoint_number_) return;
  is_checkpoint_posted_ = false;
  if (checkpoint_.applied <= disk_.state_db().applied) return;
  disk_.checkpoint(checkpoint_);
  world_.trace().add(
      {.at = world_.now(), .mark = Mark::kSnapshot, .a = id_, .b = checkpoint_.applied});
  Index index = checkpoint_.applied - world_.options().snapshot_keep;
  // Who has just got a snapshot needs what follows it: else it would need another one, for ever.
  if (world_.now() < served_until_) index = std::min(index, served_index_);
  if (index <= disk_.raft_db().base_index || is_full_) return;
  DiskWrite write;
  write.kind = DiskWrite::Kind::kCompact;
  write.base_index = index;
  write.base_term = raft_->term_at(index);
  write.base_config = raft_->config_at(index, write.base_config_index);
  disk_.queue(std::move(write));
  begin_flush();
  step(consensus::Compact{.index = index});
}

/// Reads a piece of the wanted snapshot, or of another one when that is gone.
void Host::read_chunk(const consensus::ChunkWanted& wanted) {
  ChunkRead chunk;
  chunk.to = wanted.to;
  const Index needed = raft_->first_index() - 1;
  std::erase_if(snapshots_, [&](const Snapshot& s) { return s.state.applied < needed; });
  const auto same = std::find_if(snapshots_.begin(), snapshots_.end(), [&](const Snapshot& s) {
    return s.state.applied == wanted.index;
  });
  const bool makes_new = same == snapshots_.end() && machine_.applied > 0 &&
                         machine_.applied >= needed && (snapshots_.empty() || rng_.below(2) == 0);
  if (makes_new) {
    Snapshot snapshot{.state = machine_, .bytes = {}};
    snapshot.bytes = machine_.encode(static_cast<std::size_t>(world_.options().snapshot_pad));
    snapshot.crc = crc32c(snapshot.bytes);
    if (snapshots_.size() == kSnapshotsKept) snapshots_.pop_front();
    snapshots_.push_back(std::move(snapshot));
  }
  if (!snapshots_.empty()) {
    const Snapshot& from = same != snapshots_.end() && !makes_new ? *same : snapshots_.back();
    chunk.index = from.state.applied;
    if (world_.now() >= served_until_ || chunk.index < served_index_) served_index_ = chunk.index;
    served_until_ = world_.now() + kServedTimeouts * world_.options().election_us;
    chunk.term = from.state.term;
    chunk.config = from.state.config;
    chunk.config_index = from.state.config_index;
    chunk.offset = chunk.index == wanted.index ? wanted.offset : 0;
    chunk.size = from.bytes.size();
    chunk.crc = from.crc;
    const std::uint64_t length =
        chunk.offset < chunk.size ? std::min(wanted.bytes_max, chunk.size - chunk.offset) : 0;
    chunk.data = from.bytes.substr(std::min(chunk.offset, chunk.size), length);
  }
  chunks_.push_back(std::move(chunk));
  post(EventKind::kChunkRead, world_.options().disk_min_us, 0);
}

void Host::on_chunk_read() {
  if (chunks_.empty()) return;
  ChunkRead chunk = std::move(chunks_.front());
  chunks_.pop_front();
  step(std::move(chunk));
}

void Host::receive_chunk(const consensus::Message& message) {
  Incoming& in = incoming_;
  const bool is_same = in.index == message.prev_index && in.term == message.prev_term &&
                       in.size == message.size && in.crc == message.crc;
  if (!is_same && !in.is_installing) {
    in = Incoming{.index = message.prev_index,
                  .term = message.prev_term,
                  .size = message.size,
                  .crc = message.crc,
                  .bytes = {}};
  }
  std::uint64_t next = is_same || !in.is_installing ? in.bytes.size() : 0;
  if (!in.is_installing && !is_full_ && message.offset == in.bytes.size()) {
    in.bytes += message.data;
    next = in.bytes.size();
    if (in.bytes.size() >= in.size) return finish_incoming();
  }
  stored_.push_back(ChunkStored{.index = message.prev_index, .next_offset = next});
  post(EventKind::kChunkStored, world_.options().disk_min_us, 0);
}

void Host::on_chunk_stored() {
  if (stored_.empty()) return;
  const ChunkStored stored = stored_.front();
  stored_.pop_front();
  step(stored);
}

/// All bytes are there: checks them and queues the installation behind all earlier writes.
void Host::finish_incoming() {
  Incoming& in = incoming_;
  Machine machine;
  if (in.bytes.size() != in.size || crc32c(in.bytes) != in.crc) {
    stored_.push_back(ChunkStored{.index = in.index, .next_offset = 0});
    in = Incoming{};
    post(EventKind::kChunkStored, world_.options().disk_min_us, 0);
    return;
  }
  if (!Machine::decode(in.bytes, machine) || machine.applied != in.index ||
      machine.term != in.term) {
    world_.oracle().fail("snapshot", "node " + std::to_string(id_) +
                                         " has received other bytes than were sent, as snapshot " +
                                         std::to_string(in.index));
    return;
  }
  in.is_installing = true;
  DiskWrite write;
  write.kind = DiskWrite::Kind::kInstall;
  write.machine = std::move(machine);
  disk_.queue(std::move(write));
  begin_flush();
}

void Host::installed(const DiskWrite& write) {
  machine_ = *write.machine;
  while (!to_apply_.empty() && to_apply_.front().index <= machine_.applied)
    to_apply_.pop_front();
  std::erase_if(acks_, [&](const PendingAck& ack) { return ack.last <= machine_.applied; });
  snapshots_.clear();
  ++checkpoint_number_;
  is_checkpoint_posted_ = false;
  const std::uint64_t size = incoming_.size;
  incoming_ = Incoming{};
  world_.oracle().on_installed(id_, machine_);
  step(ChunkStored{.index = machine_.applied, .next_offset = size, .is_installed = true});
  answer_reads();
}

}  // namespace distcron::sim
