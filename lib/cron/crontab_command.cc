// SPDX-License-Identifier: Apache-2.0
#include "cron/crontab_command.h"

#include <cstddef>

namespace distcron::cron {
namespace {

/// `%` is a newline, `\%` is `%`, `\x` stays; a last line without newline gets one.
/// `text` is what follows the first `%` of the entry.
std::string unescape_stdin(std::string_view text) {
  std::string out;
  bool is_escaped = false;
  bool wants_newline = false;
  for (char c : text) {
    if (is_escaped) {
      if (c != '%') out += '\\';
    } else if (c == '%') {
      c = '\n';
    }
    is_escaped = c == '\\';
    if (!is_escaped) {
      out += c;
      wants_newline = c != '\n';
    }
  }
  if (is_escaped) out += '\\';
  if (wants_newline) out += '\n';
  return out;
}

std::string escape_stdin(std::string_view text) {
  std::string out = "%";
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const char c : text) {
    if (c == '%') out += '\\';
    out += c == '\n' ? '%' : c;
  }
  return out;
}

}  // namespace

CommandText split_command(std::string_view text, Dialect dialect) {
  if (dialect != Dialect::kDebian && dialect != Dialect::kCronie) {
    return CommandText{std::string(text), {}};
  }
  CommandText parts;
  bool is_escaped = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_escaped) {
      const bool eats_backslash = c == '%' || (c == '\\' && dialect == Dialect::kDebian);
      if (eats_backslash) parts.command.pop_back();
      parts.command += c;
      is_escaped = false;
      continue;
    }
    if (c == '%') {
      parts.stdin_text = unescape_stdin(text.substr(i + 1));
      break;
    }
    is_escaped = c == '\\';
    parts.command += c;
  }
  return parts;
}

std::optional<std::string> join_command(const CommandText& parts, Dialect dialect) {
  std::string text;
  const bool has_percent = dialect == Dialect::kDebian || dialect == Dialect::kCronie;
  for (std::size_t i = 0; i < parts.command.size(); ++i) {
    const char c = parts.command[i];
    // Only a backslash that would take the next byte with it needs one of its own.
    const bool is_last = i + 1 == parts.command.size();
    const bool eats_next = is_last ? !parts.stdin_text.empty()
                                   : parts.command[i + 1] == '%' || parts.command[i + 1] == '\\';
    const bool is_eater = c == '\\' && dialect == Dialect::kDebian && eats_next;
    if ((has_percent && c == '%') || is_eater) text += '\\';
    text += c;
  }
  if (!parts.stdin_text.empty()) text += escape_stdin(parts.stdin_text);
  if (text.find('\n') != std::string::npos || split_command(text, dialect) != parts) {
    return std::nullopt;
  }
  return text;
}

}  // namespace distcron::cron
