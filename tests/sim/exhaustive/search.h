// SPDX-License-Identifier: Apache-2.0
// Breadth-first search over every schedule of a few members: which message comes next, whose
// timeout strikes, which write becomes durable, who crashes. The members are the real core; what a
// bound forbids is not searched. Time does not exist: a timeout may strike whenever the budget
// allows, so pre-vote, lease and check-quorum, which only hold members back, are switched off.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "consensus/raft.h"

namespace distcron::search {

/// How often things may happen on one path.
struct Budget {
  int timeouts = 2;
  int proposals = 1;
  int crashes = 0;
  int duplicates = 0;
  int heartbeats = 0;
  int transfers = 0;
  std::vector<consensus::ChangeMember> changes = {};  ///< In this order, by whoever leads.
};

struct Setup {
  std::map<consensus::NodeId, consensus::Stored> members;
  Budget budget;
  bool disks_wait = false;                    ///< Writes become durable by a step of their own.
  std::vector<consensus::NodeId> candidates;  ///< Whose timeouts strike; empty: everybody's.
  std::string mutant;
  std::size_t states_max = 100'000;
};

struct Outcome {
  std::size_t states = 0;
  std::size_t depth = 0;      ///< Everything up to so many steps was seen.
  bool is_exhausted = false;  ///< Everything within the budget was seen.
  std::optional<std::string> violation;
  std::vector<std::string> trace;  ///< The steps that lead to it: a shortest path.
};

[[nodiscard]] Outcome search(const Setup& setup);

}  // namespace distcron::search
