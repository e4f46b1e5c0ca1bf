// SPDX-License-Identifier: Apache-2.0
// The front door: chooses the grammar, and reads @every, @at and @reboot.
#include <vector>

#include "base/suggest.h"
#include "base/text.h"
#include "cron/cron.h"
#include "cron/parse_fields.h"

namespace distcron::cron {

namespace {

constexpr std::string_view kSpaces = " \t\r\n";
/// Longer texts are refused unread; no schedule needs a fraction of it.
constexpr std::size_t kTextMax = 4096;
constexpr std::int64_t kIntervalMax = std::int64_t{366} * 86400 * 10;

tl::unexpected<Error> bad_interval(std::string_view text, std::string_view problem) {
  return fail_hint(ErrorCode::kInvalid,
                   "@every: " + quoted(text) + " " + std::string(problem) + " (column 8)",
                   "write it like @every 1h30m or @every 10s");
}

std::int64_t seconds_of(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    case 'w':
      return 604800;
    default:
      return 0;
  }
}

/// "1h30m" in seconds.
Result<std::int64_t> read_interval(std::string_view text) {
  std::int64_t total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::int64_t number = 0;
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at]) && number <= kIntervalMax) {
      number = number * 10 + (text[at++] - '0');
    }
    if (at == start || at == text.size()) return bad_interval(text, "is not a length of time");
    if (text.substr(at, 2) == "ms") return bad_interval(text, "is finer than a second");
    const std::int64_t unit = seconds_of(text[at++]);
    if (unit == 0) return bad_interval(text, "is not a length of time");
    if (number > kIntervalMax / unit) return bad_interval(text, "is longer than ten years");
    total += number * unit;
    if (total > kIntervalMax) return bad_interval(text, "is longer than ten years");
  }
  if (total == 0) return bad_interval(text, "is no time at all");
  return total;
}

Result<Schedule> read_every(std::string_view argument, const ParseOptions& options) {
  DC_TRY(const std::int64_t seconds, read_interval(argument));
  Schedule schedule = empty_fields(options);
  schedule.kind = ScheduleKind::kEvery;
  schedule.words[0] = static_cast<std::uint64_t>(seconds) * 1'000'000U;
  return schedule;
}

Result<Schedule> read_at(std::string_view argument, const ParseOptions& options) {
  Result<LocalTimeText> time = read_local_time(argument);
  if (!time) return fail(std::move(time).error().within("@at"));
  Schedule schedule = empty_fields(options);
  schedule.kind = ScheduleKind::kAt;
  schedule.words[0] = static_cast<std::uint64_t>(time->seconds * 1'000'000);
  if (!time->has_offset) schedule.flags |= Schedule::kLocalTime;
  return schedule;
}

tl::unexpected<Error> unknown_macro(std::string_view word) {
  const std::vector<std::string> known = {"@yearly",   "@annually", "@monthly", "@weekly", "@daily",
                                          "@midnight", "@hourly",   "@reboot",  "@every",  "@at"};
  const std::vector<std::string> near = suggest(word, known);
  return fail_hint(ErrorCode::kInvalid, "unknown time " + quoted(word) + " (column 1)",
                   near.empty() ? "known: @yearly @monthly @weekly @daily @hourly @reboot, "
                                  "@every 1h30m, @at 2026-12-01T10:00"
                                : "did you mean " + near.front() + "?");
}

/// A text that begins with `@`, in native and its two forms with seconds.
Result<Schedule> read_native_macro(std::string_view text, const ParseOptions& options) {
  const auto blank = text.find_first_of(kSpaces);
  const std::string_view word = text.substr(0, blank);
  const std::string_view argument =
      blank == std::string_view::npos ? std::string_view() : trim(text.substr(blank), kSpaces);
  if (word == "@every") return read_every(argument, options);
  if (word == "@at") return read_at(argument, options);
  std::optional<Schedule> schedule = parse_macro(word.substr(1), options);
  if (word == "@reboot") {
    schedule = empty_fields(options);
    schedule->kind = ScheduleKind::kReboot;
  }
  if (!schedule) return unknown_macro(word);
  if (!argument.empty()) {
    return fail(ErrorCode::kInvalid, "unexpected " + quoted(argument) + " after " + quoted(word) +
                                         " (column " + std::to_string(word.size() + 2) + ")");
  }
  return *schedule;
}

/// One expression of Debian or cronie: what follows the fields would be the command.
Result<Schedule> parse_vixie_text(std::string_view text, const ParseOptions& options) {
  DC_TRY(const ParsedPrefix prefix, parse_vixie(text, options));
  if (prefix.consumed < text.size() && text[prefix.consumed] == '*') {
    return fail_hint(
        ErrorCode::kInvalid,
        "a sixth field that begins with * (column " + std::to_string(prefix.consumed + 1) + ")",
        "crontab lines have five time fields, then the command");
  }
  return prefix.schedule;
}

}  // namespace

Result<Schedule> parse(std::string_view text, const ParseOptions& options) {
  const std::string_view trimmed = trim(text, kSpaces);
  if (trimmed.empty()) {
    return fail_hint(ErrorCode::kInvalid, "the schedule is empty",
                     "write five fields such as 30 2 * * *, or a macro such as @daily");
  }
  if (trimmed.size() > kTextMax) {
    return fail(ErrorCode::kInvalid,
                "the schedule is longer than " + std::to_string(kTextMax) + " bytes");
  }
  if (trimmed.starts_with("TZ=") || trimmed.starts_with("CRON_TZ=")) {
    return fail_hint(ErrorCode::kInvalid, "a schedule cannot set its time zone (column 1)",
                     "give the zone with --tz");
  }
  switch (options.dialect) {
    case Dialect::kNative:
    case Dialect::kSeconds:
    case Dialect::kSeconds5:
      if (trimmed.front() == '@') return read_native_macro(trimmed, options);
      return parse_native(trimmed, options);
    case Dialect::kQuartz:
      return parse_native(trimmed, options);
    case Dialect::kDebian:
    case Dialect::kCronie:
      return parse_vixie_text(trimmed, options);
    case Dialect::kSupercronic:
    case Dialect::kCronexpr:
      return parse_cronexpr(trimmed, options);
  }
  return fail(ErrorCode::kInvalid, "unknown dialect");
}

Result<ParsedPrefix> parse_prefix(std::string_view line, const ParseOptions& options) {
  switch (options.dialect) {
    case Dialect::kDebian:
    case Dialect::kCronie:
      return parse_vixie(line, options);
    case Dialect::kSupercronic:
      return parse_supercronic_line(line, options);
    case Dialect::kNative:
    case Dialect::kSeconds:
    case Dialect::kSeconds5:
    case Dialect::kQuartz:
    case Dialect::kCronexpr:
      break;
  }
  return fail_hint(
      ErrorCode::kInvalid,
      "crontab lines are not read with dialect " + std::string(name_of(options.dialect)),
      "use debian, cronie or supercronic");
}

}  // namespace distcron::cron
