// SPDX-License-Identifier: Apache-2.0
// The command part of a crontab entry: what `%` and `\` mean to each daemon.
// Pure text functions; no thread rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cron/cron.h"

namespace distcron::cron {

struct CommandText {
  std::string command;     ///< What the daemon gives to `SHELL -c`.
  std::string stdin_text;  ///< What it writes to the command's standard input; may be empty.
  friend bool operator==(const CommandText&, const CommandText&) = default;
};

/// Splits and unescapes the text behind the schedule (and behind the user).
///
/// Debian: `\%` is `%`, `\\` is `\`, the first other `%` begins the input. cronie: as Debian but
/// keeps `\\`. Others: nothing is special. Quotes protect nothing.
/// Source: Debian cron 3.0pl1-162 do_command.c, cronie 1.7.2 do_command.c.
[[nodiscard]] CommandText split_command(std::string_view text, Dialect dialect);

/// The inverse: text for which split_command() gives `parts` back. nullopt when there is none: a
/// newline in the command, input without a last newline, cronie's `\` before `%`.
[[nodiscard]] std::optional<std::string> join_command(const CommandText& parts, Dialect dialect);

}  // namespace distcron::cron
