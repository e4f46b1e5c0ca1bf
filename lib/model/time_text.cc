// SPDX-License-Identifier: Apache-2.0
// Instants as people write them (model/units.h).
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "base/text.h"
#include "model/units.h"

namespace distcron::model {

namespace {

constexpr std::string_view kTimeForms =
    "write such as 2026-11-21T01:30:00Z, \"2026-11-21 02:30\", -2h, +10m, now, today, yesterday, "
    "tomorrow or @1795224600";
/// Instants stay within years 1 to 9999: they have a text, and sums with them do not overflow.
constexpr std::int64_t kSecondsMin = -62'135'596'800;
constexpr std::int64_t kSecondsMax = 253'402'300'799;

tl::unexpected<Error> bad_time(std::string_view text, std::string_view why) {
  return fail_hint(ErrorCode::kInvalid,
                   "time \"" + std::string(text.substr(0, 64)) + "\" " + std::string(why),
                   std::string(kTimeForms));
}

std::string format_date(std::int64_t days) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  std::array<char, 48> out{};
  const int size =
      std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return {out.data(), static_cast<std::size_t>(size)};
}

/// Up to 6 decimals of a second at the front of `text`, as microseconds; longer ones are cut.
std::int64_t take_micros(std::string_view text, std::size_t& used) {
  std::int64_t micros = 0;
  std::int64_t weight = 100'000;
  used = 0;
  while (used < text.size() && is_digit(text[used])) {
    micros += weight * (text[used] - '0');
    weight /= 10;
    ++used;
  }
  return micros;
}

Result<WallTime> parse_epoch(std::string_view text) {
  const std::string_view number = text.substr(1);
  std::int64_t seconds = 0;
  const char* const end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, seconds);
  std::int64_t micros = 0;
  std::size_t used = 0;
  std::string_view rest(stop, static_cast<std::size_t>(end - stop));
  if (error != std::errc() || seconds < kSecondsMin || seconds > kSecondsMax) {
    return bad_time(text, "is not seconds since 1970");
  }
  if (!rest.empty() && rest.front() == '.' && seconds >= 0) {
    micros = take_micros(rest.substr(1), used);
    rest.remove_prefix(used + 1);
  }
  if (!rest.empty()) return bad_time(text, "is not seconds since 1970");
  return wall_from_micros(seconds * 1'000'000 + micros);
}

Result<WallTime> parse_relative(std::string_view text, WallTime base) {
  const bool is_past = text.front() == '-';
  const auto length = parse_duration(text.substr(1));
  if (!length) return bad_time(text, "is no distance from now");
  const WallTime at = is_past ? base - *length : base + *length;
  if (epoch_seconds(at) < kSecondsMin || epoch_seconds(at) > kSecondsMax) {
    return bad_time(text, "is out of range");
  }
  return at;
}

/// Midnight of the local day that is `days` after the one that holds `base`.
Result<WallTime> local_midnight(WallTime base, std::int64_t days, const cron::Zone& zone) {
  const WallTime local = base + zone.local_offset(base);
  const auto today = std::chrono::floor<std::chrono::days>(local).time_since_epoch().count();
  return cron::parse_local_time(format_date(today + days), zone);
}

/// RFC 3339 or local time, with decimals of the second that cron::parse_local_time does not know.
Result<WallTime> parse_calendar(std::string_view text, const cron::Zone& zone) {
  const std::size_t dot = text.find('.');
  std::string whole(text);
  std::int64_t micros = 0;
  if (dot != std::string_view::npos) {
    std::size_t used = 0;
    micros = take_micros(text.substr(dot + 1), used);
    const bool after_seconds = dot >= 19 && text[dot - 3] == ':';
    if (used == 0 || !after_seconds) return bad_time(text, "is not one");
    whole = std::string(text.substr(0, dot)) + std::string(text.substr(dot + 1 + used));
  }
  if (!whole.empty() && whole.back() == 'z') whole.back() = 'Z';
  const auto at = cron::parse_local_time(whole, zone);
  if (!at) return bad_time(text, "is not one");
  return *at + Micros{micros};
}

}  // namespace

std::string format_utc(WallTime at, int digits) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::int64_t micros = (at - day).count();
  const std::int64_t seconds = micros / 1'000'000;
  std::array<char, 48> clock{};
  int size =
      std::snprintf(clock.data(), clock.size(), "T%02d:%02d:%02d", static_cast<int>(seconds / 3600),
                    static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  std::string out = format_date(day.time_since_epoch().count());
  out.append(clock.data(), static_cast<std::size_t>(size));
  if (digits > 0) {
    size = std::snprintf(clock.data(), clock.size(), ".%06d", static_cast<int>(micros % 1'000'000));
    out.append(clock.data(), static_cast<std::size_t>(digits < 6 ? digits + 1 : size));
  }
  return out + 'Z';
}

Result<WallTime> parse_time(std::string_view text, const cron::Zone& zone, WallTime now) {
  if (text.empty()) return bad_time(text, "is empty");
  if (text == "now") return now;
  if (text == "today") return local_midnight(now, 0, zone);
  if (text == "yesterday") return local_midnight(now, -1, zone);
  if (text == "tomorrow") return local_midnight(now, 1, zone);
  if (text.front() == '@') return parse_epoch(text);
  if (text.front() == '-' || text.front() == '+') return parse_relative(text, now);
  return parse_calendar(text, zone);
}

}  // namespace distcron::model
