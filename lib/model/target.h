// SPDX-License-Identifier: Apache-2.0
// Target: on how many of its hosts a slot of a job runs. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace distcron::model {

struct Target {
  enum class Kind : std::uint8_t { kOne, kAll, kCount, kPercent };
  Kind kind = Kind::kOne;
  std::int64_t amount = 1;  ///< kCount: hosts; kPercent: of the hosts that may run it.
};

/// "one", "all", "3", "25%"; kInvalid names the forms. Empty is one.
[[nodiscard]] Result<Target> parse_target(std::string_view text);

/// How many of `hosts` hosts that is: at most all, and at least 1 of them.
[[nodiscard]] std::int64_t target_count(const Target& target, std::int64_t hosts);

}  // namespace distcron::model
