// SPDX-License-Identifier: Apache-2.0
#include "cron/crontab_env.h"

#include <utility>

namespace distcron::cron {
namespace {

/// isspace() of the C locale, which is what the daemons run under.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_quote(char c) {
  return c == '"' || c == '\'';
}

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

struct Scan {
  std::string_view text;
  std::size_t at = 0;

  [[nodiscard]] bool done() const { return at >= text.size(); }

  [[nodiscard]] char peek() const { return text[at]; }

  void skip_space() {
    while (!done() && is_space(peek()))
      ++at;
  }
};

/// The name and whether it was wholly quoted; nullopt when no name can start here.
std::optional<std::string_view> scan_name(Scan& scan) {
  if (scan.done()) return std::nullopt;
  if (is_quote(scan.peek())) {
    const char quote = scan.peek();
    const std::size_t begin = ++scan.at;
    while (!scan.done() && scan.peek() != quote) {
      if (scan.peek() == '=') return std::nullopt;
      ++scan.at;
    }
    if (scan.done()) return std::nullopt;
    const std::string_view name = scan.text.substr(begin, scan.at - begin);
    ++scan.at;
    return name;
  }
  const std::size_t begin = scan.at;
  while (!scan.done() && !is_space(scan.peek()) && scan.peek() != '=')
    ++scan.at;
  return scan.text.substr(begin, scan.at - begin);
}

/// Debian takes away trailing blanks and one more pair of quotes, also inside quotes.
std::string_view debian_value(std::string_view value) {
  value = trim_right(value);
  if (value.size() >= 2 && is_quote(value.front()) && value.back() == value.front()) {
    value.remove_prefix(1);
    value.remove_suffix(1);
  }
  return value;
}

EnvLine parse_vixie(std::string_view line, Dialect dialect) {
  const std::size_t limit = dialect == Dialect::kDebian ? kDebianEnvBytesMax : kCronieEnvBytesMax;
  EnvLine result;
  result.was_cut = line.size() > limit;
  Scan scan{line.substr(0, limit)};

  const std::optional<std::string_view> name = scan_name(scan);
  if (!name) return result;
  scan.skip_space();
  if (scan.done() || scan.peek() != '=') return result;
  ++scan.at;
  scan.skip_space();
  if (scan.done()) {
    if (dialect == Dialect::kDebian) {
      result.fault = EnvFault::kEmptyValue;
    } else {
      result.var = EnvVar{std::string(*name), {}};
    }
    return result;
  }

  std::string_view value = scan.text.substr(scan.at);
  if (is_quote(value.front())) {
    const std::size_t end = value.find(value.front(), 1);
    if (end == std::string_view::npos) {
      result.fault = EnvFault::kOpenQuote;
      return result;
    }
    if (!trim_right(value.substr(end + 1)).empty()) {
      result.fault = EnvFault::kTrailingText;
      return result;
    }
    value = value.substr(1, end - 1);
  } else {
    value = trim_right(value);
  }
  if (dialect == Dialect::kDebian) value = debian_value(value);
  result.var = EnvVar{std::string(*name), std::string(value)};
  return result;
}

/// Go's regexp class \s: no vertical tab.
bool is_go_space(char c) {
  return is_space(c) && c != '\v';
}

EnvLine parse_supercronic(std::string_view line) {
  EnvLine result;
  std::size_t at = 0;
  while (at < line.size() && !is_go_space(line[at]) && line[at] != '=')
    ++at;
  const std::string_view name = line.substr(0, at);
  while (at < line.size() && is_go_space(line[at]))
    ++at;
  if (name.empty() || at >= line.size() || line[at] != '=') return result;
  ++at;
  while (at < line.size() && is_go_space(line[at]))
    ++at;

  std::string_view value = line.substr(at);
  if (value.empty()) {
    result.fault = EnvFault::kEmptyValue;
    return result;
  }
  if (is_quote(value.front()) && value.size() > 1 && value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  result.var = EnvVar{std::string(name), std::string(value)};
  return result;
}

}  // namespace

EnvLine parse_env_line(std::string_view line, Dialect dialect) {
  return dialect == Dialect::kSupercronic ? parse_supercronic(line) : parse_vixie(line, dialect);
}

const std::string* find_env(const Env& env, std::string_view name) {
  for (const EnvVar& var : env) {
    if (var.name == name) return &var.value;
  }
  return nullptr;
}

bool daemon_mails_to(std::string_view address, Dialect dialect) {
  if (dialect == Dialect::kSupercronic) return address.empty();
  const std::string_view allowed = dialect == Dialect::kDebian ? "@!:%-.,_+=/" : "@!:%-.,_+";
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char c = address[i];
    const bool is_alnum =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_alnum && (i == 0 || allowed.find(c) == std::string_view::npos)) return false;
  }
  return true;
}

}  // namespace distcron::cron
