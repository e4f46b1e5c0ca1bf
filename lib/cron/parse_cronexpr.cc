// SPDX-License-Identifier: Apache-2.0
// gorhill/cronexpr and its copy in supercronic 0.2.48: five fields, six with a year at the end,
// seven with seconds in front too. Own code after their documented and observed behaviour.
#include <algorithm>
#include <array>

#include "cron/cron.h"
#include "cron/parse_fields.h"

namespace distcron::cron {

namespace {

constexpr std::array kAllFields = {Field::kSecond, Field::kMinute,  Field::kHour, Field::kDay,
                                   Field::kMonth,  Field::kWeekday, Field::kYear};
constexpr std::size_t kFieldsMax = kAllFields.size();

/// `\s` of Go's regexp.
constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

struct Piece {
  std::size_t begin = 0;
  std::string_view text;
};

/// Splits at white space; keeps at most 8 pieces and returns how many there are.
std::size_t split(std::string_view text, std::array<Piece, 8>& pieces) {
  std::size_t count = 0;
  std::size_t at = 0;
  for (;;) {
    while (at < text.size() && is_space(text[at]))
      ++at;
    if (at == text.size()) return count;
    const std::size_t begin = at;
    while (at < text.size() && !is_space(text[at]))
      ++at;
    if (count < pieces.size()) pieces[count] = {begin, text.substr(begin, at - begin)};
    ++count;
  }
}

class CronexprReader {
 public:
  explicit CronexprReader(const ParseOptions& options)
      : options_(options), schedule_(empty_fields(options)) {}

  bool read(Field field, const Piece& piece);

  [[nodiscard]] const Schedule& schedule() const { return schedule_; }

  [[nodiscard]] Error take_error() { return std::move(error_); }

 private:
  enum class Kind : std::uint8_t { kAll, kSpan, kUnknown };

  struct Member {
    Kind kind = Kind::kUnknown;
    int first = 0;
    int last = 0;
    int step = 1;
  };

  [[nodiscard]] bool is_supercronic() const { return options_.dialect == Dialect::kSupercronic; }

  [[nodiscard]] int max() const { return field_ == Field::kWeekday ? 6 : spec_of(field_).max; }

  bool refuse(std::string_view problem, std::size_t at) {
    error_ = field_error(field_, problem, at);
    return false;
  }

  bool classify(std::string_view text, std::size_t at, Member& member);
  bool read_step(std::string_view digits, std::size_t at, int& step);
  bool read_special(std::string_view text);
  [[nodiscard]] std::optional<int> value_of(std::string_view text) const;
  void add(const Member& member);
  void mark_star();

