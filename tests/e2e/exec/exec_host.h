// SPDX-License-Identifier: Apache-2.0
// A real executor in a private folder, and a client that talks to it. For tests: everything fails
// by exception, processes started are ended by their pid.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "process/exec_client.h"
#include "process/run_files.h"

namespace distcron::e2e {

using process::EndRecord;
using process::ExecEvent;
using process::RunKey;
using process::SpawnPlan;

class ExecHost {
 public:
  /// `args` follow the needed ones. With `guard`, the executor is restarted when killed.
  explicit ExecHost(std::vector<std::string> args = {}, bool guard = false);
  ~ExecHost();
  ExecHost(const ExecHost&) = delete;
  ExecHost& operator=(const ExecHost&) = delete;

  void start();
  void connect();
  /// Kills guard (if any) and executor.
  void kill_all();
  void kill_executor();

  [[nodiscard]] process::ExecClient& client() { return *client_; }

  [[nodiscard]] const process::RunFiles& files() const { return files_; }

  [[nodiscard]] const process::ExecHello& hello() const { return hello_; }

  [[nodiscard]] const std::string& dir() const { return dir_; }

  /// Kind of environment for the executor, "K=V"; before start().
  std::vector<std::string> env;

  /// Reads events until `wanted` accepts one. Fails after `seconds`.
  ExecEvent wait_for(const std::function<bool(const ExecEvent&)>& wanted, int seconds = 20);
  /// The end of an attempt: Ended or Refused.
  ExecEvent wait_end(RunKey key, int seconds = 20);
  /// Spawns, waits for the end, and returns the record. Fails when it was refused.
  EndRecord run(const SpawnPlan& plan, int seconds = 20);
  /// Spawns and returns the refusal. Fails when it ran.
  process::ExecRefused refused(const SpawnPlan& plan);

  SpawnPlan plan(std::vector<std::string> argv);
  [[nodiscard]] std::string output(RunKey key,
                                   process::Stream stream = process::Stream::kOut) const;

  /// All events seen so far that nobody waited for.
  std::vector<ExecEvent> seen;

 private:
  std::vector<std::string> args_;
  bool guard_;
  std::string dir_;
  process::StoredRunFiles files_;
  std::optional<process::ExecClient> client_;
  process::ExecHello hello_;
  pid_t started_ = -1;
  std::int64_t next_run_ = 1;
};

/// Path of the test's own job program.
std::string probe_path();
/// Processes whose name (comm) is `name`.
std::vector<pid_t> named(const std::string& name);
[[nodiscard]] RunKey key_of(const SpawnPlan& plan);
/// Waits until `is_true` holds. False after `seconds`.
bool eventually(const std::function<bool()>& is_true, int seconds = 10);
/// Value of a field of /proc/PID/status in its own unit, or of the number of open descriptors
/// for "fds".
long status_of(pid_t pid, const std::string& field);

}  // namespace distcron::e2e
