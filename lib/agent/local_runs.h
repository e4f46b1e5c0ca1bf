// SPDX-License-Identifier: Apache-2.0
// LocalRuns: what this host does by itself for jobs with on_no_quorum = run-local while it has no
// majority (RUNS.md 6.3): starts their slots as they come due, each under a run id of its own that
// is noted durably before the start, and says what it did once it is in touch again. Until the log
// knows all of it the scheduler starts nothing of these jobs (wire::HostState::local_runs), and
// this host refuses claims of them.
//
// An agent that was started without a majority goes by the state as the disk has it, which may be
// behind: also a slot that the cluster has decided since may run then, and is called possibly
// duplicate. What that state says of claims is not believed for a moment (Host).
//
// How long it goes on: `no_quorum_max` since the last contact, which a mark keeps over restarts.
// Loop thread only; starts and hears of starts through Host.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/clock.h"
#include "agent/replica.h"
#include "model/local_commands.h"
#include "planner/state.h"
#include "process/spawn_plan.h"

namespace distcron::agent {

class Host;

struct LocalFacts {
  std::int64_t node_id = 0;
  std::string node_name;
  Micros takes_over{
      6'000'000};  ///< Longer than a change of scheduler takes, or a silence is noticed.
  std::int64_t capacity = 4096;
  // What the stored log says after the state that it was started with.
  bool is_removed_in_log = false;
  std::vector<model::LocalRun> said;  ///< What this host has said: its notes are gone by then.
};

class LocalRuns {
 public:
  /// Runs of one outage; then it starts no more.
  static constexpr std::size_t kRunsMax = 100'000;

  LocalRuns(LocalFacts facts, planner::State& state, Replica& log, Host& host)
      : facts_(std::move(facts)), state_(state), log_(log), host_(host) {}

  /// What the store kept; `contact`: when this host was last in touch with a majority, if known.
  void load(const std::vector<store::JournalPut>& journal, std::optional<WallTime> contact,
            const Now& now);

  /// Once a turn. `is_cast_out`: those that vote know this host no more (Fleet::is_cast_out()).
  void turn(const Now& now, bool clock_trusted, bool is_cast_out);

  [[nodiscard]] std::optional<MonoTime> next_timer() const { return wake_at_; }

  /// It has been without a majority for long enough to start runs by itself.
  [[nodiscard]] bool is_alone() const { return is_alone_; }

  /// Runs that the log does not know of yet.
  [[nodiscard]] std::int64_t unsaid() const { return static_cast<std::int64_t>(runs_.size()); }

  void set_capacity(std::int64_t capacity) { facts_.capacity = capacity; }

  // For Host.

  [[nodiscard]] bool knows(std::int64_t run_id) const { return runs_.contains(run_id); }

  /// This host has started runs of the job by itself, and the log does not know it yet.
  [[nodiscard]] bool has_job(std::uint64_t job_uid) const {
    const auto first = slots_.lower_bound({job_uid, WallTime::min()});
    return first != slots_.end() && first->first == job_uid;
  }

  /// A claim must not be taken: it may be of such a slot, or must not run beside one.
  [[nodiscard]] bool stand_against(const model::Run& claimed) const;

  /// Of which nothing was heard since the start of the agent.
  [[nodiscard]] std::vector<process::RunKey> unheard() const;
  [[nodiscard]] model::Run run_of(std::int64_t run_id) const;
  void take(const model::HostReport& report);

 private:
  using Slot = std::pair<std::uint64_t, WallTime>;

  void look(const Now& now);
  void look_at(const planner::Job& job, const Now& now);
  void begin(const planner::Job& job, WallTime slot, const Now& now);
  [[nodiscard]] bool is_mine(const planner::Job& job) const;
  [[nodiscard]] std::int64_t first_id() const;
  void drop_said();
  [[nodiscard]] bool has_accepted_claim_of(const model::LocalRun& line) const;
  void say(const Now& now);
  void add_gap(std::vector<model::LocalRun>& lines, const model::LocalRun& next,
               std::map<std::uint64_t, WallTime>& cursors) const;
  void purge();
  void erase(std::int64_t run_id);

  LocalFacts facts_;
  planner::State& state_;
  Replica& log_;
  Host& host_;

  std::map<std::int64_t, model::LocalRun> runs_;  ///< Of the log unknown, by run id.
  std::set<Slot> slots_;                          ///< Theirs.
  std::set<Slot> said_;                           ///< Of `facts_.said`, until the log is applied.
  std::set<Slot> overlapped_;                     ///< Let go by: an earlier run was alive.
  std::map<std::uint64_t, WallTime> seen_to_;     ///< By job; of this outage.
  std::int64_t next_id_ = 0;                      ///< Above all of its own; 0: not looked up yet.
  bool is_alone_ = false;
  std::optional<MonoTime> lost_since_;
  MonoTime last_contact_{};
  WallTime look_at_{};
  bool is_saying_ = false;
  MonoTime say_again_{};
  std::optional<MonoTime> wake_at_;
};

/// Of the entries that are not applied: what the node has said of its local runs.
[[nodiscard]] std::vector<model::LocalRun> local_runs_of_log(const store::Loaded& loaded,
                                                             std::int64_t node_id);

/// What the journal keeps of a run that was started alone: not what a claim would note.
[[nodiscard]] std::string local_note(const model::LocalRun& line);
[[nodiscard]] std::optional<model::LocalRun> noted_local(const std::string& note);

}  // namespace distcron::agent
