// SPDX-License-Identifier: Apache-2.0
// Debian cron and cronie: what their crontab readers accept, character by character, oddities
// included. Own code after the behaviour of entry.c in Debian cron 3.0pl1-162 and cronie 1.7.2.
#include <limits>

#include "cron/cron.h"
#include "cron/parse_fields.h"

namespace distcron::cron {

namespace {

constexpr std::size_t kDebianWordMax = 100;  // MAX_TEMPSTR
constexpr std::size_t kCronieWordMax = 131072;

/// What atoi() of glibc gives: long, then cut to 32 bits.
int atoi_of(std::string_view digits) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::int64_t value = 0;
  for (const char c : digits) {
    const int digit = c - '0';
    if (value > (kMax - digit) / 10) {
      value = kMax;
      break;
    }
    value = value * 10 + digit;
  }
  return static_cast<int>(static_cast<std::int32_t>(static_cast<std::uint32_t>(value)));
}

/// Base of the two readers: the line as a stream of characters that ends in a newline.
class VixieReader {
 public:
  VixieReader(std::string_view line, const ParseOptions& options)
      : line_(line), options_(options), schedule_(empty_fields(options)) {}

  Result<ParsedPrefix> read() {
    constexpr std::array kFields = {Field::kMinute, Field::kHour, Field::kDay, Field::kMonth,
                                    Field::kWeekday};
    for (const Field field : kFields) {
      field_ = field;
      start_ = at_;
      if (!read_list()) return fail(std::move(error_));
    }
    return ParsedPrefix{schedule_, at_};
  }

 private:
  [[nodiscard]] bool is_debian() const { return options_.dialect == Dialect::kDebian; }

  [[nodiscard]] char ch() const { return at_ < line_.size() ? line_[at_] : '\n'; }

  [[nodiscard]] bool at_separator() const { return is_blank(ch()) || ch() == '\n' || ch() == ','; }

  bool refuse(std::string_view problem, std::size_t at) {
    error_ = field_error(field_, problem, at);
    return false;
  }

  bool refuse_here() {
    if (ch() == '\n') return refuse("is missing", at_);
    return refuse("unexpected " + quoted(line_.substr(at_, 1)), at_);
  }

  void note_star() {
    if (ch() != '*') return;
    switch (field_) {
      case Field::kMinute:
        schedule_.flags |= Schedule::kMinuteStar;
        return;
      case Field::kHour:
        schedule_.flags |= Schedule::kHourStar;
        return;
      case Field::kDay:
        schedule_.flags |= Schedule::kDayStar;
        return;
      case Field::kWeekday:
        schedule_.flags |= Schedule::kWeekdayStar;
        return;
      case Field::kSecond:
      case Field::kMonth:
      case Field::kYear:
        return;
    }
  }

  /// get_list(): ranges with commas, then up to the next blank, then the blanks.
  bool read_list() {
    note_star();
    bits_ = 0;
    for (;;) {
      if (!(is_debian() ? read_debian_range() : read_cronie_range())) return false;
      if (ch() != ',') break;
      ++at_;
    }
    while (!is_blank(ch()) && ch() != '\n')
      ++at_;  // Debian: whatever stands here is not looked at.
    while (is_blank(ch()))
      ++at_;
    store_field(schedule_, field_, bits_);
    return true;
  }

  bool in_range(std::int64_t value) {
    const FieldSpec& spec = spec_of(field_);
    if (value >= spec.min && value <= spec.max) return true;
    return refuse(std::to_string(value) + " is not in " + std::to_string(spec.min) + "-" +
                      std::to_string(spec.max),
                  start_);
  }

  bool add(std::int64_t value) {
    if (!in_range(value)) return false;
    bits_ |= std::uint64_t{1} << value;
    return true;
  }

  bool add_range(std::int64_t first, std::int64_t last, std::int64_t step) {
    for (std::int64_t value = first; value <= last; value += step) {
      if (!add(value)) return false;
    }
    return true;
  }

