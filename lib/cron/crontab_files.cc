// SPDX-License-Identifier: Apache-2.0
#include "cron/crontab_files.h"

#include <algorithm>
#include <array>

namespace distcron::cron {
namespace {

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_classic_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

/// `^[a-z0-9-].*dpkg-(old|dist)$`
bool is_dpkg_leftover(std::string_view name) {
  if (name.empty() || (!is_lower_or_digit(name[0]) && name[0] != '-')) return false;
  const std::string_view rest = name.substr(1);
  return rest.ends_with("dpkg-old") || rest.ends_with("dpkg-dist");
}

/// `^_?([a-z0-9_.]+-)+[a-z0-9]+$`
bool is_hierarchical_name(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == name.size()) return false;
  if (!std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dash) + 1, name.end(),
                   is_lower_or_digit)) {
    return false;
  }
  char before = '-';
  for (const char c : name.substr(0, dash + 1)) {
    if (c == '-' && before == '-') return false;
    if (c != '-' && !is_lower_or_digit(c) && c != '_' && c != '.') return false;
    before = c;
  }
  return true;
}

/// `^[a-z0-9][a-z0-9-]*$`
bool is_plain_lsb_name(std::string_view name) {
  return !name.empty() && is_lower_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool cronie_reads_name(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kSkipped = {".rpmsave", ".rpmorig", ".rpmnew"};
  if (name.empty() || name[0] == '.' || name[0] == '#' || name.back() == '~') return false;
  return std::none_of(kSkipped.begin(), kSkipped.end(), [name](std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
  });
}

std::optional<std::string> check_debian_user(const StatFacts& facts) {
  if (facts.is_symlink) return "it is a symbolic link";
  if (facts.uid != facts.table_uid && facts.uid != 0) {
    return "it belongs neither to its user nor to root";
  }
  if (!facts.is_regular) return "it is not a regular file";
  if ((facts.mode & 07777U) != 0600U) return "its mode is not 0600";
  if (facts.links != 1) return "it has more than one hard link";
  return std::nullopt;
}

std::optional<std::string> check_debian_system(const StatFacts& facts) {
  if (facts.is_symlink && facts.link_uid != 0) return "the symbolic link does not belong to root";
  if (facts.uid != 0) return "it does not belong to root";
  if (!facts.is_regular) return "it is not a regular file";
  if ((facts.mode & 022U) != 0) return "its group or others may write to it";
  if (facts.links != 1) return "it has more than one hard link";
  return std::nullopt;
}

std::optional<std::string> check_cronie(TableKind kind, const StatFacts& facts) {
  if (!facts.is_regular) return "it is not a regular file";
  if ((facts.mode & 07533U) != 0400U) {
    return "its mode lets others write, lets somebody execute it, or hides it from its owner";
  }
  const bool is_user_table = kind == TableKind::kUser;
  if (facts.uid != 0 && !(is_user_table && facts.uid == facts.table_uid)) {
    return is_user_table ? "it belongs neither to its user nor to root"
                         : "it does not belong to root";
  }
  if (is_user_table && facts.links != 1) return "it has more than one hard link";
  return std::nullopt;
}

}  // namespace

bool daemon_reads_name(Dialect dialect, std::string_view name, NameRule rule) {
  if (dialect == Dialect::kCronie) return cronie_reads_name(name);
  if (dialect != Dialect::kDebian) return true;
  if (rule == NameRule::kClassic) return is_classic_name(name);
  if (is_hierarchical_name(name)) return !is_dpkg_leftover(name);
  return is_plain_lsb_name(name);
}

std::optional<std::string> check_table_stat(Dialect dialect, TableKind kind,
                                            const StatFacts& facts) {
  if (dialect == Dialect::kCronie) return check_cronie(kind, facts);
  if (dialect != Dialect::kDebian) return std::nullopt;
  return kind == TableKind::kUser ? check_debian_user(facts) : check_debian_system(facts);
}

bool is_cron_daemon_running(const ReadFile& read_file) {
  for (const char* pid_file : {"/run/crond.pid", "/run/cron.pid", "/var/run/crond.pid"}) {
    const auto pid = read_file(pid_file);
    if (!pid) continue;
    const std::string digits = pid->substr(0, pid->find_first_not_of("0123456789"));
    if (digits.empty()) continue;
    const auto name = read_file("/proc/" + digits + "/comm");
    if (name && (*name == "cron\n" || *name == "crond\n")) return true;
  }
  return false;
}

}  // namespace distcron::cron
