// SPDX-License-Identifier: Apache-2.0
// What runs have written, as it lies on this host.
#include <algorithm>

#include "agent/host.h"

namespace distcron::agent {

std::int64_t Host::kept_bytes(std::int64_t run_id) const {
  const auto attempts = ports_.files->list_attempts(run_id);
  if (!attempts) return 0;
  std::int64_t bytes = 0;
  for (const std::int32_t attempt : *attempts) {
    for (const process::Stream stream : {process::Stream::kOut, process::Stream::kErr}) {
      const auto size = ports_.files->size(process::RunKey{run_id, attempt}, stream);
      if (size) bytes += size->kept;
    }
  }
  return bytes;
}

WallTime Host::ended_at(std::int64_t run_id) const {
  WallTime last{};
  const auto attempts = ports_.files->list_attempts(run_id);
  if (!attempts) return last;
  for (const std::int32_t attempt : *attempts) {
    const auto record = ports_.files->load_end_record(process::RunKey{run_id, attempt});
    if (record) last = std::max(last, WallTime{Micros{record->ended_wall_us}});
  }
  return last;
}

}  // namespace distcron::agent
