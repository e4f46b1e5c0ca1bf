// SPDX-License-Identifier: Apache-2.0
// Requests that change jobs and the answer to every change. One pair of request and reply per
// operation (wire/operations.h). Field keys are the JSON keys that scripts read: append only.
// Plain values; encode and decode with wire/codec.h, JSON with wire/json.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/command.h"
#include "model/run.h"
#include "wire/envelope.h"

namespace distcron::wire {

/// job.put: `command` as model::PutJobs; the agent fills tz, user and uid where they are empty.
struct PutJobsRequest {
  std::vector<model::JobPut> puts;
};

DC_VISIT(PutJobsRequest, m) {
  visit(Field{"puts", ""}, m.puts);
}

struct ChangeItem {
  std::string name;
  std::string action;  ///< created, updated, unchanged, removed, renamed, enabled, disabled, killed
  std::optional<std::int64_t> version;
  std::optional<std::int64_t> run_id;
  std::optional<WallTime> next_at;
  std::int32_t live_runs = 0;
  std::optional<std::int64_t> node_id;
};

DC_VISIT(ChangeItem, m) {
  visit(Field{"name", "job"}, m.name);
  visit(Field{"action", "what happened"}, m.action);
  visit(Field{"version", "version now"}, m.version);
  visit(Field{"run_id", "run"}, m.run_id);
  visit(Field{"next_at", "next slot"}, m.next_at);
  visit(Field{"live_runs", "runs alive"}, m.live_runs);
  visit(Field{"node_id", "node"}, m.node_id);
}

/// Answer of every changing operation.
struct ChangeReply {
  std::vector<ChangeItem> items;
  bool dry_run = false;
};

DC_VISIT(ChangeReply, m) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"dry_run", ""}, m.dry_run);
}

struct RemoveRequest {
  JobTargets targets;
  bool keep_history = false;
  bool kill = false;
};

DC_VISIT(RemoveRequest, m) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"keep_history", ""}, m.keep_history);
  visit(Field{"kill", ""}, m.kill);
}

struct RenameRequest {
  std::string name;
  std::string new_name;
};

DC_VISIT(RenameRequest, m) {
  visit(Field{"name", ""}, m.name);
  visit(Field{"new_name", ""}, m.new_name);
}

struct EnableRequest {
  JobTargets targets;
  bool enabled = true;
  std::optional<WallTime> until;
  bool kill = false;
};

DC_VISIT(EnableRequest, m) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"enabled", ""}, m.enabled);
  visit(Field{"until", ""}, m.until);
  visit(Field{"kill", ""}, m.kill);
}

}  // namespace distcron::wire
