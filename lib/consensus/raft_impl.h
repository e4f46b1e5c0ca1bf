// SPDX-License-Identifier: Apache-2.0
// The state of a Raft and its parts, one .cc each: election, follower, leader, membership,
// snapshot, reads. Private to the module; copyable, so that a search can branch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consensus/log.h"
#include "consensus/progress.h"
#include "consensus/raft.h"

namespace distcron::consensus {

/// A Ready that is not yet durable.
struct Unsynced {
  std::uint64_t tag = 0;
  HardState hard;
  Index last = 0;  ///< Durable with it, unless truncated since.
};

struct RoundStart {
  std::uint64_t round = 0;
  MonoTime at;
};

/// A read that a leader has to confirm. `from` 0: this member's own.
struct PendingRead {
  NodeId from = 0;
  std::uint64_t tag = 0;
  Index index = 0;
  std::uint64_t round = 0;  ///< 0: none yet.
};

struct ForwardedRead {
  std::uint64_t context = 0;
  std::uint64_t tag = 0;
  MonoTime deadline;
};

struct Install {
  Index index = 0;
  Term term = 0;
  Config config;
  Index config_index = 0;
};

struct Raft::Impl {
  Settings settings;
  Dice* dice = nullptr;
  MonoTime now;
  Ready out;

  HardState hard;
  Log log;
  Index commit = 0;
  Index emitted = 0;  ///< Given out in Ready::committed, or applied before the start.
  Index applied = 0;

  // What the disk has, and what it was given (figure 3.1: respond after stable storage).
  HardState durable_hard, handed_hard;
  Index durable = 0;  ///< Up to here the log in memory is durable.
  Index handed = 0;
  std::deque<Unsynced> unsynced;
  std::uint64_t last_tag = 0;
  bool is_disk_full = false;

  Role role = Role::kFollower;
  NodeId leader = 0;
  MonoTime heard_leader_at = MonoTime::min();
  MonoTime election_deadline;
  std::vector<NodeId> granted;  ///< Votes or pre-votes for this member.
  bool is_transfer_election = false;

  // Leader.
  std::vector<Progress> progress;  ///< By id; without this member.
  Index term_start = 0;            ///< Its no-op.
  std::uint64_t uncommitted_bytes = 0;
  std::uint64_t round = 0;
  std::deque<RoundStart> rounds;
  MonoTime heartbeat_at, learner_heartbeat_at;
  NodeId transfer_to = 0;
  MonoTime transfer_deadline;
  Index mark_old = 0, mark_new = 0;  ///< Last indexes one to two, and up to one, timeouts ago.
  MonoTime mark_at;
  std::deque<PendingRead> reads;

  std::vector<ForwardedRead> forwarded;
  std::uint64_t next_context = 0;
  bool is_storing_chunk = false;
  std::optional<Install> installing;  ///< The chunk that is being stored is the last one.

  // raft.cc
  [[nodiscard]] Status load(Stored stored);
  void handle(Tick event);
  void handle(Receive& event);
  void handle(Propose& event);
  void handle(ChangeMember& event);
  void handle(Durable event);
  void handle(AppliedTo event);
  void handle(Compact event);
  void handle(Read event);
  void handle(Transfer event);
  void handle(ChunkRead& event);
  void handle(ChunkStored event);
  void handle(DiskFull event);
  void handle(MayLead event);
  void finish();
  void emit_committed();
  void send(Message message);
  void promise(Message message, Index needs);
  [[nodiscard]] Message reply_to(const Message& message, MessageKind kind) const;
  void stamp(Message& message) const;
  void report(std::string violation);
  void truncate_from(Index index);
  [[nodiscard]] Status append(Entry entry);

  // raft_receive.cc
  void receive(Message& message);
  [[nodiscard]] bool is_for_us(const Message& message);
  [[nodiscard]] bool receive_newer(const Message& message);
  void receive_older(const Message& message);
  void dispatch(Message& message);

