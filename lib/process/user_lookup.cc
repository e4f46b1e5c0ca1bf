// SPDX-License-Identifier: Apache-2.0
#include "process/user_lookup.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace distcron::process {

namespace {

constexpr std::size_t kFileBytesMax = std::size_t{64} << 20U;
constexpr std::string_view kOwnUser = "distcron";

/// A whole file in memory; empty and not ok when it cannot be read.
class FileText {
 public:
  explicit FileText(const char* path) {
    const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));

    struct stat info {};

    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
    const auto bytes = static_cast<std::size_t>(info.st_size);
    if (bytes > kFileBytesMax) return;
    data_ = static_cast<char*>(std::malloc(bytes + 1));
    if (data_ == nullptr) return;
    while (size_ < bytes) {
      const ssize_t got = ::read(fd.get(), data_ + size_, bytes - size_);
      if (got <= 0) break;
      size_ += static_cast<std::size_t>(got);
    }
    ok_ = size_ == bytes;
  }

  ~FileText() { std::free(data_); }

  FileText(const FileText&) = delete;
  FileText& operator=(const FileText&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }

  [[nodiscard]] std::string_view text() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  bool ok_ = false;
};

/// Cuts the part before `separator` off `text`.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = std::min(text.find(separator), text.size());
  const std::string_view part(text.data(), at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

bool parse_id(std::string_view text, unsigned& id) {
  if (text.empty() || text.size() > 10) return false;
  unsigned long long value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<unsigned long long>(c - '0');
  }
  if (value >= 0xffffffffULL) return false;  // (uid_t)-1 means "unchanged" to setresuid
  id = static_cast<unsigned>(value);
  return true;
}

struct PasswdLine {
  std::string_view name, home, shell;
  unsigned uid = 0;
  unsigned gid = 0;
};

bool parse_passwd_line(std::string_view line, PasswdLine& out) {
  out.name = cut(line, ':');
  cut(line, ':');
  if (!parse_id(cut(line, ':'), out.uid) || !parse_id(cut(line, ':'), out.gid)) return false;
  cut(line, ':');
  out.home = cut(line, ':');
  out.shell = cut(line, ':');
  return !out.name.empty() && out.name.front() != '#' && out.name.front() != '+' &&
         out.name.front() != '-';
}

bool take_user(const PasswdLine& line, UserInfo& info) {
  info.uid = line.uid;
  info.gid = line.gid;
  const std::string_view shell = line.shell.empty() ? std::string_view("/bin/sh") : line.shell;
  return copy_text(line.name, info.name.data(), info.name.size()) &&
         copy_text(line.home.empty() ? std::string_view("/") : line.home, info.home.data(),
                   info.home.size()) &&
         copy_text(shell, info.shell.data(), info.shell.size());
}

bool has_member(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    if (cut(members, ',') == name) return true;
  }
  return false;
}

struct Scan {
  bool has_user = false;
  bool has_group = false;
  bool has_own_user = false;
  unsigned own_uid = 0;
};

bool scan_passwd(std::string_view text, std::string_view user, uid_t self, UserInfo& info,
                 Scan& scan) {
  while (!text.empty()) {
    PasswdLine line;
    if (!parse_passwd_line(cut(text, '\n'), line)) continue;
    if (line.name == kOwnUser && !scan.has_own_user) {
      scan.has_own_user = true;
      scan.own_uid = line.uid;
    }
    const bool matches = user.empty() ? line.uid == self : line.name == user;
    if (!matches || scan.has_user) continue;
    if (!take_user(line, info)) return false;
    scan.has_user = true;
  }
  return true;
}

void scan_groups(std::string_view text, std::string_view group, UserInfo& info, Scan& scan) {
  const gid_t primary = info.gid;
  const std::string_view user(info.name.data());
  add_group(info, primary);
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    const std::string_view name = cut(line, ':');
    cut(line, ':');
    unsigned gid = 0;
    if (name.empty() || !parse_id(cut(line, ':'), gid)) continue;
    const bool is_in = has_member(line, user);
    if (is_in) add_group(info, gid);
    if (name == kOwnUser && (is_in || gid == primary || name == group)) info.is_refused = true;
    if (!group.empty() && name == group && !scan.has_group) {
      scan.has_group = true;
      info.gid = gid;
    }
  }
}

}  // namespace

bool copy_text(std::string_view text, char* out, std::size_t out_bytes) {
  if (text.size() >= out_bytes) return false;
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\0';
  return true;
}

void add_group(UserInfo& info, gid_t gid) {
  for (std::size_t i = 0; i < info.group_count; ++i) {
    if (info.groups[i] == gid) return;
  }
  if (info.group_count < kGroupsMax) info.groups[info.group_count++] = gid;
}

Lookup lookup_in_files(const LookupFiles& files, std::string_view user, std::string_view group,
                       uid_t self, UserInfo& info) {
  const FileText passwd(files.passwd);
  if (!passwd.ok()) return Lookup::kUnreadable;
  Scan scan;
  if (!scan_passwd(passwd.text(), user, self, info, scan)) return Lookup::kUnreadable;
  if (!scan.has_user) return Lookup::kNoUser;
  const FileText groups(files.group);
  if (!groups.ok()) return Lookup::kUnreadable;
  scan_groups(groups.text(), group, info, scan);
  if (!group.empty() && !scan.has_group) return Lookup::kNoGroup;
  if (std::string_view(info.name.data()) == kOwnUser) info.is_refused = true;
  if (scan.has_own_user && scan.own_uid == info.uid) info.is_refused = true;
  return Lookup::kFound;
}

bool is_files_only(const LookupFiles& files) {
  const FileText config(files.nsswitch);
  if (!config.ok()) return ::access(files.nsswitch, F_OK) != 0;
  std::string_view text = config.text();
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    line = cut(line, '#');
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
      line.remove_prefix(1);
    const std::string_view database = cut(line, ':');
    if (database != "passwd" && database != "group" && database != "initgroups") continue;
    while (!line.empty()) {
      while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
        line.remove_prefix(1);
      const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
      const std::string_view source(line.data(), end);
      line.remove_prefix(end);
      if (!source.empty() && source != "files" && source != "systemd") return false;
    }
  }
  return true;
}

}  // namespace distcron::process
