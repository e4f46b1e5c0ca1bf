// SPDX-License-Identifier: Apache-2.0
// The `NAME=value` lines of a crontab file, in the grammar of each daemon.
// Pure text functions; no thread rule. They know nothing of entries or of the system.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cron/cron.h"

namespace distcron::cron {

/// Longest part of an assignment that Debian's cron reads, in bytes; the rest is dropped unseen.
inline constexpr std::size_t kDebianEnvBytesMax = 998;
/// The same for cronie.
inline constexpr std::size_t kCronieEnvBytesMax = 131'071;

struct EnvVar {
  std::string name;
  std::string value;
  friend bool operator==(const EnvVar&, const EnvVar&) = default;
};

/// Ordered as first assigned, each name once.
using Env = std::vector<EnvVar>;

/// Why text that looks like an assignment is none for the daemon.
enum class EnvFault {
  kNone,          ///< Not an assignment at all: no `=` where one could be.
  kEmptyValue,    ///< `NAME=` with nothing behind it.
  kOpenQuote,     ///< The closing quote is missing.
  kTrailingText,  ///< Text behind the closing quote.
};

struct EnvLine {
  std::optional<EnvVar> var;         ///< Set when the daemon takes the line as an assignment.
  EnvFault fault = EnvFault::kNone;  ///< Says more when it does not.
  bool was_cut = false;              ///< The daemon's buffer ended before the line did.
};

/// Reads one line without its newline and without leading blanks.
///
/// Source: Debian cron 3.0pl1-162 env.c, cronie 1.7.2 env.c, supercronic 0.2.48 crontab.go.
/// differs: where Debian's and cronie's readers run past the end of a line that ends in a lone
/// opening quote, such a line is no assignment here.
[[nodiscard]] EnvLine parse_env_line(std::string_view line, Dialect dialect);

/// The value of `name`, or nullptr; valid until `env` changes.
[[nodiscard]] const std::string* find_env(const Env& env, std::string_view name);

/// Whether the daemon sends mail to the value of a MAILTO; true for an empty one (no mail).
/// Source: safe_p() in do_command.c of both; cronie knows neither `=` nor `/`.
[[nodiscard]] bool daemon_mails_to(std::string_view address, Dialect dialect);

}  // namespace distcron::cron
