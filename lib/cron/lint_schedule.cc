// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "base/text.h"
#include "cron/lint_rules.h"

namespace distcron::cron {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kClockChangeLookahead = 400 * kDaySeconds;
constexpr std::int64_t kSmallChangeMax =
    std::int64_t{3} * 3'600;  ///< Larger jumps are clock corrections.
constexpr std::uint32_t kAllHours = (1U << 24U) - 1;
constexpr int kMinutesPerDay = 1'440;

struct FieldRule {
  std::string_view name;
  int low;
  int high;
  int cycle;  ///< After this many values it starts again; 0 where months differ in length.
  bool has_names;
};

constexpr std::array<FieldRule, 5> kFieldRules{{{"minute", 0, 59, 60, false},
                                                {"hour", 0, 23, 24, false},
                                                {"day of month", 1, 31, 0, false},
                                                {"month", 1, 12, 12, true},
                                                {"day of week", 0, 7, 7, true}}};

/// One member of a list as Debian and cronie read it, and how far they read.
struct Member {
  bool is_star = false;
  std::optional<int> low;
  std::optional<int> high;
  std::optional<int> step;
  std::size_t end = 0;  ///< First byte behind it.
};

std::optional<int> named_value(std::string_view name, const FieldRule& rule) {
  static constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  static constexpr std::string_view kDays = "sunmontuewedthufrisat";
  if (!rule.has_names || name.size() != 3) return std::nullopt;
  const std::string_view all = rule.high == 12 ? kMonths : kDays;
  for (std::size_t i = 0; i < all.size(); i += 3) {
    const bool equal = std::equal(name.begin(), name.end(), all.begin() + static_cast<long>(i),
                                  [](char a, char b) { return (a | 0x20) == b; });
    if (equal) return static_cast<int>(i / 3) + rule.low;
  }
  return std::nullopt;
}

std::optional<int> take_number(std::string_view text, std::size_t& at, const FieldRule* rule) {
  int value = 0;
  const std::size_t begin = at;
  while (at < text.size() && is_digit(text[at]) && at - begin < 6) {
    value = value * 10 + (text[at++] - '0');
  }
  if (at > begin) return value;
  if (rule == nullptr) return std::nullopt;
  while (at < text.size() && is_letter(text[at]))
    ++at;
  return named_value(text.substr(begin, at - begin), *rule);
}

Member read_member(std::string_view field, std::size_t at, const FieldRule& rule) {
  Member member;
  if (field[at] == '*') {
    member.is_star = true;
    member.low = rule.low;
    member.high = rule.high;
    ++at;
  } else {
    member.low = take_number(field, at, &rule);
    member.high = member.low;
    if (at < field.size() && field[at] == '-') member.high = take_number(field, ++at, &rule);
  }
  // Debian ends a single number at anything else, cronie refuses it: a step needs a range.
  if (at < field.size() && field[at] == '/') {
    std::size_t step_at = at + 1;
    member.step = take_number(field, step_at, nullptr);
    if (member.step) at = step_at;
  }
  member.end = at;
  return member;
}

void lint_step(LintSink& sink, const CrontabLine& line, const FieldText& field,
               const FieldRule& rule) {
  for (std::size_t at = 0; at < field.text.size();) {
    const Member member = read_member(field.text, at, rule);
    if (!member.low || !member.high) return;
    const int column = field.column + static_cast<int>(at);
    const bool is_open = sink.dialect() == Dialect::kSupercronic && member.low == member.high;
    const int width = (is_open ? rule.high : *member.high) - *member.low + 1;
    const int step = member.step.value_or(1);
    if (width > 0 && step > 1 && step >= width) {
      sink.warn("L06", line, column,
                "the step " + std::to_string(step) + " is as long as the range of the " +
                    std::string(rule.name) + " or longer, so only " + std::to_string(*member.low) +
                    " is left; write " + std::to_string(*member.low));
    } else if (member.is_star && step > 1 && (rule.cycle == 0 || rule.cycle % step != 0)) {
      const std::string text = "'" + std::string(field.text.substr(at, member.end - at)) +
                               "' starts again with each new " +
                               (rule.cycle == 60   ? "hour"
                                : rule.cycle == 24 ? "day"
                                : rule.cycle == 12 ? "year"
                                : rule.cycle == 7  ? "week"
                                                   : "month") +
                               ", so the last gap is shorter; use '@every' for even gaps";
      if (rule.cycle >= 24) {
        sink.warn("L07", line, column, text);
      } else {
        sink.inform("L07", line, column, text);
      }
    }
    at = member.end;
    if (at >= field.text.size() || field.text[at] != ',') return;
    ++at;
    if (at >= field.text.size()) return;
  }
}

/// L01 for one member of a list: a reversed range adds nothing.
void lint_reversed(LintSink& sink, const CrontabLine& line, const FieldText& field,
                   const FieldRule& rule) {
  if (sink.dialect() == Dialect::kSupercronic) return;
  for (std::size_t at = 0; at < field.text.size();) {
    const Member member = read_member(field.text, at, rule);
    if (!member.low || !member.high) return;
    const bool wraps = sink.dialect() == Dialect::kCronie && rule.cycle == 7 && !member.step &&
                       (*member.high == 0);
    if (*member.low > *member.high && !wraps) {
      sink.warn("L01", line, field.column + static_cast<int>(at),
                "the range '" + std::string(field.text.substr(at, member.end - at)) +
                    "' is reversed and holds nothing, so this part of the " +
                    std::string(rule.name) + " never fires; write two ranges");
    }
    at = member.end;
    if (at >= field.text.size() || field.text[at] != ',') return;
    ++at;
    if (at >= field.text.size()) return;
  }
}

/// Position at which Debian stops reading a field although it goes on.
std::optional<std::size_t> junk_position(std::string_view field, const FieldRule& rule) {
  std::size_t at = 0;
  while (at < field.size()) {
    Member member = read_member(field, at, rule);
    const bool is_single = member.low == member.high && !member.is_star &&
                           field.substr(at, member.end - at).find('-') == std::string_view::npos;
    if (is_single && member.step) {  // a step needs a range
      member.end = field.find('/', at);
    }
    at = member.end;
    if (at >= field.size()) return std::nullopt;
    if (field[at] != ',') return at;
    ++at;
  }
  return std::nullopt;
}

void lint_junk(LintSink& sink, const CrontabLine& line, const FieldText& field,
               const FieldRule& rule) {
  const auto junk = junk_position(field.text, rule);
  if (!junk) return;
  const std::string_view rest = field.text.substr(*junk);
  const std::string kept(field.text.substr(0, *junk));
  const std::string meaning = "cron reads only '" + kept + "' of the " + std::string(rule.name) +
                              " '" + std::string(field.text) + "': it fires " +
                              describe(line.entry.schedule);
  const int column = field.column + static_cast<int>(*junk);
  if (rest.find('~') != std::string_view::npos) {
    sink.warn("L03", line, column, meaning + "; '~' is cronie's, write one number");
  } else if (rest.find_first_of("#LW") != std::string_view::npos) {
    sink.warn("L04", line, column,
              meaning + "; for '#', 'L' and 'W' use '--dialect native' after the import");
  } else {
    sink.warn("L02", line, column, meaning + "; take the rest away");
  }
}

void lint_day_rule(LintSink& sink, const CrontabLine& line, const FieldText& day,
                   const FieldText& weekday) {
  if (day.text == "*" || weekday.text == "*" || day.text == "?" || weekday.text == "?") return;
  const bool is_sensitive = day.text.find('*') != std::string_view::npos ||
                            weekday.text.find('*') != std::string_view::npos;
  const bool wants_both = line.entry.schedule.has(Schedule::kDayStar) ||
                          line.entry.schedule.has(Schedule::kWeekdayStar);
  const std::string meaning =
      wants_both ? "day of month and day of week must both match here, because one of them begins "
                   "with '*'"
                 : "either day of month or day of week is enough here, because neither is '*'";
  if (is_sensitive) {
    sink.warn("L05", line, day.column,
              meaning +
                  "; other daemons read this line otherwise, so write the days out and test "
                  "the other condition in the command");
  } else {
    sink.inform("L05", line, day.column, meaning + "; for both, test one of them in the command");
  }
}

}  // namespace

