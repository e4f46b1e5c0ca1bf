// SPDX-License-Identifier: Apache-2.0
#include "planner/explain.h"

#include <algorithm>
#include <utility>

#include "planner/host_pool.h"
#include "planner/slots.h"

namespace distcron::planner {

using model::Fact;
using model::Reason;
using model::RunState;

namespace {

bool is_of_schedule(const model::Run& run) {
  return run.trigger == model::Trigger::kSchedule || run.trigger == model::Trigger::kLocal;
}

/// Gathers the facts of one answer.
class Explainer {
 public:
  Explainer(const StateData& state, const ExplainQuestion& question)
      : state_(state), ask_(question) {}

  [[nodiscard]] Explanation answer() {
    if (ask_.job == nullptr && !ask_.stored) {
      Error none = state_.no_such_job(ask_.name);
      fact("job", false, std::move(none.message));
      if (!none.hint.empty()) fact("names", false, std::move(none.hint));
      return verdict("not_due", "no_job");
    }
    const model::Run* run = run_at();
    if (run != nullptr) return from_run(*run);
    return from_schedule(*ask_.job);
  }

 private:
  void fact(std::string check, bool ok, std::string text) {
    out_.facts.push_back({std::move(check), ok, std::move(text)});
  }

  Explanation verdict(std::string_view word, std::string_view reason) {
    out_.verdict = word;
    out_.reason = reason;
    return std::move(out_);
  }

  /// The run of the instant, alive ones first: their row may be newer than the stored one.
  const model::Run* run_at() const {
    if (ask_.stored) {
      const auto live = state_.runs.find(ask_.stored->run_id);
      return live != state_.runs.end() ? &live->second.run : &*ask_.stored;
    }
    if (ask_.job == nullptr) return nullptr;
    for (const std::int64_t id : state_.run_ids_of(ask_.job->uid)) {
      const model::Run& run = state_.runs.at(id).run;
      if (run.scheduled_at == ask_.at) return &run;
    }
    return nullptr;
  }

  Explanation from_run(const model::Run& run) {
    out_.run_id = run.run_id;
    if (ask_.job != nullptr && is_of_schedule(run)) match_facts(*ask_.job);
    for (const Fact& stored : run.facts)
      out_.facts.push_back(stored);
    if (run.attempt > 0) {
      fact("claim", true,
           "attempt " + std::to_string(run.attempt) + " on host " + run.node + ", term " +
               std::to_string(run.term) + ", log index " + std::to_string(run.fence_index));
    }
    if (run.started_at) fact("start", true, "started at " + utc_text(*run.started_at));
    if (run.ended_at && model::is_final(run.state)) end_fact(run);
    if (!run.detail.empty()) fact("detail", run.reason == Reason::kNone, run.detail);
    if (run.not_before && run.state == RunState::kQueued) {
      fact("wait", true, "not before " + utc_text(*run.not_before));
    }
    std::string reason(model::name_of(run.reason));
    if (run.reason == Reason::kSetup && !run.detail.empty()) reason += "_" + run.detail;
    return verdict(model::name_of(run.state), reason);
  }

  void end_fact(const model::Run& run) {
    std::string text = std::string(model::name_of(run.state)) + " at " + utc_text(*run.ended_at);
    if (run.exit_code) text += ", exit code " + std::to_string(*run.exit_code);
    if (run.signal) text += ", signal " + std::to_string(*run.signal);
    if (!run.kill_by.empty()) text += ", ended by " + run.kill_by;
    fact("end", run.state == RunState::kOk, std::move(text));
  }

