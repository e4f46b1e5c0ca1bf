// SPDX-License-Identifier: Apache-2.0
// StateData: what a State holds. Replicated: jobs, live runs, keys, nodes, settings, counters.
// Derived from that for planning on this host only: timers, the waiting line, place counts; apply
// keeps them in step but never reads them. Owned by State; not locked.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "planner/job_timers.h"
#include "planner/recent_requests.h"
#include "planner/state.h"

namespace distcron::planner {

inline constexpr WallTime kEarliest = WallTime::min();
inline constexpr WallTime kNever = WallTime::max();

// Settings that are not for people; all begin with kInternalPrefix.
inline constexpr std::string_view kInternalPrefix = "scheduler.";
/// The highest term of an applied Decide.
inline constexpr std::string_view kTermSetting = "scheduler.term";
/// Epoch microseconds, or kNever; see model::Pause.
inline constexpr std::string_view kPausedSetting = "scheduler.paused_until";
/// Node ids below it may have been given, also where no row says so.
inline constexpr std::string_view kNextNodeSetting = "scheduler.next_node";
/// Slots up to this instant may have run unseen: RaiseIncarnation.
inline constexpr std::string_view kRestoredSetting = "scheduler.restored_at";
/// Followed by a run id: a place that is held, as hold_text() says.
inline constexpr std::string_view kHoldPrefix = "scheduler.hold.";
/// Followed by the uid of a job with route = round-robin: the host that had the last turn.
inline constexpr std::string_view kTurnPrefix = "scheduler.turn.";
/// Followed by a node id: the highest run id that this node made without a majority, of those that
/// the log knows.
inline constexpr std::string_view kLocalPrefix = "scheduler.local.";
inline constexpr std::string_view kVotersSetting = "voters";
/// For how long a host may go on alone, since it was in touch with a majority.
inline constexpr std::string_view kNoQuorumMaxSetting = "no_quorum_max";

struct JobEntry {
  Job job;
  // Derived.
  std::uint32_t stamp = 0;            ///< Of the only timer that counts.
  bool is_dirty = false;              ///< Waits in StateData::dirty_jobs for a new timer.
  std::int64_t interval_version = 0;  ///< Job version for which `interval` was found.
  std::optional<Seconds> interval;
};

/// Place in the line for capacity: higher priority first, then the older slot, then the name.
struct LineKey {
  std::int32_t priority = 0;
  WallTime scheduled_at{};
  std::string name;
  std::int64_t run_id = 0;

  friend bool operator<(const LineKey& a, const LineKey& b) {
    return std::tie(b.priority, a.scheduled_at, a.name, a.run_id) <
           std::tie(a.priority, b.scheduled_at, b.name, b.run_id);
  }
};

struct LiveRun {
  model::Run run;
  // Derived, for queued runs.
  WallTime look_at = kNever;          ///< Its entry in StateData::run_timers.
  std::optional<LineKey> line_place;  ///< Its entry in StateData::line.
  // Derived, for busy runs.
  std::optional<std::int64_t> counted_on;  ///< Its entry in StateData::busy_of_node.
};

/// Place of a run that ended as unknown and may still be alive on a silent host.
struct Hold {
  std::uint64_t job_uid = 0;
  std::int64_t node_id = 0;
  std::int32_t attempt = 0;
};

[[nodiscard]] std::string hold_text(const Hold& hold);

[[nodiscard]] inline bool is_busy(model::RunState state) {
  return state == model::RunState::kDispatched || state == model::RunState::kRunning;
}

/// The order in which runs of a job take its place. Shards are split off late: their ids tell less
/// than their slots.
[[nodiscard]] inline bool is_before(const model::Run& a, const model::Run& b) {
  return std::tie(a.scheduled_at, a.run_id) < std::tie(b.scheduled_at, b.run_id);
}

struct StateData {
  State::FindZone find_zone;
  std::unordered_map<std::uint64_t, JobEntry> jobs;
  std::map<std::string, std::uint64_t, std::less<>> names;
  std::map<std::int64_t, LiveRun> runs;
  std::unordered_map<std::uint64_t, std::vector<std::int64_t>> runs_of;  ///< Ascending run ids.
  std::map<std::string, model::AccessKey, std::less<>> keys;
  std::map<std::int64_t, Node> nodes;  ///< Members and who left.
  std::map<std::string, JoinToken, std::less<>> tokens;
  std::map<std::string, std::string, std::less<>> settings;
  std::map<std::int64_t, Hold> holds;  ///< By run id; what the settings of kHoldPrefix say.
  RecentRequests requests;
  std::optional<Cluster> cluster;
  std::int64_t next_run_id = 1;
  std::int64_t next_job_id = 1;

