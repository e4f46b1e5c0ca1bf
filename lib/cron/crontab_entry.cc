// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "cron/crontab.h"
#include "cron/crontab_command.h"
#include "cron/crontab_parser.h"

namespace distcron::cron {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// Position in one line; columns count from 1.
struct Cursor {
  std::string_view line;
  std::size_t at = 0;

  [[nodiscard]] bool done() const { return at >= line.size(); }

  [[nodiscard]] std::string_view rest() const { return line.substr(at); }

  [[nodiscard]] int column() const { return static_cast<int>(at) + 1; }

  void skip_blanks() {
    while (!done() && is_blank(line[at]))
      ++at;
  }

  std::string_view take_word() {
    const std::size_t begin = at;
    while (!done() && !is_blank(line[at]))
      ++at;
    return line.substr(begin, at - begin);
  }
};

void refuse(CrontabLine& line, Refusal refusal, int column, std::string error) {
  line.kind = LineKind::kRefused;
  line.refusal = refusal;
  line.column = column;
  line.error = std::move(error);
}

std::string_view trim_blanks_right(std::string_view text) {
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

/// cronie's `-`; false when the line was refused.
bool take_quiet_mark(Cursor& cursor, CrontabLine& line, const CrontabOptions& options) {
  if (options.dialect != Dialect::kCronie || cursor.done() || cursor.line[cursor.at] != '-') {
    return true;
  }
  if (options.kind == TableKind::kUser && !options.owner_is_root) {
    refuse(line, Refusal::kOption, cursor.column(),
           "bad option: only root may write '-' before the schedule; take it away");
    return false;
  }
  line.entry.is_quiet = true;
  ++cursor.at;
  return true;
}

/// The user field of system tables; false when the line was refused.
bool take_user(Cursor& cursor, CrontabLine& line, const CrontabOptions& options) {
  line.entry.user_column = cursor.column();
  const std::string_view user = cursor.take_word();
  line.entry.user = std::string(user);
  if (cursor.done()) {
    refuse(line, Refusal::kNoUser, line.entry.user_column,
           user.empty() ? "the user and the command are missing"
                        : "a system table has a user before the command, so '" + std::string(user) +
                              "' is read as a user and the command is missing");
    return false;
  }
  if (options.dialect == Dialect::kDebian && options.user_exists && !options.user_exists(user)) {
    refuse(line, Refusal::kUnknownUser, line.entry.user_column,
           "bad username: there is no user '" + std::string(user) + "' on this host");
    return false;
  }
  ++cursor.at;  // the one blank that ends the user; more of them belong to the command
  return true;
}

/// cronie's `-n `; false when the line was refused.
bool take_cronie_options(Cursor& cursor, CrontabLine& line) {
  while (!cursor.done() && cursor.line[cursor.at] == '-') {
    const int column = cursor.column();
    const std::string_view rest = cursor.rest();
    const bool is_n = rest.size() > 1 && rest[1] == 'n' && !line.entry.mails_only_failure;
    if (!is_n || rest.size() < 3 || !is_blank(rest[2])) {
      refuse(line, Refusal::kOption, column,
             "bad option: the only one before a command is '-n', once and with a blank behind it; "
             "write the command with its path or with a blank in quotes if it begins with '-'");
      return false;
    }
    line.entry.mails_only_failure = true;
    cursor.at += 2;
    cursor.skip_blanks();
    if (cursor.done()) {
      refuse(line, Refusal::kCommand, column, "bad command: nothing follows '-n'");
      return false;
    }
  }
  return true;
}

/// Catches a missing command and a sixth star; false when the line was refused.
bool check_command_start(const Cursor& cursor, CrontabLine& line, const CrontabOptions& options) {
  const bool is_debian = options.dialect == Dialect::kDebian;
  if (cursor.done()) {
    // Debian's reader takes an empty command in user tables; in system tables it then takes the
    // user from the next line, which is never a user name.
    if (is_debian && options.kind == TableKind::kUser) return true;
    refuse(line, Refusal::kCommand, cursor.column(), "bad command: there is none");
    return false;
  }
  const bool catches_star = !is_debian || options.kind == TableKind::kUser;
  if (options.dialect != Dialect::kSupercronic && catches_star && cursor.line[cursor.at] == '*') {
    refuse(line, Refusal::kCommand, cursor.column(),
           "bad command: it begins with '*'; a schedule has five fields");
    return false;
  }
  return true;
}

void store_command(std::string_view text, CrontabLine& line, const CrontabOptions& options) {
  CrontabEntry& entry = line.entry;
  if (options.dialect == Dialect::kDebian && text.size() > kDebianCommandBytesMax) {
    refuse(line, Refusal::kCommandTooLong, entry.command_column,
           "command too long: " + std::to_string(text.size()) + " bytes of at most " +
               std::to_string(kDebianCommandBytesMax) + "; put it into a script");
    return;
  }
  if (options.dialect == Dialect::kCronie && text.size() > kCronieCommandBytesMax) {
    text = text.substr(0, kCronieCommandBytesMax);
    entry.command_was_cut = true;
  }
  entry.command_text = std::string(text);
  CommandText parts = split_command(text, options.dialect);
  entry.command = std::move(parts.command);
  entry.stdin_text = std::move(parts.stdin_text);
}

/// Puts what looks like a failed assignment into words; false when it does not look like one.
bool refuse_assignment(CrontabLine& line, EnvFault fault, int column) {
  switch (fault) {
    case EnvFault::kNone:
      return false;
    case EnvFault::kEmptyValue:
      refuse(line, Refusal::kEmptyValue, column,
             "an assignment without value is read as an entry, and a bad one; write NAME=\"\"");
      return true;
    case EnvFault::kOpenQuote:
      refuse(line, Refusal::kQuote, column,
             "the quote of this value is not closed, so the line is read as an entry, and a bad "
             "one; close it");
      return true;
    case EnvFault::kTrailingText:
      refuse(line, Refusal::kQuote, column,
             "text follows the closing quote of this value, so the line is read as an entry, and "
             "a bad one; quote the whole value (there are no comments at the end of a line)");
      return true;
  }
  return false;
}

/// Moves the "(column 3)" of a schedule's error, counted from its begin, into the line's column.
void refuse_schedule(CrontabLine& line, const Error& error, int begin) {
  constexpr std::string_view kMark = " (column ";
  std::string text = error.message;
  int column = begin;
  const std::size_t at = text.rfind(kMark);
  if (at != std::string::npos && text.ends_with(')')) {
    int number = 0;
    for (std::size_t i = at + kMark.size(); i + 1 < text.size() && number < 100'000; ++i) {
      number = number * 10 + (text[i] - '0');
    }
    column += std::max(number, 1) - 1;
    text.resize(at);
  }
  if (!error.hint.empty()) text += "; " + error.hint;
  refuse(line, Refusal::kSchedule, column, std::move(text));
}

}  // namespace

void parse_entry_line(std::string_view text, std::size_t begin, CrontabLine& line,
                      const CrontabOptions& options) {
  Cursor cursor{text, begin};
  line.kind = LineKind::kEntry;
  if (!take_quiet_mark(cursor, line, options)) return;

  const std::size_t schedule_begin = cursor.at;
  line.entry.schedule_column = cursor.column();
  Result<ParsedPrefix> prefix =
      parse_prefix(cursor.rest(), ParseOptions{options.dialect, DstMode::kVixie, options.seed});
  if (!prefix) {
    const EnvFault fault = parse_env_line(text.substr(begin), options.dialect).fault;
    if (refuse_assignment(line, fault, cursor.column())) return;
    refuse_schedule(line, prefix.error(), cursor.column());
    return;
  }
  cursor.at += std::min(prefix->consumed, text.size() - cursor.at);
  line.entry.schedule = prefix->schedule;
  line.entry.schedule_text =
      std::string(trim_blanks_right(text.substr(schedule_begin, cursor.at - schedule_begin)));
  cursor.skip_blanks();

  if (!check_command_start(cursor, line, options)) return;
  if (options.kind == TableKind::kSystem && options.dialect != Dialect::kSupercronic &&
      !take_user(cursor, line, options)) {
    return;
  }
  if (options.dialect == Dialect::kCronie && !take_cronie_options(cursor, line)) return;
  line.entry.command_column = cursor.column();
  store_command(cursor.rest(), line, options);
}

}  // namespace distcron::cron
