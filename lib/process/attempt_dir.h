// SPDX-License-Identifier: Apache-2.0
// The folder of one attempt, out/RUN/ATTEMPT, as the stub makes it and the executor removes it.
// Opened by descriptor with O_NOFOLLOW and integer names only. No allocation.
#pragma once

#include "base/unique_fd.h"
#include "process/end_record.h"
#include "process/spawn_plan.h"

namespace distcron::process {

/// Makes and locks the folder, empties what an unreleased try left, and reserves the end record.
/// 0, or an errno. EWOULDBLOCK: another stub of this attempt is alive after a wait of one second.
[[nodiscard]] int make_attempt_dir(int out_fd, RunKey key, UniqueFd& dir, UniqueFd& record_file);

/// Puts the record into the reserved file and gives it its name. 0, or an errno.
[[nodiscard]] int store_end_record(int dir, int record_file, const EndRecord& record);

/// 0, or an errno: ENOENT without a record, EBADMSG for a damaged one.
[[nodiscard]] int load_end_record(int out_fd, RunKey key, EndRecord& record);

/// Deletes the folder with all in it, and the run's folder when it is empty then. 0, or an errno.
[[nodiscard]] int remove_attempt_dir(int out_fd, RunKey key);

}  // namespace distcron::process