  // Derived.
  std::optional<WallTime> decided_at;  ///< Of the latest Decide.
  JobTimers job_timers;
  std::deque<std::uint64_t> dirty_jobs;                    ///< Longest waiting first.
  std::set<std::pair<WallTime, std::int64_t>> run_timers;  ///< Queued runs to be looked at.
  std::set<LineKey> line;                                  ///< Queued runs that lack capacity only.
  std::set<std::int64_t> hostless;   ///< Queued runs for which there is no host.
  std::set<std::uint64_t> zoneless;  ///< Jobs that a turn found without a zone.
  std::string host_signature;        ///< Of the last turn: HostPool::signature().
  std::map<std::int64_t, std::set<std::int64_t>> busy_of_node;  ///< Dispatched or running.

  /// Set in the scratch copy of dry_run(): where names and uids are looked up as well.
  const StateData* whole = nullptr;

  [[nodiscard]] JobEntry* job(std::string_view name);
  [[nodiscard]] JobEntry* job(std::uint64_t uid);
  [[nodiscard]] const JobEntry* job(std::uint64_t uid) const;
  [[nodiscard]] LiveRun* live(std::int64_t run_id);
  [[nodiscard]] const std::vector<std::int64_t>& run_ids_of(std::uint64_t job_uid) const;
  [[nodiscard]] bool is_uid_taken(std::uint64_t uid) const;
  [[nodiscard]] std::int64_t term() const;
  [[nodiscard]] std::int64_t number_setting(std::string_view key, std::int64_t otherwise) const;
  [[nodiscard]] std::int64_t last_local_run(std::int64_t node_id) const;
  [[nodiscard]] const Node* member(std::int64_t id) const;
  [[nodiscard]] const Node* member(std::string_view name) const;
  [[nodiscard]] std::int64_t next_node_id() const;
  [[nodiscard]] std::int32_t feature_level() const;
  /// Below this no id is given: it may have been, after what this state knows.
  [[nodiscard]] std::int64_t lowest_open_node_id() const;
  [[nodiscard]] bool is_paused(WallTime now) const;
  /// Run id of a hold on the job's place, 0: none.
  [[nodiscard]] std::int64_t hold_of(std::uint64_t job_uid) const;
  [[nodiscard]] std::int64_t busy_on(std::int64_t node_id) const;
  void load_hold(std::string_view key, std::string_view text);

  /// Text `no job named "x"` with near names as hint.
  [[nodiscard]] Error no_such_job(std::string_view name) const;

  // Changes; each keeps the derived part in step.
  void add_job(Job job);
  void remove_job(std::uint64_t uid);
  void rename_job(JobEntry& entry, const std::string& old_name);
  void add_run(model::Run run);
  void remove_run(std::int64_t run_id);
  void set_run_state(LiveRun& live, model::RunState state);
  /// The job's cursor, schedule or enabled state changed.
  void mark_dirty(JobEntry& entry);
  /// Something that queued runs of the job may wait for changed.
  void wake_queued(std::uint64_t job_uid);
  /// The job's place may be free: only the oldest queued run can take it.
  void wake_first_queued(std::uint64_t job_uid);

  // Planning only.
  /// Timers of jobs that changed, at most kTimersOfTurnMax. False: some are left.
  [[nodiscard]] bool refresh_timers(Micros look_ahead);
  void set_timer(JobEntry& entry, WallTime at);
  /// Another one was set since, or the job is gone.
  [[nodiscard]] bool is_stale(const JobTimer& timer) const;
  void set_look_at(LiveRun& live, WallTime at);
  void leave_line(LiveRun& live);

 private:
  [[nodiscard]] WallTime first_look(const Job& job, Micros look_ahead) const;
  void count(LiveRun& live);
  void uncount(LiveRun& live);
};

}  // namespace distcron::planner
