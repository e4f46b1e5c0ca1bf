// SPDX-License-Identifier: Apache-2.0
#include "agent/log_pipe.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "wire/codec.h"

namespace distcron::agent {
namespace {

/// The log is shortened when it has so much, but for the last kKeptEntries.
constexpr std::int64_t kLogEntries = 10'000;
constexpr std::int64_t kLogBytes = std::int64_t{16} << 20U;
constexpr std::int64_t kKeptEntries = 1000;

}  // namespace

wire::ChangeReply reply_of(const planner::Applied& applied, const planner::State& state,
                           WallTime now) {
  wire::ChangeReply reply;
  for (const planner::AppliedItem& item : applied.items) {
    wire::ChangeItem out;
    out.name = item.name;
    out.action = item.action;
    if (item.version > 0) out.version = item.version;
    if (item.run_id > 0) out.run_id = item.run_id;
    out.live_runs = item.live_runs;
    if (const planner::Job* job = state.find_job(item.name); job != nullptr) {
      out.next_at = state.next_slot(*job, now);
    }
    reply.items.push_back(std::move(out));
  }
  return reply;
}

void LogPipe::start_after(std::int64_t last_index, std::int64_t term) {
  last_index_ = last_index;
  last_applied_ = last_index;
  term_ = term;
}

Status LogPipe::replay(const std::vector<store::LogEntry>& entries) {
  for (const store::LogEntry& logged : entries) {
    auto entry = wire::decode<model::Entry>(logged.bytes);
    if (!entry) {
      return fail(
          std::move(entry).error().within("cannot read log entry " + std::to_string(logged.index)));
    }
    planner::Applied applied = state_.apply(*entry, logged.index);
    if (applied.status && !entry->request_id.empty()) {
      applied.changes.request_id = entry->request_id;
      applied.changes.request_reply = wire::encode(reply_of(applied, state_, entry->at));
    }
    store_.post(std::move(applied.changes));
  }
  return {};
}

void LogPipe::propose(model::Entry entry, Done done) {
  if (waiting_.size() >= kWaitingMax) {
    planner::Applied refused;
    refused.status = fail(ErrorCode::kUnavailable,
                          "cannot take the change: too many wait to be stored; try again");
    done(refused);
    return;
  }
  waiting_.push_back(Proposal{std::move(entry), std::move(done)});
}

void LogPipe::journal(store::JournalPut put, Written done) {
  waiting_notes_.push_back(Noted{std::move(put), std::move(done)});
}

void LogPipe::flush() {
  if (in_flight_) return;
  if (waiting_.empty() && waiting_notes_.empty()) {
    // Drops alone do not hurry: while the disk is full they wait for the next real batch.
    if (waiting_drops_.empty() || !health_) return;
  }
  const std::size_t count = std::min(waiting_.size(), kBatchEntriesMax);
  const auto cut = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  flying_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(cut));
  waiting_.erase(waiting_.begin(), cut);
  flying_notes_ = std::exchange(waiting_notes_, {});
  flying_drops_ = std::exchange(waiting_drops_, {});

  store::DurableBatch batch;
  batch.tag = ++tag_;
  std::int64_t index = last_index_;
  for (const Proposal& proposal : flying_) {
    batch.entries.push_back(store::LogEntry{++index, term_, wire::encode(proposal.entry)});
  }
  for (const Noted& note : flying_notes_)
    batch.journal.push_back(note.put);
  batch.dropped = flying_drops_;
  in_flight_ = true;
  store_.post(std::move(batch));
}

void LogPipe::on_durable(const store::Durable& durable) {
  if (durable.tag != tag_ || !in_flight_) return;
  in_flight_ = false;
  health_ = durable.status;
  const std::vector<Proposal> proposals = std::exchange(flying_, {});
  const std::vector<Noted> notes = std::exchange(flying_notes_, {});
  const std::vector<store::JournalDrop> drops = std::exchange(flying_drops_, {});
  if (!durable.status) {
    // Nothing of the batch is stored: drops are tried again, everything else is its owner's affair.
    waiting_drops_.insert(waiting_drops_.end(), drops.begin(), drops.end());
    planner::Applied failed;
    Error error = Error(durable.status.error()).within("cannot store the change");
    error.code = ErrorCode::kUnavailable;  // the disk's trouble, not a bug: trying again is safe
    failed.status = fail(std::move(error));
    for (const Proposal& proposal : proposals)
      proposal.done(failed);
    for (const Noted& note : notes)
      note.done(durable.status);
    return;
  }
  for (const Noted& note : notes)
    note.done(durable.status);
  for (const Proposal& proposal : proposals)
    apply(proposal, ++last_index_);
}

void LogPipe::on_written(const store::StateWritten& written) {
  const store::LogSize size = store_.log_size();
  const bool is_long = size.last_index - size.base_index >= kLogEntries || size.bytes >= kLogBytes;
  const bool is_time = size.last_index - compacted_at_ >= kKeptEntries;
  if (!written.status || !is_long || !is_time) return;
  compacted_at_ = size.last_index;
  store_.compact(written.index - kKeptEntries, {});
}

void LogPipe::apply(const Proposal& proposal, std::int64_t index) {
  planner::Applied applied = state_.apply(proposal.entry, index);
  last_applied_ = index;
  if (applied.status && !proposal.entry.request_id.empty()) {
    applied.changes.request_id = proposal.entry.request_id;
    applied.changes.request_reply = wire::encode(reply_of(applied, state_, proposal.entry.at));
  }
  store_.post(std::move(applied.changes));
  applied.changes = {};
  for (const planner::Order& order : applied.orders)
    on_order_(order);
  proposal.done(applied);
}

}  // namespace distcron::agent
