// SPDX-License-Identifier: Apache-2.0
// Inside of parse_crontab(): one entry line. Not for use outside of lib/cron.
// Pure; no thread rule.
#pragma once

#include <cstddef>
#include <string_view>

#include "cron/crontab.h"

namespace distcron::cron {

/// Reads `text` from `begin` on (its first non-blank) as an entry; fills kind, entry or refusal.
/// Leaves entry.env and entry.tz to the caller.
void parse_entry_line(std::string_view text, std::size_t begin, CrontabLine& line,
                      const CrontabOptions& options);

}  // namespace distcron::cron
