// SPDX-License-Identifier: Apache-2.0
#include "process/host_policy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unique_fd.h"

namespace distcron::process {

namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20U;

/// Cuts a quoted text off `rest`. False when there is none.
bool take_quoted(std::string_view& rest, std::string& out) {
  if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) return false;
  const char quote = rest.front();
  const std::size_t end = rest.find(quote, 1);
  if (end == std::string_view::npos) return false;
  out = rest.substr(1, end - 1);
  if (quote == '"' && out.find('\\') != std::string::npos) return false;
  rest = trim(rest.substr(end + 1));
  return true;
}

bool is_end(std::string_view rest) {
  return rest.empty() || rest.front() == '#';
}

bool take_list(std::string_view rest, std::vector<std::string>& out) {
  out.clear();
  if (rest.empty() || rest.front() != '[') return false;
  rest = trim(rest.substr(1));
  while (!rest.empty() && rest.front() != ']') {
    std::string item;
    if (!take_quoted(rest, item)) return false;
    out.push_back(std::move(item));
    if (!rest.empty() && rest.front() == ',') {
      rest = trim(rest.substr(1));
    } else if (rest.empty() || rest.front() != ']') {
      return false;
    }
  }
  return !rest.empty() && is_end(trim(rest.substr(1)));
}

bool take_number(std::string_view rest, std::int64_t& out) {
  std::size_t digits = 0;
  out = 0;
  while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
    if (digits == 9) return false;
    out = out * 10 + (rest[digits++] - '0');
  }
  return digits > 0 && is_end(trim(rest.substr(digits)));
}

bool take_bool(std::string_view rest, bool& out) {
  out = rest.starts_with("true");
  if (!out && !rest.starts_with("false")) return false;
  return is_end(trim(rest.substr(out ? 4 : 5)));
}

bool take_created(std::string_view rest, CreatedElsewhere& out) {
  std::string value;
  if (!take_quoted(rest, value) || !is_end(rest)) return false;
  if (value == "all") {
    out = CreatedElsewhere::kAll;
  } else if (value == "users") {
    out = CreatedElsewhere::kUsers;
  } else if (value == "none") {
    out = CreatedElsewhere::kNone;
  } else {
    return false;
  }
  return true;
}

/// Empty, or what is wrong with `key = rest`.
std::string take_key(std::string_view key, std::string_view rest, HostPolicy& policy) {
  const std::string name(key);
  if (key == "created_elsewhere") {
    return take_created(rest, policy.created_elsewhere)
               ? std::string()
               : "created_elsewhere is one of \"all\", \"users\", \"none\"";
  }
  if (key == "max_running") {
    return take_number(rest, policy.max_running) ? std::string() : "max_running is a whole number";
  }
  if (key == "allow_privileges") {
    return take_bool(rest, policy.allow_privileges) ? std::string()
                                                    : "allow_privileges is true or false";
  }
  std::vector<std::string>* list = nullptr;
  if (key == "allow_users") list = &policy.allow_users;
  if (key == "deny_users") list = &policy.deny_users;
  if (key == "allow_commands") list = &policy.allow_commands;
  if (list == nullptr) return "unknown key '" + name + "'";
  return take_list(rest, *list) ? std::string()
                                : name + " is a list of texts on one line, such as [\"a\", \"b\"]";
}

bool has(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool has_prefix(const std::vector<std::string>& list, std::string_view command) {
  return std::any_of(list.begin(), list.end(),
                     [command](const std::string& prefix) { return command.starts_with(prefix); });
}

/// A path with ".." could leave the allowed prefix.
bool climbs(std::string_view command) {
  return command.find("/../") != std::string_view::npos || command.ends_with("/..");
}

bool read_file(const std::string& path, std::string& text, std::string& error) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));

  struct stat info {};

  if (!fd || ::fstat(fd.get(), &info) != 0) {
    error = "cannot read '" + path + "': " + std::strerror(errno);
    return false;
  }
  if (!S_ISREG(info.st_mode) || static_cast<std::size_t>(info.st_size) > kFileBytesMax) {
    error = "'" + path + "' is not a file of at most 1 MiB";
    return false;
  }
  if ((info.st_uid != 0 && info.st_uid != ::geteuid()) || (info.st_mode & 022U) != 0) {
    error = "'" + path + "' must belong to root and be writable by nobody else";
    return false;
  }
  text.resize(static_cast<std::size_t>(info.st_size));
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got != info.st_size) error = "cannot read '" + path + "'";
  return got == info.st_size;
}

