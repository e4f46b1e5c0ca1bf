// SPDX-License-Identifier: Apache-2.0
// Texts of durations, sizes, modes and instants as people type and read them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/job_spec.h"

namespace distcron::model {

/// "90s", "10m", "1h30m", "7d", "250ms", "1w"; "0" and "0s" are zero. Negative is kInvalid.
[[nodiscard]] Result<Millis> parse_duration(std::string_view text);
/// Shortest exact text: "1h30m", "250ms", "0s".
[[nodiscard]] std::string format_duration(Millis duration);

/// "512", "8MiB", "2GiB", "10k", "1MB" (k, M, G and KiB, MiB, GiB are powers of 1024, kB, MB, GB of
/// 1000).
[[nodiscard]] Result<Bytes> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(Bytes size);

/// Octal: "022", "0077", "22".
[[nodiscard]] Result<Mode> parse_mode(std::string_view text);
[[nodiscard]] std::string format_mode(Mode mode);

/// RFC 3339 UTC: "2026-11-20T02:30:00Z", or with exactly `digits` (0, 3 or 6) decimals.
[[nodiscard]] std::string format_utc(WallTime at, int digits = 0);

/// An instant as people type it: RFC 3339, "2026-11-21 02:30[:ss]" in `zone`, "-2h" and "+10m" from
/// `now`, "now", "yesterday", "today", "tomorrow", "@epoch". kInvalid names the forms.
[[nodiscard]] Result<WallTime> parse_time(std::string_view text, const cron::Zone& zone,
                                          WallTime now);

}  // namespace distcron::model
