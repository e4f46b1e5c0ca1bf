// SPDX-License-Identifier: Apache-2.0
#include "store/job_rows.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "wire/codec.h"

namespace distcron::store {
namespace {

Result<planner::Job> job_of_row(const Stmt& row) {
  Result<model::JobSpec> spec = wire::decode<model::JobSpec>(row.bytes(7));
  if (!spec) {
    return fail(ErrorCode::kCorrupt,
                "cannot read job " + row.text(8) + ": " + spec.error().message);
  }
  planner::Job job;
  job.id = row.integer(0);
  job.uid = static_cast<std::uint64_t>(row.integer(1));
  job.version = row.integer(2);
  job.created_at = row.time(3);
  job.updated_at = row.time(4);
  job.updated_by = row.text(5);
  job.source_text = row.text(6);
  job.spec = std::make_shared<const model::JobSpec>(std::move(*spec));
  job.cursor = row.time(9);
  job.disabled_until = row.maybe_time(10);
  job.last_started_at = row.maybe_time(11);
  job.last_ended_at = row.maybe_time(12);
  const auto state = model::parse_enum<model::RunState>(row.bytes(13));
  if (!state) {
    return fail(ErrorCode::kCorrupt,
                "cannot read job " + row.text(8) + ": unknown state '" + row.text(13) + "'");
  }
  job.last_state = *state;
  job.last_run_id = row.integer(14);
  job.failures = static_cast<std::int32_t>(row.integer(15));
  return job;
}

}  // namespace

Error in_file(const Db& db, Error error) {
  if (error.code != ErrorCode::kCorrupt || error.message.find(db.path()) != std::string::npos) {
    return error;
  }
  if (error.hint.empty()) {
    error.hint = std::string(kDamageHint);
  }
  return std::move(error).within("cannot use '" + db.path() + "'");
}

Result<std::vector<planner::Job>> read_jobs(const Db& db) {
  std::vector<planner::Job> jobs;
  DC_TRY(const std::int64_t count, db.ask("SELECT count(*) FROM job_state"));
  jobs.reserve(static_cast<std::size_t>(count));
  DC_TRY(Stmt rows,
         db.prepare("SELECT jobs.id, uid, version, created_at, updated_at, updated_by, "
                    "source_text, spec, name, cursor, disabled_until, last_started_at, "
                    "last_ended_at, last_state, last_run_id, failures "
                    "FROM jobs CROSS JOIN job_state ON job_state.id = jobs.id ORDER BY jobs.id"));
  while (true) {
    DC_TRY(const bool row, rows.step());
    if (!row) return jobs;
    Result<planner::Job> job = job_of_row(rows);
    if (!job) return fail(in_file(db, job.error()));
    jobs.push_back(std::move(*job));
  }
}

}  // namespace distcron::store
