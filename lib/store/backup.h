// SPDX-License-Identifier: Apache-2.0
// Backups without an agent: checking one, and making a storage directory of one. Both block on the
// disk for as long as the file is large. Any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "store/state_copy.h"

namespace distcron::store {

/// Reads the whole file: application_id, format, integrity_check. Errors as examine_copy().
[[nodiscard]] Result<CopyFacts> verify_backup(const std::string& path);

/// Makes `dir` (its parent must exist) the storage of an agent that begins with the backup: its
/// Loaded::is_restored is set, until the caller's first entry, which has to raise the incarnation
/// above that of the backup. The file is checked as by verify_backup(). kConflict when `dir` holds
/// databases already; kUnavailable when an agent uses it. All or nothing.
[[nodiscard]] Result<CopyFacts> restore_backup(const std::string& path, const std::string& dir);

}  // namespace distcron::store
