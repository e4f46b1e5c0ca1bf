// SPDX-License-Identifier: Apache-2.0
// Fleet: this agent among the others. Carries consensus messages, proposals and requests between
// members over the mesh; knows how each member is; as scheduler it keeps the members of the log
// equal to those of the state, and hands the role to the member that is preferred. Loop thread
// only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/clock.h"
#include "agent/membership.h"
#include "agent/replica.h"
#include "mesh/peer_mesh.h"
#include "planner/state.h"
#include "wire/access_messages.h"
#include "wire/mesh_messages.h"

namespace distcron::agent {

struct FleetFacts {
  consensus::NodeId self = 0;
  std::uint64_t life = 0;  ///< Drawn at each start of an agent.
  std::int64_t capacity = 0;
  Micros heartbeat{100'000};
  Micros election{1'000'000};
  Micros suspect_after{3'000'000};
  Micros dead_after{10'000'000};
  model::TextList addresses;  ///< Where the others reach this agent.
  /// Members known before the state has told any: of who has just joined.
  std::vector<model::Node> first_members;
  /// Members that the log names, while the state is behind it: members_of_log().
  std::vector<model::Node> log_members;
};

class Fleet final : public Link {
 public:
  using Answer = std::function<void(std::string bytes)>;
  using Answered = std::function<void(const Result<std::string>& bytes)>;
  /// Serves a client's request that reached another member.
  using OnCall = std::function<void(const std::string& public_key, const std::string& bytes,
                                    const Answer& answer)>;
  /// Lets a host join that has shown the token of this hash; asked only where the scheduler is.
  using OnJoin = std::function<void(const wire::JoinRequest& request, const std::string& token,
                                    const std::function<void(const wire::JoinReply&)>& answer)>;
  /// How this host is.
  using OwnState = std::function<wire::HostState()>;

  Fleet(FleetFacts facts, planner::State& state, mesh::PeerMesh& mesh)
      : facts_(std::move(facts)), state_(state), mesh_(mesh) {}

  void set_replica(Replica& replica) { replica_ = &replica; }

  /// Where the others reach this agent from now on.
  void set_addresses(model::TextList addresses) { facts_.addresses = std::move(addresses); }

  void set_handlers(OnCall on_call, OnJoin on_join, OwnState own_state) {
    on_call_ = std::move(on_call);
    on_join_ = std::move(on_join);
    own_state_ = std::move(own_state);
  }

  // Link
  void send(const consensus::Message& message) override;
  void forward(consensus::NodeId to, std::uint64_t tag, const std::string& entry,
               bool is_report) override;
  void answer(consensus::NodeId to, std::uint64_t tag, const Result<std::int64_t>& index,
              consensus::Term term) override;

  /// Asks `to` to serve a client's request. kUnavailable when no answer comes within `wait`.
  void call(consensus::NodeId to, const std::string& public_key, const std::string& bytes,
            Micros wait, Answered done);

  void on_mesh(const Now& now);
  void on_timer(const Now& now);

  [[nodiscard]] MonoTime next_timer() const { return std::min(next_second_, mesh_.next_timer()); }

  /// Something of own_state() changed that the scheduler waits for.
  void report_soon() { next_second_ = {}; }

  /// Hands the role on because somebody asks for it; it does not come back for a while.
  void step_down(consensus::NodeId to);

  /// Whom a host must know to follow the log: the members, and who leaves while its vote counts.
  [[nodiscard]] std::vector<model::Node> members_to_know() const;

  /// The state's members may have changed.
  void refresh_peers();

  /// Of an agent that is no member any more: the others do not need its vote, or have long done
  /// without it.
  [[nodiscard]] bool may_stop();
  /// Those that vote know this host no more: it was removed, which it cannot hear.
  [[nodiscard]] bool is_cast_out() const;

  /// What the planner may count on. Only where the scheduler is.
  [[nodiscard]] std::vector<planner::HostSituation> situations(const Now& now) const;

  /// How many runs this agent may have alive.
  void set_capacity(std::int64_t capacity) { facts_.capacity = capacity; }

  /// True once after a host became alive or silent, or its executor, clock or capacity changed.
  [[nodiscard]] bool take_hosts_changed() { return std::exchange(hosts_changed_, false); }

  /// Fills in what is measured of the member `item.id`: state, role, lag, clock, round trip.
  void look_at(wire::NodeItem& item, const Now& now) const;
  [[nodiscard]] std::optional<wire::SchedulerItem> scheduler() const;

  /// Members whose wall clocks are far from the scheduler's, a sentence each.
  [[nodiscard]] model::TextList clock_warnings() const;
  /// Other members that are alive and say that they can start nothing. Only where the scheduler is.
  [[nodiscard]] model::TextList executor_warnings() const;

