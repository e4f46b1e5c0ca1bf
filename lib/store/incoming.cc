// SPDX-License-Identifier: Apache-2.0
#include "store/incoming.h"

#include "store/file_io.h"
#include "store/state_copy.h"

namespace distcron::store {

std::string install_name(const LogStart& start) {
  return "install-" + std::to_string(start.index) + "-" + std::to_string(start.term) + ".db";
}

bool Incoming::is_same(const SnapshotPiece& piece) const {
  return piece.start == facts_.start && piece.size == facts_.size && piece.crc == facts_.crc;
}

Status Incoming::begin(const SnapshotPiece& piece) {
  forget();
  DC_CHECK_OK(remove_file(part()));
  DC_TRY(file_, make_new_file(part()));
  facts_ = SnapshotPiece{piece.start, piece.size, piece.crc, 0, {}};
  return {};
}

Result<std::uint64_t> Incoming::take(const SnapshotPiece& piece) {
  if (is_ready_ && is_same(piece)) return next_;
  if (!file_ || !is_same(piece)) {
    if (piece.offset != 0) return 0;
    DC_CHECK_OK(begin(piece));
  }
  if (piece.offset != next_) return next_;
  if (piece.bytes.size() > facts_.size - next_) {
    return fail(ErrorCode::kInvalid, "cannot store a piece of snapshot " +
                                         std::to_string(facts_.start.index) +
                                         ": it reaches beyond the announced size");
  }
  DC_CHECK_OK(write_at(file_.get(), part(), next_, piece.bytes));
  next_ += piece.bytes.size();
  return next_;
}

Status Incoming::check(const std::atomic<bool>& stops) const {
  DC_CHECK_OK(sync_file(file_.get(), part()));
  DC_TRY(const std::uint32_t crc, crc_of_file(file_.get(), part(), stops));
  if (crc != facts_.crc) {
    return fail(ErrorCode::kCorrupt, "cannot install snapshot " +
                                         std::to_string(facts_.start.index) +
                                         ": it does not match its checksum");
  }
  DC_TRY(const CopyFacts found, examine_copy(part(), Examination::kQuick, stops));
  if (found.index != facts_.start.index) {
    return fail(ErrorCode::kCorrupt, "cannot install snapshot " +
                                         std::to_string(facts_.start.index) +
                                         ": it ends at entry " + std::to_string(found.index));
  }
  return {};
}

Status Incoming::finish(const std::atomic<bool>& stops) {
  if (is_ready_) return {};
  Status done = check(stops);
  const std::string whole = dir_ + "/" + install_name(facts_.start);
  if (done) done = rename_file(part(), whole);
  if (done) done = sync_directory_of(whole);
  if (!done) {
    forget();
    return done;
  }
  file_.reset();
  is_ready_ = true;
  return {};
}

void Incoming::forget() {
  // A part that cannot be removed now is removed before the next one is made.
  if (file_) static_cast<void>(remove_file(part()));
  file_.reset();
  facts_ = {};
  next_ = 0;
  is_ready_ = false;
}

}  // namespace distcron::store
