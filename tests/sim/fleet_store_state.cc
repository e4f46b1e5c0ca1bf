// SPDX-License-Identifier: Apache-2.0
// What the simulated store does to state.db, in the order in which it was asked for: rows, cuts of
// the log, copies, snapshots that take its place (lib/store/store_files.cc).
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/mutant.h"
#include "sim/fleet_store.h"

namespace distcron::sim {
namespace {

constexpr std::size_t kSnapshotsKept = 2;
constexpr std::size_t kMarkBytes = 20;
constexpr std::uint64_t kPadMax = 3'000;

std::uint32_t sum_of(const std::string& bytes) {
  return static_cast<std::uint32_t>(stable_hash(bytes));
}

}  // namespace

void FleetStore::add_work(Work work) {
  work_.push_back(std::move(work));
  if (works_) return;
  works_ = true;
  agenda_.after(draw_between(rng_, 1 * kMs, 40 * kMs), [this, alive = is_alive_] {
    if (*alive) do_work();
  });
}

void FleetStore::do_work() {
  works_ = false;
  if (disk_.is_full) {  // the store tries again by itself
    works_ = true;
    agenda_.after(500 * kMs, [this, alive = is_alive_] {
      if (*alive) do_work();
    });
    return;
  }
  for (const Work& work : std::exchange(work_, {}))
    perform(work, true);
  if (draw_chance(rng_, 4)) disk_.checkpoint = disk_.rows;
}

void FleetStore::perform(const Work& work, bool tells) {
  if (const auto* changes = std::get_if<planner::Changes>(&work)) {
    if (changes->index > disk_.rows.applied) disk_.rows.write(*changes);
  } else if (const auto* compaction = std::get_if<Compaction>(&work)) {
    compact_now(*compaction, tells);
  } else if (const auto* swap = std::get_if<Swap>(&work)) {
    swap_now(*swap, tells);
  } else if (tells) {
    copy_now();
  }
}

void FleetStore::compact(std::int64_t index, store::LogConfig config) {
  add_work(Compaction{index, std::move(config)});
}

void FleetStore::compact_now(const Compaction& order, bool tells) {
  const bool is_there = order.index <= disk_.rows.applied && order.index > disk_.base.index &&
                        order.index <= disk_.last_index();
  if (is_there) {
    if (!mutant("log-cut-early")) disk_.checkpoint = disk_.rows;
    disk_.cut(order.index, order.config);
  }
  if (!tells) return;
  store::Compacted done{disk_.base.index, disk_.base.term, {}, false};
  if (!is_there) done.status = fail(ErrorCode::kUnavailable, "state.db is behind");
  complete(std::move(done));
}

// --- copies --------------------------------------------------------------------------------------

void FleetStore::on_copier(FleetTime span, std::function<void()> what) {
  copier_free_at_ = std::max(copier_free_at_, agenda_.now()) + span;
  agenda_.at(copier_free_at_, [alive = is_alive_, what = std::move(what)] {
    if (*alive) what();
  });
}

void FleetStore::make_snapshot() {
  add_work(Copy{});
}

void FleetStore::copy_now() {
  Snapshot made;
  made.copy.index = disk_.rows.applied;
  made.copy.term = disk_.term_at(disk_.rows.applied);
  const bool is_same = !snapshots_.empty() && snapshots_.back().copy.index == made.copy.index;
  if (is_same) return complete(store::SnapshotMade{snapshots_.back().copy, {}});
  std::string mark = std::to_string(library_.size());
  mark.insert(0, kMarkBytes - mark.size(), '0');
  library_[mark] = disk_.rows;
  made.bytes = mark + std::string(rng_.below(kPadMax), 'x');
  made.copy.size = made.bytes.size();
  made.copy.crc = sum_of(made.bytes);
  on_copier(draw_between(rng_, 2 * kMs, 300 * kMs), [this, made] {
    snapshots_.push_back(made);
    if (snapshots_.size() > kSnapshotsKept) snapshots_.pop_front();
    complete(store::SnapshotMade{made.copy, {}});
  });
}

void FleetStore::read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                               std::uint64_t tag) {
  on_copier(draw_between(rng_, 100, 5 * kMs), [this, index, offset, size, tag] {
    const auto found = std::find_if(snapshots_.begin(), snapshots_.end(),
                                    [index](const auto& one) { return one.copy.index == index; });
    store::SnapshotRead read{tag, offset, {}, {}};
    if (found == snapshots_.end()) {
      read.status = fail(ErrorCode::kNotFound, "that snapshot is gone");
    } else if (offset < found->bytes.size()) {
      read.bytes = found->bytes.substr(offset, size);
    }
    complete(std::move(read));
  });
}

// --- installs ------------------------------------------------------------------------------------

void FleetStore::install(store::SnapshotPiece piece) {
  on_copier(draw_between(rng_, 100, 10 * kMs),
            [this, piece = std::move(piece)] { take_piece(piece); });
}

void FleetStore::take_piece(const store::SnapshotPiece& piece) {
  const std::int64_t index = piece.start.index;
  if (index <= disk_.rows.applied) {
    incoming_ = {};
    return complete(
        store::PieceStored{index, piece.size, fail(ErrorCode::kConflict, "it is old"), false});
  }
  if (disk_.is_full) {
    return complete(
        store::PieceStored{index, piece.offset, fail(ErrorCode::kUnavailable, "no room"), false});
  }
  const bool is_same =
      incoming_.start == piece.start && incoming_.size == piece.size && incoming_.crc == piece.crc;
  if (!is_same) {
    incoming_ = piece;
    incoming_.bytes.clear();
  }
  if (piece.offset == incoming_.bytes.size()) incoming_.bytes += piece.bytes;
  const std::uint64_t next = incoming_.bytes.size();
  if (next < piece.size) return complete(store::PieceStored{index, next, {}, false});
  const std::string bytes = std::exchange(incoming_, {}).bytes;
  if (sum_of(bytes) != piece.crc) {
    return complete(
        store::PieceStored{index, 0, fail(ErrorCode::kCorrupt, "it is another file"), false});
  }
  add_work(Swap{piece.start, piece.size, bytes.substr(0, kMarkBytes)});
}

void FleetStore::swap_now(const Swap& order, bool tells) {
  const std::int64_t index = order.start.index;
  const auto rows = library_.find(order.mark);
  const bool is_good = index > disk_.rows.applied && rows != library_.end();
  if (is_good) disk_.install(order.start, rows->second);
  if (!tells) return;
  if (!is_good) {
    return complete(
        store::PieceStored{index, order.size, fail(ErrorCode::kConflict, "it is old"), false});
  }
  complete(store::PieceStored{index, order.size, {}, false});
  complete(store::SnapshotInstalled{index, nullptr});
}

}  // namespace distcron::sim
