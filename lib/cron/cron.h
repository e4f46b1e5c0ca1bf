// SPDX-License-Identifier: Apache-2.0
// The cron module's front door: text -> Schedule, and the questions that one can ask it.
// Pure functions of their arguments: no clock, no environment, no host zone, no state. All text
// arguments are only read during the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cron/dialect.h"
#include "cron/schedule.h"
#include "cron/zone.h"

namespace distcron::cron {

struct ParseOptions {
  Dialect dialect = Dialect::kNative;
  DstMode dst = DstMode::kVixie;
  std::uint64_t seed = 0;  ///< Spreads `H` and `~`; the same seed gives the same schedule.
};

/// Reads one whole expression: fields, macro, `@every 1h30m`, `@at 2026-12-01T10:00`, `@reboot`.
/// kInvalid names the field, the column (from 1) and where possible the way out.
[[nodiscard]] Result<Schedule> parse(std::string_view text, const ParseOptions& options);

struct ParsedPrefix {
  Schedule schedule;
  std::size_t consumed = 0;  ///< Bytes of the line that belong to the schedule and blanks after it.
};

/// Reads the schedule at the start of a crontab line (no leading blanks) and says where the rest,
/// user or command, begins. Exact for kDebian, kCronie and kSupercronic: Source: CRONTAB(5) and
/// entry.c of the two, crontab.go of the third.
[[nodiscard]] Result<ParsedPrefix> parse_prefix(std::string_view line, const ParseOptions& options);

/// Whether no instant at all can match, such as February 30th or an empty reversed range.
/// True for kReboot and kNever as well, false for kEvery and kAt.
[[nodiscard]] bool never_fires(const Schedule& schedule);

/// Next instant strictly after `after` at which `schedule` is due in `zone`, a whole second.
/// nullopt when there is none within 50 years, and for kReboot and kNever. Allocates nothing. Clock
/// changes follow `schedule.dst`: vixie: a fixed-time job (is_fixed_time()) of which a local time
/// falls into a gap of less than 3 h is due once, at the first instant after the gap; of a repeat
/// of at most 3 h only the first pass counts. All other jobs are due at each real instant whose
/// local time matches. `@at` with a local time follows the rule of fixed-time jobs, and is due once
/// at most. skip: no job is due for a local time in a gap, or in a pass after the first. both: no
/// job is due for a local time in a gap; each pass counts. Source: cron(8) of Debian, cron.c.
/// differs: one run per gap, not one per slot in it.
[[nodiscard]] std::optional<WallTime> next(const Schedule& schedule, WallTime after,
                                           const Zone& zone);

/// Whether `at` is a slot: next(at - 1 us) == at.
[[nodiscard]] bool matches(const Schedule& schedule, WallTime at, const Zone& zone);

struct SlotInfo {
  WallTime at;
  bool gap_catch_up = false;  ///< The slot stands for local times that a clock change skipped.
  std::vector<std::string> intended_local;  ///< Those times, "2026-03-29 02:30:00"; at most 64.
};

/// Details of one slot; nullopt when `at` is not one.
[[nodiscard]] std::optional<SlotInfo> slot_info(const Schedule& schedule, WallTime at,
                                                const Zone& zone);

struct CalendarGap {
  WallTime at;                             ///< First instant after the gap.
  std::vector<std::string> skipped_local;  ///< Local times that are lost; at most 64.
};

/// Gaps of 3 h or more that end in (after, until] and swallow times of a fixed-time job: these are
/// not made up for, and are to be recorded as skipped (a change of calendar, as Samoa's in 2011).
[[nodiscard]] std::vector<CalendarGap> calendar_gaps(const Schedule& schedule, WallTime after,
                                                     WallTime until, const Zone& zone);

/// The schedule in words, such as "at 02:30 on Monday to Friday".
[[nodiscard]] std::string describe(const Schedule& schedule);

struct FieldCheck {
  std::string field;  ///< "minute", "day of week", "clock change" ...
  bool ok = false;
  std::string text;  ///< Such as "30 is one of 0, 30".
};

/// Why `at` is a slot or is not, field by field.
[[nodiscard]] std::vector<FieldCheck> explain_match(const Schedule& schedule, WallTime at,
                                                    const Zone& zone);

/// Smallest gap between the next few slots after `from`; nullopt with fewer than two slots.
[[nodiscard]] std::optional<Seconds> typical_interval(const Schedule& schedule, const Zone& zone,
                                                      WallTime from);

}  // namespace distcron::cron