  // raft_election.cc
  void tick_follower();
  void reset_election_timer();
  void become_follower(Term term, NodeId new_leader);
  void follow(NodeId new_leader);
  void campaign();
  void start_election(bool is_forced);
  void become_leader();
  void request_votes(MessageKind kind, Term term, bool is_forced);
  void count_own_vote();
  void count_vote(NodeId from);
  void on_vote_request(const Message& message);
  void on_vote_reply(const Message& message);
  void on_timeout_now(const Message& message);
  [[nodiscard]] bool is_log_current(const Message& message) const;
  [[nodiscard]] bool in_lease() const;
  [[nodiscard]] bool may_campaign() const;
  [[nodiscard]] bool is_electable() const;
  [[nodiscard]] Index vote_index() const;
  [[nodiscard]] bool is_hasty() const;

  // raft_follower.cc
  void on_append(Message& message);
  void accept(Message& message);
  [[nodiscard]] bool is_well_formed(const Message& message) const;
  [[nodiscard]] bool store_entries(Message& message);
  void reject(const Message& message);
  void answer_alive(const Message& message);
  void learn_commit(Index index);

  // raft_leader.cc
  void tick_leader();
  void check_quorum();
  void new_round();
  void broadcast();
  void broadcast_heartbeat(bool to_learners);
  void send_heartbeat(Progress& peer);
  void send_entries(Progress& peer);
  void send_append(Progress& peer, Index last);
  void send_commit(Progress& peer);
  [[nodiscard]] Index batch_end(const Progress& peer) const;
  [[nodiscard]] bool is_window_full(const Progress& peer) const;
  void on_append_reply(const Message& message);
  void note_contact(Progress& peer, std::uint64_t acked_round);
  void on_match(Progress& peer, Index match);
  void on_reject(Progress& peer, const Message& message);
  void retry_lost(Progress& peer, std::uint64_t acked_round);
  void advance_commit();
  void after_commit(Index old_commit);
  void lead_entry(Entry entry);
  [[nodiscard]] Progress* find(NodeId id);
  [[nodiscard]] MonoTime quorum_contact(NodeId joining = 0) const;
  [[nodiscard]] bool holds_lease() const;
  [[nodiscard]] bool is_scheduler() const;

  // raft_membership.cc
  [[nodiscard]] const Config& config() const;
  [[nodiscard]] const Member* member(NodeId id) const;
  [[nodiscard]] bool counts(const Member& member) const;
  [[nodiscard]] bool is_voting(NodeId id) const;
  [[nodiscard]] std::size_t voting_count() const;
  [[nodiscard]] std::size_t quorum() const;
  [[nodiscard]] bool is_sole_voter() const;
  [[nodiscard]] bool leads_alone() const;
  [[nodiscard]] std::int64_t place_in_order() const;
  [[nodiscard]] bool is_config_pending() const;
  [[nodiscard]] Result<Config> changed_config(const ChangeMember& change) const;
  [[nodiscard]] Status check_change(const ChangeMember& change) const;
  [[nodiscard]] Status check_promotion(NodeId id) const;
  void sync_progress();
  void refuse(std::uint64_t tag, Error error);
  [[nodiscard]] Error no_leader() const;

  // raft_transfer.cc
  void start_transfer(NodeId to);
  [[nodiscard]] NodeId best_target() const;
  void drive_transfer(Progress& peer);
  void end_transfer();

  // raft_snapshot.cc
  void send_snapshot(Progress& peer);
  void want_chunk(Progress& peer);
  void on_chunk(Message& message);
  void on_snapshot_reply(const Message& message);
  void install(const Install& snapshot);

  // raft_reads.cc
  void start_reads();
  void assign_reads();
  void confirm_reads();
  void answer_read(const PendingRead& read, Index index);
  void drop_reads();
  void expire_forwarded(bool all);
  void on_read_index(const Message& message);
  void on_read_reply(const Message& message);
};

}  // namespace distcron::consensus
