// SPDX-License-Identifier: Apache-2.0
// Proposals, the batches on their way to the disk, and what is committed.
#include "agent/replica.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/mutant.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr Seconds kDiskPause{1};

planner::Applied failed(Error error) {
  planner::Applied applied;
  applied.status = fail(std::move(error));
  return applied;
}

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
    if (item.node_id > 0) out.node_id = item.node_id;
    if (const planner::Job* job = state.find_job(item.name); job != nullptr) {
      out.next_at = state.next_slot(*job, now);
    }
    reply.items.push_back(std::move(out));
  }
  return reply;
}

Status Replica::start(const consensus::Settings& settings, consensus::Stored stored,
                      consensus::Dice& dice, const Now& now) {
  now_ = now;
  settings_ = settings;
  last_applied_ = stored.applied;
  kept_index_ = stored.entries.empty() ? stored.base_index : stored.entries.back().index;
  DC_TRY(raft_, consensus::Raft::make(settings, std::move(stored), dice, now.mono));
  step(consensus::Tick{});
  return {};
}

void Replica::propose(model::Entry entry, Done done, Patience patience) {
  Proposal proposal{std::move(entry), std::move(done), patience, now_.mono + kClientWait};
  if (waiting_.size() >= kWaitingMax && patience != Patience::kForever) {
    refuse(proposal, Error{ErrorCode::kUnavailable,
                           "cannot take the change: too many wait to be stored; try again",
                           0,
                           {}});
    return;
  }
  if (!health_ && patience != Patience::kForever) {
    Error error = Error(health_.error()).within("cannot store the change");
    error.code = ErrorCode::kUnavailable;  // the disk's trouble: trying again is safe
    refuse(proposal, std::move(error));
    return;
  }
  if (patience == Patience::kClient && is_lost()) {
    refuse(proposal, no_leader());
    return;
  }
  if (patience == Patience::kThisTerm) {
    ++decisions_out_;
    proposal.done = [this, then = std::move(proposal.done)](const planner::Applied& applied) {
      --decisions_out_;
      then(applied);
    };
  }
  waiting_.push_back(std::move(proposal));
}

void Replica::journal(store::JournalPut put, Written done) {
  waiting_notes_.push_back(Noted{std::move(put), std::move(done)});
}

void Replica::refuse(Proposal& proposal, Error error) {
  const Done done = std::exchange(proposal.done, nullptr);
  if (done) done(failed(std::move(error)));
}

bool Replica::is_alone() const {
  const auto& members = raft_->config().members;
  return members.size() == 1 && members.front().id == settings_.self;
}

std::vector<consensus::Member> Replica::config_members() const {
  if (!raft_) return {};
  std::vector<consensus::Member> out = raft_->config().members;
  if (raft_->is_config_pending()) {
    consensus::Index index = 0;
    const consensus::Config committed = raft_->config_at(raft_->commit_index(), index);
    out.insert(out.end(), committed.members.begin(), committed.members.end());
  }
  return out;
}

bool Replica::is_idle() const {
  return !in_flight_ && waiting_.empty() && waiting_for_others_.empty() && placed_.empty();
}

bool Replica::is_scheduler() const {
  return raft_->is_scheduler();
}

std::int64_t Replica::term() const {
  return raft_->term();
}

std::int64_t Replica::last_applied() const {
  return last_applied_;
}

bool Replica::is_caught_up() const {
  return raft_ && last_applied_ >= std::min(kept_index_, raft_->last_index());
}

void Replica::on_pruned(std::function<void(const std::vector<std::int64_t>&)> hear) {
  on_pruned_ = std::move(hear);
}

Error Replica::no_leader() const {
  if (!health_) return Error(health_.error()).within("cannot store the change");
  return Error{ErrorCode::kUnavailable,
               "the cluster has no scheduler now: no majority of its voters is in touch", 0,
               "distcronctl cluster status shows who is missing; asking again is safe"};
}

// --- into the core -------------------------------------------------------------------------------

void Replica::step(consensus::Event event) {
  handle(raft_->step(now_.mono, std::move(event)));
}