  const ParseOptions& options_;
  Schedule schedule_;
  Field field_ = Field::kMinute;
  std::uint64_t bits_ = 0;
  Error error_;
};

/// A value as the library's patterns have it: at most two digits (four in a year), or a name.
std::optional<int> CronexprReader::value_of(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  if (!is_digit(text.front())) return value_of_name(field_, text, true);
  const FieldSpec& spec = spec_of(field_);
  if (text.size() > 4 || (field_ == Field::kYear) != (text.size() == 4)) return std::nullopt;
  if (field_ != Field::kYear && text.size() > 2) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (value < spec.min || value > spec.max) return std::nullopt;
  if (field_ == Field::kWeekday) return text.size() == 2 ? 0 : value % 7;  // "05" is Sunday there.
  return value;
}

/// Steps go through a table of the numbers 0-59 (also 00-09) and of the years.
bool CronexprReader::read_step(std::string_view digits, std::size_t at, int& step) {
  step = 0;
  if (digits.size() <= 2 || digits.size() == 4) {
    for (const char c : digits)
      step = step * 10 + (c - '0');
  }
  const bool in_table =
      (digits.size() <= 2 && step <= 59) || (step >= kYearMin && step <= kYearMax);
  if (!in_table) step = 0;
  if (step >= 1 && step <= max()) return true;
  return refuse("the step " + quoted(digits) + " is not in 1-" + std::to_string(max()), at);
}

/// `*` `?` `5` `5-20` `*/2` `5/2` `5-20/2`; anything else is kUnknown. False: an error.
bool CronexprReader::classify(std::string_view text, std::size_t at, Member& member) {
  member = Member{};
  if (text == "*" || text == "?") {
    member = {Kind::kAll, spec_of(field_).min, max(), 1};
    return true;
  }
  const auto slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  const bool has_step = slash != std::string_view::npos;
  const std::string_view digits = has_step ? text.substr(slash + 1) : std::string_view();
  const bool all_digits = digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (has_step && (digits.empty() || !all_digits)) return true;
  const auto dash = range.find('-');
  const std::optional<int> first = value_of(range.substr(0, dash));
  if (range == "*" && has_step) {
    member = {Kind::kSpan, spec_of(field_).min, max(), 1};
  } else if (first && dash == std::string_view::npos) {
    member = {Kind::kSpan, *first, has_step ? max() : *first, 1};
  } else if (first) {
    const std::optional<int> last = value_of(range.substr(dash + 1));
    if (!last) return true;
    member = {Kind::kSpan, *first, *last, 1};
    // Only supercronic checks the order, and only without a step; else the list is empty.
    if (*last < *first && is_supercronic() && !has_step) {
      return refuse("the range " + quoted(range) + " is reversed", at);
    }
  } else {
    return true;
  }
  return !has_step || read_step(digits, at + slash + 1, member.step);
}

/// L, LW, 15W in the day of month; 5L, 5#3 in the day of week.
bool CronexprReader::read_special(std::string_view text) {
  const auto is = [](char c, char lower) { return to_lower(c) == lower; };
  if (text.empty()) return false;
  if (field_ == Field::kDay) {
    if (text.size() == 1 && is(text[0], 'l')) {
      schedule_.last_days |= 1U;
      return true;
    }
    if (text.size() == 2 && is(text[0], 'l') && is(text[1], 'w')) {
      schedule_.flags |= Schedule::kLastWorkday;
      return true;
    }
    if (!is(text.back(), 'w')) return false;
    const std::optional<int> day = value_of(text.substr(0, text.size() - 1));
    if (day) schedule_.nearest_workdays |= 1U << *day;
    return day.has_value();
  }
  if (field_ != Field::kWeekday) return false;
  if (is(text.back(), 'l')) {
    const std::optional<int> day = value_of(text.substr(0, text.size() - 1));
    if (day)
      schedule_.last_weekdays = static_cast<std::uint8_t>(schedule_.last_weekdays | 1U << *day);
    return day.has_value();
  }
  const auto mark = text.find('#');
  if (mark == std::string_view::npos || mark + 2 != text.size()) return false;
  const int nth = text.back() - '0';
  const std::optional<int> day = value_of(text.substr(0, mark));
  if (nth < 1 || nth > 5 || !day) return false;
  schedule_.nth_weekdays |= std::uint64_t{1} << (8 * (nth - 1) + *day);
  return true;
}

void CronexprReader::add(const Member& member) {
  if (field_ != Field::kYear) {
    bits_ |= range_bits(member.first, member.last, member.step);
    return;
  }
  for (int year = member.first; year <= member.last; year += member.step) {
    const auto index = static_cast<std::size_t>(year - kYearMin);
    schedule_.words[index / 64] |= std::uint64_t{1} << (index % 64);
  }
}

/// The field has a member that is exactly `*` or `?`: it does not restrict the days.
void CronexprReader::mark_star() {
  if (field_ == Field::kDay) schedule_.flags |= Schedule::kDayStar;
  if (field_ == Field::kWeekday) schedule_.flags |= Schedule::kWeekdayStar;
}

bool CronexprReader::read(Field field, const Piece& piece) {
  field_ = field;
  bits_ = 0;
  const bool is_days = field == Field::kDay || field == Field::kWeekday;
  const char front = piece.text.front();
  if (front == '*' || front == '?') {
    if (field == Field::kMinute) schedule_.flags |= Schedule::kMinuteStar;
    if (field == Field::kHour) schedule_.flags |= Schedule::kHourStar;
  }
  std::size_t at = 0;
  bool any = false;
  bool is_full = false;  // An earlier member was `*`: later ones of no day field do not count.
  std::size_t unknown = std::string_view::npos;  // The first member that nothing can read.
  while (at < piece.text.size()) {
    const std::size_t end = std::min(piece.text.find(',', at), piece.text.size());
    const std::string_view text = piece.text.substr(at, end - at);
    Member member;
    if (!text.empty()) {
      any = true;
      if (!classify(text, piece.begin + at, member)) return false;
      const bool counts = is_days || !is_full;
      if (member.kind == Kind::kUnknown && counts && unknown == std::string_view::npos) {
        if (is_days && read_special(text)) {
          schedule_.flags |= Schedule::kSpecialDays;
        } else {
          unknown = piece.begin + at;
        }
      }
      if (member.kind != Kind::kUnknown) add(member);
      if (member.kind == Kind::kAll) {
        mark_star();
        is_full = true;
      }
    }
    at = end + 1;
  }
  if (!any) return refuse("a value is missing", piece.begin);
  if (unknown != std::string_view::npos) {
    return refuse("cannot read " + quoted(piece.text), unknown);
  }
  const bool any_year = field == Field::kYear && is_full;
  if (field == Field::kYear && !any_year) {
    schedule_.flags = static_cast<std::uint8_t>(schedule_.flags & ~unsigned{Schedule::kAnyYear});
  }
  store_field(schedule_, field, bits_);
  return true;
}

/// @midnight and @reboot are unknown to both libraries.
std::optional<Schedule> read_macro(std::string_view text, const ParseOptions& options) {
  if (text.size() < 2 || text.front() != '@' || text == "@midnight") return std::nullopt;
  return parse_macro(text.substr(1), options);
}

/// 5 to 7 pieces to a schedule.
Result<Schedule> read_pieces(const std::array<Piece, 8>& pieces, std::size_t count,
                             const ParseOptions& options) {
  CronexprReader reader(options);
  const std::size_t skipped = count == kFieldsMax ? 0 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (!reader.read(kAllFields[i + skipped], pieces[i])) return fail(reader.take_error());
  }
  return reader.schedule();
}

}  // namespace

