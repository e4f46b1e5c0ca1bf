// SPDX-License-Identifier: Apache-2.0
// Applier: runs one log entry against StateData and gathers what changed. Each command first
// checks everything, then changes: an error leaves the state as it was. Reads no zone and no
// clock. Lives for one entry.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "planner/state_data.h"

namespace distcron::planner {

class Applier {
 public:
  Applier(StateData& state, const model::Entry& entry, LogIndex index)
      : state_(state), entry_(entry), index_(index) {}

  [[nodiscard]] Applied apply();

 private:
  struct JobTurn;  ///< What a Decide wants of one job.

  // applier.cc
  Status run(const model::InitCluster& command);
  Status run(const model::PutKey& command);
  Status run(const model::RemoveKey& command);
  Status run(const model::PutSetting& command);
  Status run(const model::PruneRuns& command);
  Status rename_cluster(const std::string& name);
  // apply_nodes.cc
  Status run(const model::PutNode& command);
  Status run(const model::AddNode& command);
  Status run(const model::SetNode& command);
  Status run(const model::DrainNode& command);
  Status run(const model::UndrainNode& command);
  Status run(const model::RemoveNode& command);
  Status run(const model::PutToken& command);
  Status run(const model::RemoveToken& command);
  Status run(const model::Pause& command);
  Status run(const model::Resume& command);
  Status run(const model::RaiseIncarnation& command);
  [[nodiscard]] Result<Node*> find_member(std::int64_t id);
  [[nodiscard]] Status check_joining(const model::AddNode& command) const;
  [[nodiscard]] Status check_token(const model::AddNode& command) const;
  [[nodiscard]] Status check_may_grow() const;
  [[nodiscard]] Status check_single(const std::string& value) const;
  void use_token(const std::string& id);
  void add_host_key(std::string_view user, const Node& node, const std::string& public_key,
                    std::optional<model::Role> role);
  void drop_keys_of(const Node& node);
  void start_reboot_runs(const Node& node);
  void wake_all_queued();

  void put_node(const Node& node) { out_.changes.nodes.push_back(node); }

  void node_item(const Node& node, std::string_view action);

  // apply_losses.cc
  Status run(const model::ReleaseRuns& command);
  void bury(Node& node, bool leaves);
  /// The attempt is given up: the run gets another one or ends, as its guarantee says.
  /// `holds`: an unreachable one that ends keeps its place.
  void lose(LiveRun& live, model::RunState state, model::Reason reason, bool holds = true);
  void lose_runs_of(std::int64_t node_id, model::RunState state, model::Reason reason);
  void doubt(LiveRun& live);
  void strand_runs();
  void hold_place(const model::Run& run);
  void release_hold(std::int64_t run_id);
  void release_holds_of(std::int64_t node_id);

  // apply_jobs.cc
  Status run(const model::PutJobs& command);
  Status run(const model::RemoveJobs& command);
  Status run(const model::RenameJob& command);
  Status run(const model::SetEnabled& command);
  [[nodiscard]] model::JobSpec complete(const model::JobSpec& spec) const;
  [[nodiscard]] model::JobSpec as_all_know(const model::JobSpec& spec) const;
  [[nodiscard]] Status check_put(const model::JobPut& put, const model::JobSpec& spec);
  [[nodiscard]] Status check_writable(const Job& job) const;
  [[nodiscard]] Status check_names(const model::TextList& names);
  void create_job(const model::JobPut& put, model::JobSpec spec);
  void update_job(JobEntry& entry, const model::JobPut& put, model::JobSpec spec);
  void set_enabled(JobEntry& entry, bool enabled, std::optional<WallTime> until);
  void new_version(JobEntry& entry, model::JobSpec spec);
  void revoke_claims(std::uint64_t job_uid, model::Reason reason);

  // apply_runs.cc
  Status run(const model::TriggerRun& command);
  Status run(const model::KillRuns& command);
  void kill(LiveRun& live, const model::KillRuns& command);
  void order_kill(const model::Run& run, std::int32_t signal, std::optional<Millis> grace);
  void revoke(LiveRun& live, model::Reason reason);

  // apply_decide.cc
  Status run(const model::Decide& command);
  [[nodiscard]] std::unordered_map<std::uint64_t, JobTurn> sort_by_job(
      const model::Decide& command);
  [[nodiscard]] bool is_stale(const model::Decision& decision, JobTurn& turn);
  [[nodiscard]] bool is_stale_slot(const model::Decision& decision, JobTurn& turn);
  [[nodiscard]] bool is_current_attempt(const model::Decision& decision) const;
  [[nodiscard]] bool is_stale_run(const model::Decision& decision, const Job& job) const;
  LiveRun& new_run(const model::Decision& decision, std::int64_t term);
  void bind(model::Run& run, const model::Decision& decision);
  void decide(const model::Decision& decision, std::int64_t term);
  void claim(model::Run& run, const model::Decision& decision, std::int64_t term);
  void replace(LiveRun& live);
  void move_cursor(const model::CursorMove& move);

  // apply_reports.cc
  Status run(const model::HostReports& command);
  void take(const model::HostReport& report, std::int64_t node_id);
  void take_started(LiveRun& live, const model::HostReport& report);
  void take_ended(LiveRun& live, const model::HostReport& report);
  void take_unstarted(LiveRun& live, const model::HostReport& report);
  [[nodiscard]] bool wants_retry(const model::Run& run, const model::HostReport& report) const;
  void next_attempt(LiveRun& live, model::RunState outcome, model::Reason reason);

  // apply_local.cc
  Status run(const model::LocalRuns& command);
  [[nodiscard]] Status check_local(const model::LocalRuns& command) const;
  void let_go_by(const model::LocalRun& line, const Node& node);
  [[nodiscard]] model::Run local_row(const model::LocalRun& line) const;
  void take_local(const model::LocalRun& line, const Node& node);
  [[nodiscard]] bool is_early(const model::LocalRun& line) const;
  [[nodiscard]] bool is_for(const JobEntry* entry, const Node& node) const;
  [[nodiscard]] const LiveRun* open_row(const model::LocalRun& line) const;

  // Shared.
  static void fill_end(model::Run& run, const model::HostReport& report);

  void put(const model::Run& run) { out_.changes.runs.push_back(run); }

  /// The run ends: out of memory, into the store. `live` is gone afterwards.
  void finish(LiveRun& live, model::RunState state, model::Reason reason);
  void note_end(const model::Run& run);
  void put_setting(std::string key, std::string value);
  void drop_setting(std::string_view key);
  void item(std::string_view name, std::string_view action, std::int64_t version = 0,
            std::int64_t run_id = 0);
  void event(std::string_view type, std::string_view object, std::string_view text);
  void gather();
  [[nodiscard]] bool is_repeat() const;
  void note_request();

  StateData& state_;
  const model::Entry& entry_;
  const LogIndex index_;
  Applied out_;
  std::set<std::uint64_t> changed_jobs_;  ///< Rows to be written whole.
  std::set<std::uint64_t> moved_cursors_;
};

}  // namespace distcron::planner
