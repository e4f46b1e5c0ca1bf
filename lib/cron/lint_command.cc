// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>

#include "cron/crontab_command.h"
#include "cron/lint_rules.h"

namespace distcron::cron {
namespace {

/// Words that a POSIX shell takes itself, so that no file of the name is needed.
constexpr std::array<std::string_view, 48> kShellWords = {
    ".",       ":",        "[",      "alias",  "bg",    "break", "case",   "cd",
    "command", "continue", "do",     "done",   "echo",  "elif",  "else",   "esac",
    "eval",    "exec",     "exit",   "export", "false", "fg",    "fi",     "for",
    "getopts", "hash",     "if",     "jobs",   "kill",  "local", "printf", "pwd",
    "read",    "readonly", "return", "set",    "shift", "test",  "then",   "times",
    "trap",    "true",     "type",   "ulimit", "umask", "unset", "wait",   "while"};

bool is_shell_word(std::string_view word) {
  return std::find(kShellWords.begin(), kShellWords.end(), word) != kShellWords.end() ||
         word == "until" || word == "source" || word == "time";
}

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// The program of a simple command; nullopt where a shell has to look first.
std::optional<FieldText> program_of(const std::vector<FieldText>& words) {
  static constexpr std::string_view kShellBytes = "$`\"'\\(){}<>|&;*?[]!~#";
  for (const FieldText& word : words) {
    if (is_assignment(word.text)) continue;
    FieldText program = word;
    program.text = word.text.substr(0, word.text.find_first_of(";|&<>"));
    if (program.text.empty() || is_shell_word(program.text) ||
        program.text.find_first_of(kShellBytes) != std::string_view::npos) {
      return std::nullopt;
    }
    return program;
  }
  return std::nullopt;
}

std::string default_path(Dialect dialect) {
  return dialect == Dialect::kCronie ? "/usr/bin:/bin:/usr/sbin:/sbin" : "/usr/bin:/bin";
}

bool is_in_path(std::string_view program, std::string_view path,
                const std::function<bool(std::string_view)>& is_executable) {
  while (true) {
    const std::size_t colon = path.find(':');
    const std::string dir(path.substr(0, colon));
    if (!dir.empty() && is_executable(dir + "/" + std::string(program))) return true;
    if (colon == std::string_view::npos) return false;
    path.remove_prefix(colon + 1);
  }
}

/// L13
void lint_program(LintSink& sink, const CrontabLine& line, const std::vector<FieldText>& words) {
  if (sink.dialect() == Dialect::kSupercronic) return;  // it inherits its PATH
  const auto program = program_of(words);
  if (!program || program->text.front() == '/') return;
  const std::string name(program->text);
  if (name.find('/') != std::string::npos) {
    sink.warn("L13", line, program->column,
              "'" + name + "' is looked for below the home directory; write the whole path");
    return;
  }
  if (!sink.context.is_executable) return;
  const std::string* own_path = find_env(*line.entry.env, "PATH");
  const std::string path = own_path != nullptr ? *own_path : default_path(sink.dialect());
  if (is_in_path(name, path, sink.context.is_executable)) return;
  sink.warn("L13", line, program->column,
            "'" + name + "' is not in the daemon's PATH (" + path +
                "), so the shell does not find it; write the whole path or set PATH");
}

struct PercentScan {
  std::optional<std::size_t> percent;  ///< The first that ends the command.
  std::optional<std::size_t> doubled;  ///< The first `\\` of the command.
  bool in_quotes = false;              ///< Of the percent sign, as a shell sees it.
};

PercentScan scan_percent(std::string_view text) {
  PercentScan scan;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      if (text[i + 1] == '\\' && !scan.doubled) scan.doubled = i;
      ++i;
    } else if (c == '%') {
      scan.percent = i;
      scan.in_quotes = quote != '\0';
      return scan;
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    }
  }
  return scan;
}

/// L08, L09
void lint_percent(LintSink& sink, const CrontabLine& line) {
  const CrontabEntry& entry = line.entry;
  const std::string& text = entry.command_text;
  if (sink.dialect() == Dialect::kSupercronic) {
    const std::size_t at = text.find("\\%");
    if (at == std::string::npos) return;
    sink.warn("L08", line, entry.command_column + static_cast<int>(at),
              "'%' is an ordinary character here and the backslash stays; take it away");
    return;
  }
  const PercentScan scan = scan_percent(text);
  if (scan.doubled && sink.dialect() == Dialect::kDebian) {
    sink.warn("L09", line, entry.command_column + static_cast<int>(*scan.doubled),
              "cron makes one backslash of two before the shell sees them; only Debian's cron does "
              "so, write the command into a script");
  }
  if (!scan.percent) return;
  const int column = entry.command_column + static_cast<int>(*scan.percent);
  std::string message = "the command ends before this '%' and the rest becomes its input";
  if (scan.in_quotes) message += "; quotes do not protect it, the shell sees an open quote";
  if (text.find("date") < *scan.percent) message += "; the format of 'date' is cut off";
  sink.warn("L08", line, column, message + "; write '\\%' for the character itself");
}

