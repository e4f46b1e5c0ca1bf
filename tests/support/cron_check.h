// SPDX-License-Identifier: Apache-2.0
// Short forms for the cron tests: texts in, texts out. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cron/cron.h"

namespace distcron::cron {

/// The zone, or a crash that names it: tests need the tz database.
[[nodiscard]] std::shared_ptr<const Zone> zone_of(std::string_view name);

/// UTC instant of "2026-03-29T01:00:00Z".
[[nodiscard]] WallTime utc_time(std::string_view text);

/// The next `count` slots after `after` (local time of the zone unless it ends in Z), as UTC texts.
[[nodiscard]] std::vector<std::string> slots(std::string_view expression, const Zone& zone,
                                             std::string_view after, int count,
                                             const ParseOptions& options = {});

/// "" when the text is accepted, else the error text.
[[nodiscard]] std::string error_of(std::string_view text, Dialect dialect);

/// Values of a mask as "0,5,10"; "-" without any.
[[nodiscard]] std::string values_of(std::uint64_t bits);

}  // namespace distcron::cron