Result<Schedule> parse_cronexpr(std::string_view text, const ParseOptions& options) {
  std::array<Piece, 8> pieces;
  const std::size_t count = split(text, pieces);
  if (count == 1) {
    if (const auto schedule = read_macro(pieces[0].text, options)) return *schedule;
  }
  if (count < 5 || count > kFieldsMax) {
    return fail_hint(ErrorCode::kInvalid,
                     "expected 5 to 7 fields, found " + std::to_string(count) + " (column 1)",
                     "5: minute to day of week; 6: and year; 7: second first and year last; or "
                     "@yearly @annually @monthly @weekly @daily @hourly");
  }
  return read_pieces(pieces, count, options);
}

Result<ParsedPrefix> parse_supercronic_line(std::string_view line, const ParseOptions& options) {
  std::array<Piece, 8> pieces;
  const std::size_t count = split(line, pieces);
  std::optional<Error> error;
  for (const std::size_t fields : {std::size_t{7}, std::size_t{6}, std::size_t{5}}) {
    if (count <= fields) continue;
    Result<Schedule> schedule = read_pieces(pieces, fields, options);
    if (schedule) return ParsedPrefix{*schedule, pieces[fields].begin};
    error = std::move(schedule).error();
  }
  if (count > 1) {
    if (const auto schedule = read_macro(pieces[0].text, options)) {
      return ParsedPrefix{*schedule, pieces[1].begin};
    }
  }
  if (error) return fail(std::move(*error));
  return fail_hint(ErrorCode::kInvalid, "no schedule and command in the line (column 1)",
                   "write five fields, or a macro such as @daily, then the command");
}

}  // namespace distcron::cron
