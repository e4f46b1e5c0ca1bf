// SPDX-License-Identifier: Apache-2.0
// The grammar of native, seconds and seconds5, and that of Quartz, which shares most of it.
// Source: crontab(5) of Debian for the base; Jenkins for H; Quartz CronExpression for L, W, #.
#include <algorithm>

#include "cron/cron.h"
#include "cron/parse_fields.h"

namespace distcron::cron {

namespace {

/// Largest day that every month has: `H` and an open `~` must not draw a day that is missing.
constexpr int kSafeDayMax = 28;

struct Word {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class NativeReader {
 public:
  NativeReader(std::string_view text, const ParseOptions& options)
      : text_(text), options_(options), schedule_(empty_fields(options)) {}

  Result<Schedule> read();

 private:
  [[nodiscard]] bool is_quartz() const { return options_.dialect == Dialect::kQuartz; }

  [[nodiscard]] bool at_end() const { return at_ == end_; }

  [[nodiscard]] char ch() const { return at_ < end_ ? text_[at_] : '\0'; }

  [[nodiscard]] bool at_member_end() const { return at_end() || ch() == ','; }

  bool accept(char c) {
    if (ch() != c || at_end()) return false;
    ++at_;
    return true;
  }

  /// Largest value that `*` stands for; 7 is a second name of Sunday.
  [[nodiscard]] int last_value() const {
    return field_ == Field::kWeekday ? 6 : spec_of(field_).max;
  }

  [[nodiscard]] int first_value() const { return spec_of(field_).min; }

  [[nodiscard]] int safe_last() const { return field_ == Field::kDay ? kSafeDayMax : last_value(); }

  bool refuse(std::string_view problem, std::size_t at, std::string_view hint = {}) {
    error_ = field_error(field_, problem, at, hint);
    return false;
  }

  bool refuse_here();

  bool split(std::span<const Field> required, bool optional_year);
  bool read_field(Field field, const Word& word);
  bool read_member();
  bool read_question_mark();
  bool read_hash();
  bool read_random(int first);
  bool read_last();
  bool read_from_value(std::size_t start);
  bool read_range(int first, int last, std::size_t start);
  bool read_value(int& value);
  bool read_word(int& value);
  bool read_number(int& value, int digits_max);
  bool read_step(int& step);
  bool check_step(int step, int width, std::size_t at);
  bool add_range(int first, int last, int step);
  void add_wrapped(int first, int last, int step);
  bool read_suffix(int value, std::size_t start, bool& done);
  bool check_quartz_days(const Word& day, const Word& weekday);

