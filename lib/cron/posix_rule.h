// SPDX-License-Identifier: Apache-2.0
// The rule at the end of a TZif file, "CET-1CEST,M3.5.0,M10.5.0/3": offsets after the last entry
// of its table. Pure. Source: POSIX.1-2017 8.3 "TZ", RFC 8536 3.3 and 3.3.1 (hours up to 167).
#pragma once

#include <string_view>
#include <vector>

#include "cron/zone.h"

namespace distcron::cron {

/// The changes of `rule` in the years [from, to], sorted; one entry at the start of `from` when the
/// rule knows no daylight saving. Empty when `rule` cannot be read.
[[nodiscard]] std::vector<Zone::Change> expand_posix_rule(std::string_view rule, int from, int to);

}  // namespace distcron::cron
