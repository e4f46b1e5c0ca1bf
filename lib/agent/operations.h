// SPDX-License-Identifier: Apache-2.0
// Operations: requests in, replies out, for every door. Checks who asks and what the operation
// table allows, decodes, calls the one handler of the operation, encodes. Changing operations go
// through the log; reads come from the state or, for what lies only on disk, from the store.
// Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/call.h"
#include "agent/clock.h"
#include "agent/fleet.h"
#include "agent/host.h"
#include "agent/replica.h"
#include "mesh/refusals.h"
#include "planner/state.h"
#include "store/store.h"
#include "wire/codec.h"
#include "wire/node_messages.h"
#include "wire/operations.h"

namespace distcron::agent {

/// Gets what came of an attempt to join a cluster.
using JoinDone = std::function<void(const Result<wire::NodeJoinReply>& reply)>;

/// What the handlers say about the agent itself, and do to it.
struct AgentFacts {
  std::string version;
  std::string node_name;
  std::int64_t node_id = 0;
  std::string own_user;  ///< Only user that jobs run as; empty: root, any user.
  std::string default_user;
  std::function<model::TextList()> warnings;
  planner::State::FindZone find_zone;
  std::string storage_dir;
  mesh::KeyPair server;  ///< Of the control doors of all members.
  std::function<void(const wire::NodeJoinRequest& request, JoinDone done)> join;
  // With `dry_run` they only look whether they would.
  std::function<Status(bool dry_run)> force_quorum;
  std::function<Status(const std::string& address, bool dry_run)> advertise;
  std::function<void()> trust_clock;             ///< An admin says that the wall clock is right.
  std::function<wire::RefusedReport()> refused;  ///< By the doors of this agent.
  /// A request that got no further than this; `is_relayed`: it came by the mesh.
  std::function<void(bool is_relayed, mesh::Refusal reason, std::string about)> refuse;
};

class Operations {
 public:
  Operations(AgentFacts facts, planner::State& state, store::Store& store, Replica& log, Host& host,
             Fleet& fleet, Random& random)
      : facts_(std::move(facts)),
        state_(state),
        store_(store),
        log_(log),
        host_(host),
        fleet_(fleet),
        random_(random) {}

  /// One request of the holder of `public_key`, in `bytes`; `send` gets one encoded wire::Reply.
  /// `is_relayed`: another member has passed it on.
  void receive(const std::string& public_key, std::string_view bytes, bool is_relayed,
               const std::function<void(std::string)>& send);
  /// A host with a token asks to join. Only where the scheduler is.
  void join(const wire::JoinRequest& request, const std::string& token_hash,
            const std::function<void(const wire::JoinReply&)>& answer);

  void begin_turn(const Now& now) { now_ = now; }

  /// A run came to its end: answers who waits for it.
  void on_final(const model::Run& run);
  void on_backed_up(const store::BackedUp& backed_up);
  /// Answers long polls that are ripe.
  void on_timer(const Now& now);
  [[nodiscard]] std::optional<MonoTime> next_timer() const;

  static constexpr std::size_t kPollsMax = 1'000;

 private:
  using Found = std::function<void(const Call&, const model::Run&)>;

  void dispatch(const wire::Operation& operation, const Call& call);
  [[nodiscard]] wire::StatusReply own_status() const;
  /// The scheduler's answer; nullptr: this is it, or it does not answer.
  void ask_scheduler(const Call& call,
                     const std::function<void(const wire::Reply* theirs)>& answer);
  /// Lets another member answer; refuses when it does not within `wait`.
  void relay(const Call& call, std::int64_t node_id, Micros wait);
  template <wire::Op op>
  void serve(const Call& call,
             void (Operations::*handler)(const Call&,
                                         const typename wire::OpTypes<op>::RequestBody&));
  void submit(const Call& call, model::Command command);
  /// `key`: of the request, under which its answer is kept; empty: nobody can ask again.
  void propose(const Call& call, model::Command command, const std::string& key);
  /// Answers the call, and those that came with the same request meanwhile.
  void answer_again(const Call& call, const std::string& key, const std::string& request_id);
  void conclude(const Call& call, const std::string& key,
                const std::function<void(const Call&)>& answer);
  [[nodiscard]] static std::string request_key(const Call& call, const model::Command& command);

