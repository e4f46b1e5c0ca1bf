// SPDX-License-Identifier: Apache-2.0
// Replica: this member's copy of the log and of the state. It drives the Raft core with the store
// and the mesh: persist, send, apply, act. An entry is applied when it is committed and durable
// here; then its rows go to the store, its orders out, and its proposer is answered. One batch at a
// time is under way to the disk; the next forms meanwhile (group commit). Where this host does not
// lead, proposals go to who does. Loop thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "agent/link.h"
#include "agent/log_limits.h"
#include "agent/replies.h"
#include "base/result.h"
#include "consensus/raft.h"
#include "model/command.h"
#include "planner/state.h"
#include "store/store.h"

namespace distcron::agent {

class Replica {
 public:
  /// Gets what came of a proposal: on an error nothing, unless the text says that it still may.
  using Done = std::function<void(const planner::Applied& applied)>;
  using Written = std::function<void(const Status& status)>;
  using OnOrder = std::function<void(const planner::Order& order)>;

  Replica(store::Store& store, planner::State& state, Link& link, OnOrder on_order)
      : store_(store), state_(state), link_(link), on_order_(std::move(on_order)) {}

  /// Begins with what the disk kept. A sole voter leads after its first two writes.
  [[nodiscard]] Status start(const consensus::Settings& settings, consensus::Stored stored,
                             consensus::Dice& dice, const Now& now);

  void set_limits(const LogLimits& limits) { limits_ = limits; }

  /// Who hears of runs whose rows are gone.
  void on_pruned(std::function<void(const std::vector<std::int64_t>&)> hear);

  void propose(model::Entry entry, Done done, Patience patience = Patience::kForever);
  void journal(store::JournalPut put, Written done);

  void drop(store::JournalDrop drop) { waiting_drops_.push_back(drop); }

  /// Calls `done` when the state here holds everything that was acknowledged anywhere before the
  /// call (a linearizable read), or with kUnavailable.
  void barrier(Written done);

  /// While the scheduler is behind, or does not schedule yet, clients' changes do not go into the
  /// log here; while a host has still to say what it decided alone, edits of jobs do not.
  void hold_changes(bool all, bool edits) { holds_ = {all, edits}; }

  [[nodiscard]] bool has_waiting_edits() const;  ///< Of jobs.
  void change_member(const consensus::Member& member, bool removes, Written done);

  /// Hands the role on; to the best voter when `to` is 0.
  void transfer(consensus::NodeId to) { step(consensus::Transfer{to}); }

  /// Who is not stands for election only as a last resort: no other's log may be long enough.
  void set_eligible(bool is_eligible) { is_eligible_ = is_eligible; }

  // Once a turn, in this order.
  void begin_turn(const Now& now) { now_ = now; }

  void on_durable(const store::Durable& durable);
  void on_compacted(const store::Compacted& compacted);
  void on_snapshot_made(const store::SnapshotMade& made);
  void on_snapshot_read(const store::SnapshotRead& read);
  void on_piece_stored(const store::PieceStored& stored);
  /// The state was loaded anew by the owner.
  void on_installed(std::int64_t index);
  Heard receive(consensus::Message message);
  void receive_forward(consensus::NodeId from, std::uint64_t tag, const std::string& entry,
                       bool is_report);
  void on_forwarded(std::uint64_t tag, const Result<std::int64_t>& index, consensus::Term term);
  void on_timer();
  /// After all events: gives proposals to the log, and the next batch to the disk.
  void flush();

  [[nodiscard]] std::optional<MonoTime> next_timer() const;

  [[nodiscard]] const consensus::Raft& raft() const { return *raft_; }

  /// Whose vote counts, or would again if the pending change were lost; empty before start().
  [[nodiscard]] std::vector<consensus::Member> config_members() const;
  [[nodiscard]] bool is_scheduler() const;
  [[nodiscard]] bool is_alone() const;  ///< The only member of its cluster.
  [[nodiscard]] bool is_idle() const;

  [[nodiscard]] std::int64_t last_applied() const;
  [[nodiscard]] std::int64_t term() const;

  [[nodiscard]] const consensus::Settings& settings() const { return settings_; }

  /// The state holds all that the log held at the start; before, what is over may look claimed.
  [[nodiscard]] bool is_caught_up() const;

  /// Of the last append; an error while the disk is full.
  [[nodiscard]] const Status& health() const { return health_; }

  /// Of another life of this cluster that goes on without this member; 0: none is known.
  [[nodiscard]] std::int64_t newer_incarnation() const { return newer_incarnation_; }

  /// An entry that this version cannot read, or that cannot be: the agent must not go on.
  [[nodiscard]] const std::optional<Error>& corrupt() const { return corrupt_; }

  /// True once after each change of role, term, leader, members or join tokens.
  [[nodiscard]] bool take_role_changed() { return std::exchange(role_changed_, false); }

  static constexpr std::size_t kWaitingMax = 20'000;
  static constexpr std::ptrdiff_t kBatchEntriesMax = 1'000;
  static constexpr Seconds kClientWait{5};
  static constexpr Seconds kForwardWait{2};
  static constexpr Millis kAskAgain{200};

