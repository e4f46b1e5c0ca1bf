// SPDX-License-Identifier: Apache-2.0
// Commands of the log that change cluster, nodes and jobs (model/command.h). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/job_spec.h"
#include "model/visit.h"

namespace distcron::model {

/// First command of a log: makes the cluster.
struct InitCluster {
  std::string name;
  std::string cluster_id;  ///< 32 hex digits, random.
  std::int64_t incarnation = 0;
  std::string tz;  ///< IANA zone of the first host; default of jobs.
};

DC_VISIT(InitCluster, c) {
  visit(Field{"name", ""}, c.name);
  visit(Field{"cluster_id", ""}, c.cluster_id);
  visit(Field{"incarnation", ""}, c.incarnation);
  visit(Field{"tz", ""}, c.tz);
}

/// A host joins, or starts again (boot id, version, address may change).
struct PutNode {
  std::int64_t id = 0;
  std::string name;
  std::string boot_id;
  std::string address;
  std::string version;
  TextMap labels;           ///< Of its configuration.
  TextList mesh_addresses;  ///< Empty: as before; so for the next two.
  TextList mesh_keys;
  std::int32_t feature_level = 0;
  std::int64_t start_rate = 0;
};

DC_VISIT(PutNode, c) {
  visit(Field{"id", ""}, c.id);
  visit(Field{"name", ""}, c.name);
  visit(Field{"boot_id", ""}, c.boot_id);
  visit(Field{"address", ""}, c.address);
  visit(Field{"version", ""}, c.version);
  visit(Field{"labels", ""}, c.labels);
  visit(Field{"mesh_addresses", ""}, c.mesh_addresses);
  visit(Field{"mesh_keys", ""}, c.mesh_keys);
  visit(Field{"feature_level", ""}, c.feature_level);
  visit(Field{"start_rate", ""}, c.start_rate);
}

/// Reported by people and scripts as 5 (conflict) when it does not fit what is stored.
enum class PutMode : std::uint8_t {
  kCreate,           ///< Must not exist.
  kUpdate,           ///< Must exist.
  kReplace,          ///< Either.
  kCreateIfMissing,  ///< Existing one is left alone and counts as unchanged.
};

template <>
struct EnumNames<PutMode> {
  static constexpr std::array<std::string_view, 4> kNames{"create", "update", "replace",
                                                          "create_if_missing"};
};

struct JobPut {
  JobSpec spec;
  PutMode mode = PutMode::kCreate;
  std::optional<std::int64_t> if_version;
  std::uint64_t new_uid = 0;  ///< Used when the job is new; random, never 0.
  std::string source_text;    ///< The admin's own TOML with comments; may be empty.
};

DC_VISIT(JobPut, c) {
  visit(Field{"spec", ""}, c.spec);
  visit(Field{"mode", ""}, c.mode);
  visit(Field{"if_version", ""}, c.if_version);
  visit(Field{"new_uid", ""}, c.new_uid);
  visit(Field{"source_text", ""}, c.source_text);
}

/// All or nothing.
struct PutJobs {
  std::vector<JobPut> puts;
};

DC_VISIT(PutJobs, c) {
  visit(Field{"puts", ""}, c.puts);
}

struct RemoveJobs {
  TextList names;
  bool keep_history = false;
};

DC_VISIT(RemoveJobs, c) {
  visit(Field{"names", ""}, c.names);
  visit(Field{"keep_history", ""}, c.keep_history);
}

struct RenameJob {
  std::string name;
  std::string new_name;
};

DC_VISIT(RenameJob, c) {
  visit(Field{"name", ""}, c.name);
  visit(Field{"new_name", ""}, c.new_name);
}

struct SetEnabled {
  TextList names;
  bool enabled = true;
  std::optional<WallTime> until;  ///< Only with enabled = false: enabled again at this instant.
};

DC_VISIT(SetEnabled, c) {
  visit(Field{"names", ""}, c.names);
  visit(Field{"enabled", ""}, c.enabled);
  visit(Field{"until", ""}, c.until);
}

}  // namespace distcron::model
