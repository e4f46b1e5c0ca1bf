// SPDX-License-Identifier: Apache-2.0
// What happens to proposals and reads as time goes by.
#include <algorithm>
#include <utility>

#include "agent/replica.h"

namespace distcron::agent {

namespace {

constexpr int kLastResort = 10;  // election timeouts without a leader

}  // namespace

/// What a client is told whose change is in the log but not yet confirmed.
Error unconfirmed_change(const std::string& why) {
  return Error{ErrorCode::kUnavailable,
               why + "; the change is not confirmed and may still take effect", 0,
               "asking again with the same --request-id is safe"};
}

std::optional<MonoTime> Replica::next_timer() const {
  MonoTime next = raft_->next_tick();
  const auto sooner = [&next](MonoTime at) { next = std::min(next, at); };
  if (disk_again_) sooner(*disk_again_);
  if (!may_lead_ && no_quorum_since_) sooner(*no_quorum_since_ + kLastResort * settings_.election);
  for (const auto& [tag, barrier] : barriers_) {
    sooner(barrier.index == 0 && barrier.ask_again > now_.mono ? barrier.ask_again
                                                               : barrier.give_up);
  }
  for (const auto& [tag, forwarded] : forwarded_)
    sooner(forwarded.second);
  if (!waiting_.empty() || !waiting_for_others_.empty()) sooner(now_.mono + kAskAgain);
  return next;
}

/// Not a change of scheduler, which is over soon, but a majority that is gone: nobody is kept
/// waiting for it.
bool Replica::is_lost() const {
  return no_quorum_since_ && now_.mono - *no_quorum_since_ > 3 * settings_.election;
}

void Replica::on_timer() {
  if (raft_->has_quorum()) {
    no_quorum_since_.reset();
  } else if (!no_quorum_since_) {
    no_quorum_since_ = now_.mono;
  }
  const bool may_lead = is_eligible_ || (no_quorum_since_ && now_.mono - *no_quorum_since_ >=
                                                                 kLastResort * settings_.election);
  if (std::exchange(may_lead_, may_lead) != may_lead) step(consensus::MayLead{may_lead});
  if (disk_again_ && *disk_again_ <= now_.mono && !in_flight_) {
    disk_again_.reset();
    step(consensus::DiskFull{false});
  }
  if (raft_->next_tick() <= now_.mono) step(consensus::Tick{});
  expire_proposals();
  expire_barriers();
  compact_sometimes();
}

void Replica::expire_proposals() {
  const auto is_over = [this](const Proposal& proposal) {
    return proposal.patience == Patience::kClient && proposal.give_up <= now_.mono;
  };
  for (Proposal& proposal : waiting_) {
    if (is_over(proposal)) refuse(proposal, no_leader());
  }
  std::erase_if(waiting_, [](const Proposal& proposal) { return !proposal.done; });
  for (auto& [index, proposal] : placed_) {
    if (is_over(proposal)) {
      refuse(proposal, unconfirmed_change("no majority of the voters has answered in time"));
    }
  }
  for (auto at = forwarded_.begin(); at != forwarded_.end();) {
    auto& [proposal, give_up] = at->second;
    if (give_up > now_.mono) {
      ++at;
      continue;
    }
    // Whether the scheduler has it is not known. The host's own are safe to say twice: the state
    // knows each run, attempt and node, and takes no fact a second time.
    if (proposal.patience == Patience::kForever) {
      waiting_.push_back(std::move(proposal));
    } else {
      refuse(proposal, unconfirmed_change("the scheduler does not answer"));
    }
    at = forwarded_.erase(at);
  }
}

void Replica::expire_barriers() {
  std::vector<Written> over;
  std::vector<std::uint64_t> again;
  for (auto at = barriers_.begin(); at != barriers_.end();) {
    Barrier& barrier = at->second;
    if (barrier.give_up <= now_.mono) {
      over.push_back(std::move(barrier.done));
      at = barriers_.erase(at);
      continue;
    }
    if (barrier.index == 0 && barrier.ask_again <= now_.mono) {
      barrier.ask_again = now_.mono + kAskAgain;
      again.push_back(at->first);
    }
    ++at;
  }
  for (const std::uint64_t tag : again)
    step(consensus::Read{tag});
  for (const Written& done : over)
    done(fail(no_leader()));
}

}  // namespace distcron::agent
