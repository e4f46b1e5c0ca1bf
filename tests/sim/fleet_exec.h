// SPDX-License-Identifier: Apache-2.0
// FleetExec: the executor of one simulated host and the processes that it started. They outlive the
// agent and the executor; a crash of the host ends them. What was started in this boot is never
// started again; end records stay on the disk until they are removed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "process/exec_port.h"
#include "process/run_files.h"
#include "sim/fleet_agenda.h"

namespace distcron::sim {

/// One process as it really was.
struct FleetProcess {
  process::RunKey key;
  std::int64_t host = 0;
  std::int64_t boot = 0;
  FleetTime started_at = 0;
  std::optional<FleetTime> ended_at;
  std::optional<process::EndRecord> record;  ///< None: it went with its host or its supervisor.
};

/// How long runs take and how often a start fails.
struct FleetExecHabits {
  FleetTime run_max = 5 * kSecond;
  std::int64_t long_percent = 10;  ///< Runs that take up to five times as long.
  std::int64_t fail_percent = 15;
  std::int64_t refuse_percent = 2;
  std::int64_t setup_percent = 2;
  std::int64_t lost_percent = 1;  ///< Runs whose supervisor is killed.
};

class FleetExec {
 public:
  struct Hooks {
    std::function<agent::Now()> clock;
    std::function<void()> wake;  ///< Events wait for the agent.
    std::function<void(const FleetProcess&)> on_start;
    std::function<void(const FleetProcess&)> on_end;
    std::function<void()> on_stall;  ///< See stall_next_spawn().
  };

  FleetExec(Agenda& agenda, std::int64_t host, std::uint64_t seed, Hooks hooks)
      : agenda_(agenda), host_(host), rng_(seed), hooks_(std::move(hooks)) {}

  FleetExecHabits habits;

  /// The executor's process dies; it is back after `down_for`. Its jobs go on.
  void crash(FleetTime down_for);
  /// The host dies with all that runs on it.
  void lose_power();
  void boot(std::int64_t number);

  /// Between the agent's next order to start something and the start lie `span` more.
  void stall_next_spawn(FleetTime span) { stall_ = span; }

  /// The next process lives for `span`.
  void prolong_next(FleetTime span) { next_span_ = span; }

  [[nodiscard]] Result<std::unique_ptr<process::ExecPort>> connect();
  [[nodiscard]] std::unique_ptr<const process::RunFiles> files();

  [[nodiscard]] const std::map<process::RunKey, process::EndRecord>& records() const {
    return records_;
  }

 private:
  friend class FleetExecPort;

  /// One connection of an agent, with what is under way on it.
  struct Line {
    bool is_open = true;  ///< On the executor's side.
    bool is_agent_gone = false;
    bool is_kept = false;       ///< All of it gets out.
    bool loses_rest = false;    ///< What the agent sent last did not get out.
    FleetTime arrives_at = 0;   ///< Of the last message towards the executor.
    FleetTime answered_at = 0;  ///< ... and towards the agent.
    std::deque<process::ExecEvent> events;
  };

  enum class State : std::uint8_t { kLive, kEnded, kRefused };

  struct Attempt {
    State state = State::kLive;
    bool is_acked = false;
    process::RefuseReason refusal = process::RefuseReason::kSpawnFailed;
    process::ExecStarted started;
    std::size_t process = 0;  ///< In processes_.
    std::int64_t grace_ms = 0;
    std::uint64_t end_number = 0;  ///< Of the end that counts.
    bool killed = false;
    bool timed_out = false;
  };

  void from_agent(const std::shared_ptr<Line>& line, std::function<void()> what);
  void tell(process::ExecEvent event);
  void spawn(const process::SpawnPlan& plan);
  void refuse(process::RunKey key, process::RefuseReason reason);
  void end_at(process::RunKey key, FleetTime when, int exit_code, int signal);
  void end(process::RunKey key, int exit_code, int signal);
  void kill(process::RunKey key, std::int64_t grace_ms);
  void ack(process::RunKey key);
  void remove(process::RunKey key);
  void inventory();

  Agenda& agenda_;
  std::int64_t host_;
  Rng rng_;
  Hooks hooks_;
  std::int64_t boot_ = 0;
  bool is_up_ = false;
  FleetTime stall_ = 0;
  FleetTime next_span_ = 0;
  std::uint64_t life_ = 0;  ///< Another number after each crash of executor or host.
  std::shared_ptr<Line> line_;
  std::map<process::RunKey, Attempt> attempts_;  ///< Of this boot.
  std::vector<FleetProcess> processes_;
  std::map<process::RunKey, process::EndRecord> records_;
};

}  // namespace distcron::sim
