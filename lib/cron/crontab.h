// SPDX-License-Identifier: Apache-2.0
// A whole crontab file as its daemon reads it: lines, entries, the environment in force at each
// entry, and whether the daemon would have ignored the file.
// Pure: text in, values out; no thread rule. Never looks at the system: user names are known only
// through CrontabOptions::user_exists. Reads the tz database only through load_zone().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cron/cron.h"
#include "cron/crontab_env.h"

namespace distcron::cron {

/// Lines that a daemon of the Debian dialect reads after its own three header lines.
inline constexpr int kDebianTableLinesMax = 10'000;
/// Longest command, in bytes.
inline constexpr std::size_t kDebianCommandBytesMax = 998;
inline constexpr std::size_t kCronieCommandBytesMax = 131'071;
/// cronie, user tables: entries, assignments, and bytes of comments and blanks in a row.
inline constexpr int kCronieEntriesMax = 10'000;
inline constexpr int kCronieEnvLinesMax = 1'000;
inline constexpr std::size_t kCronieGarbageBytesMax = 32'768;
/// supercronic: longest line, in bytes.
inline constexpr std::size_t kSupercronicLineBytesMax = 65'535;

/// Memory that the environments of all entries of a file may take together, in bytes.
inline constexpr std::size_t kEnvBytesMax = 64U << 20U;

enum class TableKind : std::uint8_t {
  kUser,    ///< `crontab -e`: no user field.
  kSystem,  ///< /etc/crontab and /etc/cron.d: a user field before the command.
};

struct CrontabOptions {
  Dialect dialect = Dialect::kDebian;  ///< kDebian, kCronie or kSupercronic.
  TableKind kind = TableKind::kUser;
  /// User tables: the table belongs to uid 0, so that cronie allows a leading `-`.
  bool owner_is_root = false;
  std::uint64_t seed = 0;  ///< Spreads cronie's `~`.
  /// Whether the host has this user; when unset, all users are taken to exist.
  std::function<bool(std::string_view)> user_exists = {};
};

enum class LineKind : std::uint8_t { kBlank, kComment, kEnv, kEntry, kRefused };

/// Why a line is refused. Texts for people are in CrontabLine::error.
enum class Refusal : std::uint8_t {
  kNone,
  kSchedule,
  kCommand,  ///< Missing, or begins with `*`.
  kCommandTooLong,
  kNoUser,
  kUnknownUser,  ///< Debian only; others find out when they run it.
  kOption,       ///< cronie's `-` and `-n`.
  kEmptyValue,   ///< `NAME=`
  kQuote,        ///< An assignment with an open quote or text behind the closing one.
  kNoNewline,    ///< The last line has no newline.
  kLineTooLong,
  kNulByte,
  kUnknownZone,  ///< supercronic's CRON_TZ.
  kTooMuchEnv,   ///< Beyond kEnvBytesMax; the daemons have no such limit.
};

/// Why the daemon ignores a whole file.
enum class FileFault : std::uint8_t { kNone, kBadLine, kNoNewline, kTooManyLines, kLimit };

struct CrontabEntry {
  std::string schedule_text;  ///< As written, without blanks around it.
  int schedule_column = 0;    ///< From 1.
  Schedule schedule;
  std::string user;          ///< System tables only.
  int user_column = 0;       ///< From 1; system tables only.
  std::string command_text;  ///< As written.
  int command_column = 0;    ///< From 1.
  std::string command;       ///< For `SHELL -c`, after `%` and `\`.
  std::string stdin_text;
  std::shared_ptr<const Env> env;   ///< What the file sets for this entry; never null.
  std::string tz;                   ///< Zone that the daemon matches in; empty: the host's.
  bool is_quiet = false;            ///< cronie's leading `-`: no line in the system log.
  bool mails_only_failure = false;  ///< cronie's `-n`.
  bool command_was_cut = false;     ///< cronie: the command was longer than its buffer.
};

struct CrontabLine {
  int number = 0;   ///< From 1.
  std::string raw;  ///< Without its newline.
  LineKind kind = LineKind::kBlank;
  EnvVar env;  ///< kEnv.
  bool env_was_cut = false;
  CrontabEntry entry;  ///< kEntry; for kRefused as far as it was read.
  Refusal refusal = Refusal::kNone;
  std::string error;  ///< kRefused: what is wrong, and the way out.
  int column = 0;     ///< kRefused: where, from 1.
};

struct CrontabFile {
  CrontabOptions options;
  std::vector<CrontabLine> lines;
  bool ends_with_newline = true;
  /// The daemon runs nothing of this file; its good lines are parsed all the same.
  bool daemon_ignores_file = false;
  FileFault fault = FileFault::kNone;
  int fault_line = 0;      ///< Line that causes it, from 1.
  std::string fault_text;  ///< In words.
};

/// Parses a file of any size and any content; never fails as a whole.
/// Source: Debian cron 3.0pl1-162 user.c and entry.c, cronie 1.7.2 user.c and entry.c,
/// supercronic 0.2.48 crontab.go.
/// differs: lines with NUL bytes are refused; the daemons cut or misread them. Entries are refused
/// once the file's environments outgrow kEnvBytesMax.
[[nodiscard]] CrontabFile parse_crontab(std::string_view text, const CrontabOptions& options);

}  // namespace distcron::cron
