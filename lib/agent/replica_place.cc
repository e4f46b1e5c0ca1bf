// SPDX-License-Identifier: Apache-2.0
// The way of proposals into the log: here where this member leads, else through who does.
#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "agent/replica.h"
#include "base/mutant.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr Millis kChangeWait{300};
/// Then who has forwarded an edit is told to ask again; shorter than Replica::kForwardWait.
constexpr Seconds kHoldWait{1};

/// It may move slots that are not decided yet, or take them away.
bool is_edit(const model::Entry& entry) {
  return std::holds_alternative<model::PutJobs>(entry.command) ||
         std::holds_alternative<model::RemoveJobs>(entry.command) ||
         std::holds_alternative<model::RenameJob>(entry.command) ||
         std::holds_alternative<model::SetEnabled>(entry.command);
}

bool is_edit(const std::string& forwarded) {
  const auto entry = wire::decode<model::Entry>(forwarded);
  return entry && is_edit(*entry);
}

}  // namespace

bool Replica::has_waiting_edits() const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [](const Proposal& p) { return is_edit(p.entry); }) ||
         std::any_of(waiting_for_others_.begin(), waiting_for_others_.end(),
                     [](const Forwarded& forwarded) { return is_edit(forwarded.entry); });
}

/// Clients' changes wait while a decision is on its way: what it says of a job may turn out stale,
/// and if a change disabled that job before the scheduler decides again, its slots would be lost.
/// Where there is always something to decide they wait no longer than kChangeWait.
void Replica::place_waiting() {
  const auto is_decision = [](const Proposal& p) { return p.patience == Patience::kThisTerm; };
  const auto is_report = [](const Proposal& p) { return p.patience == Patience::kForever; };
  if (raft_->role() == consensus::Role::kLeader && raft_->transfer_target() == 0) {
    const auto reports = std::stable_partition(waiting_.begin(), waiting_.end(), is_decision);
    const auto changes = std::stable_partition(reports, waiting_.end(), is_report);
    const bool has_changes = changes != waiting_.end() || !waiting_for_others_.empty();
    if (!has_changes) change_waits_since_.reset();
    if (has_changes && !change_waits_since_) change_waits_since_ = now_.mono;
    const bool is_patient = has_changes && now_.mono - *change_waits_since_ < kChangeWait;
    const std::ptrdiff_t decisions = is_patient ? 0 : reports - waiting_.begin();
    const bool is_free = (!holds_.first && decisions_out_ == decisions) || mutant("edit-first");
    if (is_free) change_waits_since_.reset();
    const auto free = std::stable_partition(changes, waiting_.end(), [this](const Proposal& p) {
      return !holds_.second || !is_edit(p.entry);
    });
    const auto wanted = (is_free ? free : changes) - waiting_.begin();
    const auto cut = waiting_.begin() + std::min(wanted, kBatchEntriesMax);
    std::vector<Proposal> offered(std::make_move_iterator(waiting_.begin()),
                                  std::make_move_iterator(cut));
    waiting_.erase(waiting_.begin(), cut);
    if (!offered.empty()) offer(std::move(offered));
    if (is_free) place_for_others();
    return;
  }
  refuse_others();
  for (Proposal& proposal : waiting_) {
    if (proposal.patience == Patience::kThisTerm) refuse(proposal, no_leader());
  }
  std::erase_if(waiting_,
                [](const Proposal& proposal) { return proposal.patience == Patience::kThisTerm; });
  const consensus::NodeId leader = raft_->leader();
  if (leader != 0 && leader != settings_.self) forward_waiting(leader);
}

void Replica::offer(std::vector<Proposal> proposals) {
  const std::uint64_t tag = ++tag_;
  consensus::Propose propose{tag, {}};
  propose.commands.reserve(proposals.size());
  for (const Proposal& proposal : proposals)
    propose.commands.push_back(wire::encode(proposal.entry));
  offered_.emplace(tag, std::move(proposals));
  step(std::move(propose));
}

void Replica::place_for_others() {
  std::vector<Forwarded> held;
  for (Forwarded& forwarded : std::exchange(waiting_for_others_, {})) {
    const bool is_held = holds_.second && is_edit(forwarded.entry);
    if (is_held && now_.mono - forwarded.since < kHoldWait) {
      held.push_back(std::move(forwarded));
    } else if (is_held) {
      link_.answer(forwarded.from, forwarded.tag, fail(no_leader()), 0);
    } else {
      place_for(std::move(forwarded));
    }
  }
  waiting_for_others_.insert(waiting_for_others_.begin(), std::make_move_iterator(held.begin()),
                             std::make_move_iterator(held.end()));
}

void Replica::place_for(Forwarded forwarded) {
  const std::uint64_t own = ++tag_;
  offered_for_others_.emplace(own, std::pair(forwarded.from, forwarded.tag));
  step(consensus::Propose{own, {std::move(forwarded.entry)}});
}

/// They ask the next leader.
void Replica::refuse_others() {
  for (const Forwarded& forwarded : std::exchange(waiting_for_others_, {})) {
    link_.answer(forwarded.from, forwarded.tag, fail(no_leader()), 0);
  }
}

void Replica::forward_waiting(consensus::NodeId leader) {
  for (Proposal& proposal : std::exchange(waiting_, {})) {
    const std::uint64_t tag = ++tag_;
    proposal.forwarded = wire::encode(proposal.entry);
    link_.forward(leader, tag, proposal.forwarded, proposal.patience == Patience::kForever);
    forwarded_.emplace(tag, std::pair(std::move(proposal), now_.mono + kForwardWait));
  }
}

void Replica::receive_forward(consensus::NodeId from, std::uint64_t tag, const std::string& entry,
                              bool is_report) {
  if (is_report) {
    place_for(Forwarded{from, tag, entry, now_.mono});
    return;
  }
  if (waiting_for_others_.size() >= kWaitingMax) {
    link_.answer(from, tag,
                 fail(ErrorCode::kUnavailable,
                      "cannot take the change: too many wait to be stored; try again"),
                 0);
    return;
  }
  waiting_for_others_.push_back(Forwarded{from, tag, entry, now_.mono});
}

void Replica::on_forwarded(std::uint64_t tag, const Result<std::int64_t>& index,
                           consensus::Term term) {
  const auto found = forwarded_.extract(tag);
  if (found.empty()) return;
  Proposal proposal = std::move(found.mapped().first);
  if (!index) {
    // It does not lead any more, or has no room: the next leader is asked.
    if (index.error().code == ErrorCode::kUnavailable) {
      waiting_.push_back(std::move(proposal));
    } else {
      refuse(proposal, index.error());
    }
    return;
  }
  if (*index <= last_applied_) {
    // Applied, or overwritten: the host's own are said again, which is safe.
    if (proposal.patience == Patience::kForever) {
      waiting_.push_back(std::move(proposal));
    } else {
      refuse(proposal, unconfirmed_change("the answer of the scheduler came late"));
    }
    return;
  }
  proposal.term = term;
  place(*index, std::move(proposal));
}

}  // namespace distcron::agent
