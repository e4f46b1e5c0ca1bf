// SPDX-License-Identifier: Apache-2.0
// What FleetNode keeps for one life of its agent. Included by its sources only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "cron/zone.h"
#include "sim/fleet_node.h"

namespace distcron::sim {

[[nodiscard]] const cron::Zone* find_zone_of_sim(std::string_view name);

/// One life of an agent; the members as in agent::Agent.
struct FleetNode::Agent {
  Agent(FleetNode& node, std::uint64_t seed)
      : dice(seed),
        state(find_zone_of_sim),
        store(node.agenda_, node.disk_, node.library_, dice.draw(),
              {[&node] { node.wake(); },
               [this, &node](const planner::Changes& changes) {
                 node.judge_.on_changes(node.id_, changes, state);
               },
               [&node](const store::DurableBatch& batch) {
                 node.judge_.on_durable(node.id_, batch,
                                        node.now().wall - kFleetEpoch - Micros(node.agenda_.now()));
               },
               [&node] { node.die_soon(); }}),
        life(dice.draw()),
        mesh(node.net_, node.agenda_, node.id_, life,
             {[&node] { node.wake(); },
              [&node] {
                const agent::Now both = node.now();
                return mesh::MeshTime{both.mono, both.wall};
              }}),
        guard(kFleetEpoch - std::chrono::hours(24)) {}

  Dice dice;
  planner::State state;
  FleetStore store;
  std::uint64_t life;
  FleetMesh mesh;
  agent::ClockGuard guard;
  std::unique_ptr<agent::Fleet> fleet;
  std::unique_ptr<agent::Replica> log;
  std::unique_ptr<agent::Host> host;
  std::unique_ptr<agent::LocalRuns> local;
  std::unique_ptr<agent::Scheduler> scheduler;
  agent::Now now;
  std::int64_t seen_applied = 0;
  bool is_introduced = false;
  bool is_leaving = false;

  [[nodiscard]] bool schedules() const {
    return is_introduced && !is_leaving && log->is_scheduler();
  }
};

}  // namespace distcron::sim
