// SPDX-License-Identifier: Apache-2.0
// One simulated cluster: time, network, hosts, clients and the judge, in one thread and without the
// outside world. World(script).run() gives the same outcome each time, to the bit.
//
// Two phases: first faults and safety; then a majority is healed for good while the others may stay
// broken for ever, and the cluster has to make progress (liveness.cc).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/message.h"
#include "sim/clients.h"
#include "sim/host.h"
#include "sim/oracle.h"
#include "sim/queue.h"
#include "sim/script.h"
#include "sim/trace.h"

namespace distcron::sim {

constexpr std::uint64_t kCluster = 0x5eed;
constexpr std::int64_t kIncarnation = 3;
constexpr std::int64_t kReader = kClientsMax - 2;          ///< At most so many clients before it.
constexpr std::int64_t kScriptedClient = kClientsMax - 1;  ///< Of the lines `propose`.

struct Outcome {
  std::optional<Violation> violation;
  std::uint64_t hash = 0;
  SimTime ended_at = 0;
  std::int64_t events = 0;
  std::int64_t crashes = 0;
  std::int64_t elections = 0;
  std::int64_t committed = 0;
  std::int64_t acked = 0;
  std::int64_t reads = 0;
  std::int64_t installs = 0;
  std::int64_t changes = 0;  ///< Committed changes of members.
  Marks marks;
  std::int64_t unhealable = 0;  ///< 1: the script left no majority that could be healed.
  std::string tail;             ///< Last events, where a violation was found.
};

/// Whether a set of nodes, as bits, has this one.
[[nodiscard]] inline bool has(std::uint64_t set, std::int64_t id) {
  return (set >> id & 1U) != 0;
}

class World {
 public:
  explicit World(const Script& script);
  [[nodiscard]] Outcome run();

  // For hosts and clients.
  [[nodiscard]] SimTime now() const { return now_; }

  [[nodiscard]] const Script& script() const { return script_; }

  [[nodiscard]] const Options& options() const { return script_.options; }

  [[nodiscard]] Oracle& oracle() { return oracle_; }

  [[nodiscard]] Trace& trace() { return trace_; }

  [[nodiscard]] Clients& clients() { return *clients_; }

  [[nodiscard]] const consensus::Config& first_config() const { return first_config_; }

  [[nodiscard]] bool is_healing() const { return healed_ != 0; }  ///< In the second phase.

  void post(const QueuedEvent& event) { queue_.push(event); }

  void send(consensus::Message message);
  [[nodiscard]] SimTime disk_delay(const Host& at);
  /// A node that a client might know: any member, or who is thought to lead. 0: none.
  [[nodiscard]] consensus::NodeId pick_for_client(Rng& rng) const;
  [[nodiscard]] consensus::NodeId leader_known_by(consensus::NodeId id) const;

 private:
  struct Link {
    SimTime blocked_until = 0;
    SimTime clogged_until = 0;
    SimTime last_at = 0;  ///< When the last message arrives, where they keep their order.
  };

  [[nodiscard]] Host* host(std::int64_t id) const {
    return id > 0 && id <= kNodesMax ? hosts_[static_cast<std::size_t>(id)].get() : nullptr;
  }

  /// One that exists.
  [[nodiscard]] Host& node(std::int64_t id) const { return *hosts_[static_cast<std::size_t>(id)]; }

  [[nodiscard]] Link& link(std::int64_t from, std::int64_t to) {
    return links_[static_cast<std::size_t>(from * (kNodesMax + 1) + to)];
  }

  void make_first_config();
  void run_until(SimTime end);
  void handle(const QueuedEvent& event);
  void handle_host(Host& at, const QueuedEvent& event);
  void deliver(consensus::Message message, SimTime extra);
  void receive(Host& at, std::int64_t slot);
  void flood();
  void forge(Host& at, const consensus::Message& message);

  // world_ops.cc
  void begin_op(std::size_t number);
  void end_op(std::size_t node_number);
  void begin_node_op(const Op& op, Host& at);
  void change_member(std::size_t number, const Op& op);
  [[nodiscard]] bool is_done(const Op& op) const;
  void crash(Host& at, SimTime length);
  void propose_scripted(Host& at, std::int64_t count);

  [[nodiscard]] std::int64_t or_leader(std::int64_t id) const {
    return id == kLeader ? leader() : id;
  }

  void cut(std::int64_t from, std::int64_t to, SimTime until);
  [[nodiscard]] std::int64_t leader() const;
  [[nodiscard]] bool may_stop(std::int64_t id) const;
  [[nodiscard]] bool may_change(const consensus::ChangeMember& change) const;
  [[nodiscard]] bool has_live_majority(const consensus::Config& config, std::int64_t without) const;

  // liveness.cc
  void run_liveness();
  [[nodiscard]] bool can_progress(std::uint64_t healed) const;
  [[nodiscard]] std::uint64_t choose_majority();
  [[nodiscard]] std::pair<consensus::Index, consensus::Index> log_span(std::uint64_t hosts) const;
  void heal(std::uint64_t healed);
  void break_others(std::uint64_t healed);
  [[nodiscard]] bool has_converged(std::uint64_t healed);
  void describe_stuck(std::uint64_t healed);

  Script script_;
  SimTime now_ = 0;
  EventQueue queue_;
  Trace trace_;
  Oracle oracle_;
  Rng net_rng_;
  Rng disk_rng_;
  consensus::Config first_config_;
  std::vector<Link> links_;
  std::array<std::unique_ptr<Host>, kNodesMax + 1> hosts_;
  std::int64_t last_id_ = 0;
  std::vector<consensus::Message> pool_;  ///< Messages under way.
  std::vector<std::size_t> free_;
  std::unique_ptr<Clients> clients_;
  std::vector<std::int32_t> tries_;  ///< Of the lines of the script.
  SimTime lossy_until_ = 0;
  std::int64_t lossy_permille_ = 0;
  std::uint64_t scripted_seq_ = 0;
  std::uint64_t healed_ = 0;  ///< In the second phase: who is let alone.
  std::array<consensus::Index, kNodesMax + 1> applied_before_{};  ///< When last looked at.
  Outcome outcome_;
};

}  // namespace distcron::sim