  // jobs
  void job_put(const Call& call, const wire::PutJobsRequest& request);
  void job_remove(const Call& call, const wire::RemoveRequest& request);
  void job_rename(const Call& call, const wire::RenameRequest& request);
  void job_enable(const Call& call, const wire::EnableRequest& request);
  void job_list(const Call& call, const wire::ListRequest& request);
  void job_show(const Call& call, const wire::ShowRequest& request);
  void job_versions(const Call& call, const wire::NameRequest& request);
  void job_next(const Call& call, const wire::NextRequest& request);
  void explain(const Call& call, const wire::ExplainRequest& request);
  // runs
  void run_start(const Call& call, const wire::RunRequest& request);
  void run_rerun(const Call& call, const wire::RerunRequest& request);
  void run_kill(const Call& call, const wire::KillRequest& request);
  void run_history(const Call& call, const wire::HistoryRequest& request);
  void run_wait(const Call& call, const wire::WaitRequest& request);
  void run_logs(const Call& call, const wire::LogsRequest& request);
  void lock_list(const Call& call, const wire::LockRequest& request);
  void lock_release(const Call& call, const wire::LockRequest& request);
  [[nodiscard]] Result<std::vector<planner::Place>> places_of(const Call& call,
                                                              const std::string& name) const;
  [[nodiscard]] bool is_silent(std::int64_t node_id) const;
  void answer_history(const Call& call, const std::vector<model::Run>& runs, bool is_cut);
  /// As run_item(), and whether its host is silent.
  [[nodiscard]] wire::RunItem item_of(const model::Run& run) const;
  // cluster and access
  void version(const Call& call, const wire::Empty& request);
  void whoami(const Call& call, const wire::Empty& request);
  void cluster_status(const Call& call, const wire::Empty& request);
  void key_list(const Call& call, const wire::Empty& request);
  void key_add(const Call& call, const wire::KeyRequest& request);
  void key_remove(const Call& call, const wire::NameRequest& request);
  void settings(const Call& call, const wire::SettingRequest& request);
  void events(const Call& call, const wire::EventsRequest& request);
  void cluster_init(const Call& call, const wire::InitRequest& request);
  /// One after the other, the rest not when one is refused; then answers.
  void put_in_turn(const Call& call, std::vector<model::PutSetting> settings);
  void cluster_pause(const Call& call, const wire::PauseRequest& request);
  void cluster_resume(const Call& call, const wire::Empty& request);
  void cluster_stepdown(const Call& call, const wire::StepdownRequest& request);
  void cluster_backup(const Call& call, const wire::BackupRequest& request);
  void send_piece(const Call& call, const wire::BackupRequest& request);
  void cluster_force_quorum(const Call& call, const wire::ForceQuorumRequest& request);
  void cluster_upgrade(const Call& call, const wire::Empty& request);
  // nodes
  void node_list(const Call& call, const wire::Empty& request);
  void node_show(const Call& call, const wire::NameRequest& request);
  /// Adds what only the host itself knows, then answers.
  void finish_node_show(const Call& call, wire::NodeShowReply reply);
  void node_set(const Call& call, const wire::NodeSetRequest& request);
  void node_drain(const Call& call, const wire::NodeDrainRequest& request);
  void node_undrain(const Call& call, const wire::NameRequest& request);
  void node_remove(const Call& call, const wire::NodeRemoveRequest& request);
  void node_join_token(const Call& call, const wire::JoinTokenRequest& request);
  void node_join(const Call& call, const wire::NodeJoinRequest& request);
  void node_ping(const Call& call, const wire::NodePingRequest& request);
  /// By name or id; kNotFound with near names. Lives until the next apply.
  [[nodiscard]] Result<const planner::Node*> resolve_node(const std::string& name) const;
  [[nodiscard]] wire::NodeItem node_item(const planner::Node& node) const;

  /// The jobs that `targets` names and the caller may touch; kNotFound for a name that is none.
  [[nodiscard]] Result<std::vector<const planner::Job*>> resolve(
      const Caller& caller, const wire::JobTargets& targets) const;
  [[nodiscard]] Result<const planner::Job*> resolve_one(const Caller& caller,
                                                        const std::string& name) const;
  [[nodiscard]] Status check_put(const Caller& caller, model::JobSpec& spec) const;
  [[nodiscard]] Status check_local_level(const std::string& what) const;
  [[nodiscard]] wire::JobItem item_of(const planner::Job& job) const;
  [[nodiscard]] const cron::Zone* zone_of(const planner::Job& job) const;
  /// Zone of jobs that name none: the setting, else that of the first host.
  [[nodiscard]] std::string default_tz() const;
  [[nodiscard]] Error no_such_job(const std::string& name) const;

  /// Finds the run that `ref` names, then calls `found` (or refuses the call).
  void with_run(const Call& call, const wire::RunRef& ref, Found found);
  void kill_runs_of(const Call& call, const std::vector<const planner::Job*>& jobs);
  void kill_now(const Call& call, const wire::KillRequest& request,
                const std::vector<std::int64_t>& ids);
  /// False: nothing to say yet.
  bool try_logs(const Call& call, const wire::LogsRequest& request, const model::Run& run,
                bool last_chance);

  struct WaitPoll {
    Call call;
    wire::WaitRequest request;
    std::int64_t run_id = 0;
    MonoTime until{};
  };

  struct LogPoll {
    Call call;
    wire::LogsRequest request;
    model::Run run;
    MonoTime until{};
  };

  AgentFacts facts_;
  planner::State& state_;
  store::Store& store_;
  Replica& log_;
  Host& host_;
  Fleet& fleet_;
  Random& random_;
  Now now_;  ///< Of the turn.
  std::list<WaitPoll> wait_polls_;
  std::list<LogPoll> log_polls_;
  std::map<std::uint64_t, Call> backups_;                 ///< Being made, by tag.
  std::map<std::string, store::StateCopy> backup_files_;  ///< Being fetched.
  std::map<std::string, std::vector<Call>> under_way_;    ///< By request key; the repetitions.
};

/// May a key of `role` use this operation at all?
[[nodiscard]] bool may_use(model::Role role, const wire::Operation& operation);
/// May the caller touch this job?
[[nodiscard]] bool may_touch(const Caller& caller, const model::JobSpec& spec);
/// A run as `history` shows it.
[[nodiscard]] wire::RunItem run_item(const model::Run& run);

}  // namespace distcron::agent