  /// get_number(): a number, or a name where `names` allows.
  bool read_number(int& value, bool names) {
    const std::size_t first = at_;
    const std::size_t max = is_debian() ? kDebianWordMax : kCronieWordMax;
    bool digits = true;
    while (is_digit(ch()) || is_letter(ch())) {
      digits = digits && is_digit(ch());
      ++at_;
    }
    const std::string_view word = line_.substr(first, at_ - first);
    if (word.empty()) return refuse_here();
    if (word.size() >= max) return refuse("is too long", first);
    if (digits) {
      value = atoi_of(word);
      return true;
    }
    const std::optional<int> named = names ? value_of_name(field_, word, false) : std::nullopt;
    if (!named) return refuse("cannot read " + quoted(word), first);
    value = *named;
    return true;
  }

  bool read_step(int& step) {
    const std::size_t first = ++at_;
    if (!read_number(step, false)) return false;
    return step != 0 || refuse("step 0 makes no progress", first);
  }

  bool read_debian_range() {
    const FieldSpec& spec = spec_of(field_);
    int first = spec.min;
    int last = spec.max;
    start_ = at_;
    if (ch() == '*') {
      ++at_;
    } else {
      if (!read_number(first, true)) return false;
      if (ch() == '/') return refuse("a step needs a range", at_);
      if (ch() != '-') return add(first);
      ++at_;
      if (!read_number(last, true)) return false;
    }
    int step = 1;
    if (ch() == '/' && !read_step(step)) return false;
    if (!in_range(first) || !in_range(last)) return false;
    return add_range(first, last, step);
  }

  bool read_cronie_range() {
    const FieldSpec& spec = spec_of(field_);
    int first = spec.min;
    int last = spec.max;
    int step = 1;
    start_ = at_;
    bool is_random = false;
    if (ch() == '*') {
      ++at_;
      if (ch() == '/' && !read_step(step)) return false;
    } else {
      if (ch() != '~' && !read_number(first, true)) return false;
      if (ch() == '-') {
        ++at_;
        if (!read_number(last, true)) return false;
        if (ch() == '/') {
          if (!read_step(step)) return false;
        } else if (field_ == Field::kWeekday && last == 0 && first > last) {
          last = 7;  // "sat-sun"
        }
      } else if (ch() == '~') {
        is_random = true;
        ++at_;
        if (!at_separator() && !read_number(last, true)) return false;
      } else {
        return at_separator() ? add(first) : refuse_here();
      }
    }
    if (!at_separator()) return refuse_here();
    if (!is_random) return add_range(first, last, step);
    if (first > last) return refuse("the range is reversed", start_);
    if (!in_range(first) || !in_range(last)) return false;
    // cronie draws anew at each load; here the seed decides, so that all nodes agree.
    return add(spread(options_.seed, field_, first, last));
  }

  std::string_view line_;
  const ParseOptions& options_;
  Schedule schedule_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  Field field_ = Field::kMinute;
  std::uint64_t bits_ = 0;
  Error error_;
};

Result<ParsedPrefix> read_macro(std::string_view line, const ParseOptions& options) {
  std::size_t end = 1;
  while (end < line.size() && !is_blank(line[end]) && line[end] != '\n')
    ++end;
  const std::string_view name = line.substr(1, end - 1);
  std::optional<Schedule> schedule = parse_macro(name, options);
  if (name == "reboot") {
    schedule = empty_fields(options);
    schedule->kind = ScheduleKind::kReboot;
  }
  if (!schedule) {
    return fail_hint(ErrorCode::kInvalid,
                     "unknown time " + quoted(line.substr(0, end)) + " (column 1)",
                     "known: @reboot @yearly @annually @monthly @weekly @daily @midnight @hourly");
  }
  while (end < line.size() && is_blank(line[end]))
    ++end;
  return ParsedPrefix{*schedule, end};
}

}  // namespace

Result<ParsedPrefix> parse_vixie(std::string_view line, const ParseOptions& options) {
  if (!line.empty() && line.front() == '@') return read_macro(line, options);
  return VixieReader(line, options).read();
}

}  // namespace distcron::cron
