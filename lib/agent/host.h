// SPDX-License-Identifier: Apache-2.0
// Host: the attempts that this host was handed, from the claim to the committed end (RUNS.md 2-4
// in short: accept durably before the start, start only what the applied state still shows, ask
// the executor, report what it says, forget after the commit). Loop thread only; talks to the
// executor through ExecPort and to the log through Replica.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "agent/replica.h"
#include "base/result.h"
#include "planner/state.h"
#include "process/exec_port.h"
#include "process/run_files.h"
#include "wire/mesh_messages.h"

namespace distcron::agent {

class LocalRuns;

/// Attempt numbers from here on are no attempts: mail and notify commands of the outbox.
inline constexpr std::int32_t kOutboxAttempt = 1 << 24;

/// What the host needs to know of itself.
struct HostFacts {
  std::int64_t node_id = 0;
  std::string node_name;
  std::string boot_id;
  bool is_root = false;
  std::int64_t output_bytes_max = 0;  ///< Most that this host keeps of one stream; 0: no limit.
};

/// The host's ways to its executor, and to what the stubs leave on the disk.
struct HostPorts {
  /// A new connection to the executor. kUnavailable: it is not there (yet).
  std::function<Result<std::unique_ptr<process::ExecPort>>()> connect;
  std::unique_ptr<const process::RunFiles> files;
};

class Host {
 public:
  Host(HostFacts facts, HostPorts ports, planner::State& state, Replica& log, Random& random)
      : facts_(std::move(facts)),
        ports_(std::move(ports)),
        state_(state),
        log_(log),
        random_(random) {}

  /// What the claims of this host count from: a permit, and how fast it starts jobs.
  void add_permit(wire::HostState& state, const Now& now) const;

  /// The journal of accepted attempts as the store kept it; before recover().
  void load_journal(const std::vector<store::JournalPut>& journal);

  /// Before recover(). What it starts is the local runs' to say, until the log knows of it.
  void set_local_runs(LocalRuns& local) { local_ = &local; }

  /// Starts a run of the local runs now, once `note` is durable in the journal.
  void start_alone(const model::Run& run, const std::string& note, const Now& now);

  /// An attempt of the job may be alive here, whoever claimed it.
  [[nodiscard]] bool has_alive(std::uint64_t job_uid) const;
  /// Claimed by the cluster, and accepted here.
  [[nodiscard]] bool has_accepted(process::RunKey key) const;
  /// Says it to the log.
  void say(model::HostReport report);
  /// The log knows its end, or never wants to.
  void forget(process::RunKey key);

  void on_order(const planner::Order& order, const Now& now);
  /// Starts what is due, connects to the executor, tries failed reports again.
  void on_timer(const Now& now);
  void on_executor(const Now& now);
  /// Once a turn: proposes what was learnt in it as one entry.
  void propose_reports(const Now& now);

  [[nodiscard]] std::optional<MonoTime> next_timer() const;

  /// -1 while there is no executor.
  [[nodiscard]] int executor_fd() const { return exec_ ? exec_->fd() : -1; }

  [[nodiscard]] bool executor_wants_write() const { return exec_ && exec_->wants_write(); }

  [[nodiscard]] bool has_executor() const { return exec_ != nullptr && recovered_; }

  /// False: it has been without its executor for longer than that takes to be started again.
  [[nodiscard]] bool can_start(const Now& now) const;

  [[nodiscard]] const std::optional<process::ExecHello>& hello() const { return hello_; }

  [[nodiscard]] const process::RunFiles& files() const { return *ports_.files; }

  /// Attempts started or about to, that have not ended.
  [[nodiscard]] std::int64_t live_count() const { return static_cast<std::int64_t>(tasks_.size()); }

  /// Starts a helper of the outbox; its output is thrown away at its end.
  [[nodiscard]] Status spawn_extra(const process::SpawnPlan& plan);
  /// Asks the executor for users' crontabs, see ExecPort::ask_spool(). False: not there now.
  [[nodiscard]] bool ask_spool(std::int64_t question, const std::string& name);

  /// Who hears the answers.
  void set_spool_listener(std::function<void(const process::ExecSpoolFile&)> listener) {
    on_spool_ = std::move(listener);
  }

  /// The state was replaced as a whole: compares its notes with it anew.
  void start_over() { lose_executor(); }

  /// Of what starts from now on.
  void set_output_limit(std::int64_t bytes) { facts_.output_bytes_max = bytes; }

  /// Ends every live attempt (the end of an ephemeral agent).
  void kill_all();
  /// Output of all attempts of a run that lies here.
  [[nodiscard]] std::int64_t kept_bytes(std::int64_t run_id) const;
  /// Of its last attempt here that left a record; else 1970.
  [[nodiscard]] WallTime ended_at(std::int64_t run_id) const;
  /// Deletes the kept output of a run.
  void remove_output(std::int64_t run_id);

 private:
  enum class Phase : std::uint8_t {
    kAccepting,  ///< The journal entry is on its way to disk.
    kArmed,      ///< Accepted; the timer runs.
    kSpawning,   ///< Handed to the executor.
    kRunning,
    kEnded,     ///< Reported; waits for the commit.
    kRevoking,  ///< The tombstone is on its way to disk.
  };