void lint_schedule(LintSink& sink, const CrontabLine& line) {
  const CrontabEntry& entry = line.entry;
  const std::vector<FieldText> fields = split_fields(entry.schedule_text, entry.schedule_column);
  if (entry.schedule.kind != ScheduleKind::kReboot && never_fires(entry.schedule)) {
    sink.warn("L01", line, entry.schedule_column,
              "this schedule never fires: no date matches '" + entry.schedule_text +
                  "'; correct or delete it");
  }
  const bool is_seven = sink.dialect() == Dialect::kSupercronic && fields.size() > 5;
  if (is_seven) {
    sink.warn("L27", line, entry.schedule_column,
              "supercronic reads " + std::to_string(fields.size()) + " fields as a schedule, " +
                  (fields.size() == 6 ? "the sixth as a year" : "seconds first, a year last") +
                  "; if '" + std::string(fields.back().text) +
                  "' belongs to the command, put its path or 'exec' before it");
  }
  if (fields.size() != 5) return;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].text == "?") continue;
    if (sink.dialect() == Dialect::kDebian) lint_junk(sink, line, fields[i], kFieldRules[i]);
    if (!never_fires(entry.schedule)) lint_reversed(sink, line, fields[i], kFieldRules[i]);
    lint_step(sink, line, fields[i], kFieldRules[i]);
    int letters = 0;
    for (const char c : fields[i].text) {
      letters = is_letter(c) ? letters + 1 : 0;
      if (letters != 4 || sink.dialect() != Dialect::kSupercronic) continue;
      sink.warn("L28", line, fields[i].column,
                "only supercronic knows names longer than three letters; write the first three");
    }
  }
  lint_day_rule(sink, line, fields[2], fields[4]);
}

