// SPDX-License-Identifier: Apache-2.0
#include "ctl/storage_dir.h"

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/state_dir.h"

namespace distcron::ctl {
namespace {

constexpr std::array<std::string_view, 7> kDatabases = {
    "raft.db", "raft.db-wal", "raft.db-shm", "state.db", "state.db-wal", "state.db-shm", "as-new"};

constexpr const char* kAgentUser = "distcron";

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Status move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail_errno(ErrorCode::kIo, "cannot move '" + from + "'", errno);
}

/// Moves what is there of the databases; returns which.
Result<std::vector<std::string>> move_all(const std::string& from, const std::string& to) {
  std::vector<std::string> moved;
  for (const std::string_view name : kDatabases) {
    const std::string path = from + "/" + std::string(name);
    if (!is_there(path)) continue;
    if (moved.empty() && !is_there(to) && ::mkdir(to.c_str(), 0700) != 0) {
      return fail_errno(ErrorCode::kIo, "cannot make '" + to + "'", errno);
    }
    DC_CHECK_OK(move(path, to + "/" + std::string(name)));
    moved.push_back(std::string(name));
  }
  return moved;
}

/// A directory that root has just made belongs to the user that the agent becomes, where there is
/// one; a started agent then finds it as it would have made it.
Status give_to_agent(const std::string& dir) {
  if (::geteuid() != 0) return {};
  const passwd* user = ::getpwnam(kAgentUser);
  if (user == nullptr || ::lchown(dir.c_str(), user->pw_uid, user->pw_gid) == 0) return {};
  return fail_errno(ErrorCode::kIo, "cannot give '" + dir + "' to " + kAgentUser, errno);
}

/// Root gives what it made to the user that the agent runs as.
Status give_to_owner(const std::string& dir, const std::vector<std::string>& names) {
  if (::geteuid() != 0) return {};

  struct stat owner {};

  if (::stat(dir.c_str(), &owner) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot look at '" + dir + "'", errno);
  }
  for (const std::string& name : names) {
    const std::string path = dir + "/" + name;
    if (!is_there(path)) continue;
    if (::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return fail_errno(ErrorCode::kIo, "cannot give '" + path + "' to its owner", errno);
    }
  }
  return {};
}

/// Moves the databases aside and the backup to their place, or leaves all as it was.
Result<Restored> replace_databases(const RestoreOrder& order, const std::string& aside) {
  Restored out;
  {
    DC_TRY(const store::StateDir held, store::StateDir::open(order.dir));
    DC_TRY(const std::vector<std::string> moved, move_all(order.dir, aside));
    if (!moved.empty()) out.kept = aside;
    if (order.as_new) DC_CHECK_OK(held.make_file("as-new"));
  }
  auto restored = store::restore_backup(order.backup, order.dir);
  if (!restored) {
    if (order.as_new) ::unlink((order.dir + "/as-new").c_str());
    if (!out.kept.empty()) {
      DC_CHECK_OK(move_all(aside, order.dir));
      static_cast<void>(::rmdir(aside.c_str()));
    }
    return fail(restored.error());
  }
  out.facts = std::move(*restored);
  return out;
}

}  // namespace

Result<Restored> restore_storage(const RestoreOrder& order) {
  const bool is_new = !is_there(order.dir);
  auto done = replace_databases(order, order.dir + "/" + order.aside);
  if (is_new && is_there(order.dir)) DC_CHECK_OK(give_to_agent(order.dir));
  // Also after a failure: the agent must be able to take the lock that was made here.
  const Status given =
      give_to_owner(order.dir, {"state.db", "lock", "as-new", "install.part", order.aside});
  if (done && !given) return fail(given.error());
  return done;
}

}  // namespace distcron::ctl
