// SPDX-License-Identifier: Apache-2.0
// Turn: one call of State::due(): finds what is to be decided now and decides it. Changes only the
// derived, host-local part of StateData (timers, line), so a lost Decide is found again by the
// next turn. Lives for one call.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "planner/host_pool.h"
#include "planner/slots.h"

namespace distcron::planner {

/// Decisions in one entry; more wait for the next turn.
inline constexpr std::size_t kDecisionsMax = 16'384;
/// Fallback for a Decide that is neither applied nor reported as lost.
inline constexpr Micros kLookAgain{1'000'000};
/// A host that was booted says itself what became of its runs; after this time it is asked no more.
inline constexpr Micros kBootReportGrace{60'000'000};
/// Longest wait for a silent host that holds a claim.
inline constexpr Micros kSilenceMax{86'400'000'000};
/// A host that was alone is about to say what it started meanwhile: then its jobs go on.
inline constexpr Micros kLocalRunsPause{200'000};
/// ... and jobs whose zone is not known here.
inline constexpr Micros kZonePause{60'000'000};
/// Runs of one job that may wait for its place (concurrency = queue).
inline constexpr std::int64_t kWaitingOfJobMax = 100;

class Turn {
 public:
  Turn(StateData& state, const Situation& situation);
  [[nodiscard]] Plan run();

 private:
  /// A slot or a queued run that wants to start.
  struct Candidate {
    LineKey key;  ///< run_id 0: a slot of the schedule without a row.
    std::uint64_t job_uid = 0;
    WallTime start_at{};
    bool is_catch_up = false;  ///< One of several missed slots that run one after the other.
    std::string late_text;     ///< Misfire arithmetic; empty when on time.
  };

  /// What this turn did with one job.
  struct JobUse {
    std::int64_t claims = 0;
    std::int64_t queued = 0;
    std::optional<WallTime> cursor;   ///< New one.
    std::optional<WallTime> look_at;  ///< New timer; set for jobs whose timer was due.
    bool is_stopped = false;          ///< Later slots of the job wait for another turn.
    std::int64_t last_node = 0;       ///< Round robin: host of the last claim.
  };

  /// How a candidate stands; `text` is for the fact.
  struct Overlap {
    bool is_blocked = false;
    std::int64_t holder = 0;
    std::int64_t waiting = 0;  ///< Queued runs of the job.
    std::string text;
  };

  // turn_jobs.cc: schedules
  void collect_jobs();
  void collect_job(JobEntry& entry, JobUse& use);
  void collect_slots(JobEntry& entry, const cron::Zone& zone, JobUse& use);
  void collect_misfires(const Job& job, const SlotScan& scan, const SlotLimits& limits);
  void collect_ahead(const Job& job, const cron::Zone& zone, std::optional<WallTime> slot,
                     JobUse& use);

  struct Missed {
    model::Reason reason = model::Reason::kNone;
    std::size_t but_newest = 0;  ///< So many of the newest are not missed.
    std::string text;
    bool is_cut = false;  ///< Newer ones follow in the next turn: one row for all.
    model::Action action = model::Action::kMiss;
  };

  void miss(const Job& job, const SlotTail& slots, const Missed& missed);
  void miss_one(const Job& job, WallTime slot, const Missed& missed, const std::string& more);
  void add_slot(const Job& job, WallTime slot, std::string late_text, bool is_catch_up);
  [[nodiscard]] std::optional<Seconds> interval(JobEntry& entry, const cron::Zone& zone) const;
  /// Null: this host does not know it; within a turn it is asked for once.
  [[nodiscard]] const cron::Zone* zone_of(const Job& job) const;
  void set_timers_again();
  [[nodiscard]] std::optional<WallTime> wake_at();

  // turn.cc: runs and places
  void collect_runs();
  void collect_run(LiveRun& live);
  void decide_all();
  void decide(const Candidate& candidate);
  void decide_early(const Candidate& candidate, const Job& job, LiveRun* live);
  void decide_blocked(const Candidate& candidate, const Job& job, const Overlap& overlap);
  void decide_no_room(const Candidate& candidate, JobEntry& entry, LiveRun* live,
                      std::vector<model::Fact> facts);
  void replace_others(const Candidate& candidate, const Job& job);
  [[nodiscard]] std::optional<WallTime> window_end(const model::Run& run, JobEntry& entry) const;
  [[nodiscard]] Overlap overlap_of(const Candidate& candidate, const Job& job) const;
  [[nodiscard]] LiveRun* live_of(const Candidate& candidate);
  /// Adds a decision about `candidate`; `fact` explains it when its check is not empty.
  model::Decision& emit(const Candidate& candidate, const Job& job, model::Action action,
                        model::Reason reason, model::Fact fact);
  void end_queued(LiveRun& live, model::Action action, model::Reason reason, model::Fact fact);
  void wait_in_line(LiveRun& live, const Job& job, std::optional<WallTime> until);

  // turn_hosts.cc: hosts
  void look_at_hosts();
  void collect_losses();
  void collect_loss(const model::Run& run, const Node& node, const HostSituation& host);
  void give_up(const model::Run& run, model::Reason reason, std::string text);
  [[nodiscard]] HostPool::Wish wish_of(const LiveRun* live, const Job& job) const;
  /// Hosts of a slot that runs on several; empty: it runs on one, or is split already.
  [[nodiscard]] std::vector<HostPool::Share> shares_of(const LiveRun* live, const Job& job);
  void claim(const Candidate& candidate, const Job& job, const Node& host);
  void time_claims();
  void decide_shards(const Candidate& candidate, const Job& job,
                     const std::vector<HostPool::Share>& shares);
  void decide_paused(const Candidate& candidate, const Job& job, LiveRun* live);
  void decide_no_host(const Candidate& candidate, JobEntry& entry, LiveRun* live,
                      HostPool::Pick pick);
  [[nodiscard]] bool waits_for_local_runs(const Job& job) const;
  bool miss_doubtful(const Job& job, const cron::Zone& zone, JobUse& use);
  void give_up_unsaid(const Job& job, JobUse& use);

  StateData& state_;
  const Situation& now_;
  const WallTime horizon_;
  HostPool hosts_;
  const bool is_paused_;
  WallTime wake_hosts_ = kNever;  ///< When a silent or booted host is to be looked at again.
  model::Decide out_;
  std::vector<Candidate> candidates_;
  std::unordered_map<std::uint64_t, JobUse> uses_;
  std::int64_t slots_looked_at_ = 0;
  mutable std::set<std::string, std::less<>> unknown_zones_;
  bool is_cut_ = false;                    ///< Due slots may be left for the next turn.
  std::unordered_set<std::int64_t> gone_;  ///< Live runs that this turn ends.
};

}  // namespace distcron::planner
