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
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cron/cron.h"
#include "model/command.h"
#include "model/run.h"

namespace distcron::planner {

using LogIndex = std::int64_t;

/// A stored job. Everything that planning needs lies in `spec`, which is shared and never changes:
/// a new version is a new object.
struct Job {
  std::int64_t id = 0;
  std::uint64_t uid = 0;
  std::int64_t version = 0;
  std::shared_ptr<const model::JobSpec> spec;
  std::vector<cron::Schedule> schedules;  ///< Compiled from spec, seeded by uid.
  WallTime cursor{};                      ///< Slots up to and including this are decided.
  WallTime created_at{};
  WallTime updated_at{};
  std::string updated_by;
  std::optional<WallTime> disabled_until;
  std::optional<WallTime> last_started_at;
  std::optional<WallTime> last_ended_at;
  model::RunState last_state = model::RunState::kQueued;  ///< kQueued: never ended.
  std::int64_t last_run_id = 0;
  std::int32_t failures = 0;  ///< Consecutive, since the last ok.
  std::string source_text;
};

struct Node {
  std::int64_t id = 0;
  std::string name;
  std::string boot_id;
  std::string address;
  std::string version;
  model::TextMap labels;
};

struct Cluster {
  std::string name;
  std::string cluster_id;
  std::int64_t incarnation = 0;
  std::string tz;
};

/// Rows that one apply changed; the store writes them with the entry's index in one transaction.
struct Changes {
  LogIndex index = 0;
  std::vector<Job> jobs;                    ///< Insert or replace.
  std::vector<std::uint64_t> new_versions;  ///< uids in `jobs` whose version row is to be kept.
  std::vector<std::uint64_t> removed_jobs;
  std::vector<std::uint64_t> removed_history;  ///< Jobs whose final runs go too.
  std::vector<model::Run> runs;                ///< Insert or replace.
  /// Attempts that ended while their run goes on (retry, revoked claim): a copy of the run of which
  /// `state` and `reason` are that attempt's own. For the rows of attempts only.
  std::vector<model::Run> ended_attempts;
  std::vector<std::int64_t> removed_runs;
  std::vector<model::CursorMove> cursors;  ///< Jobs of which only the cursor moved.
  std::vector<model::AccessKey> keys;
  std::vector<std::string> removed_keys;
  std::vector<Node> nodes;
  std::vector<std::pair<std::string, std::string>> settings;
  std::optional<Cluster> cluster;
  std::int64_t next_run_id = 0;
  std::int64_t next_job_id = 0;

  struct Event {
    WallTime at{};
    std::string type;  ///< job.created, job.updated, run.killed, key.added ...
    std::string actor;
    std::string object;
    std::string text;
    std::string request_id;
  };

  std::vector<Event> events;
  std::string request_id;     ///< Not empty: remember the reply under this key.
  std::string request_reply;  ///< Encoded by the caller of apply before it is stored.
};

/// What a host must do because of an applied entry. The agent of that host acts on its own orders.
struct ClaimOrder {
  model::Run run;
  WallTime start_at{};
};

struct RevokeOrder {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
  model::Reason reason = model::Reason::kNone;  ///< edited, disabled, removed, killed.
};

struct KillOrder {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
  std::int32_t signal = 15;
  Millis grace{0};
  model::Reason reason = model::Reason::kUser;
};

/// The end of an attempt is committed: its host may drop its journal entry.
struct EndCommitted {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
};

/// A run came to a final state: log line, notify rules, waiting clients.
struct RunFinal {
  model::Run run;
};

using Order = std::variant<ClaimOrder, RevokeOrder, KillOrder, EndCommitted, RunFinal>;

/// One line of the answer to the proposer.
struct AppliedItem {
  std::string name;
  std::string
      action;  ///< created, updated, unchanged, removed, renamed, enabled, disabled, killed…
  std::int64_t version = 0;
  std::int64_t run_id = 0;
  std::int32_t live_runs = 0;
};

struct Applied {
  Status status;  ///< An error changed nothing.
  std::vector<AppliedItem> items;
  Changes changes;
  std::vector<Order> orders;
};

/// Facts of the moment that the planner may use; gathered by the agent.
struct Situation {
  WallTime now{};
  Micros look_ahead{2'000'000};
  std::int64_t term = 0;
  std::int64_t capacity = 4096;  ///< Most live runs of this host.
  bool clock_trusted = true;     ///< false: nothing starts, no cursor moves.
  std::int64_t node_id = 0;      ///< Host that takes the claims; 0: the node of the lowest id.
};

/// What due() found: an entry to propose, and when to look again without any other event. With a
/// `decide`, look again as soon as it is applied or lost; `wake_at` is then only the fallback.
struct Plan {
  std::optional<model::Decide> decide;
  std::optional<WallTime> wake_at;
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
  void load_setting(std::string key, std::string value);
  void load_cluster(Cluster cluster);
  void load_counters(std::int64_t next_run_id, std::int64_t next_job_id);

  /// Runs one committed entry.
  [[nodiscard]] Applied apply(const model::Entry& entry, LogIndex index);

  /// As apply() on a copy of what matters: the same checks and answers, nothing changes.
  [[nodiscard]] Applied dry_run(const model::Entry& entry) const;

  /// What is to be decided now. At most one returned Decide may be on its way: call again only
  /// after it was applied or failed.
  [[nodiscard]] Plan due(const Situation& situation);

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
  [[nodiscard]] std::vector<Node> nodes() const;
  [[nodiscard]] const Cluster& cluster() const;
  [[nodiscard]] std::optional<std::string> setting(std::string_view key) const;
  [[nodiscard]] std::map<std::string, std::string> settings() const;

  /// Next slot of a job strictly after `after`, whatever its cursor; nullopt when it has none, is
  /// disabled (unless `even_disabled`), or the zone is unknown.
  [[nodiscard]] std::optional<WallTime> next_slot(const Job& job, WallTime after,
                                                  bool even_disabled = false) const;
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
