// SPDX-License-Identifier: Apache-2.0
// What the executor opens for an agent that is not root: users' crontabs in one fixed folder, for
// reading, and nothing else. Called by the executor's one thread; keeps nothing open.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace distcron::process {

inline constexpr std::size_t kSpoolNamesMax = 10'000;
inline constexpr long long kSpoolTableBytesMax = 16LL << 20U;

struct SpoolAnswer {
  UniqueFd fd;
  int sys_errno = 0;
};

/// A memory file with the names in `dir`, each ended by NUL, without those that begin with a dot.
/// E2BIG: more than kSpoolNamesMax. ENOTSUP: `dir` is empty.
[[nodiscard]] SpoolAnswer list_spool(const std::string& dir);

/// The table `name`. Only a regular file of its own (no link of either kind) of at most
/// kSpoolTableBytesMax is opened: ELOOP, EMLINK, EFBIG; EINVAL: it is no file, or this is no name.
[[nodiscard]] SpoolAnswer open_spool_table(const std::string& dir, std::string_view name);

}  // namespace distcron::process
