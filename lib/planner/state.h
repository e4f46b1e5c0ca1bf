// SPDX-License-Identifier: Apache-2.0
// State: the replicated state machine. apply() runs one log entry and says what changed (rows for
// the store), what hosts must do (orders) and what the proposer is answered. Pure and
// deterministic: same entries, same state, on every host. Owned by the loop thread; not locked.
// In memory lie jobs with their specs and runs that are alive; final runs and old versions lie
// only in the store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "planner/changes.h"

namespace distcron::planner {

/// Setting of a cluster: "true" when it is to stay one node.
inline constexpr std::string_view kSingleSetting = "single";

/// One line of the answer to the proposer.
struct AppliedItem {
  std::string name;
  std::string
      action;  ///< created, updated, unchanged, removed, renamed, enabled, disabled, killed…
  std::int64_t version = 0;
  std::int64_t run_id = 0;
  std::int64_t node_id = 0;
  std::int32_t live_runs = 0;
};

struct Applied {
  Status status;  ///< An error changed nothing.
  std::vector<AppliedItem> items;
  Changes changes;
  std::vector<Order> orders;
  bool is_repeat = false;  ///< The request was carried out by an earlier entry; nothing changed.
};

/// The last permit that a host issued, and how long ago that was by the scheduler's clock.
struct HostPermit {
  std::uint64_t boot = 0;
  std::int64_t counter = 0;
  Micros age{0};
};

/// What the scheduler knows of a member at the moment.
struct HostSituation {
  std::int64_t node_id = 0;
  bool is_alive = true;
  bool is_doubtful = false;  ///< Alive, but some heartbeats late: rather others.
  bool is_clock_ok = true;   ///< false: it would start nothing.
  bool can_start = true;     ///< false: it is without its executor.
  /// It started runs by itself, or may have, of which the log does not know yet.
  bool has_local_runs = false;
  std::int64_t capacity = 4096;          ///< Most live runs.
  std::optional<WallTime> silent_since;  ///< Of one that is not alive; unset: not known.
  std::optional<HostPermit> permit;      ///< Unset: it goes by its wall clock.
  std::int64_t start_rate = 0;           ///< Jobs that it can start a second; 0: not measured.
};

/// A run that keeps the place of its job: one that is out on a host, or one that ended as unknown
/// and may still be alive on a silent host.
struct Place {
  std::int64_t run_id = 0;
  std::uint64_t job_uid = 0;
  std::int64_t node_id = 0;
  std::int32_t attempt = 0;
  const model::Run* live = nullptr;  ///< Null: it has ended. Lives until the next apply.
};

/// Slots are claimed so long before they are due.
inline constexpr Micros kLookAhead{2'000'000};
/// Jobs whose timers are set in one turn; more wait for the next, so that a turn stays short.
inline constexpr std::size_t kTimersOfTurnMax = 10'000;

/// Facts of the moment that the planner may use; gathered by the agent.
struct Situation {
  WallTime now{};
  Micros look_ahead = kLookAhead;
  std::int64_t term = 0;
  std::int64_t capacity = 4096;  ///< Most live runs of a host that `nodes` does not name.
  bool clock_trusted = true;     ///< false: nothing starts, no cursor moves.
  /// Only host that takes claims; 0: all members. With `nodes` empty and 0: the lowest member.
  std::int64_t node_id = 0;
  std::vector<HostSituation> nodes;  ///< Empty: every member is alive and well.
  bool local_wait_is_over = false;   ///< Hosts had time to say what they started alone.
  /// ... and somebody cannot wait: what they have not said is decided without them.
  bool local_is_given_up = false;
};

/// What due() found: an entry to propose, and when to look again without any other event. With a
/// `decide`, look again as soon as it is applied or lost; `wake_at` is then only the fallback.
struct Plan {
  std::optional<model::Decide> decide;
  std::optional<WallTime> wake_at;
  bool is_cut = false;  ///< More is due than one turn decides about.
};

/// What a host that is alone sees of one of its jobs.
struct LocalLook {
  std::vector<WallTime> due;     ///< Slots to start now.
  WallTime seen_to{};            ///< All up to here are in `due`, or let go by.
  std::optional<WallTime> next;  ///< When to look again.
};

/// Slots between two others: the newest one by one, and how many there are before them.
struct SlotGap {
  std::vector<WallTime> slots;
  std::int64_t earlier = 0;
  WallTime first{};  ///< Of the earlier ones.
};

/// Answer to `explain`.
struct Explanation {
  std::string verdict;  ///< not_due, will_run, or a state of history.
  std::string reason;
  std::vector<model::Fact> facts;
  std::optional<std::int64_t> run_id;
};

class State {
 public:
  /// `find_zone` gives the zone of a name (cached by the caller, lives as long as State); null when
  /// unknown. Zones only matter for planning and reading, never for apply.
  using FindZone = std::function<const cron::Zone*(std::string_view)>;
  explicit State(FindZone find_zone);
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;

