// SPDX-License-Identifier: Apache-2.0
// How long a member's log grows before it is cut. Plain values.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace distcron::agent {

/// How long the log may be, and what is sent of a snapshot at once. The log is cut when it is
/// longer than this, down to `keep` entries behind the applied one, so that a member that was away
/// for a while needs no snapshot.
struct LogLimits {
  std::int64_t bytes_max = 32LL << 20;
  std::int64_t entries_max = 50'000;
  std::int64_t keep = 10'000;
  Micros look_every{10'000'000};
  std::uint64_t chunk_bytes = 256 * 1024;
};

}  // namespace distcron::agent
