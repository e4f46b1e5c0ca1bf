// SPDX-License-Identifier: Apache-2.0
// Commands of the log about keys, settings and retention (model/command.h). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/job_spec.h"
#include "model/visit.h"

namespace distcron::model {

/// A key that the control door knows.
struct AccessKey {
  std::string name;
  std::string public_key;  ///< z85, 40 characters.
  Role role = Role::kViewer;
  TextList run_as;   ///< Users its jobs may run as; empty: none but for admin: all.
  std::string jobs;  ///< Glob of the jobs it may touch; empty: all.
  std::string host;  ///< Its role counts for jobs pinned to this host; a viewer of all else.
};

DC_VISIT(AccessKey, c) {
  visit(Field{"name", "name"}, c.name);
  visit(Field{"public_key", "public key"}, c.public_key);
  visit(Field{"role", "role"}, c.role);
  visit(Field{"run_as", "users that its jobs may run as"}, c.run_as);
  visit(Field{"jobs", "glob of the jobs that it may touch"}, c.jobs);
  visit(Field{"host", "host whose jobs are its only ones"}, c.host);
}

struct PutKey {
  AccessKey key;
};

DC_VISIT(PutKey, c) {
  visit(Field{"key", ""}, c.key);
}

struct RemoveKey {
  std::string name;
};

DC_VISIT(RemoveKey, c) {
  visit(Field{"name", ""}, c.name);
}

struct PutSetting {
  std::string key;
  std::string value;
};

DC_VISIT(PutSetting, c) {
  visit(Field{"key", ""}, c.key);
  visit(Field{"value", ""}, c.value);
}

/// Rows of final runs that retention lets go.
struct PruneRuns {
  std::vector<std::int64_t> run_ids;
};

DC_VISIT(PruneRuns, c) {
  visit(Field{"run_ids", ""}, c.run_ids);
}

}  // namespace distcron::model