Heard Replica::receive(consensus::Message message) {
  consensus::Ready ready = raft_->step(now_.mono, consensus::Receive{std::move(message)});
  Heard heard = Heard::kTaken;
  if (ready.old_leader != 0) heard = Heard::kOldLeader;
  if (ready.second_leader != 0) heard = Heard::kSecondLeader;
  handle(std::move(ready));
  return heard;
}

void Replica::change_member(const consensus::Member& member, bool removes, Written done) {
  const std::uint64_t tag = ++tag_;
  changes_.emplace(tag, std::move(done));
  step(consensus::ChangeMember{tag, member, removes});
}

void Replica::barrier(Written done) {
  if (!health_ && is_alone()) {
    done({});  // nobody else could have changed anything
    return;
  }
  if (is_lost()) {
    done(fail(no_leader()));
    return;
  }
  const std::uint64_t tag = ++tag_;
  barriers_.emplace(tag, Barrier{std::move(done), now_.mono + kClientWait, now_.mono, 0});
  step(consensus::Read{tag});
}

// --- out of the core -----------------------------------------------------------------------------

void Replica::handle(consensus::Ready ready) {
  for (const consensus::Message& message : ready.send)
    link_.send(message);
  for (const consensus::Accepted& accepted : ready.accepted)
    on_accepted(accepted);
  for (const consensus::Refused& refused : ready.refused)
    on_refused(refused);
  if (ready.tag != 0) keep(ready);
  for (const consensus::Entry& entry : ready.committed)
    apply(entry);
  if (!ready.committed.empty()) step(consensus::AppliedTo{last_applied_});
  for (const consensus::ReadReady& read : ready.reads)
    on_read(read);
  for (const consensus::ChunkWanted& wanted : ready.chunks_wanted)
    want_chunk(wanted);
  if (ready.chunk_received) store_chunk(*ready.chunk_received);
  if (ready.role_changed) role_changed_ = true;
  if (!ready.violation.empty() && !corrupt_) {
    corrupt_ =
        Error{ErrorCode::kCorrupt, "the log of the cluster contradicts itself: " + ready.violation,
              0, "keep raft.db as evidence; let this host join again with empty storage"};
  }
  newer_incarnation_ = std::max(newer_incarnation_, ready.newer_incarnation);
  if (!barriers_.empty()) answer_barriers();
}

/// A proposal whose place in the log went to another leader's entry. The host's own are proposed
/// anew: the state takes no fact a second time, should the first one come through after all.
void Replica::take_back(Proposal proposal, bool is_lost) {
  if (proposal.patience == Patience::kForever) {
    waiting_.push_back(std::move(proposal));
    return;
  }
  refuse(proposal, is_lost ? Error{ErrorCode::kUnavailable,
                                   "the scheduler has changed and the change was lost; try again",
                                   0,
                                   {}}
                           : unconfirmed_change("the scheduler has changed"));
}

/// Of two with one place the older term's is out, if not for ever: who has it may yet lead.
void Replica::place(std::int64_t index, Proposal proposal) {
  const auto [at, is_free] = placed_.try_emplace(index);
  if (!is_free) {
    if (at->second.term > proposal.term) std::swap(at->second, proposal);
    take_back(std::move(at->second), false);
  }
  at->second = std::move(proposal);
}

/// Places from an older term than that of the newest entry, unless the entry there is of it.
void Replica::take_back_overwritten(const std::vector<consensus::Entry>& entries) {
  const std::int64_t first = entries.front().index;
  for (auto at = placed_.lower_bound(first); at != placed_.end();) {
    const auto offset = static_cast<std::size_t>(at->first - first);
    const bool is_there = offset < entries.size() && entries[offset].term == at->second.term;
    if (is_there || at->second.term >= entries.back().term) {
      ++at;
      continue;
    }
    Proposal proposal = std::move(at->second);
    at = placed_.erase(at);
    take_back(std::move(proposal), false);
  }
}

