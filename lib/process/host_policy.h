// SPDX-License-Identifier: Apache-2.0
// What this host allows, from /etc/distcron/policy.d/*.toml: a local file that the cluster cannot
// change. Read by hand, as the executor links no library: sections, and per line one key with a
// text, a list of texts on one line, or a whole number; comments with #. Whatever else is in a file
// is an error, and then everything is refused. Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "process/plan_view.h"

namespace distcron::process {

enum class CreatedElsewhere : std::uint8_t { kAll, kUsers, kNone };

/// [jobs] of all files together; a later file (by name) replaces a key of an earlier one.
struct HostPolicy {
  CreatedElsewhere created_elsewhere = CreatedElsewhere::kAll;
  std::vector<std::string> allow_users;  ///< Empty: all. With "users" above: required.
  std::vector<std::string> deny_users;
  std::vector<std::string> allow_commands;  ///< Prefixes of argv[0]; empty: all. Scripts: none fit.
  bool allow_privileges = true;             ///< Jobs may turn NO_NEW_PRIVS off.
  std::int64_t max_running = 0;             ///< 0: no limit.
  std::string error;                        ///< Not empty: refuse all, with this text.
};

/// Adds one file's text to `policy`. Empty, or "FILE:LINE: what is wrong".
[[nodiscard]] std::string parse_policy(std::string_view file, std::string_view text,
                                       HostPolicy& policy);

/// Empty when the policy allows the start, else why not. `own_user` is the user of an empty name.
[[nodiscard]] std::string refusal(const HostPolicy& policy, const PolicyView& plan,
                                  std::string_view own_user, std::int64_t running);

/// Loads a directory and looks again when it has changed.
class PolicyStore {
 public:
  explicit PolicyStore(std::string dir) : dir_(std::move(dir)) {}

  /// Reads the files if the directory or one of them has changed since the last call.
  const HostPolicy& load();

 private:
  std::string dir_;
  std::string stamp_;
  bool is_loaded_ = false;
  HostPolicy policy_;
};

}  // namespace distcron::process
