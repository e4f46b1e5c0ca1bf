// SPDX-License-Identifier: Apache-2.0
// Who a job runs as, looked up in /etc/passwd and /etc/group without NSS, so that the static stub
// can do it. Used by the stub only; the result is large and lives in static storage.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <sys/types.h>

namespace distcron::process {

inline constexpr std::size_t kGroupsMax = 65'536;  // NGROUPS_MAX of Linux
inline constexpr std::size_t kNameBytesMax = 257;
inline constexpr std::size_t kHomeBytesMax = 4'097;

struct UserInfo {
  uid_t uid = 0;
  gid_t gid = 0;  ///< Of the plan's group if it names one.
  std::array<char, kNameBytesMax> name{};
  std::array<char, kHomeBytesMax> home{};
  std::array<char, kHomeBytesMax> shell{};
  std::array<gid_t, kGroupsMax> groups{};
  std::size_t group_count = 0;
  /// User distcron, its uid, or a member of group distcron: never a job's user.
  bool is_refused = false;
};

struct LookupFiles {
  const char* passwd = "/etc/passwd";
  const char* group = "/etc/group";
  const char* nsswitch = "/etc/nsswitch.conf";
};

enum class Lookup { kFound, kNoUser, kNoGroup, kUnreadable };

/// Fills `info` for `user` (empty: the user with number `self`) and `group` (empty: primary).
[[nodiscard]] Lookup lookup_in_files(const LookupFiles& files, std::string_view user,
                                     std::string_view group, uid_t self, UserInfo& info);

/// True when passwd and group of nsswitch.conf name nothing beyond files and systemd
/// (a missing file too: files is the default).
[[nodiscard]] bool is_files_only(const LookupFiles& files);

/// Puts a group number into the list unless it is there.
void add_group(UserInfo& info, gid_t gid);
/// Copies `text` NUL-ended into a fixed buffer. False when it does not fit.
[[nodiscard]] bool copy_text(std::string_view text, char* out, std::size_t out_bytes);

}  // namespace distcron::process
