// SPDX-License-Identifier: Apache-2.0
// FleetJudge: what the product promises about runs, checked from outside: it sees the processes
// that really ran, what became durable, and the rows of each applied entry, of which the first
// member to apply an index tells the truth that all others must repeat. Knows nothing of how a
// decision came about. One world, one judge.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "model/local_commands.h"
#include "planner/state.h"
#include "sim/fleet_exec.h"
#include "store/log_entry.h"

namespace distcron::sim {

struct FleetViolation {
  std::string invariant;
  std::string text;
  FleetTime at = 0;
};

class FleetJudge {
 public:
  explicit FleetJudge(Agenda& agenda) : agenda_(agenda) {}

  /// Nobody ever applies the first `index` entries.
  void begin_after(std::int64_t index) { log_.resize(static_cast<std::size_t>(index)); }

  // What happens.
  void on_changes(std::int64_t node, const planner::Changes& changes, const planner::State& state);
  void on_durable(std::int64_t node, const store::DurableBatch& batch, Micros wall_ahead);
  /// The state of another member, up to entry `index`, has taken the place of the node's own.
  void on_installed(std::int64_t node, std::int64_t index, const planner::State& state);
  /// `mono`: the host's boottime.
  void on_start(const FleetProcess& process, MonoTime mono);
  void on_end(const FleetProcess& process);

  void on_boot(std::int64_t node, std::int64_t boot) { boots_[node] = boot; }

  void on_scheduler(std::int64_t node, std::int64_t term);

  /// Its agent was started, and nothing on its disk says that it is no member any more.
  void on_member_started(std::int64_t node) { forgot_.insert(node); }

  /// Until then it may have been in touch with a majority, or has not noticed that it is not.
  void on_contact(std::int64_t node) { contacts_[node] = agenda_.now(); }

  /// Without contact for longer than that a host starts nothing by itself.
  void limit_local_runs(Micros max) { local_runs_max_ = max; }

  /// A client was told that its entry is done.
  void on_acked(const std::string& request_id, bool is_good);

  /// At the end, when all is well again: every slot that is older than `settled` (of the wall
  /// clock, which all members agree on again) must be accounted for. `guard`: how far from an edit
  /// a slot is due for sure.
  void close(WallTime settled, Micros guard);
  /// At the end: the runs whose places `node` still keeps, with their attempts.
  void check_holds(std::int64_t node, const std::map<std::int64_t, std::int32_t>& holds);
  /// All members have applied the same entries: so they hold the same state.
  void compare(std::int64_t node, std::int64_t applied, const planner::State& state);

  void fail(std::string invariant, std::string text);

  [[nodiscard]] const std::optional<FleetViolation>& violation() const { return violation_; }

  [[nodiscard]] std::int64_t starts() const { return static_cast<std::int64_t>(starts_.size()); }

  [[nodiscard]] std::int64_t slots_checked() const { return slots_checked_; }

  [[nodiscard]] std::int64_t terms() const { return static_cast<std::int64_t>(schedulers_.size()); }

  [[nodiscard]] std::int64_t installs() const { return installs_; }

  [[nodiscard]] std::int64_t acked() const { return acked_; }

  [[nodiscard]] const std::map<std::int64_t, model::Run>& rows() const { return rows_; }

  [[nodiscard]] std::int64_t applied_max() const { return static_cast<std::int64_t>(log_.size()); }

  /// Final rows by state and reason, for the summary and for marks.
  [[nodiscard]] const std::map<std::string, std::int64_t>& outcomes() const { return outcomes_; }

  /// No wall clock is ever set: nothing may start before its slot.
  void trust_clocks() { trusts_clocks_ = true; }

  /// Told of each new row, for the trace.
  std::function<void(const model::Run&)> on_row;

 private:
  using RunKey = process::RunKey;
  using SlotKey = std::tuple<std::uint64_t, std::string, WallTime, std::int32_t>;