 private:
  struct Proposal {
    model::Entry entry;
    Done done;
    Patience patience = Patience::kForever;
    MonoTime give_up{};        ///< kClient only.
    consensus::Term term = 0;  ///< Of its place in the log.
    std::string forwarded{};   ///< As it was sent to the leader; empty: it was placed here.
  };

  /// Another member's proposal, which waits to go into the log here.
  struct Forwarded {
    consensus::NodeId from = 0;
    std::uint64_t tag = 0;
    std::string entry;
    MonoTime since{};
  };

  struct Noted {
    store::JournalPut put;
    Written done;
  };

  struct Barrier {
    Written done;
    MonoTime give_up{};
    MonoTime ask_again{};
    std::int64_t index = 0;  ///< Known: waits until it is applied.
  };

  /// A piece of the snapshot that a peer waits for.
  struct Wanted {
    consensus::NodeId to = 0;
    std::uint64_t offset = 0;
  };

  void step(consensus::Event event);
  void handle(consensus::Ready ready);
  void keep(consensus::Ready& ready);
  void place_waiting();
  void offer(std::vector<Proposal> proposals);
  void place_for_others();
  void place_for(Forwarded forwarded);
  void refuse_others();
  void forward_waiting(consensus::NodeId leader);
  void place(std::int64_t index, Proposal proposal);
  void take_back(Proposal proposal, bool is_lost);  ///< `is_lost`: for good.
  void take_back_overwritten(const std::vector<consensus::Entry>& entries);
  void on_accepted(const consensus::Accepted& accepted);
  void on_refused(const consensus::Refused& refused);
  void on_read(const consensus::ReadReady& read);
  void apply(const consensus::Entry& entry);
  void run(const model::Entry& entry, std::int64_t index, const Done& done);
  void expire_proposals();
  void expire_barriers();
  void answer_barriers();
  void refuse(Proposal& proposal, Error error);
  void refuse_forgotten(const Error& why);
  void give_up_clients(const Error& why);
  [[nodiscard]] Error no_leader() const;
  [[nodiscard]] bool is_lost() const;
  void want_chunk(const consensus::ChunkWanted& wanted);
  void read_chunk(const Wanted& wanted);
  void store_chunk(const consensus::Message& chunk);
  void compact_sometimes();

  store::Store& store_;
  planner::State& state_;
  Link& link_;
  OnOrder on_order_;
  std::function<void(const std::vector<std::int64_t>&)> on_pruned_;
  std::unique_ptr<consensus::Raft> raft_;
  consensus::Settings settings_;
  LogLimits limits_;
  Now now_;

  std::vector<Proposal> waiting_;
  std::vector<Forwarded> waiting_for_others_;
  std::pair<bool, bool> holds_;  ///< All changes of clients; edits of jobs.
  std::optional<MonoTime> change_waits_since_;
  std::ptrdiff_t decisions_out_ = 0;  ///< Proposals of this term's scheduler without an answer.
  std::map<std::uint64_t, std::vector<Proposal>> offered_;  ///< To the core, by tag.
  std::map<std::uint64_t, std::pair<consensus::NodeId, std::uint64_t>> offered_for_others_;
  std::map<std::uint64_t, Written> changes_;                          ///< Of members, by tag.
  std::map<std::int64_t, Proposal> placed_;                           ///< In the log, by index.
  std::map<std::uint64_t, std::pair<Proposal, MonoTime>> forwarded_;  ///< To the leader, by tag.
  std::map<std::uint64_t, Barrier> barriers_;
  std::uint64_t tag_ = 0;

  // The batch that is being gathered, and the one on its way to the disk.
  store::DurableBatch gathered_;
  std::vector<consensus::Message> gathered_messages_;
  std::uint64_t gathered_tag_ = 0;
  std::vector<Noted> waiting_notes_;
  std::vector<store::JournalDrop> waiting_drops_;
  std::vector<consensus::Message> flying_messages_;
  std::uint64_t flying_tag_ = 0;
  std::vector<Noted> flying_notes_;
  std::vector<store::JournalDrop> flying_drops_;
  bool in_flight_ = false;
  std::uint64_t batch_ = 0;

  std::optional<store::StateCopy> snapshot_;  ///< The newest, for members that are far behind.
  consensus::Config snapshot_config_;
  std::int64_t snapshot_config_index_ = 0;
  bool makes_snapshot_ = false;
  MonoTime snapshot_wanted_at_{};
  std::vector<Wanted> waits_for_snapshot_;
  std::map<std::uint64_t, Wanted> reads_of_snapshot_;  ///< By tag.
  std::uint64_t installing_size_ = 0;
  bool is_compacting_ = false;
  MonoTime next_compact_{};

  std::optional<MonoTime> no_quorum_since_;
  std::optional<MonoTime> disk_again_;  ///< While it is full: when to try again.
  std::int64_t last_applied_ = 0;
  std::int64_t kept_index_ = 0;  ///< Of the last entry, at the start.
  std::int64_t newer_incarnation_ = 0;
  bool role_changed_ = false;
  bool is_eligible_ = true;
  bool may_lead_ = true;  ///< As the core was told.
  Status health_;
  std::optional<Error> corrupt_;
};

}  // namespace distcron::agent