  /// Reachable from this agent, as the mesh sees it.
  [[nodiscard]] bool is_reachable(consensus::NodeId id) const;

 private:
  /// How far the boottime of a host is ahead of ours. The truth is at most `doubt` less.
  struct ClockSample {
    std::uint64_t boot = 0;
    Micros ahead{0};
    Micros doubt{0};
    MonoTime at{};  ///< When it was taken.
  };

  /// What the leader said last.
  struct Echo {
    consensus::NodeId from = 0;
    wire::ReportReply said;
    MonoTime at{};
  };

  /// A member as the scheduler has heard of it.
  struct Seen {
    wire::HostState said;
    std::uint64_t life = 0;
    std::optional<MonoTime> heard_at;
    MonoTime alive_since{};
    std::optional<ClockSample> clock;
  };

  struct Call {
    Answered done;
    MonoTime give_up{};
    std::uint64_t propose_tag = 0;  ///< Not 0: of the replica's forward().
  };

  /// Counts what a member had no right to say, or what nobody can read.
  void refuse(consensus::NodeId from, mesh::Refusal reason, const std::string& why);
  void on_raft(const mesh::PeerMessage& message);
  void on_propose(consensus::NodeId from, std::uint64_t id, const wire::PeerRequest& request);
  void on_request(consensus::NodeId from, std::uint64_t id, const wire::PeerRequest& request);
  void on_reply(std::uint64_t id, const wire::PeerReply& reply);
  void on_guest(const mesh::PeerMessage& message);
  void join_here(const std::string& bytes, const std::string& token, const Answer& answer);
  void reply(consensus::NodeId to, std::uint64_t id, const wire::PeerReply& reply);
  void ask(consensus::NodeId to, const wire::PeerRequest& request, Call call);
  /// True: who sent it wants an answer.
  bool note_report(consensus::NodeId from, const std::string& bytes);
  void note_moved(consensus::NodeId from, const std::string& bytes);
  void report();
  void on_echo(consensus::NodeId from, const std::string& bytes);
  void take_sample(Seen& seen, consensus::NodeId from) const;
  [[nodiscard]] std::optional<planner::HostPermit> permit_of(const Seen& seen,
                                                             const Now& now) const;
  void tell_moved();
  void ask_for_members();
  void watch_leader();
  void watch_hosts();
  void lead();
  [[nodiscard]] bool keeps_role_with(consensus::NodeId voter) const;
  [[nodiscard]] MembershipFacts membership_facts() const;
  [[nodiscard]] std::optional<MonoTime> last_heard(consensus::NodeId id) const;
  [[nodiscard]] Micros hold_of(consensus::NodeId id) const;
  [[nodiscard]] std::optional<mesh::PeerState> peer_state(consensus::NodeId id) const;
  [[nodiscard]] bool may_have_local_runs(consensus::NodeId id, const planner::HostSituation& host,
                                         const Now& now) const;
  [[nodiscard]] bool is_clock_good(consensus::NodeId id, Micros off_max) const;

  FleetFacts facts_;
  planner::State& state_;
  mesh::PeerMesh& mesh_;
  Replica* replica_ = nullptr;
  OnCall on_call_;
  OnJoin on_join_;
  OwnState own_state_;
  Now now_;

  std::map<consensus::NodeId, Seen> seen_;
  std::map<std::uint64_t, Call> calls_;
  /// From another number in each life: an answer to an earlier one must not fit.
  std::uint64_t next_call_ = facts_.life;
  MonoTime next_second_{};
  bool said_can_start_ = true;  ///< In the last report.
  std::optional<Echo> echo_;
  consensus::NodeId last_leader_ = 0;
  std::map<consensus::NodeId, std::vector<MonoTime>> losses_;  ///< Of the role, not handed over.
  MonoTime leads_since_{};
  bool leads_ = false;
  std::optional<MonoTime> cast_out_since_;  ///< While it is leaving.
  MonoTime last_swap_{};
  consensus::NodeId vote_waits_for_ = 0;  ///< For an answer of who is to get it; 0: for none.
  MonoTime next_transfer_{};
  consensus::NodeId handed_to_ = 0;
  Micros back_off_{60'000'000};
  std::vector<planner::HostSituation> last_situations_;
  bool hosts_changed_ = false;
  std::vector<model::Node> told_members_;  ///< By others, while no leader is heard.
  std::vector<mesh::Peer> peers_;
  std::map<consensus::NodeId, model::TextList> moved_;  ///< Addresses that the state has not yet.
  std::vector<std::string> guests_;                     ///< Tokens of the state.
  std::map<std::string, MonoTime> used_tokens_;         ///< Until when their last users are let in.
  std::vector<std::string> admitted_;                   ///< Both, as the mesh has them.
};

}  // namespace distcron::agent
