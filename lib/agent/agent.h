// SPDX-License-Identifier: Apache-2.0
// Agent: the composition root and the loop of one distcrond. Members stand in the order in which
// they depend on each other, so that they are destroyed rightly. The loop thread owns everything
// here; the store's thread is the only other that works for it.
// One turn: wait; read both clocks; drain each source; step; then persist, send, spawn, reply.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "agent/clock_guard.h"
#include "agent/crontab_watch.h"
#include "agent/host.h"
#include "agent/key_ring.h"
#include "agent/layout.h"
#include "agent/log_pipe.h"
#include "agent/operations.h"
#include "agent/outbox.h"
#include "agent/scheduler.h"
#include "base/unique_fd.h"
#include "cron/zone.h"
#include "mesh/control_server.h"
#include "mesh/keys.h"
#include "mesh/login_server.h"
#include "planner/state.h"
#include "store/store.h"

namespace distcron::agent {

struct AgentOptions {
  Layout layout;
  KeyRing keys;
  std::vector<std::string> control_listen;
  std::string node_name;
  std::int64_t node_id = 0;  ///< 0: assigned.
  model::TextMap node_labels;
  std::string version;
  WallTime released{};   ///< Of this version: no honest clock is earlier.
  std::string own_user;  ///< Not root: the only user of jobs.
  std::string default_user;
  std::string sendmail;
  std::int64_t max_running = 4096;
  std::int64_t output_bytes_max = 8LL << 20;
  std::int64_t keep_runs = 200;
  Seconds keep_age{30 * 86'400};
  CrontabFiles crontabs;
  bool watches_crontabs = false;
  bool is_ephemeral = false;
  bool writes_syslog = false;
  std::vector<std::string> warnings;  ///< Found while starting, shown by `cluster status`.
};

/// Why run() returned.
enum class ExitCause : std::uint8_t { kSignal, kDiskError };

class Agent {
 public:
  /// Opens the store, brings the state up to date, binds the doors. No thread but the store's.
  /// Signals TERM, INT, HUP, USR1 must be blocked already.
  [[nodiscard]] static Result<std::unique_ptr<Agent>> make(AgentOptions options, Clock& clock,
                                                           Random& random);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// First start: the cluster, this node, its keys; what a restart has to say. Then the loop, until
  /// TERM or INT.
  [[nodiscard]] Result<ExitCause> run();

  /// Called once, when the doors are open and the first entries are stored.
  void on_ready(std::function<void()> call) { on_ready_ = std::move(call); }

  /// Called on SIGHUP.
  void on_reload(std::function<void()> call) { on_reload_ = std::move(call); }

  /// What the disk said, after ExitCause::kDiskError.
  [[nodiscard]] const std::string& fatal() const { return fatal_; }

  /// For the two lines of an ephemeral agent; valid after make().
  [[nodiscard]] std::string endpoint() const { return options_.control_listen.front(); }

  [[nodiscard]] std::string admin_key_file() const {
    return options_.layout.keys_dir + "/admin.key";
  }

 private:
  struct Sockets;  // keeps zmq.hpp out of this header

  Agent(AgentOptions options, Clock& clock, Random& random);
  [[nodiscard]] Status open();
  [[nodiscard]] Status open_store(const std::string& boot_id);
  [[nodiscard]] Status open_doors();
  [[nodiscard]] Status make_timers();
  void introduce();
  void put_key(const std::string& name, const std::string& public_key, model::Role role);
  [[nodiscard]] Result<std::string> login(std::uint32_t uid, const std::string& public_key);

  void turn();
  void wait_for_events();
  void arm_timer();
  void on_store();
  void on_control();
  void on_signals();
  void on_order(const planner::Order& order);
  void retain();
  void notify_status();
  void end_jobs();
  [[nodiscard]] model::TextList warnings() const;
  [[nodiscard]] bool is_clock_synchronised();
  [[nodiscard]] const cron::Zone* find_zone(std::string_view name);

  AgentOptions options_;
  Clock& clock_;
  Random& random_;
  Now now_;
  std::string boot_id_;
  cron::ZoneCache zones_;
  std::unique_ptr<store::Store> store_;
  planner::State state_;
  std::unique_ptr<LogPipe> log_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<CrontabWatch> crontabs_;
  ClockGuard clock_guard_;
  std::unique_ptr<Sockets> sockets_;
  UniqueFd timer_fd_;
  UniqueFd clock_fd_;  ///< Readable when the wall clock was set.
  UniqueFd signal_fd_;
  MonoTime next_retain_{};
  MonoTime next_status_{};
  bool is_ready_ = false;
  bool stops_ = false;
  bool disk_failed_ = false;
  int stop_signals_ = 0;
  std::string fatal_;
  std::function<void()> on_ready_;
  std::function<void()> on_reload_;
};

}  // namespace distcron::agent
