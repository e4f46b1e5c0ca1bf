// SPDX-License-Identifier: Apache-2.0
// Operations on job definitions.
#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "agent/operations.h"
#include "cron/zone.h"
#include "model/selector.h"

namespace distcron::agent {

namespace {

constexpr std::int64_t kNextMax = 10'000;
constexpr std::int64_t kPageMax = 2'000;  // items of a list in one message
constexpr std::int64_t kShowPageMax = 200;

bool wants_all(const wire::JobTargets& targets) {
  return targets.names.empty() && targets.selector.empty();
}

std::string hex64(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

/// The smallest gap of its schedules decides, as in planning.
Millis misfire_window(const planner::Job& job, const cron::Zone* zone, WallTime now) {
  std::optional<Seconds> interval;
  for (const cron::Schedule& schedule : job.schedules) {
    if (zone == nullptr) break;
    const auto gap = cron::typical_interval(schedule, *zone, now);
    if (gap && (!interval || *gap < *interval)) interval = gap;
  }
  return model::effective_misfire_window(*job.spec, interval);
}

std::string in_words(const planner::Job& job) {
  std::string out;
  for (const cron::Schedule& schedule : job.schedules) {
    out += (out.empty() ? "" : "; ") + cron::describe(schedule);
  }
  return out.empty() ? "only by hand" : out;
}

}  // namespace

Status Operations::check_put(const Caller& caller, model::JobSpec& spec) const {
  if (spec.tz.empty()) spec.tz = default_tz();
  if (!facts_.own_user.empty()) {
    if (spec.user.empty()) spec.user = facts_.own_user;
    if (spec.user != facts_.own_user) {
      return fail_hint(ErrorCode::kDenied,
                       "cannot run job \"" + spec.name + "\" as \"" + spec.user +
                           "\": this agent runs as \"" + facts_.own_user +
                           "\" and starts jobs only as that user",
                       "an agent started as root runs jobs of every user");
    }
  }
  const bool is_self = caller.role == model::Role::kSelf && !caller.run_as.empty();
  if (spec.user.empty()) spec.user = is_self ? caller.run_as.front() : facts_.default_user;
  if (spec.user.empty()) {
    return fail_hint(ErrorCode::kInvalid, "job \"" + spec.name + "\" names no user",
                     "give one with --user, or set exec.default_user");
  }
  const bool any_user = caller.role == model::Role::kAdmin && caller.run_as.empty();
  const bool listed =
      std::find(caller.run_as.begin(), caller.run_as.end(), spec.user) != caller.run_as.end();
  if (!any_user && !listed && facts_.own_user.empty()) {
    return fail_hint(
        ErrorCode::kDenied,
        "key \"" + caller.name + "\" may not make jobs that run as \"" + spec.user + "\"",
        "an admin changes that with: distcronctl key add NAME PUBLIC_KEY --run-as " + spec.user);
  }
  if (!may_touch(caller, spec)) {
    return fail(ErrorCode::kDenied,
                "key \"" + caller.name + "\" may not touch the job \"" + spec.name + "\"");
  }
  return model::validate(spec);
}

/// Members of an older version would go on as if it was not there.
Status Operations::check_local_level(const std::string& what) const {
  if (state_.feature_level() >= model::kLocalLevel) return {};
  return fail_hint(ErrorCode::kUnavailable,
                   what + ": not all nodes have a version that knows run-local",
                   "distcronctl cluster upgrade --check shows them");
}

void Operations::job_put(const Call& call, const wire::PutJobsRequest& request) {
  model::PutJobs command;
  command.puts = request.puts;
  for (model::JobPut& put : command.puts) {
    if (const planner::Job* old = state_.find_job(put.spec.name); old != nullptr) {
      if (!may_touch(call.caller(), *old->spec)) {
        call.refuse(Error{
            ErrorCode::kDenied,
            "key \"" + call.caller().name + "\" may not touch the job \"" + put.spec.name + "\"",
            0,
            {}});
        return;
      }
    }
    const planner::Job* known = state_.find_job(put.spec.name);
    if (known != nullptr && known->spec->managed) put.spec.managed = false;  // refused when applied
    if (put.spec.managed) {
      call.refuse(Error{ErrorCode::kInvalid,
                        "job \"" + put.spec.name + "\": `managed` is set by crontab files only", 0,
                        "set crontab.watch = true to follow them"});
      return;
    }
    Status checked = check_put(call.caller(), put.spec);
    if (checked && put.spec.on_no_quorum == model::OnNoQuorum::kRunLocal) {
      checked = check_local_level("job \"" + put.spec.name + "\": on_no_quorum");
    }
    if (!checked) {
      call.refuse(checked.error());
      return;
    }
    if (put.new_uid == 0) put.new_uid = random_.draw();
  }
  submit(call, std::move(command));
}

void Operations::kill_runs_of(const Call& call, const std::vector<const planner::Job*>& jobs) {
  model::KillRuns kills;
  for (const planner::Job* job : jobs) {
    for (const model::Run* run : state_.live_runs_of(job->uid)) {
      kills.run_ids.push_back(run->run_id);
    }
  }
  if (kills.run_ids.empty() || call.request().dry_run) return;
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = call.caller().name;
  entry.command = std::move(kills);
  log_.propose(std::move(entry), [](const planner::Applied&) {});
}

void Operations::job_remove(const Call& call, const wire::RemoveRequest& request) {
  auto jobs = resolve(call.caller(), request.targets);
  if (!jobs) {
    call.refuse(jobs.error());
    return;
  }
  model::RemoveJobs command;
  command.keep_history = request.keep_history;
  for (const planner::Job* job : *jobs)
    command.names.push_back(job->spec->name);
  if (request.kill) kill_runs_of(call, *jobs);
  submit(call, std::move(command));
}

void Operations::job_rename(const Call& call, const wire::RenameRequest& request) {
  if (const auto job = resolve_one(call.caller(), request.name); !job) {
    call.refuse(job.error());
    return;
  }
  submit(call, model::RenameJob{request.name, request.new_name});
}

void Operations::job_enable(const Call& call, const wire::EnableRequest& request) {
  auto jobs = resolve(call.caller(), request.targets);
  if (!jobs) {
    call.refuse(jobs.error());
    return;
  }
  model::SetEnabled command;
  command.enabled = request.enabled;
  command.until = request.until;
  for (const planner::Job* job : *jobs)
    command.names.push_back(job->spec->name);
  if (request.kill) kill_runs_of(call, *jobs);
  submit(call, std::move(command));
}

const cron::Zone* Operations::zone_of(const planner::Job& job) const {
  return facts_.find_zone(job.spec->tz);
}

wire::JobItem Operations::item_of(const planner::Job& job) const {
  const model::JobSpec& spec = *job.spec;
  wire::JobItem item;
  item.name = spec.name;
  item.enabled = spec.enabled;
  item.schedules = spec.schedule;
  item.tz = spec.tz;
  item.version = job.version;
  item.next_at = state_.next_slot(job, std::max(now_.wall, job.cursor));
  for (const model::Run* run : state_.live_runs_of(job.uid)) {
    if (run->state == model::RunState::kRunning) ++item.running;
  }
  item.user = spec.user;
  item.description = spec.description;
  if (model::is_final(job.last_state)) item.last_state = model::name_of(job.last_state);
  item.last_at = job.last_ended_at;
  item.failures = job.failures;
  item.labels = spec.labels;
  item.managed = spec.managed;
  item.origin = spec.origin_source;
  item.disabled_until = job.disabled_until;
  return item;
}

namespace {

bool has_state(const wire::JobItem& item, const std::string& state, WallTime now) {
  if (state.empty()) return true;
  if (state == "enabled") return item.enabled;
  if (state == "disabled") return !item.enabled;
  if (state == "running") return item.running > 0;
  if (state == "failing") return item.failures > 0;
  if (state == "never-ran") return item.last_state.empty() && item.running == 0;
  return item.enabled && item.next_at && *item.next_at + Seconds(60) < now;  // overdue
}

void sort_items(std::vector<wire::JobItem>& items, const std::string& key) {
  const auto by = [&items](auto less) { std::stable_sort(items.begin(), items.end(), less); };
  if (key == "next") {
    by([](const wire::JobItem& a, const wire::JobItem& b) {
      return a.next_at.value_or(WallTime::max()) < b.next_at.value_or(WallTime::max());
    });
  } else if (key == "last") {
    by([](const wire::JobItem& a, const wire::JobItem& b) {
      return a.last_at.value_or(WallTime::min()) > b.last_at.value_or(WallTime::min());
    });
  } else if (key == "failures") {
    by([](const wire::JobItem& a, const wire::JobItem& b) { return a.failures > b.failures; });
  }
}

}  // namespace

void Operations::job_list(const Call& call, const wire::ListRequest& request) {
  const std::vector<std::string> states{"",        "enabled", "disabled", "running",
                                        "failing", "overdue", "never-ran"};
  if (std::find(states.begin(), states.end(), request.state) == states.end()) {
    call.refuse(Error{ErrorCode::kInvalid, "unknown state \"" + request.state + "\"", 0,
                      "one of: enabled, disabled, running, failing, overdue, never-ran"});
    return;
  }
  wire::JobTargets targets = request.targets;
  if (wants_all(targets)) targets.all = true;
  auto jobs = resolve(call.caller(), targets);
  if (!jobs) {
    call.refuse(jobs.error());
    return;
  }
  std::optional<planner::Node> node;
  for (const planner::Node& known : state_.nodes()) {
    if (known.name == request.node) node = known;
  }
  if (!request.node.empty() && !node) {
    call.refuse(Error{ErrorCode::kNotFound, "no node named \"" + request.node + "\"", 0,
                      "all nodes: distcronctl node list"});
    return;
  }
  wire::JobList out;
  for (const planner::Job* job : *jobs) {
    if (!request.user.empty() && job->spec->user != request.user) continue;
    if (node && !model::matches(job->spec->on, node->name, node->labels)) continue;
    wire::JobItem item = item_of(*job);
    if (has_state(item, request.state, now_.wall)) out.items.push_back(std::move(item));
  }
  sort_items(out.items, request.sort);
  if (request.limit > 0 && static_cast<std::int64_t>(out.items.size()) > request.limit) {
    out.items.resize(static_cast<std::size_t>(request.limit));
  }
  // Every page is made from the whole list: cheap enough, and a client that stops costs nothing.
  const auto size = static_cast<std::int64_t>(out.items.size());
  const std::int64_t begin = std::clamp<std::int64_t>(request.offset, 0, size);
  const std::int64_t end = std::min(size, begin + kPageMax);
  if (end < size) out.next = end;
  out.items.erase(out.items.begin() + end, out.items.end());
  out.items.erase(out.items.begin(), out.items.begin() + begin);
  call.answer(out);
}

void Operations::job_show(const Call& call, const wire::ShowRequest& request) {
  wire::JobTargets targets = request.targets;
  auto jobs = resolve(call.caller(), targets);
  if (!jobs) {
    call.refuse(jobs.error());
    return;
  }
  wire::ShowReply out;
  const auto size = static_cast<std::int64_t>(jobs->size());
  const std::int64_t begin = std::clamp<std::int64_t>(request.offset, 0, size);
  const std::int64_t end = std::min(size, begin + kShowPageMax);
  if (end < size) out.next = end;
  for (const planner::Job* job : std::span(*jobs).subspan(static_cast<std::size_t>(begin),
                                                          static_cast<std::size_t>(end - begin))) {
    wire::JobDetail detail;
    detail.spec = *job->spec;
    detail.uid = hex64(job->uid);
    detail.version = job->version;
    detail.source_text = job->source_text;
    detail.next_at = state_.next_slot(*job, std::max(now_.wall, job->cursor));
    detail.created_at = job->created_at;
    detail.updated_at = job->updated_at;
    detail.updated_by = job->updated_by;
    detail.running = item_of(*job).running;
    detail.description_of_schedule = in_words(*job);
    detail.misfire_window_ms = misfire_window(*job, zone_of(*job), now_.wall).count();
    out.items.push_back(std::move(detail));
  }
  if (!request.version || out.items.size() != 1) {
    call.answer(out);
    return;
  }
  const std::uint64_t uid = (*jobs)[0]->uid;
  const std::int64_t version = *request.version;
  store_.query([call, out, uid, version](store::Reader& reader) -> std::function<void()> {
    auto versions = reader.job_versions(uid);
    return [call, out, version, versions = std::move(versions)]() mutable {
      if (!versions) {
        call.refuse(versions.error());
        return;
      }
      for (const store::JobVersion& old : *versions) {
        if (old.version != version) continue;
        out.items[0].spec = old.spec;
        out.items[0].version = old.version;
        out.items[0].source_text = old.source_text;
        out.items[0].updated_at = old.at;
        out.items[0].updated_by = old.by;
        call.answer(out);
        return;
      }
      call.refuse(
          Error{ErrorCode::kNotFound,
                "job \"" + out.items[0].spec.name + "\" has no version " + std::to_string(version),
                0, "its versions: distcronctl versions " + out.items[0].spec.name});
    };
  });
}

void Operations::job_versions(const Call& call, const wire::NameRequest& request) {
  const auto job = resolve_one(call.caller(), request.name);
  if (!job) {
    call.refuse(job.error());
    return;
  }
  const std::uint64_t uid = (*job)->uid;
  store_.query([call, uid](store::Reader& reader) -> std::function<void()> {
    auto versions = reader.job_versions(uid);
    return [call, versions = std::move(versions)]() {
      if (!versions) {
        call.refuse(versions.error());
        return;
      }
      wire::VersionsReply out;
      for (const store::JobVersion& old : *versions) {
        out.items.push_back(wire::VersionItem{old.version, old.at, old.by, old.note, old.spec});
      }
      call.answer(out);
    };
  });
}

void Operations::job_next(const Call& call, const wire::NextRequest& request) {
  wire::JobTargets targets = request.targets;
  if (wants_all(targets)) targets.all = true;
  auto jobs = resolve(call.caller(), targets);
  if (!jobs) {
    call.refuse(jobs.error());
    return;
  }
  wire::NextReply out;
  const std::int64_t count = std::clamp<std::int64_t>(request.count, 1, kNextMax);
  for (const planner::Job* job : *jobs) {
    const cron::Zone* zone = zone_of(*job);
    WallTime at = request.from.value_or(now_.wall);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto next = state_.next_slot(*job, at, request.from.has_value());
      if (!next || (request.to && *next > *request.to)) break;
      at = *next;
      out.items.push_back(wire::NextItem{
          job->spec->name, at, zone != nullptr ? cron::format_local(at, *zone) : std::string()});
    }
  }
  std::stable_sort(out.items.begin(), out.items.end(),
                   [](const wire::NextItem& a, const wire::NextItem& b) { return a.at < b.at; });
  if (static_cast<std::int64_t>(out.items.size()) > kNextMax) {
    out.items.resize(static_cast<std::size_t>(kNextMax));
  }
  call.answer(out);
}

void Operations::explain(const Call& call, const wire::ExplainRequest& request) {
  if (request.run_id > 0) {
    wire::RunRef ref;
    ref.run_id = request.run_id;
    with_run(call, ref, [this](const Call& asked, const model::Run& run) {
      const planner::Job* job = state_.find_job(run.job_uid);
      const planner::Explanation why =
          state_.explain(job, run.job, run.scheduled_at, now_.wall, run);
      asked.answer(wire::ExplainReply{run.job, run.scheduled_at, why.verdict, why.reason, why.facts,
                                      run.run_id});
    });
    return;
  }
  const WallTime at = request.at.value_or(now_.wall);
  const planner::Job* job = state_.find_job(request.job);
  if (job == nullptr || !may_touch(call.caller(), *job->spec)) {
    const planner::Explanation why =
        state_.explain(nullptr, request.job, at, now_.wall, std::nullopt);
    call.answer(wire::ExplainReply{request.job, at, why.verdict, why.reason, why.facts, {}});
    return;
  }
  const std::uint64_t uid = job->uid;
  const std::string name = request.job;
  store_.query([this, call, uid, at, name](store::Reader& reader) -> std::function<void()> {
    auto stored = reader.run_at(uid, at);
    return [this, call, uid, at, name, stored = std::move(stored)]() {
      if (!stored) {
        call.refuse(stored.error());
        return;
      }
      const planner::Explanation why =
          state_.explain(state_.find_job(uid), name, at, now_.wall, *stored);
      call.answer(wire::ExplainReply{name, at, why.verdict, why.reason, why.facts, why.run_id});
    };
  });
}

}  // namespace distcron::agent