  // Loading what the store kept, before the first apply. Invalid schedules are kCorrupt.
  [[nodiscard]] Status load_job(Job job);
  void load_run(model::Run run);  ///< Runs that are alive.
  void load_key(model::AccessKey key);
  void load_node(Node node);
  void load_token(JoinToken token);
  void load_setting(std::string key, std::string value);
  void load_cluster(Cluster cluster);
  void load_request(const std::string& id, WallTime at);  ///< The oldest first.
  void load_counters(std::int64_t next_run_id, std::int64_t next_job_id);

  /// Runs one committed entry.
  [[nodiscard]] Applied apply(const model::Entry& entry, LogIndex index);

  /// As apply() on a copy of what matters: the same checks and answers, nothing changes.
  [[nodiscard]] Applied dry_run(const model::Entry& entry) const;

  /// What is to be decided now. At most one returned Decide may be on its way: call again only
  /// after it was applied or failed.
  [[nodiscard]] Plan due(const Situation& situation);
  /// For a host that does not schedule: looks when jobs that changed are due, at most
  /// kTimersOfTurnMax of them. Then due() has little to do when the host takes over. False: some
  /// are left.
  [[nodiscard]] bool refresh_timers();
  /// A living host has still to say what it started alone of a job: an edit of that before would
  /// take slots away without a trace.
  [[nodiscard]] bool awaits_local_runs(const Situation& situation) const;

  // Reading. Pointers live until the next apply.
  [[nodiscard]] const Job* find_job(std::string_view name) const;
  [[nodiscard]] const Job* find_job(std::uint64_t uid) const;
  [[nodiscard]] std::vector<const Job*> jobs_by_name() const;  ///< Sorted by name.
  [[nodiscard]] std::size_t job_count() const;
  [[nodiscard]] const model::Run* find_live_run(std::int64_t run_id) const;
  [[nodiscard]] std::vector<const model::Run*> live_runs() const;  ///< By run id.
  [[nodiscard]] std::vector<const model::Run*> live_runs_of(std::uint64_t job_uid) const;
  [[nodiscard]] const model::AccessKey* find_key(std::string_view public_key) const;
  [[nodiscard]] std::vector<model::AccessKey> keys() const;
  [[nodiscard]] std::vector<Node> nodes() const;               ///< Members, by id.
  [[nodiscard]] std::vector<Node> all_nodes() const;           ///< And who left.
  [[nodiscard]] const Node* find_node(std::int64_t id) const;  ///< Members and who left.
  [[nodiscard]] const Node* find_node(std::string_view name_or_id) const;  ///< Members.
  [[nodiscard]] std::vector<JoinToken> tokens() const;
  /// Until when slots of schedules are skipped: WallTime::max() until somebody resumes; nullopt
  /// when nothing is paused at `now`.
  [[nodiscard]] std::optional<WallTime> paused_until(WallTime now) const;
  [[nodiscard]] bool is_single() const;              ///< Setting `single`: no host may join.
  [[nodiscard]] std::int64_t wanted_voters() const;  ///< Setting `voters`: 3, 5 or 7; 5 by default.
  /// Runs that were given up on a host and keep their places until it says what became of them;
  /// their attempts by run id.
  [[nodiscard]] std::map<std::int64_t, std::int32_t> holds_on(std::int64_t node_id) const;
  /// Of jobs whose runs exclude each other, by run id.
  [[nodiscard]] std::vector<Place> places() const;
  /// The lowest of all members: what every one of them can read in the log. 0: no member.
  [[nodiscard]] std::int32_t feature_level() const;
  /// How many enabled jobs wait for each zone that this host does not know; as the turns found.
  [[nodiscard]] std::map<std::string, std::int64_t> unknown_zones() const;
  /// The latest instant of a Decide that was applied since the start.
  [[nodiscard]] std::optional<WallTime> decided_at() const;
  [[nodiscard]] const Cluster& cluster() const;
  [[nodiscard]] std::optional<std::string> setting(std::string_view key) const;
  [[nodiscard]] std::map<std::string, std::string> settings() const;

  /// Next slot of a job strictly after `after`, whatever its cursor; nullopt when it has none, is
  /// disabled (unless `even_disabled`), or the zone is unknown.
  [[nodiscard]] std::optional<WallTime> next_slot(const Job& job, WallTime after,
                                                  bool even_disabled = false) const;
  /// Slots of an enabled job after `after` of which the start has come at `now` and is not late.
  [[nodiscard]] LocalLook look_alone(const Job& job, WallTime after, WallTime now) const;
  /// Those after `from` and before `to`.
  [[nodiscard]] SlotGap slots_between(const Job& job, WallTime from, WallTime to) const;
  /// Highest id of the runs that the node started by itself, of those that the log knows; else 0.
  [[nodiscard]] std::int64_t last_local_run(std::int64_t node_id) const;
  /// No run has this id or a higher one, as far as this state knows.
  [[nodiscard]] std::int64_t next_run_id() const;
  [[nodiscard]] Millis no_quorum_max() const;  ///< Setting; 24 h by default.
  /// Why the job does, did or will not run at `at`, from the schedule and what is alive. For
  /// decided slots the caller passes the stored run.
  [[nodiscard]] Explanation explain(const Job* job, std::string_view name, WallTime at,
                                    WallTime now, const std::optional<model::Run>& stored) const;

  /// All replicated state as canonical text, one line per object: equal texts, equal states.
  [[nodiscard]] std::string dump() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace distcron::planner
