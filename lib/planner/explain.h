// SPDX-License-Identifier: Apache-2.0
// Answers about the state for people and tests: why a slot ran or not, and the state as text.
// Pure functions; nothing is kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "planner/state_data.h"

namespace distcron::planner {

struct ExplainQuestion {
  const Job* job = nullptr;
  std::string_view name;
  WallTime at{};
  WallTime now{};
  const std::optional<model::Run>& stored;
};

[[nodiscard]] Explanation explain_slot(const StateData& state, const ExplainQuestion& question);

[[nodiscard]] std::string dump_of(const StateData& state);

}  // namespace distcron::planner
