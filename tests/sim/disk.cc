// SPDX-License-Identifier: Apache-2.0
#include "sim/disk.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace distcron::sim {

using consensus::Entry;
using consensus::Index;

void Disk::format(RaftDb raft, Machine state) {
  raft_ = std::move(raft);
  state_ = std::move(state);
  seen_ = state_;
  seen_later_ = state_;
}

void Disk::see_state(const Machine& running) {
  if (rng_.below(3) == 0) seen_ = seen_later_;
  seen_later_ = running;
}

void Disk::end_flush(const std::function<void(const DiskWrite&)>& done) {
  std::vector<DiskWrite> writes;
  writes.swap(flushing_);
  for (DiskWrite& write : writes) {
    perform(write);
    done(write);
  }
}

std::vector<DiskWrite> Disk::drop_unsynced() {
  std::vector<DiskWrite> all;
  all.swap(flushing_);
  // A flush may have been done already, its news still under way.
  if (rng_.below(2) == 0) {
    std::vector<DiskWrite> others;
    for (DiskWrite& write : all) {
      if (write.kind == DiskWrite::Kind::kReady)
        perform(write);
      else
        others.push_back(std::move(write));
    }
    all.swap(others);
  }
  std::move(queued_.begin(), queued_.end(), std::back_inserter(all));
  queued_.clear();
  std::erase_if(all, [](const DiskWrite& w) { return w.kind == DiskWrite::Kind::kReady; });
  return all;
}

void Disk::write_entries(std::vector<Entry>& entries, std::size_t count) {
  if (count == 0) return;
  const Index first = entries.front().index;
  if (first <= raft_.base_index || first > raft_.last_index() + 1) {
    on_error("the core wrote entries that do not continue the log on disk");
    return;
  }
  if (first <= raft_.last_index()) {
    on_replace(first);
    raft_.entries.resize(static_cast<std::size_t>(first - raft_.base_index - 1));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (entries[i].index != raft_.last_index() + 1) {
      on_error("the core wrote entries with a gap");
      return;
    }
    raft_.entries.push_back(std::move(entries[i]));
  }
}

void Disk::perform(DiskWrite& write) {
  switch (write.kind) {
    case DiskWrite::Kind::kReady:
      if (write.hard) raft_.hard = *write.hard;
      write_entries(write.entries, write.entries.size());
      break;
    case DiskWrite::Kind::kCompact:
      if (write.base_index <= raft_.base_index || write.base_index > raft_.last_index()) break;
      raft_.entries.erase(raft_.entries.begin(),
                          raft_.entries.begin() + (write.base_index - raft_.base_index));
      raft_.base_index = write.base_index;
      raft_.base_term = write.base_term;
      raft_.base_config = write.base_config;
      raft_.base_config_index = write.base_config_index;
      break;
    case DiskWrite::Kind::kInstall:
      state_ = *write.machine;
      seen_ = state_;
      seen_later_ = state_;
      resolve_install();
      break;
  }
  on_durable(write);
}

/// state.db is the new one: the log is dropped and begins after it.
void Disk::resolve_install() {
  if (raft_.last_index() > state_.applied) on_replace(state_.applied + 1);
  raft_.entries.clear();
  raft_.base_index = state_.applied;
  raft_.base_term = state_.term;
  raft_.base_config = state_.config;
  raft_.base_config_index = state_.config_index;
}

void Disk::keep_part(DiskWrite& write) {
  if (write.kind != DiskWrite::Kind::kReady) return;
  if (!write.entries.empty() && write.entries.front().index <= raft_.last_index()) return;
  if (write.hard) raft_.hard = *write.hard;
  // A record is whole or, by its checksum, not there: the cut lies between two of them.
  write_entries(write.entries, rng_.below(write.entries.size() + 1));
  write.entries.clear();
  on_durable(write);
}

std::int64_t Disk::crash(bool is_torn) {
  std::vector<DiskWrite> all;
  all.swap(flushing_);
  std::move(queued_.begin(), queued_.end(), std::back_inserter(all));
  queued_.clear();
  std::uint64_t kept = 0;
  switch (rng_.below(3)) {
    case 0:
      break;
    case 1:
      kept = all.size();
      break;
    default:
      kept = rng_.below(all.size() + 1);
      break;
  }
  // What state.db held before an installation counts for nothing after it.
  if (rng_.below(2) == 0 && seen_later_.applied > state_.applied) {
    state_ = rng_.below(2) == 0 && seen_.applied > state_.applied ? seen_ : seen_later_;
  }
  for (std::uint64_t i = 0; i < kept; ++i)
    perform(all[i]);
  was_torn_ = is_torn && kept < all.size() && rng_.below(2) == 0;
  if (was_torn_) keep_part(all[kept]);
  seen_ = state_;
  seen_later_ = state_;
  return static_cast<std::int64_t>(kept);
}

}  // namespace distcron::sim
