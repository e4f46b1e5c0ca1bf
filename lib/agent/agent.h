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
#include "agent/fleet.h"
#include "agent/host.h"
#include "agent/identity.h"
#include "agent/join.h"
#include "agent/key_ring.h"
#include "agent/layout.h"
#include "agent/local_runs.h"
#include "agent/operations.h"
#include "agent/outbox.h"
#include "agent/output_keeper.h"
#include "agent/output_log.h"
#include "agent/replica.h"
#include "agent/scheduler.h"
#include "agent/time_mark.h"
#include "base/unique_fd.h"
#include "cron/zone.h"
#include "mesh/control_server.h"
#include "mesh/keys.h"
#include "mesh/login_server.h"
#include "mesh/peer_mesh.h"
#include "planner/state.h"
#include "store/store.h"

namespace distcron::agent {

/// What can change while the agent runs.
struct Tunables {
  std::string sendmail;
  std::int64_t max_running = 4096;
  std::int64_t output_bytes_max = 8LL << 20;
  std::int64_t keep_runs = 200;
  Seconds keep_age{30 * 86'400};
  std::int64_t keep_bytes = 2LL << 30;
  bool logs_output = false;
};

struct AgentOptions : Tunables {
  Layout layout;
  KeyRing keys;
  std::vector<std::string> control_listen;
  std::string node_name;
  std::int64_t node_id = 0;  ///< 0: assigned.
  std::vector<std::string> mesh_listen;
  bool is_mesh_listen_set = false;  ///< By the administrator: busy is an error.
  std::string mesh_advertise;       ///< Empty: what it listens on.
  Micros heartbeat{100'000};
  Micros election{1'000'000};
  Micros suspect_after{3'000'000};
  Micros dead_after{10'000'000};
  model::TextMap node_labels;
  std::string version;
  WallTime released{};   ///< Of this version: no honest clock is earlier.
  std::string own_user;  ///< Not root: the only user of jobs.
  std::string default_user;
  CrontabFiles crontabs;
  bool watches_crontabs = false;
  bool is_ephemeral = false;
  bool writes_syslog = false;
  JoinPlan join;                      ///< For `node join`.
  std::vector<std::string> warnings;  ///< Found while starting, shown by `cluster status`.
};

/// Why run() returned.
enum class ExitCause : std::uint8_t {
  kSignal,
  kDiskError,
  kRestart,  ///< It is somebody else now (joined, left, restored): make the agent anew.
};

/// The randomness of the agent for elections.
class AgentDice final : public consensus::Dice {
 public:
  explicit AgentDice(Random& random) : random_(random) {}

  [[nodiscard]] std::uint64_t draw() override { return random_.draw(); }

 private:
  Random& random_;
};

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

  /// From now on it works with these.
  void retune(const Tunables& tunables);

  /// What the disk said, after ExitCause::kDiskError.
  [[nodiscard]] const std::string& fatal() const { return fatal_; }

  /// For the two lines of an ephemeral agent; valid after make().
  [[nodiscard]] const std::string& node_name() const { return options_.node_name; }

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
  void restore_identity(std::optional<Identity>& known);
  [[nodiscard]] Status open_identity(std::optional<Identity> known);
  [[nodiscard]] Status open_mesh(std::vector<model::Node> members);
  [[nodiscard]] Status open_replica(store::Loaded& loaded);
  void load_state(store::Loaded& loaded);
  void introduce();
  void introduce_node();
  [[nodiscard]] model::PutNode describe_node() const;
  [[nodiscard]] wire::HostState own_state() const;
  void put_key(std::string name, const std::string& public_key, model::Role role);
  [[nodiscard]] Result<std::string> login(std::uint32_t uid, const std::string& public_key);

  void turn();
  void wait_for_events();
  void arm_timer();
  void on_store();
  void on_completion(store::Completion& completion);
  void on_installed(store::SnapshotInstalled& installed);
  void stop_for(const Error& error);
  /// `node join`: `done` gets the answer; afterwards the agent begins anew.
  void start_joining(const wire::NodeJoinRequest& request, JoinDone done);
  void poll_joining();
  /// `cluster force-quorum`: this member alone, in a new incarnation.
  [[nodiscard]] Status force_quorum(bool dry_run);
  [[nodiscard]] Status advertise(const std::string& address, bool dry_run);

  /// Where others reach the mesh, if somebody has said so.
  [[nodiscard]] const std::string& advertised() const {
    return options_.mesh_advertise.empty() ? identity_.mesh_advertise : options_.mesh_advertise;
  }

  void force(consensus::Stored& stored);
  void on_control();
  /// Logs what the doors have refused.
  void tell_refusals();
  [[nodiscard]] wire::RefusedReport refused() const;
  void on_signals();
  void on_role();
  void tell_scheduler();
  void leave();
  [[nodiscard]] bool schedules() const;
  void on_order(const planner::Order& order);
  void log_output(process::RunKey key, const std::string& job);
  void retain();
  /// Output on this host: what is beyond the limit goes, what has ended is copied to the log.
  void tend_output();
  void notify_status();
  void keep_marks();
  void tend_local_runs();
  void open_local_runs(LocalFacts facts, const std::vector<store::JournalPut>& journal);
  void post_mark(const TimeMark& mark, WallTime at);
  void end_jobs();
  [[nodiscard]] model::TextList warnings() const;
  [[nodiscard]] bool is_clock_synchronised();
  [[nodiscard]] const cron::Zone* find_zone(std::string_view name);

  AgentOptions options_;
  Clock& clock_;
  Random& random_;
  Now now_;
  WallTime started_at_{};
  std::string boot_id_;
  cron::ZoneCache zones_;
  std::unique_ptr<store::Store> store_;
  planner::State state_;
  Identity identity_;
  std::unique_ptr<mesh::PeerMesh> mesh_;
  std::unique_ptr<Fleet> fleet_;
  AgentDice dice_;
  std::unique_ptr<Replica> log_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<LocalRuns> local_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Outbox> outbox_;
  OutputKeeper output_keeper_;
  std::unique_ptr<OutputLog> output_log_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<CrontabWatch> crontabs_;
  std::unique_ptr<Joining> joining_;
  JoinDone join_done_;
  ClockGuard clock_guard_;
  TimeMark passed_mark_;
  WallTime kept_passed_{};  ///< What the mark says.
  TimeMark contact_mark_;   ///< When this host was last in touch with a majority.
  std::optional<MonoTime> next_contact_;
  std::unique_ptr<Sockets> sockets_;
  UniqueFd timer_fd_;
  UniqueFd clock_fd_;  ///< Readable when the wall clock was set.
  UniqueFd signal_fd_;
  std::int64_t seen_applied_ = 0;
  MonoTime next_retain_{};
  MonoTime next_output_{};
  bool has_listed_output_ = false;
  MonoTime next_status_{};
  bool is_ready_ = false;
  bool is_introduced_ = false;
  bool is_leaving_ = false;  ///< No member any more.
  bool stops_ = false;
  bool restarts_ = false;                 ///< Once this turn is over.
  consensus::NodeId told_scheduler_ = 0;  ///< The log says that it is.
  bool makes_new_cluster_ = false;        ///< Of a restored backup.
  bool disk_failed_ = false;
  std::string fatal_;
  std::optional<Error> refusal_;  ///< Why run() cannot go on.
  std::function<void()> on_ready_;
  std::function<void()> on_reload_;
};

}  // namespace distcron::agent
