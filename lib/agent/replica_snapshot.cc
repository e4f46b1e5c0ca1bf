// SPDX-License-Identifier: Apache-2.0
// Snapshots sent to members that are far behind, snapshots received, and the length of the log.
#include <algorithm>
#include <utility>

#include "agent/replica.h"

namespace distcron::agent {

namespace {

constexpr Seconds kServing{60};  // after the last chunk that somebody wanted

}  // namespace

void Replica::want_chunk(const consensus::ChunkWanted& wanted) {
  snapshot_wanted_at_ = now_.mono;
  const bool is_good = snapshot_ && (wanted.index == 0 || wanted.index == snapshot_->index) &&
                       snapshot_->index >= raft_->first_index() - 1;
  if (is_good) {
    read_chunk(Wanted{wanted.to, wanted.offset});
    return;
  }
  waits_for_snapshot_.push_back(Wanted{wanted.to, 0});
  if (makes_snapshot_) return;
  makes_snapshot_ = true;
  store_.make_snapshot();
}

void Replica::read_chunk(const Wanted& wanted) {
  const std::uint64_t tag = ++tag_;
  reads_of_snapshot_.emplace(tag, wanted);
  store_.read_snapshot(snapshot_->index, wanted.offset, limits_.chunk_bytes, tag);
}

void Replica::on_snapshot_made(const store::SnapshotMade& made) {
  makes_snapshot_ = false;
  const std::vector<Wanted> waiting = std::exchange(waits_for_snapshot_, {});
  if (!made.status || made.copy.index < raft_->first_index() - 1) {
    consensus::ChunkRead none;
    for (const Wanted& wanted : waiting) {
      none.to = wanted.to;
      step(none);  // asked again later
    }
    return;
  }
  snapshot_ = made.copy;
  snapshot_config_ = raft_->config_at(made.copy.index, snapshot_config_index_);
  for (const Wanted& wanted : waiting)
    read_chunk(wanted);
}

void Replica::on_snapshot_read(const store::SnapshotRead& read) {
  const auto found = reads_of_snapshot_.extract(read.tag);
  if (found.empty()) return;
  consensus::ChunkRead chunk;
  chunk.to = found.mapped().to;
  if (read.status && snapshot_) {
    chunk.index = snapshot_->index;
    chunk.term = snapshot_->term;
    chunk.config = snapshot_config_;
    chunk.config_index = snapshot_config_index_;
    chunk.offset = read.offset;
    chunk.size = snapshot_->size;
    chunk.crc = snapshot_->crc;
    chunk.data = read.bytes;
  } else {
    snapshot_.reset();
  }
  step(std::move(chunk));
}

void Replica::store_chunk(const consensus::Message& chunk) {
  flush();  // what was promised before is written before
  store::SnapshotPiece piece;
  piece.start.index = chunk.prev_index;
  piece.start.term = chunk.prev_term;
  piece.start.config = store::LogConfig{consensus::encode_config(chunk.config), chunk.config_index};
  piece.size = chunk.size;
  piece.crc = chunk.crc;
  piece.offset = chunk.offset;
  piece.bytes = chunk.data;
  installing_size_ = chunk.size;
  store_.install(std::move(piece));
}

void Replica::on_piece_stored(const store::PieceStored& stored) {
  // The last piece is answered when the state has been loaded from it: on_installed().
  if (stored.status && stored.next_offset == installing_size_) return;
  step(consensus::ChunkStored{stored.index, stored.next_offset, false});
}

void Replica::on_installed(std::int64_t index) {
  last_applied_ = index;
  // What became of proposals inside of the snapshot cannot be known here.
  while (!placed_.empty() && placed_.begin()->first <= index) {
    auto first = placed_.extract(placed_.begin());
    refuse(first.mapped(),
           Error{ErrorCode::kUnavailable,
                 "this agent was behind and took the whole state over; the change may have taken "
                 "effect",
                 0, "asking again with the same --request-id is safe"});
  }
  step(consensus::ChunkStored{index, installing_size_, true});
}

void Replica::compact_sometimes() {
  if (is_compacting_ || now_.mono < next_compact_) return;
  next_compact_ = now_.mono + limits_.look_every;
  const store::LogSize size = store_.log_size();
  const std::int64_t entries = last_applied_ - size.base_index;
  if (size.bytes <= limits_.bytes_max && entries <= limits_.entries_max) return;
  const std::int64_t keep =
      size.bytes > limits_.bytes_max ? std::min(entries / 4, limits_.keep) : limits_.keep;
  std::int64_t index = last_applied_ - keep;
  // Who takes a snapshot needs the log behind it, or he would be given the next one for ever.
  const bool is_serving = snapshot_ && now_.mono - snapshot_wanted_at_ < kServing;
  if (is_serving) index = std::min(index, snapshot_->index);
  if (index <= size.base_index) return;
  is_compacting_ = true;
  std::int64_t config_index = 0;
  const consensus::Config config = raft_->config_at(index, config_index);
  store_.compact(index, store::LogConfig{consensus::encode_config(config), config_index});
}

void Replica::on_compacted(const store::Compacted& compacted) {
  is_compacting_ = false;
  if (compacted.status) step(consensus::Compact{compacted.base_index});
}

}  // namespace distcron::agent
