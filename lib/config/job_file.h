// SPDX-License-Identifier: Apache-2.0
// Job files: TOML text <-> JobSpec, over the field list of model::JobSpec. One file may hold many
// jobs: version = 1, [defaults] for all of them, [job.NAME] for each, and beside the fields the
// short forms `every`, `at` and [[job.NAME.notify]] with `when` and `to`. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/problem.h"
#include "model/job_spec.h"

namespace distcron::config {

struct JobFileEntry {
  model::JobSpec spec;
  /// A job file of this job alone as its author wrote it, comments and [defaults] included; empty
  /// when the job cannot be cut out of its file.
  std::string source_text;
};

struct JobFile {
  std::vector<JobFileEntry> jobs;  ///< In the order of the file.
  std::vector<Problem> problems;   ///< All that is wrong; the jobs are of use only without.
};

/// Reads and validates all jobs of a file; `file_name` is for problems only. Unset fields keep the
/// defaults of JobSpec, so that the cluster may fill in tz and user.
[[nodiscard]] JobFile parse_job_file(std::string_view text, std::string_view file_name);

/// A job file of one job: fields that differ from the default, in their usual order; with
/// `resolved`, all that have a value. Reads back to an equal spec (but for bytes that are not
/// UTF-8, which TOML cannot hold).
[[nodiscard]] std::string format_job_toml(const model::JobSpec& spec, bool resolved = false);

/// A job file of several jobs.
[[nodiscard]] std::string format_jobs_toml(const std::vector<model::JobSpec>& specs);

/// Sets one field from text, as `distcronctl set KEY=VALUE`: TOML where it is of the field's type,
/// else plain text. Plain lists of numbers are split by comma and maps by `k=v,k=v`; a plain text
/// for `schedule` or `notify` is a list of one. `env.NAME` and `labels.NAME` set one entry, `every`
/// and `at` the schedule; command, argv and script replace each other. kInvalid names the key.
/// Does not validate the spec as a whole.
[[nodiscard]] Status set_field(model::JobSpec& spec, std::string_view key, std::string_view text);

/// Back to the default; `env.NAME` and `labels.NAME` remove one entry.
[[nodiscard]] Status unset_field(model::JobSpec& spec, std::string_view key);

/// All keys in the order of visit_fields.
[[nodiscard]] std::vector<std::string> field_keys();

}  // namespace distcron::config
