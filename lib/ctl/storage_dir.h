// SPDX-License-Identifier: Apache-2.0
// The storage directory of an agent that is stopped, as `cluster restore` changes it. Works on real
// files; one thread.
#pragma once

#include <string>

#include "base/result.h"
#include "store/backup.h"

namespace distcron::ctl {

struct RestoreOrder {
  std::string backup;  ///< File.
  std::string dir;     ///< storage.dir of the agent.
  std::string aside;   ///< Name of the directory in `dir` for what was there.
  bool as_new = false;
};

struct Restored {
  store::CopyFacts facts;
  std::string kept;  ///< Directory with the former databases; empty: there were none.
};

/// Moves the databases of `dir` to `dir`/`aside`, then makes the backup its state. kUnavailable
/// while an agent uses it. When the backup cannot be put there, the former databases are moved
/// back. As root everything is given to the owner of `dir`, and a `dir` that is made here to the
/// user distcron where there is one. With `as_new` an empty file of that
/// name tells the agent to make it a cluster of its own.
[[nodiscard]] Result<Restored> restore_storage(const RestoreOrder& order);

}  // namespace distcron::ctl