/// L16, L17; false when the words after the user field are not the command's first words.
bool lint_user(LintSink& sink, const CrontabLine& line, const std::vector<FieldText>& words) {
  const auto& user_exists = sink.context.user_exists;
  const CrontabEntry& entry = line.entry;
  if (sink.file.options.kind == TableKind::kUser || sink.dialect() == Dialect::kSupercronic) {
    if (words.size() < 2) return true;
    const std::string user(words[0].text);
    const bool is_user = user == "root" || (user_exists && user_exists(user));
    const bool is_program =
        sink.context.is_executable && sink.dialect() != Dialect::kSupercronic &&
        is_in_path(user, default_path(sink.dialect()), sink.context.is_executable);
    if (!is_user || is_program || user.find('/') != std::string::npos) return true;
    sink.warn("L16", line, words[0].column,
              "this table has no user field, so '" + user +
                  "' is run as a command; take it away, or read the file with --system");
    return true;
  }
  if (entry.user.find_first_of("/=\"'$*") != std::string::npos) {
    sink.warn("L16", line, entry.user_column,
              "the user field holds '" + entry.user +
                  "', which looks like a command; put the user before it");
    return false;
  }
  if (user_exists && !user_exists(entry.user)) {
    sink.warn("L17", line, entry.user_column,
              "there is no user '" + entry.user +
                  "' on this host: each run fails; create the user or correct the name");
  }
  return true;
}

/// L23, L27 for daemons with five fields
void lint_first_word(LintSink& sink, const CrontabLine& line, const std::vector<FieldText>& words) {
  if (words.empty() || sink.dialect() == Dialect::kSupercronic) return;
  const FieldText& word = words.front();
  if (sink.dialect() == Dialect::kDebian && word.text.front() == '-') {
    sink.warn(
        "L23", line, word.column,
        "cron runs '" + std::string(word.text) +
            "' as the command; options before the command are cronie's, use mail.on_failure_only");
  }
  if (word.text.find_first_not_of("0123456789*/,-") == std::string_view::npos &&
      word.text.front() != '-' && word.text.front() != '/') {
    sink.warn("L27", line, word.column,
              "only five fields are the schedule, so '" + std::string(word.text) +
                  "' is run as the command; a line with six fields is another program's");
  }
}

/// L30
void lint_run_parts(LintSink& sink, const CrontabLine& line) {
  const std::string& command = line.entry.command;
  static constexpr std::array<std::string_view, 4> kDirs = {"cron.hourly", "cron.daily",
                                                            "cron.weekly", "cron.monthly"};
  const std::size_t at = command.find("run-parts");
  if (at == std::string::npos) return;
  const auto dir = std::find_if(kDirs.begin(), kDirs.end(), [&command](std::string_view name) {
    return command.find(name) != std::string::npos;
  });
  if (dir == kDirs.end()) return;
  std::string message = "this runs all scripts of " + std::string(*dir) +
                        " as one job, one after the other; one job per script shows which of them "
                        "failed";
  if (command.find("anacron") != std::string::npos) {
    message += "; where anacron is installed it does nothing and anacron runs them";
  }
  sink.inform("L30", line, line.entry.command_column, std::move(message));
}

}  // namespace

void lint_command(LintSink& sink, const CrontabLine& line) {
  const CrontabEntry& entry = line.entry;
  const std::vector<FieldText> words = split_fields(entry.command_text, entry.command_column);
  if (lint_user(sink, line, words)) lint_first_word(sink, line, words);
  lint_percent(sink, line);
  lint_program(sink, line, words);
  lint_run_parts(sink, line);
  if (words.empty()) {
    sink.warn("E02", line, entry.command_column,
              "the command is empty, so each run does nothing; delete the line");
  }
  if (entry.command_was_cut) {
    sink.warn("E02", line, entry.command_column,
              "crond cuts the command after " + std::to_string(kCronieCommandBytesMax) +
                  " bytes; put it into a script");
  }
}

}  // namespace distcron::cron
