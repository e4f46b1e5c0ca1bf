// SPDX-License-Identifier: Apache-2.0
// The part of StoreThread that shortens the log, and that makes, sends, takes and installs copies
// of state.db.
#include <algorithm>
#include <utility>

#include "store/file_io.h"
#include "store/store_thread.h"

namespace distcron::store {
namespace {

constexpr std::size_t kSnapshotsKept = 2;

Error gone(std::int64_t index) {
  return Error{ErrorCode::kNotFound,
               "cannot read snapshot " + std::to_string(index) + ": it is gone",
               0,
               {}};
}

}  // namespace

Status place_install(const StateDir& dir, const LogStart& start) {
  const std::string whole = dir.file(install_name(start));
  if (is_there(whole)) {
    // What these hold belongs to the old file and would be read into the new one.
    DC_CHECK_OK(remove_file(dir.file("state.db-wal")));
    DC_CHECK_OK(remove_file(dir.file("state.db-shm")));
    DC_CHECK_OK(rename_file(whole, dir.file("state.db")));
  }
  return dir.sync();
}

Status check_installed(const StateDb& state, const LogStart& start) {
  if (state.applied_index() == start.index) return {};
  return fail_hint(ErrorCode::kCorrupt,
                   "cannot use '" + state.db().path() + "': it ends at entry " +
                       std::to_string(state.applied_index()) + " instead of that of snapshot " +
                       std::to_string(start.index) + ", which was being installed",
                   "empty the directory and let the host join again under a new node id");
}

// --- the log -------------------------------------------------------------------------------------

void StoreThread::compact(std::int64_t index, LogConfig config) {
  add_work(Compaction{index, std::move(config)});
}

void StoreThread::do_compaction(const Compaction& order) {
  Status done = compact_now(order);
  {
    const MutexLock lock(mutex_);
    log_size_ = parts_.log->size();
  }
  const bool fatal = !done && note_failure(done.error());
  const LogStart& base = parts_.log->base();
  push(Compacted{base.index, base.term, std::move(done), fatal});
}

Status StoreThread::compact_now(const Compaction& order) {
  if (is_failed_) return fail(failure_);
  const std::int64_t applied = parts_.state->applied_index();
  if (order.index > applied) {
    return fail(ErrorCode::kUnavailable, "cannot shorten the log to entry " +
                                             std::to_string(order.index) +
                                             ": state.db has got to " + std::to_string(applied));
  }
  // Only what lies in the synced file itself may leave the log; a reader can hold that up.
  DC_TRY(const Checkpointed moved, parts_.state->checkpoint(SQLITE_CHECKPOINT_PASSIVE));
  if (!moved.complete) {
    return fail(ErrorCode::kUnavailable,
                "cannot shorten the log: somebody reads '" + parts_.state->db().path() + "'");
  }
  state_frames_next_ = 0;
  return parts_.log->compact(order.index, order.config);
}

// --- copies --------------------------------------------------------------------------------------

void StoreThread::make_snapshot() {
  add_work(CopyOrder{});
}

void StoreThread::back_up(std::string path, std::uint64_t tag) {
  add_work(CopyOrder{std::move(path), tag});
}

void StoreThread::do_copy(const CopyOrder& order) {
  const auto refuse = [&](const Error& error) {
    if (order.path.empty()) {
      push(SnapshotMade{{}, fail(error)});
    } else {
      push(BackedUp{order.tag, {}, fail(error)});
    }
  };
  if (is_failed_) return refuse(failure_);
  Result<FrozenState> frozen = freeze_state(parts_.state->db().path());
  if (!frozen) return refuse(frozen.error());
  const Result<std::int64_t> term = parts_.log->term_at(frozen->index);
  if (!term) return refuse(term.error());
  // Work is copied with its closure, a connection is not.
  const auto from = std::make_shared<FrozenState>(std::move(*frozen));
  copier_.post([this, from, order, term = *term](const std::atomic<bool>& stops) {
    if (order.path.empty()) {
      copy_snapshot(*from, term, stops);
      return;
    }
    Result<StateCopy> copy = copy_state(*from, term, order.path, stops);
    if (copy) {
      push(BackedUp{order.tag, std::move(*copy), {}});
    } else {
      push(BackedUp{order.tag, {}, fail(copy.error())});
    }
  });
}

void StoreThread::copy_snapshot(const FrozenState& from, std::int64_t term,
                                const std::atomic<bool>& stops) {
  if (!snapshots_.empty() && snapshots_.back().index == from.index) {
    push(SnapshotMade{snapshots_.back(), {}});
    return;
  }
  const std::string path = parts_.dir.file("snapshot-" + std::to_string(from.index) + ".db");
  Result<StateCopy> copy = copy_state(from, term, path, stops);
  if (!copy) {
    push(SnapshotMade{{}, fail(copy.error())});
    return;
  }
  snapshots_.push_back(*copy);
  while (snapshots_.size() > kSnapshotsKept) {
    // One that cannot be removed now goes at the next open.
    static_cast<void>(remove_file(snapshots_.front().path));
    snapshots_.erase(snapshots_.begin());
  }
  push(SnapshotMade{std::move(*copy), {}});
}

void StoreThread::read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                                std::uint64_t tag) {
  copier_.post([this, index, offset, size, tag](const std::atomic<bool>& /*stops*/) {
    Result<std::string> bytes = read_piece(index, offset, size);
    if (bytes) {
      push(SnapshotRead{tag, offset, std::move(*bytes), {}});
    } else {
      push(SnapshotRead{tag, offset, {}, fail(bytes.error())});
    }
  });
}

