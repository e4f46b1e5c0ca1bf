// SPDX-License-Identifier: Apache-2.0
// Local and UTC time texts.
#include <array>
#include <cstdio>
#include <optional>

#include "cron/calendar.h"
#include "cron/zone.h"

namespace distcron::cron {

namespace {

std::string format_seconds(std::int64_t local, char separator) {
  const std::int64_t day = floor_div(local, kSecondsPerDay);
  const Civil date = civil_from_days(day);
  const auto time = static_cast<int>(local - day * kSecondsPerDay);
  std::array<char, 40> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02d%c%02d:%02d:%02d", date.year,
                    date.month, date.day, separator, time / 3600, time / 60 % 60, time % 60);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

/// Reads fixed-width numbers and single characters from the front of a text.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  [[nodiscard]] bool ok() const { return ok_; }

  bool accept(std::string_view any_of) {
    if (at_end() || any_of.find(text_[at_]) == std::string_view::npos) return false;
    last_ = text_[at_++];
    return true;
  }

  /// The character that accept() took.
  [[nodiscard]] char last() const { return last_; }

  void expect(std::string_view any_of) { ok_ = accept(any_of) && ok_; }

  int read(int digits, int min, int max) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      const bool digit = !at_end() && text_[at_] >= '0' && text_[at_] <= '9';
      if (!digit) {
        ok_ = false;
        return min;
      }
      value = value * 10 + (text_[at_++] - '0');
    }
    ok_ = ok_ && value >= min && value <= max;
    return value;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  char last_ = '\0';
  bool ok_ = true;
};

}  // namespace

std::string format_local(WallTime at, const Zone& zone) {
  std::string text = format_seconds(epoch_seconds(at) + zone.local_offset(at).count(), ' ');
  text += ' ';
  text += zone.abbreviation(at);
  return text;
}

std::string format_utc(WallTime at) {
  return format_seconds(epoch_seconds(at), 'T') + "Z";
}

Result<LocalTimeText> read_local_time(std::string_view text) {
  TimeReader reader(text);
  const int year = reader.read(4, 1, 9999);
  reader.expect("-");
  const int month = reader.read(2, 1, 12);
  reader.expect("-");
  const int day = reader.read(2, 1, 31);
  std::int64_t time = 0;
  std::optional<std::int64_t> offset;
  if (reader.ok() && !reader.at_end()) {
    reader.expect(" T");
    time = reader.read(2, 0, 23) * std::int64_t{3600};
    reader.expect(":");
    time += reader.read(2, 0, 59) * std::int64_t{60};
    if (reader.accept(":")) time += reader.read(2, 0, 59);
    if (reader.accept("Z")) {
      offset = 0;
    } else if (reader.accept("+-")) {
      const std::int64_t sign = reader.last() == '-' ? -1 : 1;
      std::int64_t size = reader.read(2, 0, 23) * std::int64_t{3600};
      reader.accept(":");
      size += reader.read(2, 0, 59) * std::int64_t{60};
      offset = sign * size;
    }
  }
  if (!reader.ok() || !reader.at_end()) {
    return fail_hint(ErrorCode::kInvalid, "cannot read time \"" + std::string(text) + "\"",
                     "write it like 2026-11-21T02:30 or 2026-11-21T02:30:00+01:00");
  }
  if (day > days_in_month(year, month)) {
    return fail(ErrorCode::kInvalid, "there is no day \"" + std::string(text.substr(0, 10)) + "\"");
  }
  const std::int64_t local = days_from_civil(year, month, day) * kSecondsPerDay + time;
  return LocalTimeText{local - offset.value_or(0), offset.has_value()};
}

Result<WallTime> parse_local_time(std::string_view text, const Zone& zone) {
  DC_TRY(const LocalTimeText time, read_local_time(text));
  return wall_from_seconds(time.has_offset ? time.seconds : first_instant(time.seconds, zone));
}

std::int64_t first_instant(std::int64_t local, const Zone& zone) {
  constexpr std::int64_t kOffsetMax = 26 * 3600;
  const std::vector<ZoneSegment>& segments = zone.segments();
  std::size_t index = zone.segment_of(local - kOffsetMax);
  for (; index < segments.size(); ++index) {
    const ZoneSegment& segment = segments[index];
    if (local < segment.begin + segment.offset) return segment.begin;
    if (local - segment.offset < segment.end) return local - segment.offset;
  }
  return local - segments.back().offset;
}

}  // namespace distcron::cron
