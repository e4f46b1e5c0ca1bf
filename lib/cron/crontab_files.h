// SPDX-License-Identifier: Apache-2.0
// Which crontab files a daemon reads: rules on names in cron.d, owners, modes and links.
// Pure: the caller looks the facts up and hands them in. No thread rule.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cron/crontab.h"

namespace distcron::cron {

/// Debian's switch `-l`: names as the Linux Standard Base wants them.
enum class NameRule { kClassic, kLsb };

/// Whether the daemon reads a file of this name in /etc/cron.d.
/// Source: Debian cron 3.0pl1-162 database.c (valid_name), cronie 1.7.2 database.c (not_a_crontab).
[[nodiscard]] bool daemon_reads_name(Dialect dialect, std::string_view name,
                                     NameRule rule = NameRule::kClassic);

/// What stat() and lstat() say about a crontab file.
struct StatFacts {
  bool is_regular = true;       ///< Of the file itself, behind a link.
  bool is_symlink = false;      ///< The name is a symbolic link.
  std::uint32_t link_uid = 0;   ///< Owner of that link.
  std::uint32_t uid = 0;        ///< Owner of the file.
  std::uint32_t mode = 0;       ///< Permission bits, 07777.
  std::uint64_t links = 1;      ///< Hard links.
  std::uint32_t table_uid = 0;  ///< User tables: the uid of the table's user.
};

/// Why the daemon refuses to read the file, in words; nullopt when it reads it.
[[nodiscard]] std::optional<std::string> check_table_stat(Dialect dialect, TableKind kind,
                                                          const StatFacts& facts);

/// Text of a file; nullopt when it cannot be read.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

/// Whether a cron daemon of this host is alive: its pid file, and the name of that process.
[[nodiscard]] bool is_cron_daemon_running(const ReadFile& read_file);

}  // namespace distcron::cron