Result<std::string> StoreThread::read_piece(std::int64_t index, std::uint64_t offset,
                                            std::uint64_t size) const {
  const auto found = std::find_if(snapshots_.begin(), snapshots_.end(),
                                  [&](const StateCopy& copy) { return copy.index == index; });
  if (found == snapshots_.end()) return fail(gone(index));
  DC_TRY(const UniqueFd fd, open_to_read(found->path));
  return read_at(fd.get(), found->path, offset, size);
}

// --- installs ------------------------------------------------------------------------------------

void StoreThread::install(SnapshotPiece piece) {
  copier_.post([this, piece = std::move(piece)](const std::atomic<bool>& stops) {
    take_piece(piece, stops);
  });
}

void StoreThread::take_piece(const SnapshotPiece& piece, const std::atomic<bool>& stops) {
  const std::int64_t index = piece.start.index;
  if (index <= applied_) {
    incoming_.forget();
    push(PieceStored{index, piece.size,
                     fail(ErrorCode::kConflict, "cannot install snapshot " + std::to_string(index) +
                                                    ": state.db has got so far already"),
                     false});
    return;
  }
  const Result<std::uint64_t> next = incoming_.take(piece);
  if (!next) {
    push(PieceStored{index, piece.offset, fail(next.error()), false});
    return;
  }
  if (*next < piece.size) {
    push(PieceStored{index, *next, {}, false});
    return;
  }
  Status whole = incoming_.finish(stops);
  if (!whole) {
    push(PieceStored{index, 0, std::move(whole), false});
    return;
  }
  add_work(Swap{piece.start, piece.size});
}

void StoreThread::begin_swap(const Swap& order) {
  Status done;
  if (is_failed_) {
    done = fail(failure_);
  } else if (order.start.index <= parts_.state->applied_index()) {
    done =
        fail(ErrorCode::kConflict, "cannot install snapshot " + std::to_string(order.start.index) +
                                       ": state.db has got so far already");
  } else {
    done = parts_.log->begin_install(order.start);
  }
  if (!done) {
    const bool fatal = done.error().code != ErrorCode::kConflict && note_failure(done.error());
    push(PieceStored{order.start.index, order.size, std::move(done), fatal});
    return;
  }
  swap_ = order;
  continue_swap();
}

void StoreThread::continue_swap() {
  if (!swap_ || is_failed_) return;
  Result<Loaded> loaded = swap_now();
  const std::int64_t index = swap_->start.index;
  if (!loaded) {
    const bool fatal = note_failure(loaded.error());
    if (fatal || !swap_error_) {
      push(PieceStored{index, swap_->size, fail(loaded.error()), fatal});
    }
    swap_error_ = loaded.error();
    return;
  }
  {
    const MutexLock lock(mutex_);
    log_size_ = parts_.log->size();
  }
  push(PieceStored{index, swap_->size, {}, false});
  push(SnapshotInstalled{index, std::make_unique<Loaded>(std::move(*loaded))});
  swap_.reset();
  swap_error_.reset();
  ignored_through_ = index;
  applied_ = index;
  trimmed_at_ = index;
  state_frames_next_ = 0;
  copier_.post([this](const std::atomic<bool>& /*stops*/) { incoming_.forget(); });
}

Result<Loaded> StoreThread::swap_now() {
  parts_.reader.reset();
  parts_.state.reset();
  DC_CHECK_OK(place_install(parts_.dir, swap_->start));
  DC_TRY(parts_.state, StateDb::open(parts_.dir.file("state.db")));
  DC_CHECK_OK(check_installed(*parts_.state, swap_->start));
  DC_TRY(parts_.reader, DbReader::make(parts_.state->db()));
  DC_CHECK_OK(parts_.log->end_install());
  return load();
}

}  // namespace distcron::store