/// Adds what a Ready wants stored to the batch that is being gathered.
void Replica::keep(consensus::Ready& ready) {
  if (ready.hard) gathered_.hard = store::HardState{ready.hard->term, ready.hard->vote};
  if (!ready.entries.empty()) {
    const std::int64_t first = ready.entries.front().index;
    std::erase_if(gathered_.entries,
                  [first](const store::LogEntry& entry) { return entry.index >= first; });
    take_back_overwritten(ready.entries);
    for (consensus::Entry& entry : ready.entries) {
      gathered_.entries.push_back(store::LogEntry{entry.index, entry.term, std::move(entry.data),
                                                  static_cast<std::uint8_t>(entry.kind)});
    }
  }
  gathered_messages_.insert(gathered_messages_.end(),
                            std::make_move_iterator(ready.send_when_durable.begin()),
                            std::make_move_iterator(ready.send_when_durable.end()));
  gathered_tag_ = ready.tag;
}

void Replica::on_accepted(const consensus::Accepted& accepted) {
  if (const auto mine = offered_.extract(accepted.tag); !mine.empty()) {
    std::int64_t index = accepted.first;
    for (Proposal& proposal : mine.mapped()) {
      proposal.term = accepted.term;
      place(index++, std::move(proposal));
    }
    return;
  }
  if (const auto other = offered_for_others_.extract(accepted.tag); !other.empty()) {
    link_.answer(other.mapped().first, other.mapped().second, accepted.first, accepted.term);
    return;
  }
  if (const auto change = changes_.extract(accepted.tag); !change.empty()) change.mapped()({});
}

void Replica::on_refused(const consensus::Refused& refused) {
  if (auto mine = offered_.extract(refused.tag); !mine.empty()) {
    for (Proposal& proposal : mine.mapped()) {
      if (proposal.patience == Patience::kForever &&
          refused.error.code == ErrorCode::kUnavailable) {
        waiting_.push_back(std::move(proposal));
      } else {
        refuse(proposal, refused.error);
      }
    }
    return;
  }
  if (const auto other = offered_for_others_.extract(refused.tag); !other.empty()) {
    link_.answer(other.mapped().first, other.mapped().second, fail(refused.error), 0);
    return;
  }
  if (const auto change = changes_.extract(refused.tag); !change.empty()) {
    change.mapped()(fail(refused.error));
  }
}

void Replica::on_read(const consensus::ReadReady& read) {
  const auto found = barriers_.find(read.tag);
  if (found == barriers_.end()) return;
  if (read.index > 0) {
    found->second.index = read.index;
  } else {
    found->second.ask_again = now_.mono + kAskAgain;
  }
}

void Replica::answer_barriers() {
  std::vector<Written> ready;
  for (auto at = barriers_.begin(); at != barriers_.end();) {
    Barrier& barrier = at->second;
    if (barrier.index == 0 || barrier.index > last_applied_) {
      ++at;
      continue;
    }
    ready.push_back(std::move(barrier.done));
    at = barriers_.erase(at);
  }
  for (const Written& done : ready)
    done({});
}

// --- committed -----------------------------------------------------------------------------------

void Replica::apply(const consensus::Entry& entry) {
  last_applied_ = entry.index;
  auto found = placed_.extract(entry.index);
  Proposal proposal;
  bool is_mine = false;
  if (!found.empty()) {
    proposal = std::move(found.mapped());
    // What another member says of the place is believed only as far as it fits.
    const bool is_here = proposal.forwarded.empty() || proposal.forwarded == entry.data;
    is_mine = proposal.term == entry.term && is_here;
    if (!is_here && proposal.patience == Patience::kClient) {
      refuse(proposal, unconfirmed_change("the scheduler has named a wrong place for it"));
    } else if (!is_mine) {
      take_back(std::move(proposal), true);
    }
  }
  if (entry.kind != consensus::EntryKind::kCommand) {
    if (entry.kind == consensus::EntryKind::kConfig) role_changed_ = true;
    planner::Changes none;
    none.index = entry.index;
    store_.post(std::move(none));
    return;
  }
  if (is_mine) {
    run(proposal.entry, entry.index, proposal.done);
    return;
  }
  const auto decoded = wire::decode<model::Entry>(entry.data);
  if (decoded) {
    run(*decoded, entry.index, nullptr);
  } else {
    corrupt_ =
        Error(decoded.error()).within("cannot read log entry " + std::to_string(entry.index));
  }
}

