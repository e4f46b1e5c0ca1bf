// SPDX-License-Identifier: Apache-2.0
// ExecPort: what the agent asks of its executor and what it hears from it. Non-blocking; owned and
// called by the loop thread only. ExecClient is the real one, over the executor's socket.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "process/exec_message.h"
#include "process/spawn_plan.h"

namespace distcron::process {

/// First event after connect().
struct ExecHello {
  std::int32_t version = 0;
  std::string boot_id;  ///< 36 characters, as in /proc/sys/kernel/random/boot_id.
  std::int32_t exec_pid = 0;
  bool has_cgroup = false;        ///< Kill by cgroup; else by walk.
  std::string fallback_reason;    ///< Why there is no cgroup; empty when there is one.
  std::int32_t starts_per_s = 0;  ///< Measured start rate of this host, 0 before it is known.
};

/// The attempt's stub was released. A Refused may still follow when the set-up failed: nothing of
/// the job has run then.
struct ExecStarted {
  RunKey key;
  std::int32_t stub_pid = 0;
  std::uint64_t stub_starttime = 0;  ///< Field 22 of /proc/PID/stat.
  std::int64_t wall_us = 0;
  std::int64_t boot_us = 0;
};

/// Answer to inventory(): alive now. Same fields as ExecStarted.
struct ExecRunning {
  ExecStarted run;
};

/// Nothing of this attempt has run and nothing will, in this boot.
/// kDuplicate is different: this (run, attempt) was spawned before; ask the inventory.
struct ExecRefused {
  RunKey key;
  RefuseReason reason = RefuseReason::kSpawnFailed;
  std::string step;  ///< Only with kSetup, such as "user".
  std::string text;  ///< For people.
};

/// No process of the attempt is left (except EndHow::kKillIncomplete). Read the end record with
/// load_end_record(); with has_record false the stub was killed: unknown(supervisor_lost).
struct ExecEnded {
  RunKey key;
  bool has_record = true;
};

struct ExecInventoryDone {};

/// Answer to ask_spool().
struct ExecSpoolFile {
  std::int64_t question = 0;
  std::string name;   ///< Of the table; empty: the list of all names, each ended by NUL.
  int sys_errno = 0;  ///< Why there is no descriptor. ENOTSUP: this executor serves no spool.
  UniqueFd fd;        ///< A regular file, open for reading, at its start.
};

using ExecEvent = std::variant<ExecHello, ExecStarted, ExecRunning, ExecRefused, ExecEnded,
                               ExecInventoryDone, ExecSpoolFile>;

class ExecPort {
 public:
  virtual ~ExecPort() = default;

  [[nodiscard]] virtual int fd() const = 0;
  /// True while messages wait because the other end is slow; call flush() when it is writable.
  [[nodiscard]] virtual bool wants_write() const = 0;

  /// Hands a plan over. kInvalid: the plan cannot be encoded. Queued when the other end is slow
  /// (kUnavailable when too many wait). The answer is Started, or Refused.
  [[nodiscard]] virtual Status spawn(const SpawnPlan& plan) = 0;
  /// Sends `signum` (0: SIGTERM) to the job, SIGKILL to all that is left of it after `grace_ms`
  /// (< 0: the plan's own). Of a run that is not alive: nothing happens.
  [[nodiscard]] virtual Status kill(RunKey key, int signum, std::int64_t grace_ms) = 0;
  /// The agent has journaled the end: the inventory need not report it again.
  [[nodiscard]] virtual Status ack(RunKey key) = 0;
  /// Deletes output and end record of an attempt that is not alive; implies ack().
  [[nodiscard]] virtual Status remove(RunKey key) = 0;
  /// Asks for all attempts: Running for the live, Ended or Refused for those not acknowledged,
  /// then InventoryDone.
  [[nodiscard]] virtual Status inventory() = 0;
  /// Asks for a user's crontab, or with an empty name for the names of all. `question` comes back.
  [[nodiscard]] virtual Status ask_spool(std::int64_t question, const std::string& name) = 0;

  /// Sends what is queued.
  [[nodiscard]] virtual Status flush() = 0;
  /// All events that have arrived; a limited number at once. kUnavailable: the executor is gone.
  [[nodiscard]] virtual Result<std::vector<ExecEvent>> read_events() = 0;
};

}  // namespace distcron::process
