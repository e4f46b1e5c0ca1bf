// SPDX-License-Identifier: Apache-2.0
// FleetNode: one simulated host: its clocks, disk, executor and, while it lives, its agent: the
// production Replica, Fleet, Scheduler and Host over the simulated store, mesh and executor, driven
// in the order of the real loop (lib/agent/loop.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/clock_guard.h"
#include "agent/fleet.h"
#include "agent/host.h"
#include "agent/local_runs.h"
#include "agent/replica.h"
#include "agent/scheduler.h"
#include "sim/fleet_exec.h"
#include "sim/fleet_judge.h"
#include "sim/fleet_net.h"
#include "sim/fleet_plan.h"
#include "sim/fleet_store.h"

namespace distcron::sim {

class FleetNode {
 public:
  using Trace = std::function<void(const std::string& line)>;

  FleetNode(Agenda& agenda, FleetNet& net, FleetJudge& judge, FleetLibrary& library,
            const FleetOptions& options, std::int64_t id);
  ~FleetNode();
  FleetNode(const FleetNode&) = delete;
  FleetNode& operator=(const FleetNode&) = delete;

  /// The state before the first start; the same on every member.
  void format(const FleetRows& rows, const consensus::Config& config);
  /// ... of one that is to join, whose log begins with the cluster's.
  void format(const FleetRows& rows);

  /// Not started before it has joined, as the scheduler's answer says, with an empty disk.
  void stay_out() { is_member_ = false; }

  [[nodiscard]] wire::JoinRequest join_request() const;
  void join(const wire::JoinReply& reply);

  void give_up() { has_left_ = true; }

  /// Is told by its state that it is no member any more, and never starts again.
  [[nodiscard]] bool has_left() const { return has_left_; }

  [[nodiscard]] bool is_member() const { return is_member_ && !has_left_; }

  void power_on();
  void power_off();
  void start_agent();
  void kill_agent();
  void pause(FleetTime span);
  /// The agent dies at a write that is still to come, and is started again after `span`.
  void crash_at_write(FleetCrash when, FleetTime span);

  /// The agent dies with an order on its way to the executor, which comes to it after `stall`, and
  /// is started again after `span`.
  void crash_at_spawn(FleetTime stall, FleetTime span);
  /// `what` happens with the next start of a process here, which then lives for `lives`.
  void at_next_start(std::function<void()> what, FleetTime lives);

  void resume() { frozen_until_ = agenda_.now(); }

  void crash_executor(FleetTime down_for) { exec_.crash(down_for); }

  /// The wall clock is set; Micros(0): right.
  void set_wall(Micros ahead);
  void trust_clock();
  void hand_over();
  /// `then` gets whether it was done.
  void client(model::Command command, const std::string& request_id,
              std::function<void(const Status&)> then = {});
  /// Gives the places of runs away that people may give away here: `by_force` also of live ones.
  void release_places(const std::string& request_id, bool by_force);

  [[nodiscard]] FleetDisk& disk() { return disk_; }

  [[nodiscard]] FleetExecHabits& habits() { return exec_.habits; }

  [[nodiscard]] std::int64_t id() const { return id_; }

  [[nodiscard]] bool is_on() const { return is_on_; }

  [[nodiscard]] bool has_agent() const { return agent_ != nullptr; }

  [[nodiscard]] const planner::State* state() const;
  [[nodiscard]] std::int64_t applied() const;
  [[nodiscard]] bool is_scheduler() const;
  /// Role, term and members as it knows them, for messages.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] agent::Now now() const;
  /// Members of the log, as this agent has them.
  [[nodiscard]] consensus::Config config() const;

  Trace trace;

 private:
  struct Agent;

  class Dice final : public agent::Random, public consensus::Dice {
   public:
    explicit Dice(std::uint64_t seed) : rng_(seed) {}

    [[nodiscard]] std::uint64_t draw() override { return rng_.draw() | 1U; }

   private:
    Rng rng_;
  };

  void wake();
  void turn_at(FleetTime when);
  void turn();
  void step();
  void arm();
  void on_completion(const store::Completion& completion);
  void on_installed(std::int64_t index);
  void on_role();
  void introduce();
  /// As agent::Operations::join().
  void take_in(const wire::JoinRequest& request, const std::string& token_hash,
               const std::function<void(const wire::JoinReply&)>& answer);
  void die_soon();
  void die_now();
  [[nodiscard]] std::string boot_id() const;

  Agenda& agenda_;
  FleetNet& net_;
  FleetJudge& judge_;
  FleetLibrary& library_;
  const FleetOptions& options_;
  std::int64_t id_;
  Rng rng_;
  FleetDisk disk_;
  FleetExec exec_;
  std::unique_ptr<Agent> agent_;

  bool is_member_ = true;
  bool has_left_ = false;
  std::vector<model::Node> first_members_;
  bool is_on_ = false;
  std::int64_t boot_ = 0;
  std::int64_t lives_ = 0;  ///< Of its agent.
  FleetTime crash_span_ = 0;
  std::function<void()> at_start_;
  FleetTime booted_at_ = 0;
  std::int64_t drift_ppm_ = 0;
  Micros wall_ahead_{0};
  std::optional<WallTime> passed_;  ///< What the agents of this host know to have passed.
  FleetTime frozen_until_ = 0;
  bool was_frozen_ = false;  ///< Since its last turn.
  FleetTime next_turn_ = 0;
  std::uint64_t turn_number_ = 0;  ///< Of the only planned turn that counts.
  bool led_ = false;
};

}  // namespace distcron::sim