void Replica::run(const model::Entry& entry, std::int64_t index, const Done& done) {
  planner::Applied applied = state_.apply(entry, index);
  if (!applied.changes.request_id.empty()) {
    applied.changes.request_reply = wire::encode(reply_of(applied, state_, entry.at));
  }
  const planner::Changes& changes = applied.changes;
  if (!changes.nodes.empty() || !changes.tokens.empty() || !changes.removed_tokens.empty()) {
    role_changed_ = true;
  }
  if (on_pruned_ && !applied.changes.removed_runs.empty()) on_pruned_(applied.changes.removed_runs);
  store_.post(std::move(applied.changes));
  applied.changes = {};
  for (const planner::Order& order : applied.orders)
    on_order_(order);
  if (done) done(applied);
}

// --- the disk ------------------------------------------------------------------------------------

void Replica::flush() {
  place_waiting();
  if (in_flight_) return;
  if (gathered_tag_ == 0 && waiting_notes_.empty()) {
    // Drops alone do not hurry: while the disk is full they wait for the next real batch.
    if (waiting_drops_.empty() || !health_) return;
  }
  flying_notes_ = std::exchange(waiting_notes_, {});
  flying_drops_ = std::exchange(waiting_drops_, {});
  flying_messages_ = std::exchange(gathered_messages_, {});
  flying_tag_ = std::exchange(gathered_tag_, 0);
  store::DurableBatch batch = std::exchange(gathered_, {});
  batch.tag = ++batch_;
  for (const Noted& note : flying_notes_)
    batch.journal.push_back(note.put);
  batch.dropped = flying_drops_;
  in_flight_ = true;
  if (mutant("send-before-durable")) {
    for (const consensus::Message& message : std::exchange(flying_messages_, {}))
      link_.send(message);
  }
  store_.post(std::move(batch));
}

void Replica::on_durable(const store::Durable& durable) {
  if (durable.tag != batch_ || !in_flight_) return;
  in_flight_ = false;
  const std::vector<Noted> notes = std::exchange(flying_notes_, {});
  const std::vector<store::JournalDrop> drops = std::exchange(flying_drops_, {});
  const std::vector<consensus::Message> messages = std::exchange(flying_messages_, {});
  const std::uint64_t tag = std::exchange(flying_tag_, 0);
  health_ = durable.status;
  if (!durable.status) {
    // Nothing of the batch is stored: drops are tried again, notes are their owner's affair, and
    // the core gives its part anew when there is room.
    waiting_drops_.insert(waiting_drops_.end(), drops.begin(), drops.end());
    gathered_ = {};
    gathered_messages_.clear();
    gathered_tag_ = 0;
    disk_again_ = now_.mono + kDiskPause;
    step(consensus::DiskFull{true});
    Error error = Error(durable.status.error()).within("cannot store the change");
    error.code = ErrorCode::kUnavailable;
    refuse_forgotten(error);
    give_up_clients(error);
    for (const Noted& note : notes)
      note.done(durable.status);
    return;
  }
  for (const Noted& note : notes)
    note.done(durable.status);
  for (const consensus::Message& message : messages)
    link_.send(message);
  if (tag != 0) step(consensus::Durable{tag});
}

/// An agent that is alone forgets what it could not store: that has certainly not happened.
void Replica::refuse_forgotten(const Error& why) {
  while (!placed_.empty() && placed_.rbegin()->first > raft_->last_index()) {
    auto last = placed_.extract(std::prev(placed_.end()));
    refuse(last.mapped(), why);
  }
}

/// Nobody shall wait for a disk. What is in the log already may still take effect later.
void Replica::give_up_clients(const Error& why) {
  for (Proposal& proposal : std::exchange(waiting_, {})) {
    if (proposal.patience == Patience::kForever) {
      waiting_.push_back(std::move(proposal));
    } else {
      refuse(proposal, why);
    }
  }
  for (auto& [index, proposal] : placed_) {
    if (proposal.patience == Patience::kClient) refuse(proposal, unconfirmed_change(why.message));
  }
}

}  // namespace distcron::agent
