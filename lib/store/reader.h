// SPDX-License-Identifier: Apache-2.0
// Reader: questions to state.db, answered with model values. Used on the store thread (inside
// Store::query), or by distcronctl --db on a file opened read-only. Not shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/run.h"
#include "planner/state.h"

namespace distcron::store {

/// Filter of `history`; unset members do not filter.
struct RunFilter {
  std::vector<std::string> jobs;  ///< Names or globs (* ? [...]).
  std::optional<WallTime> since;  ///< By scheduled_at.
  std::optional<WallTime> until;
  std::vector<model::RunState> states;
  std::string node;
  std::optional<model::Reason> reason;
  bool all_attempts = false;
  std::int64_t before_run_id = 0;  ///< Page: only what is older; 0 = from the newest.
  std::int64_t limit = 100;        ///< 1..1000.
};

struct JobVersion {
  std::int64_t version = 0;
  model::JobSpec spec;
  std::string source_text;
  WallTime at{};
  std::string by;
  std::string note;
};

class Reader {
 public:
  /// Opens a state.db (or a backup of one) read-only, for use without an agent.
  [[nodiscard]] static Result<std::unique_ptr<Reader>> open_file(const std::string& path);
  virtual ~Reader() = default;

  /// Newest first. With all_attempts one item per attempt, else one per run.
  [[nodiscard]] virtual Result<std::vector<model::Run>> runs(const RunFilter& filter) = 0;
  [[nodiscard]] virtual Result<std::optional<model::Run>> run(std::int64_t run_id) = 0;
  [[nodiscard]] virtual Result<std::vector<model::Run>> attempts(std::int64_t run_id) = 0;
  /// The run of a job's scheduled slot, if it was decided.
  [[nodiscard]] virtual Result<std::optional<model::Run>> run_at(std::uint64_t job_uid,
                                                                 WallTime scheduled_at) = 0;
  /// `back` = 0: the newest run of the job, 1: the one before ...
  [[nodiscard]] virtual Result<std::optional<model::Run>> newest_run(const std::string& job,
                                                                     std::int64_t back) = 0;
  [[nodiscard]] virtual Result<std::vector<JobVersion>> job_versions(std::uint64_t job_uid) = 0;
  [[nodiscard]] virtual Result<std::vector<planner::Changes::Event>> events(
      std::optional<WallTime> since, std::int64_t limit) = 0;
  /// The remembered reply of a request id.
  [[nodiscard]] virtual Result<std::optional<std::string>> request_reply(
      const std::string& request_id) = 0;
  /// Final runs beyond the retention: older than `age`, or more than `per_job` of one job.
  [[nodiscard]] virtual Result<std::vector<std::int64_t>> expired_runs(WallTime older_than,
                                                                       std::int64_t per_job,
                                                                       std::int64_t limit) = 0;
  /// Jobs as stored, for --db.
  [[nodiscard]] virtual Result<std::vector<planner::Job>> jobs() = 0;
};

}  // namespace distcron::store
