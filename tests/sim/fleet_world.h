// SPDX-License-Identifier: Apache-2.0
// FleetWorld: a whole cluster of production agents in one thread and virtual time. First the plan's
// faults and orders, then all is healed and must settle; the judge looks on. The same plan gives
// the same history, to the bit.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/fleet_judge.h"
#include "sim/fleet_net.h"
#include "sim/fleet_node.h"
#include "sim/fleet_plan.h"

namespace distcron::sim {

/// Hash of the token that hosts join with.
inline constexpr std::string_view kJoinToken = "hash of the token";

struct FleetOutcome {
  std::optional<FleetViolation> violation;
  std::string tail;        ///< The last events before a violation.
  std::uint64_t hash = 0;  ///< Of all events.
  std::int64_t starts = 0;
  std::int64_t slots = 0;  ///< Checked at the end.
  std::int64_t acked = 0;
  std::int64_t entries = 0;
  std::int64_t installs = 0;    ///< Of snapshots.
  std::int64_t terms = 0;       ///< With a scheduler.
  std::int64_t members = 0;     ///< At the end.
  std::int64_t unhealable = 0;  ///< 1: members left while others were down; no majority is left.
  std::int64_t steps = 0;
  FleetTime ended_at = 0;
  std::map<std::string, std::int64_t> outcomes;
};

class FleetWorld {
 public:
  explicit FleetWorld(const FleetPlan& plan);

  /// Each event, when somebody wants to see them all.
  std::function<void(const std::string& line)> listener;

  [[nodiscard]] FleetOutcome run();

 private:
  void run_until(FleetTime until);
  void found();
  void perform(const FleetOp& op);
  void change_jobs(FleetNode& node, const FleetOp& op);
  void cut(const FleetOp& op, bool out, bool in);
  void kill_some_run(FleetNode& node);
  void black_out(const FleetOp& op);
  /// Asks all the time until it is done; what was disabled is enabled again `then` later.
  void insist(const std::string& job, bool enabled, const std::string& request, FleetTime then);
  void cut_at_start(const FleetOp& op);
  void release(const FleetOp& op);
  void join(std::int64_t id);
  void change_members(FleetNode& at, const FleetOp& op);
  void check_members(const FleetNode& leader);
  [[nodiscard]] bool is_stranded() const;
  [[nodiscard]] static bool is_forsaken(const FleetNode& one, const FleetNode& leader);
  void heal();
  void finish();
  void note(const std::string& line);

  [[nodiscard]] FleetNode& node(std::int64_t id) {
    return *nodes_.at(static_cast<std::size_t>(id - 1));
  }

  [[nodiscard]] std::string request_id();
  [[nodiscard]] model::PutJobs put_of(const model::JobSpec& spec);

  FleetPlan plan_;
  Agenda agenda_;
  Rng rng_;
  FleetNet net_;
  FleetLibrary library_;
  FleetJudge judge_;
  std::vector<std::unique_ptr<FleetNode>> nodes_;
  std::deque<std::string> tail_;
  std::uint64_t hash_ = 0;
  std::uint64_t faults_life_ = 0;  ///< Ends of faults after the healing do nothing.
  std::int64_t requests_ = 0;
  bool is_unhealable_ = false;
  std::set<std::string> done_;  ///< Requests of clients that insist.
  std::int64_t steps_ = 0;
  FleetTime second_ = 0;
  std::int64_t steps_before_ = 0;  ///< It.
};

}  // namespace distcron::sim
