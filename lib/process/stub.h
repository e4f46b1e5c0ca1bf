// SPDX-License-Identifier: Apache-2.0
// distcron-run: the small parent of one attempt. It is started by the executor with fixed
// descriptors, forks the child that becomes the job, and stays: subreaper, owner of the output
// files, timeout, kill and end record. It survives agent and executor. Single-threaded.
// No third-party code, no std::string, so that the static program stays tiny.
#pragma once

#include "process/plan_view.h"
#include "process/user_lookup.h"

namespace distcron::process {

/// Descriptors of the stub at its start; the executor keeps the same numbers.
inline constexpr int kFdPlan = 3;     ///< The encoded plan.
inline constexpr int kFdRelease = 4;  ///< One byte: go. End of file: do not.
inline constexpr int kFdOut = 5;      ///< Folder STATE_DIR/out.
inline constexpr int kFdScripts = 6;  ///< Folder for private copies of scripts.
inline constexpr int kFdCgroup = 7;   ///< Folder of the jobs' cgroups; /dev/null without cgroups.
inline constexpr int kFdFirstFree = 8;

/// Real-time signal (SIGRTMIN of the kernel + 8) by which the executor asks for a kill; its value
/// is pack_kill().
inline constexpr int kKillSignal = 42;

struct KillOrder {
  int signum;
  std::int64_t grace_ms;      ///< < 0: the plan's own.
  bool is_host_down = false;  ///< The host shuts down; else somebody asked for it.
};

/// signum in the low 7 bits, is_host_down in the next, grace + 1 (0: the plan's own) above.
[[nodiscard]] std::uint64_t pack_kill(const KillOrder& order);
[[nodiscard]] KillOrder unpack_kill(std::uint64_t packed);

/// argv of the stub: name, then these as decimal numbers.
enum StubArg : int {
  kArgNofileSoft = 1,
  kArgNofileHard,
  kArgFlags,
  kArgCount,
};

enum StubFlag : unsigned { kStubHasCgroup = 1, kStubResetsOomScore = 2 };

/// What differs between the static program and the one with NSS and PAM. Function pointers and not
/// virtual functions: those would pull the C++ run-time into the static program.
struct UserBackend {
  /// 0, or an errno. `*wants_pam` asks for exec of the other program with the same descriptors.
  int (*find)(const PlanView& plan, bool is_root, UserInfo& info, bool* wants_pam);
  /// Opens the PAM session where the plan asks for it. 0, or an errno.
  int (*open_session)(const PlanView& plan, bool is_root, const UserInfo& info);
  void (*close_session)();
  /// NULL-ended "NAME=value" list of the session, or null.
  char** (*session_env)();
  /// Limits the time of look-up and session; 0 takes the limit away. `on_expiry` never returns.
  void (*set_alarm)(unsigned seconds, void (*on_expiry)(int));
};

/// Seconds for look-up and session together; then the start fails with setup_user.
inline constexpr unsigned kLookupSeconds = 5;

/// Exit status of the stub: 0 when it wrote an end record.
[[nodiscard]] int run_stub(int argc, char** argv, const UserBackend& backend);

}  // namespace distcron::process