  /// One version of a job, from the entry that made it to the next.
  struct Era {
    WallTime from{};
    std::shared_ptr<const model::JobSpec> spec;
    bool is_there = true;  ///< Neither removed nor disabled.
  };

  struct Start {
    FleetProcess process;
    std::uint64_t job_uid = 0;
    SlotKey slot;
    bool is_local = false;  ///< By its host alone.
  };

  /// A durable note of an accepted claim: when it is to start.
  struct Accepted {
    WallTime wall{};
    Micros wall_ahead{};  ///< Of the host's clock when it was noted.
    /// From and until when by the host's boottime, where the claim says so.
    std::optional<std::pair<MonoTime, MonoTime>> window;
  };

  void check_time(const std::string& name, const Accepted& accepted, const model::Run& run,
                  MonoTime mono);
  void take_nodes(std::int64_t node, const planner::Changes& changes);
  void take_rows(const planner::Changes& changes);
  void take_ended(const model::Run& run);
  void take_row(const model::Run& run);
  void take_jobs(const planner::Changes& changes);
  void check_final(const model::Run& run);
  [[nodiscard]] bool waits_for_removed(const model::Run& run) const;
  [[nodiscard]] bool may_start_still(std::int64_t host) const;
  [[nodiscard]] std::optional<model::Run> local_run(RunKey key, std::int64_t host) const;
  void take_local_start(const FleetProcess& process, const model::Run& run);
  void take_removed(const planner::Changes& changes);
  void check_slot(const model::Run& run, const Start& start);
  void check_overlap(const model::Run& run, const model::JobSpec& spec, const Start& start);
  void check_job(std::uint64_t uid, const std::vector<Era>& eras, WallTime settled, Micros guard);
  [[nodiscard]] const model::JobSpec* spec_of(std::uint64_t uid) const;
  [[nodiscard]] static SlotKey slot_of(const model::Run& run);

  Agenda& agenda_;
  std::optional<FleetViolation> violation_;

  std::vector<std::string> log_;                 ///< What each applied entry changed, by index - 1.
  std::map<std::int64_t, std::uint64_t> dumps_;  ///< Of the state, at some indexes.
  std::map<std::int64_t, model::Run> rows_;
  std::map<SlotKey, std::int64_t> slots_;    ///< Their rows.
  std::map<RunKey, std::int64_t> claims_;    ///< Host of each attempt.
  std::map<RunKey, model::RunState> ended_;  ///< Attempts that are over, by what was committed.
  std::map<std::uint64_t, std::vector<Era>> jobs_;
  std::set<std::string> requests_;           ///< Ids of the entries that were applied.
  std::set<std::int64_t> removed_;           ///< Hosts that are no members any more,
  std::map<std::int64_t, FleetTime> knows_;  ///< ... and since when they know.
  std::set<std::int64_t> forgot_;            ///< ... who do not any more.
  std::set<std::int64_t> released_;          ///< Runs whose places people gave away.

  std::map<RunKey, Start> starts_;
  std::map<RunKey, Start*> live_;
  std::set<std::pair<std::int64_t, RunKey>> tombstones_;
  std::map<std::pair<std::int64_t, RunKey>, Accepted> accepted_;
  std::map<std::pair<std::int64_t, RunKey>, model::LocalRun> local_;  ///< Noted by the hosts.
  std::map<std::int64_t, std::int64_t> schedulers_;                   ///< By term.
  std::map<std::int64_t, std::int64_t> boots_;  ///< Of each host, its present one.
  std::map<std::string, std::int64_t> outcomes_;
  std::map<std::int64_t, FleetTime> contacts_;
  std::optional<Micros> local_runs_max_;
  bool trusts_clocks_ = false;
  std::int64_t slots_checked_ = 0;
  std::int64_t acked_ = 0;
  std::int64_t installs_ = 0;
};

/// "ok", "missed(too_late)" ...
[[nodiscard]] std::string outcome_text(const model::Run& run);

}  // namespace distcron::sim
