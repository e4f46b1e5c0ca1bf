// SPDX-License-Identifier: Apache-2.0
// The seeded bugs of lib/consensus, lib/agent and lib/planner (see mutants.md there), switched on
// by name. Set before any world runs and not changed after: worlds of several threads read it.
#pragma once

#include <span>
#include <string_view>

namespace distcron::sim {

/// Every name that the sources of the core ask for, in alphabetical order.
[[nodiscard]] std::span<const std::string_view> mutant_names();
/// ... and those of agent and planner.
[[nodiscard]] std::span<const std::string_view> fleet_mutant_names();
/// False: no such mutant. Empty: none is on.
[[nodiscard]] bool set_mutant(std::string_view name);

}  // namespace distcron::sim
