// SPDX-License-Identifier: Apache-2.0
// A model::Run as a row of `runs` or `attempts`: one column per field of visit_fields, in its
// order, under its key. Enumerators are stored by name, instants as microseconds since 1970 UTC.
#pragma once

#include "base/result.h"
#include "model/run.h"
#include "store/sqlite.h"

// The columns in the order of visit_fields (a test compares them).
#define DC_RUN_COLUMNS                                                                            \
  "run_id, job_uid, job, job_version, origin, scheduled_at, shard, trigger, state, reason, "      \
  "detail, attempt, node_id, node, incarnation, term, fence_index, created_at, not_before, "      \
  "dispatched_at, started_at, ended_at, exit_code, signal, pid, output_bytes, output_truncated, " \
  "tail, cpu_user_us, cpu_sys_us, maxrss_kb, kill_by, param, extra_env, extra_argv, force, "      \
  "facts, starts, first_started_at, shards, possible_overlap"
#define DC_RUN_VALUES                                                                    \
  "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " \
  "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

namespace distcron::store {

/// Binds `run` to parameters 1... and runs the statement.
[[nodiscard]] Status put_run(Stmt& stmt, const model::Run& run);

/// The run in columns 0... of the current row. kCorrupt names the run and a word that is none.
[[nodiscard]] Result<model::Run> run_of_row(const Stmt& row);

/// All rows of a bound statement; resets it.
[[nodiscard]] Result<std::vector<model::Run>> all_runs(Stmt& stmt);

}  // namespace distcron::store
