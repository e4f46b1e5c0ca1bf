// SPDX-License-Identifier: Apache-2.0
// Cuts a job file into one file per job, with comments, by the lines on which its tables begin.
// Internal to this module. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace distcron::config {

/// A table header: the line (from 1) it stands on, and the job it belongs to, or "" for all.
struct TableStart {
  std::uint32_t line = 0;
  std::string job;
};

/// Text of each job: what stands before the first table, what belongs to all jobs, and the job's
/// own tables, each with the comment lines right above it.
[[nodiscard]] std::map<std::string, std::string> slice_jobs(std::string_view text,
                                                            std::vector<TableStart> starts);

}  // namespace distcron::config
