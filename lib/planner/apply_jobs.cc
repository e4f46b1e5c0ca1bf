// SPDX-License-Identifier: Apache-2.0
// Commands that make, change and remove jobs (planner/applier.h).
#include <algorithm>
#include <utility>

#include "model/job_check.h"
#include "planner/applier.h"

namespace distcron::planner {

using model::PutMode;
using model::Reason;
using model::RunState;

namespace {

constexpr std::string_view kCrontabActor = "crontab";

bool has_same_times(const model::JobSpec& a, const model::JobSpec& b) {
  return a.schedule == b.schedule && a.tz == b.tz && a.dst == b.dst && a.dialect == b.dialect;
}

std::string quoted(std::string_view name) {
  return "job \"" + std::string(name) + "\"";
}

}  // namespace

model::JobSpec Applier::complete(const model::JobSpec& spec) const {
  model::JobSpec out = as_all_know(spec);
  if (!out.tz.empty()) return out;
  const auto setting = state_.settings.find("tz");
  if (setting != state_.settings.end()) out.tz = setting->second;
  if (out.tz.empty() && state_.cluster) out.tz = state_.cluster->tz;
  if (out.tz.empty()) out.tz = "UTC";
  return out;
}

/// As a member reads it that does not know run-local: all must come to the same.
model::JobSpec Applier::as_all_know(const model::JobSpec& spec) const {
  model::JobSpec out = spec;
  if (state_.feature_level() < model::kLocalLevel) out.on_no_quorum = model::OnNoQuorum::kSkip;
  return out;
}

Status Applier::check_writable(const Job& job) const {
  if (!job.spec->managed || entry_.actor == kCrontabActor) return {};
  std::string_view file = job.spec->origin_source;
  if (file.starts_with("crontab:")) file.remove_prefix(8);
  return fail_hint(
      ErrorCode::kConflict,
      quoted(job.spec->name) + " follows " + std::string(file) + " and is read-only here",
      "edit that file, or import it without following it");
}

Status Applier::check_put(const model::JobPut& put, const model::JobSpec& spec) {
  DC_CHECK_OK(model::validate_without_zone(spec));
  const JobEntry* entry = state_.job(spec.name);
  if (entry == nullptr) {
    if (put.mode == PutMode::kUpdate || put.if_version) return fail(state_.no_such_job(spec.name));
    if (put.new_uid == 0 || state_.is_uid_taken(put.new_uid)) {
      return fail(ErrorCode::kInvalid, quoted(spec.name) + ": its new uid is 0 or taken");
    }
    const auto compiled = model::compile_schedules(spec, put.new_uid);
    if (!compiled) return fail(compiled.error());
    return {};
  }
  if (put.mode == PutMode::kCreateIfMissing) return {};
  const Job& job = entry->job;
  if (put.mode == PutMode::kCreate) {
    return fail_hint(ErrorCode::kConflict, quoted(spec.name) + " exists already",
                     "change it with: distcronctl set " + spec.name + " KEY=VALUE");
  }
  if (put.if_version && *put.if_version != job.version) {
    return fail(ErrorCode::kConflict, quoted(spec.name) +
                                          " changed since it was read: it is at "
                                          "version " +
                                          std::to_string(job.version) + ", not " +
                                          std::to_string(*put.if_version));
  }
  DC_CHECK_OK(check_writable(job));
  const auto compiled = model::compile_schedules(spec, job.uid);
  if (!compiled) return fail(compiled.error());
  return {};
}

Status Applier::run(const model::PutJobs& command) {
  std::vector<model::JobSpec> specs;
  specs.reserve(command.puts.size());
  std::set<std::string_view> names;
  std::set<std::uint64_t> uids;
  for (const model::JobPut& put : command.puts) {
    specs.push_back(complete(put.spec));
    DC_CHECK_OK(check_put(put, specs.back()));
    if (!names.insert(put.spec.name).second) {
      return fail(ErrorCode::kInvalid, quoted(put.spec.name) + " stands twice in one request");
    }
    if (put.new_uid != 0 && !uids.insert(put.new_uid).second) {
      return fail(ErrorCode::kInvalid, quoted(put.spec.name) + ": its new uid is taken");
    }
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const model::JobPut& put = command.puts[i];
    JobEntry* entry = state_.job(put.spec.name);
    if (entry == nullptr) {
      create_job(put, std::move(specs[i]));
    } else if (put.mode == PutMode::kCreateIfMissing) {
      item(put.spec.name, "unchanged", entry->job.version);
    } else {
      update_job(*entry, put, std::move(specs[i]));
    }
  }
  return {};
}

void Applier::create_job(const model::JobPut& put, model::JobSpec spec) {
  Job job;
  job.id = state_.next_job_id++;
  job.uid = put.new_uid;
  job.version = 1;
  job.schedules = *model::compile_schedules(spec, job.uid);
  job.cursor = entry_.at;
  job.created_at = entry_.at;
  job.updated_at = entry_.at;
  job.updated_by = entry_.actor;
  job.source_text = put.source_text;
  const std::string name = spec.name;
  job.spec = std::make_shared<const model::JobSpec>(std::move(spec));
  out_.changes.new_versions.push_back(job.uid);
  changed_jobs_.insert(job.uid);
  state_.add_job(std::move(job));
  item(name, "created", 1);
  event("job.created", name, "version 1");
}

void Applier::update_job(JobEntry& entry, const model::JobPut& put, model::JobSpec spec) {
  Job& job = entry.job;
  const bool is_same_text = put.source_text.empty() || put.source_text == job.source_text;
  if (spec == as_all_know(*job.spec) && is_same_text) {
    item(spec.name, "unchanged", job.version);
    return;
  }
  const bool keeps_times = has_same_times(spec, *job.spec);
  const bool was_enabled = job.spec->enabled;
  const bool is_enabled = spec.enabled;
  if (!keeps_times || (is_enabled && !was_enabled)) {
    job.cursor = std::max(job.cursor, entry_.at);
  }
  if (is_enabled) job.disabled_until.reset();
  job.source_text = put.source_text;
  new_version(entry, std::move(spec));
  revoke_claims(job.uid, was_enabled && !is_enabled ? Reason::kDisabled : Reason::kEdited);
  item(job.spec->name, "updated", job.version);
  event("job.updated", job.spec->name, "version " + std::to_string(job.version));
}

void Applier::new_version(JobEntry& entry, model::JobSpec spec) {
  Job& job = entry.job;
  ++job.version;
  if (auto compiled = model::compile_schedules(spec, job.uid)) job.schedules = std::move(*compiled);
  job.spec = std::make_shared<const model::JobSpec>(std::move(spec));
  job.updated_at = entry_.at;
  job.updated_by = entry_.actor;
  if (std::find(out_.changes.new_versions.begin(), out_.changes.new_versions.end(), job.uid) ==
      out_.changes.new_versions.end()) {
    out_.changes.new_versions.push_back(job.uid);
  }
  changed_jobs_.insert(job.uid);
  state_.mark_dirty(entry);
}

/// RUNS.md 2.5. After an edit, what waits keeps its row: the planner gives it to the new version,
/// or cancels it when that no longer has the slot.
void Applier::revoke_claims(std::uint64_t job_uid, Reason reason) {
  const std::vector<std::int64_t> ids = state_.run_ids_of(job_uid);
  for (const std::int64_t id : ids) {
    LiveRun& live = *state_.live(id);
    if (live.run.state == RunState::kDispatched) {
      revoke(live, reason);
    } else if (live.run.state == RunState::kQueued && reason != Reason::kEdited) {
      finish(live, RunState::kCancelled, reason);
    }
  }
  state_.wake_queued(job_uid);
}

Status Applier::check_names(const model::TextList& names) {
  for (const std::string& name : names) {
    const JobEntry* entry = state_.job(name);
    if (entry == nullptr) return fail(state_.no_such_job(name));
    DC_CHECK_OK(check_writable(entry->job));
  }
  return {};
}

Status Applier::run(const model::RemoveJobs& command) {
  DC_CHECK_OK(check_names(command.names));
  for (const std::string& name : command.names) {
    JobEntry* entry = state_.job(name);
    if (entry == nullptr) continue;  // stands twice in the list
    const std::uint64_t uid = entry->job.uid;
    const std::int64_t version = entry->job.version;
    revoke_claims(uid, Reason::kRemoved);
    changed_jobs_.erase(uid);
    state_.remove_job(uid);
    drop_setting(std::string(kTurnPrefix) + std::to_string(uid));
    out_.changes.removed_jobs.push_back(uid);
    if (!command.keep_history) out_.changes.removed_history.push_back(uid);
    item(name, "removed", version);
    out_.items.back().live_runs = static_cast<std::int32_t>(state_.run_ids_of(uid).size());
    event("job.removed", name, "");
  }
  return {};
}

Status Applier::run(const model::RenameJob& command) {
  DC_CHECK_OK(check_names({command.name}));
  DC_CHECK_OK(model::check_job_name(command.new_name));
  JobEntry& entry = *state_.job(command.name);
  if (command.name == command.new_name) {
    item(command.name, "unchanged", entry.job.version);
    return {};
  }
  if (state_.job(command.new_name) != nullptr) {
    return fail(ErrorCode::kConflict, "cannot rename " + quoted(command.name) + ": " +
                                          quoted(command.new_name) + " exists already");
  }
  model::JobSpec spec = *entry.job.spec;
  spec.name = command.new_name;
  new_version(entry, std::move(spec));
  state_.rename_job(entry, command.name);
  state_.wake_queued(entry.job.uid);
  item(command.new_name, "renamed", entry.job.version);
  event("job.renamed", command.name, command.new_name);
  return {};
}

Status Applier::run(const model::SetEnabled& command) {
  DC_CHECK_OK(check_names(command.names));
  if (command.until && command.enabled) {
    return fail(ErrorCode::kInvalid, "cannot enable jobs until a time: that is for disabling");
  }
  if (command.until && *command.until <= entry_.at) {
    return fail(ErrorCode::kInvalid, "cannot disable jobs until a time that is over");
  }
  for (const std::string& name : command.names) {
    JobEntry& entry = *state_.job(name);
    const Job& job = entry.job;
    if (job.spec->enabled == command.enabled && job.disabled_until == command.until) {
      item(name, "unchanged", job.version);
      continue;
    }
    set_enabled(entry, command.enabled, command.until);
    if (command.enabled) entry.job.cursor = std::max(entry.job.cursor, entry_.at);
    const std::string_view action = command.enabled ? "enabled" : "disabled";
    item(name, action, job.version);
    event("job." + std::string(action), name, "");
  }
  return {};
}

void Applier::set_enabled(JobEntry& entry, bool enabled, std::optional<WallTime> until) {
  Job& job = entry.job;
  job.disabled_until = until;
  changed_jobs_.insert(job.uid);
  state_.mark_dirty(entry);
  if (job.spec->enabled == enabled) return;
  model::JobSpec spec = *job.spec;
  spec.enabled = enabled;
  new_version(entry, std::move(spec));
  if (!enabled) revoke_claims(job.uid, Reason::kDisabled);
}

}  // namespace distcron::planner
