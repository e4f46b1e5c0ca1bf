// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cron/lint_rules.h"

namespace distcron::cron {
namespace {

bool is_ascii_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string_view value_as_written(const CrontabLine& line) {
  const std::size_t equals = line.raw.find('=');
  const std::size_t begin = line.raw.find_first_not_of(" \t", equals + 1);
  return begin == std::string::npos ? std::string_view{} : std::string_view(line.raw).substr(begin);
}

int value_column(const CrontabLine& line) {
  return static_cast<int>(value_as_written(line).data() - line.raw.data()) + 1;
}

/// L10-L12 and E02: the text of a value.
void lint_value(LintSink& sink, const CrontabLine& line) {
  const std::string_view written = value_as_written(line);
  const std::string& value = line.env.value;
  if (written.empty()) {
    sink.inform("L10", line, 1,
                "crond takes this as an empty value; older ones and Debian's cron refuse it, so "
                "write " +
                    line.env.name + "=\"\"");
    return;
  }
  const int column = value_column(line);
  const bool is_quoted = written.front() == '"' || written.front() == '\'';
  const bool has_comment = !is_quoted && value.find(" #") != std::string::npos;
  const bool has_stray_quote =
      !value.empty() && !is_quoted && value.find_first_of("\"'") != std::string::npos;
  const bool keeps_quote = is_quoted && sink.dialect() == Dialect::kSupercronic && !value.empty() &&
                           value.front() == written.front();
  if (has_comment) {
    sink.warn("L11", line, column,
              "there are no comments behind a value: '" + value +
                  "' is all of it; put the comment on a line of its own");
  } else if (has_stray_quote || keeps_quote) {
    sink.warn("L11", line, column,
              "the quotes stay in the value " + value + "; quote the whole value or nothing");
  }
  const bool expands_mail = sink.dialect() == Dialect::kCronie &&
                            (line.env.name == "MAILTO" || line.env.name == "MAILFROM");
  const std::size_t dollar = value.find('$');
  const bool has_variable = dollar != std::string::npos && dollar + 1 < value.size() &&
                            (is_ascii_alnum(value[dollar + 1]) || value[dollar + 1] == '{' ||
                             value[dollar + 1] == '_' || value[dollar + 1] == '(');
  if ((has_variable && !expands_mail) || value.starts_with("~/")) {
    sink.warn(
        "L12", line, column,
        "nothing is expanded in a value: the job sees '" + value + "' as it stands; write it out");
  }
  if (line.env_was_cut) {
    sink.warn("E02", line, column,
              "the daemon drops the end of this line without a word; set the variable in a script");
  }
}

/// L14
void lint_zone(LintSink& sink, const CrontabLine& line, bool has_cron_tz) {
  const EnvVar& var = line.env;
  if (var.name == "CRON_TZ" && sink.dialect() == Dialect::kDebian) {
    sink.warn("L14", line, 1,
              "Debian's cron does not look at CRON_TZ: the entries run in the host's zone; set the "
              "job's tz after the import");
  } else if (var.name == "CRON_TZ" && !sink.zone_of(var.value)) {
    sink.warn("L14", line, value_column(line),
              "there is no time zone '" + var.value + "', so crond matches in UTC; correct it");
  } else if (var.name == "TZ" && !has_cron_tz) {
    sink.inform("L14", line, 1,
                "TZ is seen by the command only, the schedule stays in the host's zone; set the "
                "job's tz after the import");
  }
}

/// L21, L25
void lint_known_names(LintSink& sink, const CrontabLine& line) {
  const EnvVar& var = line.env;
  const bool is_supercronic = sink.dialect() == Dialect::kSupercronic;
  if (var.name == "MAILTO" && is_supercronic) {
    sink.warn("L21", line, 1, "supercronic sends no mail; use a notify rule after the import");
  } else if (var.name == "MAILTO" && !daemon_mails_to(var.value, sink.dialect())) {
    sink.warn("L21", line, value_column(line),
              "the daemon sends no mail to '" + var.value +
                  "', it holds characters that it thinks unsafe; write plain addresses with commas "
                  "and without blanks");
  } else if (var.name == "MAILTO" && !var.value.empty() && sink.context.has_mta == false) {
    sink.warn("L21", line, 1,
              "this host has no mail program (sendmail), so all output is thrown away; install one "
              "or use a notify rule");
  }
  const bool is_ignored =
      var.name == "LOGNAME" || (var.name == "USER" && sink.dialect() != Dialect::kDebian);
  if (!is_ignored) return;
  sink.warn(
      "L25", line, 1,
      is_supercronic
          ? "the job does not run as this user; set the job's user after the import"
          : "the daemon overwrites " + var.name + " with the user of the entry; delete the line");
}

}  // namespace

void lint_assignments(LintSink& sink) {
  const auto& lines = sink.file.lines;
  const bool has_cron_tz = std::any_of(lines.begin(), lines.end(), [](const CrontabLine& line) {
    return line.kind == LineKind::kEnv && line.env.name == "CRON_TZ";
  });
  const bool has_mailto = std::any_of(lines.begin(), lines.end(), [](const CrontabLine& line) {
    return line.kind == LineKind::kEnv && line.env.name == "MAILTO";
  });
  if (!has_mailto && sink.context.has_mta == false && sink.dialect() != Dialect::kSupercronic) {
    sink.add("L21", Severity::kInfo, 0, 0,
             "this host has no mail program (sendmail), so all output of these entries is thrown "
             "away; DistCron keeps it");
  }
  bool entry_seen = false;
  for (const CrontabLine& line : lines) {
    entry_seen = entry_seen || line.kind == LineKind::kEntry;
    if (line.kind != LineKind::kEnv) continue;
    lint_value(sink, line);
    lint_zone(sink, line, has_cron_tz);
    lint_known_names(sink, line);
    if (entry_seen && sink.dialect() == Dialect::kSupercronic) {
      sink.warn("L26", line, 1,
                "supercronic gives this value to the entries above as well; move it to the top");
    }
  }
}

}  // namespace distcron::cron