  /// When an attempt starts, by this host's boottime.
  struct Start {
    MonoTime at{};
    MonoTime by{};              ///< Never later.
    bool is_permitted = false;  ///< The claim says it; else it follows from the wall clock.
    WallTime wall{};            ///< The scheduler's clock at that time.
    Micros skew{0};             ///< From this host's wall clock to the scheduler's.
  };

  struct Task {
    model::Run run;
    std::shared_ptr<const model::JobSpec> spec;
    Phase phase = Phase::kAccepting;
    Start start;
    bool kill_wanted = false;
    planner::KillOrder kill;
  };

  using Tasks = std::map<process::RunKey, Task>;

  struct Tombstone {
    process::RunKey key;
    model::Reason reason = model::Reason::kNone;
    std::string detail;
  };

  void accept(const planner::ClaimOrder& order, const Now& now);
  void accept(const model::Run& run, const Start& start, const std::string& note, const Now& now);
  /// Unset: the claim does not count from a permit that still holds here.
  [[nodiscard]] std::optional<Start> resolve(const planner::ClaimOrder& order,
                                             const Now& now) const;
  [[nodiscard]] static std::string note_of(const Start& start);
  /// What note_of() wrote, if it holds a start by permit.
  [[nodiscard]] static std::optional<Start> noted_start(const std::string& note);
  /// Of an attempt that is known here, also from before a restart.
  [[nodiscard]] Start start_of(process::RunKey key) const;
  /// An instant for the records: by this host's wall clock, or by the scheduler's when that
  /// differs.
  [[nodiscard]] static WallTime recorded(const Start& start, std::int64_t wall_us,
                                         std::int64_t boot_us);
  [[nodiscard]] WallTime recorded(const Now& now) const;
  void revoke(const planner::RevokeOrder& order);
  void kill(const planner::KillOrder& order);
  void arm(process::RunKey key);
  void stretch(Start& start) const;
  void start(process::RunKey key, Task& task, const Now& now);
  void start_due(const Now& now);
  /// Gives back what is due and can no longer start in time, as there is no executor.
  void refuse_overdue(const Now& now);
  /// By the applied state, or by this host itself; else a revocation is on its way.
  [[nodiscard]] bool is_claimed(process::RunKey key) const;
  void tombstone(process::RunKey key, model::Reason reason, std::string detail);
  void connect(const Now& now);
  void lose_executor();
  void handle(const process::ExecEvent& event, const Now& now);
  [[nodiscard]] bool handle_extra(const process::ExecEvent& event);
  [[nodiscard]] bool handle_behind(const process::ExecEvent& event);
  void on_started(const process::ExecStarted& started, const Now& now);
  /// An adopted run that somebody wanted dead is told so, now that its executor is known.
  void want_earlier_kill(Task& task);
  void on_refused(const process::ExecRefused& refused);
  void on_ended(const process::ExecEnded& ended, const Now& now);
  void reconcile(const Now& now);
  void reconcile_run(const model::Run& run, const Now& now);
  /// Of a run that was given up while this host was silent, and keeps its place until now.
  void reconcile_hold(process::RunKey key, const Now& now);
  [[nodiscard]] bool is_held(process::RunKey key) const;
  void reconcile_local(const Now& now);
  [[nodiscard]] bool is_local(std::int64_t run_id) const;
  void report(model::HostReport report);
  [[nodiscard]] model::HostReport ended_report(process::RunKey key, std::int64_t pid,
                                               const process::EndRecord& record,
                                               const std::shared_ptr<const model::JobSpec>& spec);
  /// Latest time to start one of `herd` attempts that are due together.
  [[nodiscard]] MonoTime start_limit(MonoTime start_at) const;
  [[nodiscard]] std::int64_t start_rate() const;

  HostFacts facts_;
  HostPorts ports_;
  planner::State& state_;
  Replica& log_;
  Random& random_;
  LocalRuns* local_ = nullptr;

  std::unique_ptr<process::ExecPort> exec_;
  std::optional<process::ExecHello> hello_;
  MonoTime next_connect_{};
  std::optional<MonoTime> executor_lost_at_;  ///< Unset: it is there.
  MonoTime next_refusal_{};
  bool inventory_asked_ = false;
  bool recovered_ = false;  ///< The inventory of this connection is complete.
  bool is_behind_ = false;  ///< ... but was asked for local runs alone: see on_timer().
  std::map<process::RunKey, std::uint64_t> others_alive_;  ///< Then: the rest, with their jobs.
  std::set<process::RunKey> seen_;                         ///< Named by the inventory under way.

  Tasks tasks_;
  std::multimap<MonoTime, process::RunKey> timers_;
  std::map<process::RunKey, store::JournalPut> journal_;
  std::vector<model::HostReport> reports_;
  std::vector<model::HostReport> retry_reports_;
  std::vector<Tombstone> retry_tombstones_;
  std::map<process::RunKey, planner::KillOrder> early_kills_;  ///< Until reconcile().
  std::optional<MonoTime> retry_at_;
  Micros skew_{0};  ///< Of the last claim with a permit.
  std::function<void(const process::ExecSpoolFile&)> on_spool_;
};

/// argv, environment and limits of an attempt; `start_by_boottime_us` is set by the caller.
[[nodiscard]] process::SpawnPlan make_plan(const model::JobSpec& spec, const model::Run& run,
                                           const HostFacts& facts);

}  // namespace distcron::agent
