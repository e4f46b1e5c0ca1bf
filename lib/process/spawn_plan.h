// SPDX-License-Identifier: Apache-2.0
// What one attempt needs to start, as the agent states it, and its encoding into one flat block of
// bytes (see plan_view.h for the layout and for the reader). Plain values, no thread rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace distcron::process {

/// Largest encoded plan, bytes. Executor and stub refuse more.
inline constexpr std::size_t kPlanBytesMax = std::size_t{4} << 20U;
/// Output kept per stream when a plan names no limit, bytes.
inline constexpr std::int64_t kOutputBytesDefault = std::int64_t{10} << 20U;

/// A run and its attempt: the key of everything between agent, executor and stub.
struct RunKey {
  std::int64_t run_id = 0;   ///< > 0
  std::int32_t attempt = 0;  ///< >= 1

  friend bool operator==(const RunKey&, const RunKey&) = default;
  friend auto operator<=>(const RunKey&, const RunKey&) = default;
};

/// One limit for setrlimit(2). A value of -1 is "unlimited".
struct ResourceLimit {
  std::int32_t resource = 0;  ///< RLIMIT_* of this host.
  std::int64_t soft = -1;
  std::int64_t hard = -1;
};

/// What becomes of processes that outlive the job's main process.
enum class Orphans : std::uint8_t { kKill, kLeave };

struct SpawnPlan {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;

  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH of `env` when it has no slash.
  std::vector<std::string> env;   ///< "NAME=value"; HOME, LOGNAME, SHELL, PATH are added if absent.
  std::string script;  ///< When set, its bytes are run (by its #! line, else /bin/sh); argv are its
                       ///< arguments, argv[0] its shown name.
  std::string user;    ///< Empty: the user of the executor.
  std::string group;   ///< Empty: the user's primary group.
  std::string cwd;     ///< Empty: the user's home.
  std::string stdin_path;  ///< Opened as the job's user; empty: stdin_data.
  std::string stdin_data;  ///< Bytes of standard input; empty: /dev/null.

  std::vector<ResourceLimit> limits;
  std::int32_t umask = 022;
  std::int32_t nice = 0;                                ///< Absolute value, -20..19.
  std::int64_t timeout_ms = 0;                          ///< Release to SIGTERM; 0: none.
  std::int64_t kill_grace_ms = 10'000;                  ///< SIGTERM to SIGKILL.
  std::int64_t start_by_boottime_us = 0;                ///< Checked last before exec; 0: none.
  std::int64_t output_max_bytes = kOutputBytesDefault;  ///< Per stream; head and tail are kept.
  bool split_output = false;       ///< stderr into a stream of its own, else joined to stdout.
  bool compat_cron = false;        ///< No NO_NEW_PRIVS, capabilities untouched, cron's environment.
  bool pam = false;                ///< A session of the PAM service cron, where there is one.
  bool cronie_env = false;         ///< With compat_cron: USER is set too, a bad home is an error.
  bool no_new_privs = true;        ///< Ignored with compat_cron.
  bool created_elsewhere = false;  ///< Policy: the job came from the cluster, not from this host.
  Orphans orphans = Orphans::kKill;
};

/// Encodes `plan`. False when a text contains NUL, a number is out of range or the block would
/// be larger than kPlanBytesMax; `why` then says which.
[[nodiscard]] bool encode_plan(const SpawnPlan& plan, std::string& bytes, std::string& why);

}  // namespace distcron::process
