// SPDX-License-Identifier: Apache-2.0
// TimeMark: an instant that outlives the agent, kept as the modification time of an empty file, as
// systemd-timesyncd does: no write can leave half of it. It is not synced; after a power failure it
// may be a little older, which its readers must be able to bear.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/time.h"

namespace distcron::agent {

class TimeMark {
 public:
  explicit TimeMark(std::string path) : path_(std::move(path)) {}

  /// Nullopt when there is none, or it cannot be read.
  [[nodiscard]] std::optional<WallTime> load() const;
  /// Makes the file when it is not there, mode 0600. May block: not for the loop thread.
  [[nodiscard]] Status keep(WallTime at) const;

 private:
  std::string path_;
};

}  // namespace distcron::agent
