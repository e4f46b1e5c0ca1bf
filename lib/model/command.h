// SPDX-License-Identifier: Apache-2.0
// The commands of the replicated log: the only way to change state. A log entry is one Entry;
// planner::State::apply runs it and must come to the same result everywhere, so every instant,
// choice and random number stands in the entry, put there by its proposer. Plain values.
// Versions: a new field gets a default that means the old behaviour; a new command a new number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/access_commands.h"
#include "model/fleet_commands.h"
#include "model/job_commands.h"
#include "model/local_commands.h"
#include "model/run_commands.h"

namespace distcron::model {

/// The number of a command in the log is its place here: append only.
using Command =
    std::variant<InitCluster, PutNode, PutJobs, RemoveJobs, RenameJob, SetEnabled, TriggerRun,
                 Decide, HostReports, KillRuns, PutKey, RemoveKey, PutSetting, PruneRuns, AddNode,
                 SetNode, DrainNode, UndrainNode, RemoveNode, PutToken, RemoveToken, Pause, Resume,
                 RaiseIncarnation, ReleaseRuns, LocalRuns>;

/// One entry of the log.
struct Entry {
  WallTime at{};           ///< The proposer's wall clock.
  std::string actor;       ///< Name of the key, or "scheduler", "host:NAME".
  std::string request_id;  ///< Idempotency key; empty for the agent's own entries.
  std::string note;        ///< --reason TEXT.
  Command command;
};

DC_VISIT(Entry, c) {
  visit(Field{"at", ""}, c.at);
  visit(Field{"actor", ""}, c.actor);
  visit(Field{"request_id", ""}, c.request_id);
  visit(Field{"note", ""}, c.note);
  visit(Field{"command", ""}, c.command);
}

}  // namespace distcron::model
