// SPDX-License-Identifier: Apache-2.0
// distcron-exec: one loop, one thread, no network, no disk writes (its journal lies in the runtime
// directory). It starts stubs for one agent, tells how they ended, and enforces the host's policy.
// It owns no job: it may die, restart or be replaced, and runs go on.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "base/unique_fd.h"
#include "process/exec_cgroup.h"
#include "process/exec_journal.h"
#include "process/exec_message.h"
#include "process/exec_spawn.h"
#include "process/host_policy.h"

namespace distcron::process {

struct ExecOptions {
  std::string socket;
  std::string run_dir;
  std::string state_dir;
  std::string script_dir;  ///< Empty: run_dir/scripts.
  std::string policy_dir = "/etc/distcron/policy.d";
  std::string cgroup;     ///< Empty: search; "off"; or a cgroup folder.
  std::string spool_dir;  ///< Users' crontabs that the agent may read; empty: none.
  std::int64_t peer_uid = -1;
  std::int64_t peer_gid = -1;  ///< Group that may read output; -1: unchanged.
  int listener = -1;           ///< An already listening socket, or -1.
  int idle_exit_s = 0;         ///< End after this long without agent and runs; 0: never.
  bool has_failpoints = false;
};

struct KillOrder;

class Executor {
 public:
  explicit Executor(ExecOptions options)
      : options_(std::move(options)), policy_(options_.policy_dir) {}

  /// Opens all files and adopts what an earlier executor started. Empty, or an error text.
  [[nodiscard]] std::string start();
  /// Serves until idle or told to end. Exit status.
  int run();

 private:
  /// One stub that is alive.
  struct Run {
    SpawnRecord record;
    UniqueFd pidfd;
    bool is_child = false;        ///< Started by this process: to be reaped.
    std::int64_t term_at_us = 0;  ///< When to look whether the stub is stuck; 0: not.
    std::int64_t kill_at_us = 0;  ///< When to kill from outside; 0: not.
  };

  /// A stub that is started and waits for its release.
  struct Spawned {
    SpawnRecord record;
    UniqueFd pidfd;
    UniqueFd release;
  };

  struct Outgoing {
    std::string bytes;
    UniqueFd file;
  };

  struct Request {
    Message message;
    UniqueFd plan;
  };

  [[nodiscard]] std::string open_files();
  [[nodiscard]] std::string open_socket();
  [[nodiscard]] std::string open_output_dir();
  void make_spawner();
  void adopt();

  void turn();
  void accept_agent();
  void drop_agent();
  void read_agent();
  bool read_message(std::vector<Request>& spawns);
  void handle(const Message& message);
  void send_hello();
  void send_inventory();
  void answer_spool(std::int64_t question, std::string_view name);
  void post(const Message& message, UniqueFd file = UniqueFd());
  void flush();
  void refuse(RunKey key, int reason, std::string_view step, std::string_view text);

  void start_batch(std::vector<Request>& requests);
  [[nodiscard]] std::string check_plan(const Request& request, PlanHeader& header, int& reason);
  [[nodiscard]] bool spawn_one(Request& request, const PlanHeader& header, Spawned& out);
  void release(std::vector<Spawned>& batch);

  void add_run(Run run);
  void reap(std::uint64_t token);
  void report_end(RunKey key);
  void clean_up(RunKey key);
  void kill_run(RunKey key, const KillOrder& order);
  void arm(RunKey key, Run& run);
  void check_timers();
  void kill_from_outside(RunKey key, const Run& run);
  [[nodiscard]] int wait_ms() const;
  void read_signals();
  void shut_host_down();
  void watch(int fd, std::uint64_t token, std::uint32_t events) const;
  void fail_here(const char* name) const;

  ExecOptions options_;
  PolicyStore policy_;
  ExecJournal journal_;
  CgroupPlace cgroup_;
  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd lock_;  ///< Without a guard, which holds it otherwise.
  UniqueFd listener_;
  UniqueFd agent_;
  UniqueFd run_dir_;
  std::vector<Spawner> spawner_;  ///< One, made in start().
  std::string own_user_;
  std::string boot_id_;
  rlimit open_files_{};
  std::map<RunKey, Run> runs_;
  std::map<std::int32_t, RunKey> by_pid_;
  std::set<std::pair<std::int64_t, RunKey>> timers_;  ///< Next look at a run, boottime us.
  std::deque<Outgoing> outgoing_;
  std::int64_t idle_since_us_ = 0;
  std::int64_t starting_ = 0;  ///< Stubs of the batch in hand, not in runs_ yet.
  std::int64_t starts_per_s_ = 0;
  bool is_ending_ = false;
  bool is_host_down_ = false;  ///< The host goes down: jobs are ended and none is started.
};

/// Asks the executor of `run_dir` to end all jobs (SIGTERM, their grace, SIGKILL) and itself, and
/// waits for it at most `seconds`. Exit status: 0 when it has ended or there was none.
int request_host_shutdown(const std::string& run_dir, int seconds);

/// Makes a folder and those above it. Empty, or an error text.
[[nodiscard]] std::string make_dirs(const std::string& path, mode_t mode);

/// Writes the text into the executor's log (its first standard error).
void exec_log(std::string_view text);

}  // namespace distcron::process