void lint_clock_changes(LintSink& sink, const CrontabLine& line) {
  const Schedule& schedule = line.entry.schedule;
  if (schedule.kind != ScheduleKind::kFields || schedule.hours == kAllHours) return;
  std::shared_ptr<const Zone> zone = sink.context.zone;
  if (!line.entry.tz.empty()) zone = sink.zone_of(line.entry.tz);
  if (!zone) return;
  const std::int64_t now = epoch_seconds(sink.context.now);
  const std::vector<ZoneSegment>& segments = zone->segments();
  Schedule once = schedule;  // its plain local times, without the rule for clock changes
  once.dst = DstMode::kBoth;
  for (std::size_t i = zone->segment_of(now) + 1; i < segments.size(); ++i) {
    const ZoneSegment& segment = segments[i];
    if (segment.begin > now + kClockChangeLookahead) return;
    const std::int64_t size = segment.jump < 0 ? -segment.jump : segment.jump;
    if (size == 0 || size > kSmallChangeMax) continue;
    const bool is_gap = segment.jump > 0;
    const std::int64_t begin = segment.begin + segment.offset - (is_gap ? segment.jump : 0);
    const auto hit = next(once, wall_from_seconds(begin - 1), *Zone::utc());
    if (!hit || epoch_seconds(*hit) >= begin + size) continue;
    const std::string when = format_utc(wall_from_seconds(segment.begin));
    std::string message = "its time " + std::string(is_gap ? "does not exist" : "comes twice") +
                          " in " + zone->name() + " at the clock change of " + when + ": ";
    if (schedule.is_fixed_time()) {
      message += is_gap ? "it runs once, right after the gap" : "it runs once, the first time";
    } else {
      message += is_gap ? "as minute or hour begins with '*', it does not run in the gap at all"
                        : "as minute or hour begins with '*', it runs both times";
    }
    sink.warn("L15", line, line.entry.schedule_column,
              message + "; choose another hour or a zone without clock changes");
    return;
  }
}

void lint_same_minute(LintSink& sink) {
  if (!sink.context.zone) return;
  std::array<int, kMinutesPerDay> count{};
  std::array<int, kMinutesPerDay> last_line{};
  const WallTime end = sink.context.now + Seconds(kDaySeconds);
  for (const CrontabLine& line : sink.file.lines) {
    const Schedule& schedule = line.entry.schedule;
    if (line.kind != LineKind::kEntry || schedule.kind != ScheduleKind::kFields) continue;
    const auto first = next(schedule, sink.context.now, *sink.context.zone);
    if (!first || *first > end) continue;
    for (unsigned hour = 0; hour < 24; ++hour) {
      if (((schedule.hours >> hour) & 1U) == 0) continue;
      for (unsigned minute = 0; minute < 60; ++minute) {
        if (((schedule.minutes >> minute) & 1U) == 0) continue;
        const std::size_t at = hour * 60U + minute;
        ++count.at(at);
        last_line.at(at) = line.number;
      }
    }
  }
  const auto worst = std::max_element(count.begin(), count.end());
  if (*worst <= sink.context.same_minute_max) return;
  const auto at = worst - count.begin();
  const auto two = [](std::ptrdiff_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  sink.add("L22", Severity::kWarning, last_line.at(static_cast<std::size_t>(at)), 0,
           std::to_string(*worst) + " entries of this file start at " + two(at / 60) + ":" +
               two(at % 60) + " all at once; spread them over the hour");
}

}  // namespace distcron::cron
