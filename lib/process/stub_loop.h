// SPDX-License-Identifier: Apache-2.0
// The stub's loop: feeds the RunMachine with what happens to the job and performs its effects.
// Owns the reading ends of status and output pipes. Single-threaded; all signals are blocked.
#pragma once

#include <array>
#include <cstdint>

#include <sys/types.h>

#include "base/unique_fd.h"
#include "process/end_record.h"
#include "process/job_cgroup.h"
#include "process/output_writer.h"
#include "process/stub_child.h"
#include "supervise/run_machine.h"

namespace distcron::process {

struct LoopSetup {
  pid_t pid = 0;
  int dir = -1;
  std::int64_t output_max_bytes = 0;
  supervise::Limits limits;
  const JobCgroup* cgroup = nullptr;
  EndRecord* record = nullptr;  ///< Filled with all but the time of the end.
};

struct LoopPipes {
  UniqueFd status;
  UniqueFd out;
  UniqueFd err;
};

class StubLoop {
 public:
  StubLoop(const LoopSetup& setup, LoopPipes pipes);

  /// Returns when no process of the job is left, or when killing them has failed.
  void run();

 private:
  void turn();
  void read_status();
  void read_signals();
  void reap();
  void check_tree();
  void note_main_status(int status);
  void pump(UniqueFd& pipe, OutputWriter& writer);
  void step(const supervise::Event& event);
  void perform(const supervise::Effect& effect);
  void kill_tree();
  void fill_record();
  [[nodiscard]] MonoTime now() const;

  LoopSetup setup_;
  LoopPipes pipes_;
  UniqueFd signals_;
  supervise::RunMachine machine_;
  OutputWriter out_;
  OutputWriter err_;
  ChildReport report_;
  std::int64_t timer_at_us_ = 0;  ///< Boottime; 0: not armed.
  int kill_rounds_ = 0;
  bool has_report_ = false;
  bool main_exited_ = false;
  bool output_closed_ = false;
  bool is_done_ = false;
  bool kill_incomplete_ = false;
  bool is_host_down_ = false;  ///< The first who wanted it dead was the host's shutdown.
};

}  // namespace distcron::process