  /// Field by field, for the schedule that matches, or for all when none does.
  bool match_facts(const Job& job) {
    const cron::Zone* zone = state_.find_zone(job.spec->tz);
    if (zone == nullptr) {
      fact("zone", false, "time zone \"" + job.spec->tz + "\" is not known to this host");
      return false;
    }
    if (job.schedules.empty()) {
      fact("schedule", false, "the job has no schedule; it runs by hand only");
      return false;
    }
    for (std::size_t i = 0; i < job.schedules.size(); ++i) {
      if (!cron::matches(job.schedules[i], ask_.at, *zone)) continue;
      schedule_facts(job, i, *zone);
      return true;
    }
    for (std::size_t i = 0; i < job.schedules.size(); ++i)
      schedule_facts(job, i, *zone);
    if (const auto next = next_slot_of(job, ask_.at, *zone)) {
      fact("next", true,
           "the next slot after that is " + utc_text(*next) + ", " +
               cron::format_local(*next, *zone));
    } else {
      fact("next", false, "there is no later slot");
    }
    return false;
  }

  void schedule_facts(const Job& job, std::size_t index, const cron::Zone& zone) {
    const cron::Schedule& schedule = job.schedules[index];
    const bool ok = cron::matches(schedule, ask_.at, zone);
    const std::string text = index < job.spec->schedule.size() ? job.spec->schedule[index] : "";
    fact("schedule", ok,
         text + " (" + cron::describe(schedule) + ") at " + cron::format_local(ask_.at, zone));
    for (cron::FieldCheck& check : cron::explain_match(schedule, ask_.at, zone)) {
      fact(std::move(check.field), check.ok, std::move(check.text));
    }
  }

  Explanation from_schedule(const Job& job) {
    const bool is_match = match_facts(job);
    const bool is_back = !job.spec->enabled && job.disabled_until && *job.disabled_until <= ask_.at;
    if (!is_match) return verdict("not_due", "schedule");
    if (ask_.at < job.created_at) {
      fact("job", false, "the job was made later, at " + utc_text(job.created_at));
      return verdict("not_due", "no_job");
    }
    if (!job.spec->enabled && !is_back) {
      fact("enabled", false,
           "the job is disabled" +
               (job.disabled_until ? " until " + utc_text(*job.disabled_until) : std::string()));
      return verdict("not_due", "disabled");
    }
    fact("enabled", true,
         is_back ? "enabled again at " + utc_text(*job.disabled_until) : "the job is enabled");
    if (ask_.at <= job.cursor) {
      fact("history", false,
           "decided before " + utc_text(job.cursor) +
               ", but it has no row: it came before the last change of the schedule, the job was "
               "disabled, its row was too old to keep, or a later row of a long outage stands for "
               "it");
      return verdict("not_due", "schedule");
    }
    place_facts(job);
    return verdict("will_run", "");
  }

  /// What could still stand in the way of a slot to come.
  void place_facts(const Job& job) {
    for (const auto& [id, node] : state_.nodes) {
      if (!model::is_member(node)) continue;
      std::string missing = why_not(node, *job.spec);
      const bool may = missing.empty();
      fact("host", may, may ? "host " + node.name + " may run it" : std::move(missing));
    }
    if (state_.is_paused(std::max(ask_.at, ask_.now))) {
      fact("pause", false, "the cluster is paused");
    }
    if (const std::int64_t held = state_.hold_of(job.uid); held != 0) {
      fact("overlap", false,
           "run " + std::to_string(held) + " may still be alive on a silent host");
    }
    if (job.spec->concurrency == model::Concurrency::kAllow) return;
    const std::string policy(model::name_of(job.spec->concurrency));
    for (const std::int64_t id : state_.run_ids_of(job.uid)) {
      const model::Run& run = state_.runs.at(id).run;
      fact("overlap", false,
           "run " + std::to_string(id) + " is " + std::string(model::name_of(run.state)) +
               " now; if it still is then, concurrency = " + policy + " decides");
      return;
    }
    fact("overlap", true, "no run of the job is alive");
  }

  const StateData& state_;
  const ExplainQuestion& ask_;
  Explanation out_;
};

}  // namespace

Explanation explain_slot(const StateData& state, const ExplainQuestion& question) {
  return Explainer(state, question).answer();
}

}  // namespace distcron::planner
