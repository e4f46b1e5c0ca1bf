// SPDX-License-Identifier: Apache-2.0
// LogPipe: proposals in, applied entries out. Owns the order persist -> apply -> act: an entry is
// appended to the log, and only when the store says that it is durable it is applied to the state,
// its rows go to the store, its orders go out and its proposer is answered. One batch is under way
// at a time; what arrives meanwhile forms the next (group commit). Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/command.h"
#include "planner/state.h"
#include "store/store.h"
#include "wire/messages.h"

namespace distcron::agent {

class LogPipe {
 public:
  /// Gets what came of a proposal. On an error of the store `applied.status` says so and nothing
  /// has happened.
  using Done = std::function<void(const planner::Applied& applied)>;
  using Written = std::function<void(const Status& status)>;
  using OnOrder = std::function<void(const planner::Order& order)>;

  LogPipe(store::Store& store, planner::State& state, OnOrder on_order)
      : store_(store), state_(state), on_order_(std::move(on_order)) {}

  /// Continues after the last index of the stored log.
  void start_after(std::int64_t last_index, std::int64_t term);

  /// Applies entries that were in the log but not in state.db. Orders are dropped: the host
  /// compares its own notes with the state afterwards.
  [[nodiscard]] Status replay(const std::vector<store::LogEntry>& entries);

  /// kUnavailable through `done` when kWaitingMax proposals wait.
  void propose(model::Entry entry, Done done);
  void journal(store::JournalPut put, Written done);

  void drop(store::JournalDrop drop) { waiting_drops_.push_back(drop); }

  /// Once a turn, after all events: posts the next batch when none is under way.
  void flush();
  void on_durable(const store::Durable& durable);
  /// state.db has got further: the log before that may go.
  void on_written(const store::StateWritten& written);

  [[nodiscard]] bool is_idle() const { return !in_flight_ && waiting_.empty(); }

  [[nodiscard]] std::int64_t last_applied() const { return last_applied_; }

  [[nodiscard]] std::int64_t term() const { return term_; }

  /// Of the last append; an error while the disk is full.
  [[nodiscard]] const Status& health() const { return health_; }

  static constexpr std::size_t kWaitingMax = 20'000;
  static constexpr std::size_t kBatchEntriesMax = 1'000;

 private:
  struct Proposal {
    model::Entry entry;
    Done done;
  };

  struct Noted {
    store::JournalPut put;
    Written done;
  };

  void apply(const Proposal& proposal, std::int64_t index);

  store::Store& store_;
  planner::State& state_;
  OnOrder on_order_;
  std::vector<Proposal> waiting_;
  std::vector<Noted> waiting_notes_;
  std::vector<store::JournalDrop> waiting_drops_;
  std::vector<Proposal> flying_;
  std::vector<Noted> flying_notes_;
  std::vector<store::JournalDrop> flying_drops_;
  bool in_flight_ = false;
  std::uint64_t tag_ = 0;
  std::int64_t last_index_ = 0;
  std::int64_t compacted_at_ = 0;  ///< last_index_ when the log was last to be shortened.
  std::int64_t last_applied_ = 0;
  std::int64_t term_ = 0;
  Status health_;
};

/// The answer to a changing request, the same for the first try and for a repeated request id.
[[nodiscard]] wire::ChangeReply reply_of(const planner::Applied& applied,
                                         const planner::State& state, WallTime now);

}  // namespace distcron::agent