/// Names of the policy files in order. False with `error` when the folder cannot be read.
bool list_files(const std::string& dir, std::vector<std::string>& names, std::string& error) {
  DIR* list = ::opendir(dir.c_str());
  if (list == nullptr) {
    if (errno == ENOENT) return true;  // no policy: the built-in rules
    error = "cannot read '" + dir + "': " + std::strerror(errno);
    return false;
  }
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view name(entry->d_name);
    if (name.ends_with(".toml") && name.front() != '.') names.emplace_back(name);
  }
  ::closedir(list);
  std::sort(names.begin(), names.end());
  return true;
}

std::string stamp_of(const std::string& path) {
  struct stat info {};

  if (::stat(path.c_str(), &info) != 0) return path + "-;";
  return path + std::to_string(info.st_ino) + "," + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec) + "," + std::to_string(info.st_size) + "," +
         std::to_string(info.st_mode) + "," + std::to_string(info.st_uid) + ";";
}

}  // namespace

std::string parse_policy(std::string_view file, std::string_view text, HostPolicy& policy) {
  int line_number = 0;
  bool is_in_jobs = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end), " \t\r");
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (is_end(line)) continue;
    std::string wrong;
    const std::size_t equals = line.find('=');
    if (line.front() == '[') {
      is_in_jobs = line.starts_with("[jobs]") && is_end(trim(line.substr(6)));
      if (!is_in_jobs) wrong = "the only section is [jobs]";
    } else if (equals == std::string_view::npos) {
      wrong = "expected key = value";
    } else if (!is_in_jobs) {
      wrong = "a key stands before the section [jobs]";
    } else {
      wrong = take_key(trim(line.substr(0, equals)), trim(line.substr(equals + 1)), policy);
    }
    if (!wrong.empty()) {
      return std::string(file) + ":" + std::to_string(line_number) + ": " + wrong;
    }
  }
  return {};
}

std::string refusal(const HostPolicy& policy, const PolicyView& plan, std::string_view own_user,
                    std::int64_t running) {
  if (!policy.error.empty()) return "this host's policy cannot be read: " + policy.error;
  const std::string user(plan.user.empty() ? own_user : plan.user);
  if (user == "distcron") return "jobs never run as user 'distcron'";
  if (plan.group == "distcron") return "jobs never run as group 'distcron'";
  const bool is_elsewhere = (plan.header.flags & kPlanCreatedElsewhere) != 0;
  if (is_elsewhere && policy.created_elsewhere == CreatedElsewhere::kNone) {
    return "this host's policy refuses jobs created elsewhere";
  }
  const bool needs_list = is_elsewhere && policy.created_elsewhere == CreatedElsewhere::kUsers;
  if (has(policy.deny_users, user)) return "this host's policy refuses user '" + user + "'";
  if ((needs_list || !policy.allow_users.empty()) && !has(policy.allow_users, user)) {
    return "this host's policy does not allow user '" + user + "'";
  }
  const bool wants_privileges = (plan.header.flags & (kPlanNoNewPrivs | kPlanCompatCron)) == 0;
  if (wants_privileges && !policy.allow_privileges) {
    return "this host's policy does not allow jobs without NO_NEW_PRIVS";
  }
  if (!policy.allow_commands.empty()) {
    if (plan.is_script) return "this host's policy allows only named commands, not scripts";
    if (climbs(plan.command) || !has_prefix(policy.allow_commands, plan.command)) {
      return "this host's policy does not allow command '" + std::string(plan.command) + "'";
    }
  }
  if (policy.max_running > 0 && running >= policy.max_running) {
    return "this host's policy allows " + std::to_string(policy.max_running) + " runs at a time";
  }
  return {};
}

const HostPolicy& PolicyStore::load() {
  std::vector<std::string> names;
  std::string error;
  const bool is_listed = list_files(dir_, names, error);
  std::string stamp = error;
  for (const std::string& name : names)
    stamp += stamp_of(dir_ + "/" + name);
  if (is_loaded_ && stamp == stamp_) return policy_;
  policy_ = {};
  policy_.error = error;
  for (const std::string& name : names) {
    std::string text;
    const std::string path = dir_ + "/" + name;
    if (!is_listed || !policy_.error.empty()) break;
    if (!read_file(path, text, policy_.error)) break;
    policy_.error = parse_policy(path, text, policy_);
  }
  stamp_ = std::move(stamp);
  is_loaded_ = true;
  return policy_;
}

}  // namespace distcron::process