  std::string_view text_;
  const ParseOptions& options_;
  Schedule schedule_;
  std::array<Word, 8> words_{};
  std::size_t word_count_ = 0;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::size_t field_begin_ = 0;
  Field field_ = Field::kMinute;
  std::uint64_t bits_ = 0;
  Error error_;
};

constexpr std::array kNativeFields = {Field::kMinute, Field::kHour, Field::kDay, Field::kMonth,
                                      Field::kWeekday};
constexpr std::array kSecondsFields = {Field::kSecond, Field::kMinute, Field::kHour,
                                       Field::kDay,    Field::kMonth,  Field::kWeekday};
constexpr std::array kSeconds5Fields = {Field::kSecond, Field::kMinute, Field::kHour, Field::kDay,
                                        Field::kMonth};

std::span<const Field> fields_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kSeconds:
    case Dialect::kQuartz:
      return kSecondsFields;
    case Dialect::kSeconds5:
      return kSeconds5Fields;
    case Dialect::kNative:
    case Dialect::kDebian:
    case Dialect::kCronie:
    case Dialect::kSupercronic:
    case Dialect::kCronexpr:
      return kNativeFields;
  }
  return kNativeFields;
}

bool NativeReader::refuse_here() {
  if (at_end()) return refuse("a value is missing", at_);
  if (ch() == ',') return refuse("an empty member in the list", at_, "remove one comma");
  return refuse("unexpected " + quoted(text_.substr(at_, 1)), at_);
}

bool NativeReader::split(std::span<const Field> required, bool optional_year) {
  std::size_t at = 0;
  for (;;) {
    while (at < text_.size() && is_blank(text_[at]))
      ++at;
    if (at == text_.size()) break;
    const std::size_t begin = at;
    while (at < text_.size() && !is_blank(text_[at]))
      ++at;
    if (word_count_ < words_.size()) words_[word_count_] = {begin, at};
    ++word_count_;
  }
  const bool with_year = optional_year && word_count_ == required.size() + 1;
  if (word_count_ == required.size() || with_year) return true;
  std::string names;
  for (const Field field : required) {
    names += names.empty() ? "" : ", ";
    names += spec_of(field).name;
  }
  std::string hint = "the fields are: " + names + (optional_year ? ", year (optional)" : "");
  if (options_.dialect == Dialect::kNative && word_count_ == 6) {
    hint = "for six fields with seconds first use the dialect seconds";
  }
  const std::size_t column =
      word_count_ > required.size() ? words_[required.size()].begin : text_.size();
  error_ = Error{ErrorCode::kInvalid,
                 "expected " + std::to_string(required.size()) + " fields, found " +
                     std::to_string(word_count_) + " (column " + std::to_string(column + 1) + ")",
                 0, std::move(hint)};
  return false;
}

bool NativeReader::read_field(Field field, const Word& word) {
  field_ = field;
  field_begin_ = at_ = word.begin;
  end_ = word.end;
  bits_ = 0;
  const bool only_star = end_ - at_ == 1 && ch() == '*';
  if (field == Field::kYear && only_star) return true;
  if (ch() == '*' && field == Field::kMinute) schedule_.flags |= Schedule::kMinuteStar;
  if (ch() == '*' && field == Field::kHour) schedule_.flags |= Schedule::kHourStar;
  const bool is_star = ch() == '*' || ch() == '?';
  if (is_star && field == Field::kDay) schedule_.flags |= Schedule::kDayStar;
  if (is_star && field == Field::kWeekday) schedule_.flags |= Schedule::kWeekdayStar;
  if (field == Field::kYear) {
    schedule_.flags = static_cast<std::uint8_t>(schedule_.flags & ~unsigned{Schedule::kAnyYear});
  }
  if (only_star) {
    store_field(schedule_, field, range_bits(first_value(), last_value(), 1));
    return true;
  }
  do {
    if (!read_member()) return false;
  } while (accept(','));
  if (!at_end()) return refuse_here();
  store_field(schedule_, field, bits_);
  return true;
}

bool NativeReader::read_member() {
  const std::size_t start = at_;
  if (at_member_end()) return refuse_here();
  switch (ch()) {
    case '*':
      ++at_;
      return read_range(first_value(), last_value(), start);
    case '?':
      return read_question_mark();
    case 'H':
      if (!is_quartz()) return read_hash();
      break;
    case '~':
      if (!is_quartz()) return read_random(first_value());
      break;
    case '/':
      if (is_quartz()) return read_range(first_value(), last_value(), start);
      break;
    case 'l':
    case 'L':
      if (field_ == Field::kDay || field_ == Field::kWeekday) return read_last();
      break;
    default:
      break;
  }
  return read_from_value(start);
}

bool NativeReader::read_question_mark() {
  const bool is_day = field_ == Field::kDay || field_ == Field::kWeekday;
  if (!is_day) return refuse("\"?\" is for days only", at_, "write * for any value");
  if (at_ != field_begin_ || at_ + 1 != end_) return refuse("\"?\" must stand alone", at_);
  ++at_;
  return add_range(first_value(), last_value(), 1);
}

/// H, H(a-b), H/n, H(a-b)/n: fixed values that the seed spreads.
bool NativeReader::read_hash() {
  int first = first_value();
  int last = safe_last();
  ++at_;
  if (accept('(')) {
    const std::size_t start = at_;
    if (!read_value(first)) return false;
    if (!accept('-')) return refuse_here();
    if (!read_value(last)) return false;
    if (!accept(')')) return refuse("\")\" is missing", at_);
    if (first > last) return refuse("the range is reversed", start);
  }
  if (ch() != '/') return add_range(spread(options_.seed, field_, first, last), -1, 1);
  int step = 1;
  const std::size_t step_at = at_ + 1;
  if (!read_step(step) || !check_step(step, last - first, step_at)) return false;
  return add_range(spread(options_.seed, field_, first, first + step - 1), last, step);
}

/// ~, a~, ~b, a~b: one value of the range that the seed chooses. The cursor is at the `~`.
bool NativeReader::read_random(int first) {
  const std::size_t start = at_++;
  int last = std::max(first, safe_last());
  if (!at_member_end() && !read_value(last)) return false;
  if (first > last) return refuse("the range is reversed", start);
  if (ch() == '/' && !at_end()) return refuse("a step after ~ has no meaning", at_);
  return add_range(spread(options_.seed, field_, first, last), -1, 1);
}

/// L, L-n, LW in the day of month; L in the day of week of Quartz.
bool NativeReader::read_last() {
  const std::size_t start = at_++;
  if (field_ == Field::kWeekday) {
    if (!is_quartz()) {
      return refuse("\"L\" needs a day", start, "write 5L for the last Friday of the month");
    }
    bits_ |= std::uint64_t{1} << 6U;  // Quartz: Saturday.
    return true;
  }
  schedule_.flags |= Schedule::kSpecialDays;
  if (accept('W') || accept('w')) {
    schedule_.flags |= Schedule::kLastWorkday;
    return true;
  }
  int before = 0;
  if (accept('-')) {
    const std::size_t number_at = at_;
    if (!read_number(before, 2)) return false;
    if (before > 30)
      return refuse("L-" + std::to_string(before) + " is before any month", number_at);
  }
  schedule_.last_days |= 1U << before;
  return true;
}

/// A member that begins with a number or a name.
bool NativeReader::read_from_value(std::size_t start) {
  int first = 0;
  if (!read_value(first)) return false;
  bool done = false;
  if (!read_suffix(first, start, done)) return false;
  if (done) return true;
  if (ch() == '~' && !at_end() && !is_quartz()) return read_random(first);
  if (accept('-')) {
    int last = 0;
    if (!read_value(last)) return false;
    return read_range(first, last, start);
  }
  if (ch() == '/' && !at_end()) {
    const bool allowed = is_quartz() || options_.dialect == Dialect::kSeconds ||
                         options_.dialect == Dialect::kSeconds5;
    if (!allowed) {
      return refuse("a step needs a range", at_,
                    "write " + std::to_string(first) + "-" + std::to_string(last_value()) +
                        std::string(text_.substr(at_, end_ - at_)));
    }
    int step = 1;
    const std::size_t step_at = at_ + 1;
    if (!read_step(step) || !check_step(step, last_value() - first_value(), step_at)) return false;
    return add_range(first, std::max(first, last_value()), step);
  }
  return add_range(first, -1, 1);
}

/// `15W`, `5L`, `5#3`.
bool NativeReader::read_suffix(int value, std::size_t start, bool& done) {
  const char suffix = at_end() ? '\0' : ch();
  done = true;
  if (field_ == Field::kDay && (suffix == 'W' || suffix == 'w')) {
    ++at_;
    schedule_.flags |= Schedule::kSpecialDays;
    schedule_.nearest_workdays |= 1U << value;
    return at_member_end() || refuse_here();
  }
  if (field_ == Field::kWeekday && (suffix == 'L' || suffix == 'l')) {
    ++at_;
    schedule_.flags |= Schedule::kSpecialDays;
    schedule_.last_weekdays = static_cast<std::uint8_t>(schedule_.last_weekdays | 1U << value % 7);
    return at_member_end() || refuse_here();
  }
  if (field_ == Field::kWeekday && suffix == '#') {
    ++at_;
    int nth = 0;
    const std::size_t nth_at = at_;
    if (!read_number(nth, 2)) return false;
    if (nth < 1 || nth > 5) return refuse(std::to_string(nth) + " is not in 1-5", nth_at);
    schedule_.flags |= Schedule::kSpecialDays;
    schedule_.nth_weekdays |= std::uint64_t{1} << (8 * (nth - 1) + value % 7);
    return at_member_end() || refuse_here();
  }
  done = false;
  (void)start;
  return true;
}

/// A range whose bounds were read, with or without a step.
bool NativeReader::read_range(int first, int last, std::size_t start) {
  const bool may_wrap = field_ == Field::kWeekday || (is_quartz() && field_ != Field::kYear);
  if (first > last && !may_wrap) {
    return refuse(
        "the range " + std::to_string(first) + "-" + std::to_string(last) + " is reversed", start,
        "write " + std::to_string(first) + "-" + std::to_string(last_value()) + "," +
            std::to_string(first_value()) + "-" + std::to_string(last));
  }
  const int width = last_value() - first_value() + 1;
  const int unwrapped = first > last ? last + width : last;
  int step = 1;
  if (ch() == '/' && !at_end()) {
    const std::size_t step_at = at_ + 1;
    if (!read_step(step)) return false;
    const int limit = is_quartz() ? width - 1 : unwrapped - first;
    if (!check_step(step, limit, step_at)) return false;
  }
  if (first > last) {
    add_wrapped(first, unwrapped, step);
    return true;
  }
  return add_range(first, last, step);
}

void NativeReader::add_wrapped(int first, int last, int step) {
  const int width = last_value() - first_value() + 1;
  for (int value = first; value <= last; value += step) {
    bits_ |= std::uint64_t{1} << (first_value() + (value - first_value()) % width);
  }
}

/// Adds first, first + step ... last; only `first` when `last` is -1.
bool NativeReader::add_range(int first, int last, int step) {
  if (last < 0) last = first;
  if (field_ != Field::kYear) {
    bits_ |= range_bits(first, last, step);
    return true;
  }
  for (int year = first; year <= last; year += step) {
    const auto index = static_cast<std::size_t>(year - kYearMin);
    schedule_.words[index / 64] |= std::uint64_t{1} << (index % 64);
  }
  return true;
}

bool NativeReader::read_step(int& step) {
  ++at_;  // the slash
  return read_number(step, 4);
}

bool NativeReader::check_step(int step, int width, std::size_t at) {
  if (step == 0) return refuse("step 0 makes no progress", at);
  if (step > width && !(step == 1 && width == 0)) {
    return refuse("step " + std::to_string(step) + " is beyond the range", at,
                  "use a step of at most " + std::to_string(std::max(width, 1)) +
                      ", or @every for other intervals");
  }
  return true;
}

bool NativeReader::read_number(int& value, int digits_max) {
  const std::size_t start = at_;
  value = 0;
  while (!at_end() && is_digit(ch())) {
    if (at_ - start == static_cast<std::size_t>(digits_max)) {
      return refuse("the number is too long", start);
    }
    value = value * 10 + (text_[at_++] - '0');
  }
  return at_ > start || refuse_here();
}

bool NativeReader::read_word(int& value) {
  const std::size_t start = at_;
  while (!at_end() && is_letter(ch()))
    ++at_;
  std::string_view word = text_.substr(start, at_ - start);
  std::optional<int> named = value_of_name(field_, word, !is_quartz());
  const bool has_suffix = field_ == Field::kWeekday && (word.back() == 'L' || word.back() == 'l');
  if (!named && has_suffix) {
    word.remove_suffix(1);
    named = value_of_name(field_, word, !is_quartz());
    if (named) --at_;
  }
  if (!named) {
    const bool is_named = field_ == Field::kMonth || field_ == Field::kWeekday;
    return refuse("cannot read " + quoted(word), start,
                  is_named ? "names are like jan or january, mon or monday" : "");
  }
  value = *named;
  return true;
}

bool NativeReader::read_value(int& value) {
  if (at_end()) return refuse_here();
  if (is_letter(ch())) return read_word(value);
  const std::size_t start = at_;
  if (!read_number(value, field_ == Field::kYear ? 4 : 2)) return false;
  const bool quartz_weekday = is_quartz() && field_ == Field::kWeekday;
  const int min = quartz_weekday ? 1 : spec_of(field_).min;
  if (value < min || value > spec_of(field_).max) {
    return refuse(std::to_string(value) + " is not in " + std::to_string(min) + "-" +
                      std::to_string(spec_of(field_).max),
                  start);
  }
  if (quartz_weekday) --value;
  return true;
}

/// Quartz asks for exactly one `?` among the two day fields.
bool NativeReader::check_quartz_days(const Word& day, const Word& weekday) {
  const bool no_day = text_[day.begin] == '?';
  const bool no_weekday = text_[weekday.begin] == '?';
  if (no_day != no_weekday) return true;
  field_ = Field::kWeekday;
  return refuse(no_day ? "both day fields are \"?\"" : "both day fields are given", weekday.begin,
                "write ? in exactly one of day of month and day of week");
}

Result<Schedule> NativeReader::read() {
  const std::span<const Field> fields = fields_of(options_.dialect);
  if (!split(fields, is_quartz())) return fail(std::move(error_));
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!read_field(fields[i], words_[i])) return fail(std::move(error_));
  }
  if (is_quartz()) {
    if (!check_quartz_days(words_[3], words_[5])) return fail(std::move(error_));
    if (word_count_ == 7 && !read_field(Field::kYear, words_[6])) return fail(std::move(error_));
  }
  if (options_.dialect == Dialect::kSeconds5) {
    schedule_.weekdays = 0x7f;
    schedule_.flags |= Schedule::kWeekdayStar;
  }
  // Days up to the 28th are in every month and meet every weekday: no search is needed.
  const bool fires = (schedule_.days & 0x1ffffffeU) != 0 && schedule_.weekdays != 0 &&
                     schedule_.has(Schedule::kAnyYear);
  if (!fires && never_fires(schedule_)) {
    const Word& day = words_[options_.dialect == Dialect::kNative ? 2 : 3];
    return fail(field_error(Field::kDay, "no such day in the given months, this never fires",
                            day.begin, "L is the last day of any month"));
  }
  return schedule_;
}

}  // namespace

Result<Schedule> parse_native(std::string_view text, const ParseOptions& options) {
  return NativeReader(text, options).read();
}

}  // namespace distcron::cron
