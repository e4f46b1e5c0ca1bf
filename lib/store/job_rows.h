// SPDX-License-Identifier: Apache-2.0
// Reading all jobs of a state.db, for a start and for --db.
#pragma once

#include <vector>

#include "base/result.h"
#include "planner/state.h"
#include "store/sqlite.h"

namespace distcron::store {

/// All jobs by id, without compiled schedules. kCorrupt names the job that cannot be decoded.
[[nodiscard]] Result<std::vector<planner::Job>> read_jobs(const Db& db);

/// kCorrupt with the file's name in front; other errors as they are.
[[nodiscard]] Error in_file(const Db& db, Error error);

}  // namespace distcron::store
