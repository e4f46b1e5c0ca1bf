// SPDX-License-Identifier: Apache-2.0
#include "cron/lint.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "cron/lint_rules.h"

namespace distcron::cron {
namespace {

bool has_long_name(std::string_view schedule) {
  for (const FieldText& field : split_fields(schedule, 1)) {
    int letters = 0;
    for (const char c : field.text) {
      const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      letters = is_letter ? letters + 1 : 0;
      if (letters > 3) return true;
    }
  }
  return false;
}

std::string_view schedule_part(const CrontabLine& line) {
  // Five words are looked at even when there are more: the rest is a command.
  const std::size_t begin = line.raw.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  std::string_view text = std::string_view(line.raw).substr(begin);
  const std::vector<FieldText> words = split_fields(text, 1);
  if (words.size() <= 5) return text;
  return text.substr(0, static_cast<std::size_t>(words[5].column) - 1);
}

std::string_view code_of(const CrontabLine& line, Dialect dialect) {
  switch (line.refusal) {
    case Refusal::kSchedule:
      if (line.raw.find_first_not_of(" \t") == line.raw.find('-') && dialect != Dialect::kCronie &&
          line.raw.find('-') != std::string::npos) {
        return "L23";
      }
      return has_long_name(schedule_part(line)) && !schedule_part(line).starts_with('@') ? "L28"
                                                                                         : "E01";
    case Refusal::kNone:
    case Refusal::kCommand:
    case Refusal::kOption:
      return "E01";
    case Refusal::kCommandTooLong:
    case Refusal::kLineTooLong:
    case Refusal::kNulByte:
    case Refusal::kTooMuchEnv:
      return "E02";
    case Refusal::kNoUser:
      return "L16";
    case Refusal::kUnknownUser:
      return line.entry.user.find('/') != std::string::npos ? "L16" : "L17";
    case Refusal::kEmptyValue:
      return "L10";
    case Refusal::kQuote:
      return "L11";
    case Refusal::kNoNewline:
      return "L19";
    case Refusal::kUnknownZone:
      return "L14";
  }
  return "E01";
}

void lint_file_facts(LintSink& sink) {
  const LintContext& context = sink.context;
  if (!context.file_name.empty() &&
      !daemon_reads_name(sink.dialect(), context.file_name, context.name_rule)) {
    sink.add("L18", Severity::kWarning, 0, 0,
             "the daemon skips files named '" + context.file_name + "'; " +
                 (sink.dialect() == Dialect::kDebian
                      ? "use letters, digits, '-' and '_' only"
                      : "take the dot at the front or the ending of a leftover away"));
  }
  if (context.stat) {
    const auto reason = check_table_stat(sink.dialect(), sink.file.options.kind, *context.stat);
    if (reason) {
      sink.add("L18", Severity::kWarning, 0, 0,
               "the daemon does not read this file: " + *reason +
                   "; correct owner, mode and links before you rely on it");
    }
  }
  if (sink.file.daemon_ignores_file && sink.file.fault != FileFault::kNoNewline) {
    sink.add("L20", Severity::kWarning, sink.file.fault_line, 0,
             sink.file.fault_text +
                 "; none of its entries was running, so look twice before you import them");
  }
}

/// L29, as far as one file shows it.
void lint_duplicates(LintSink& sink) {
  using Key = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>;
  std::map<Key, int> first;
  for (const CrontabLine& line : sink.file.lines) {
    if (line.kind != LineKind::kEntry) continue;
    const CrontabEntry& entry = line.entry;
    const auto [it, is_new] = first.try_emplace(
        Key{entry.schedule_text, entry.user, entry.command_text, entry.tz}, line.number);
    if (is_new) continue;
    sink.warn("L29", line, entry.schedule_column,
              "the same command at the same time as in line " + std::to_string(it->second) +
                  ": it runs twice; delete one of them");
  }
}

}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kInfo:
      return "info";
  }
  return "info";
}

std::vector<FieldText> split_fields(std::string_view text, int column) {
  std::vector<FieldText> fields;
  std::size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" \t\r", at);
    if (at == std::string_view::npos) return fields;
    const std::size_t end = std::min(text.find_first_of(" \t\r", at), text.size());
    fields.push_back({text.substr(at, end - at), column + static_cast<int>(at)});
    at = end;
  }
}

void lint_refusal(LintSink& sink, const CrontabLine& line) {
  const std::string_view code = code_of(line, sink.dialect());
  std::string message = line.error;
  if (code == "L28") message += "; names have exactly three letters here, such as mon or jan";
  if (code == "L23") message += "; '-' before the schedule is cronie's";
  sink.add(code, Severity::kError, line.number, line.column, std::move(message));
}

std::vector<LintItem> lint_crontab(const CrontabFile& file, const LintContext& context) {
  LintSink sink{file, context};
  lint_file_facts(sink);
  for (const CrontabLine& line : file.lines) {
    if (line.kind == LineKind::kRefused) lint_refusal(sink, line);
    if (line.kind != LineKind::kEntry) continue;
    lint_schedule(sink, line);
    lint_clock_changes(sink, line);
    lint_command(sink, line);
  }
  lint_assignments(sink);
  lint_duplicates(sink);
  lint_same_minute(sink);
  std::stable_sort(sink.items.begin(), sink.items.end(), [](const auto& a, const auto& b) {
    return std::tie(a.line, a.column, a.code) < std::tie(b.line, b.column, b.code);
  });
  return std::move(sink.items);
}

bool is_silently_wrong(const LintItem& item) {
  return item.code == "L01" || item.code == "L02" || item.code == "L03" || item.code == "L04";
}

}  // namespace distcron::cron
