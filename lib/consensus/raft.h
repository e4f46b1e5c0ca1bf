// SPDX-License-Identifier: Apache-2.0
// Raft: one member's view of the replicated log. Pure and deterministic: events in, a Ready out;
// no clock, no I/O, no thread. The owner performs what a Ready asks for and reports back by events.
// Not locked: one thread at a time. Section numbers name Ongaro's dissertation (2014).
//
// The one rule of persistence: messages in `Ready::send` may go at once; those in
// `Ready::send_when_durable` only after this Ready's hard state and entries are fsynced, which the
// owner reports by Durable with the Ready's `tag`. Readies become durable in their order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consensus/codec.h"
#include "consensus/events.h"
#include "consensus/message.h"

namespace distcron::consensus {

class Raft {
 public:
  /// kCorrupt when `stored` contradicts itself. `dice` must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Raft>> make(const Settings& settings, Stored stored,
                                                          Dice& dice, MonoTime now);
  /// A second one in the same state, for searches over all schedules.
  [[nodiscard]] std::unique_ptr<Raft> clone(Dice& dice) const;
  /// What its future depends on, except times and the numbers of rounds, tags and reads. Two with
  /// equal ones behave alike, but for when.
  [[nodiscard]] std::string fingerprint() const;
  ~Raft();
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  [[nodiscard]] Ready step(MonoTime now, Event event);

  /// When a Tick is due at the latest.
  [[nodiscard]] MonoTime next_tick() const;

  [[nodiscard]] Role role() const;
  [[nodiscard]] Term term() const;
  [[nodiscard]] NodeId vote() const;    ///< In this term; 0: none.
  [[nodiscard]] NodeId leader() const;  ///< 0: unknown.
  /// Leads, has committed an entry of its term, and a quorum answered within the lease (6.2).
  [[nodiscard]] bool is_scheduler() const;
  [[nodiscard]] bool has_quorum() const;  ///< Leader: a quorum is recent. Follower: leader heard.
  /// Leader: its lease would last until then if `joining`, who does not vote yet, did so from now.
  [[nodiscard]] bool holds_lease_with(NodeId joining, MonoTime until) const;
  [[nodiscard]] Index commit_index() const;
  [[nodiscard]] Index last_index() const;
  [[nodiscard]] Index durable_index() const;
  [[nodiscard]] Index first_index() const;
  [[nodiscard]] const Config& config() const;
  [[nodiscard]] bool is_config_pending() const;
  [[nodiscard]] std::vector<PeerView> peers() const;  ///< Empty unless it leads.
  [[nodiscard]] NodeId transfer_target() const;       ///< 0: none under way.
  /// Config active at `index`, for the snapshot that ends there.
  [[nodiscard]] Config config_at(Index index, Index& config_index) const;
  [[nodiscard]] Term term_at(Index index) const;  ///< 0 when it is no longer or not yet there.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  explicit Raft(std::unique_ptr<Impl> impl);
};

}  // namespace distcron::consensus
