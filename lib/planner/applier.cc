// SPDX-License-Identifier: Apache-2.0
#include "planner/applier.h"

#include <algorithm>
#include <utility>

#include "model/units.h"

namespace distcron::planner {

using model::Reason;
using model::RunState;

Applied Applier::apply() {
  if (is_repeat()) {
    out_.is_repeat = true;
  } else if (Status status =
                 std::visit([this](const auto& command) { return run(command); }, entry_.command);
             !status) {
    out_ = Applied{};
    out_.status = std::move(status);
  } else {
    gather();
    note_request();
  }
  out_.changes.index = index_;
  out_.changes.next_run_id = state_.next_run_id;
  out_.changes.next_job_id = state_.next_job_id;
  return std::move(out_);
}

/// Members of the first level take every entry as it is.
bool Applier::is_repeat() const {
  return !entry_.request_id.empty() && state_.requests.knows(entry_.request_id, entry_.at) &&
         state_.feature_level() >= model::kRepeatLevel;
}

void Applier::note_request() {
  if (entry_.request_id.empty()) return;
  state_.requests.add(entry_.request_id, entry_.at);
  out_.changes.request_id = entry_.request_id;
  out_.changes.request_at = entry_.at;
}

void Applier::gather() {
  for (const std::uint64_t uid : changed_jobs_) {
    if (const JobEntry* entry = state_.job(uid)) out_.changes.jobs.push_back(entry->job);
  }
  for (const std::uint64_t uid : moved_cursors_) {
    if (changed_jobs_.contains(uid)) continue;
    if (const JobEntry* entry = state_.job(uid)) {
      out_.changes.cursors.push_back({.job_uid = uid, .cursor = entry->job.cursor});
    }
  }
}

Status Applier::run(const model::InitCluster& command) {
  if (state_.cluster) {
    return fail(ErrorCode::kConflict, "cannot make cluster \"" + command.name +
                                          "\": this host belongs to cluster \"" +
                                          state_.cluster->name + "\"");
  }
  state_.cluster = Cluster{.name = command.name,
                           .cluster_id = command.cluster_id,
                           .incarnation = command.incarnation,
                           .tz = command.tz};
  out_.changes.cluster = state_.cluster;
  item(command.name, "created");
  event("cluster.created", command.name, "");
  return {};
}

Status Applier::run(const model::PutKey& command) {
  const model::AccessKey& key = command.key;
  if (key.name.empty() || key.public_key.size() != 40) {
    return fail(ErrorCode::kInvalid, "cannot add key \"" + key.name +
                                         "\": it needs a name and a public key of 40 characters");
  }
  for (const auto& [name, known] : state_.keys) {
    if (name != key.name && known.public_key == key.public_key) {
      return fail(ErrorCode::kConflict,
                  "cannot add key \"" + key.name + "\": the same key is known as \"" + name + "\"");
    }
  }
  const bool is_new = !state_.keys.contains(key.name);
  state_.keys[key.name] = key;
  out_.changes.keys.push_back(key);
  item(key.name, is_new ? "created" : "updated");
  event(is_new ? "key.added" : "key.changed", key.name, model::name_of(key.role));
  return {};
}

Status Applier::run(const model::RemoveKey& command) {
  const auto found = state_.keys.find(command.name);
  if (found == state_.keys.end()) {
    return fail(ErrorCode::kNotFound, "no key named \"" + command.name + "\"");
  }
  state_.keys.erase(found);
  out_.changes.removed_keys.push_back(command.name);
  item(command.name, "removed");
  event("key.removed", command.name, "");
  return {};
}

Status Applier::run(const model::PutSetting& command) {
  if (command.key.empty() || command.key.starts_with(kInternalPrefix)) {
    return fail(ErrorCode::kInvalid, "cannot change setting \"" + command.key + "\"");
  }
  const bool is_odd = command.value == "3" || command.value == "5" || command.value == "7";
  if (command.key == kVotersSetting && !is_odd) {
    return fail_hint(ErrorCode::kInvalid, "voters: \"" + command.value + "\" is not possible",
                     "one of: 3, 5, 7");
  }
  if (command.key == kSingleSetting) DC_CHECK_OK(check_single(command.value));
  if (command.key == kNoQuorumMaxSetting && state_.feature_level() >= model::kLocalLevel) {
    if (const auto span = model::parse_duration(command.value); !span) {
      return fail(Error(span.error()).within("no_quorum_max"));
    }
  }
  if (command.key == "name") return rename_cluster(command.value);
  const auto found = state_.settings.find(command.key);
  const bool is_same = found != state_.settings.end() && found->second == command.value;
  put_setting(command.key, command.value);
  item(command.key, is_same ? "unchanged" : "updated");
  if (!is_same) event("setting.changed", command.key, command.value);
  return {};
}

Status Applier::check_single(const std::string& value) const {
  if (value != "true" && value != "false") {
    return fail_hint(ErrorCode::kInvalid, "single: \"" + value + "\" is not possible",
                     "one of: true, false");
  }
  const auto members =
      std::count_if(state_.nodes.begin(), state_.nodes.end(),
                    [](const auto& node) { return model::is_member(node.second); });
  if (value == "true" && members > 1) {
    return fail(ErrorCode::kConflict,
                "single: the cluster has " + std::to_string(members) + " nodes already");
  }
  return {};
}

Status Applier::rename_cluster(const std::string& name) {
  DC_CHECK_OK(model::check_node_name(name));
  if (!state_.cluster) return fail(ErrorCode::kUnavailable, "there is no cluster yet");
  const bool is_same = state_.cluster->name == name;
  item(name, is_same ? "unchanged" : "updated");
  if (is_same) return {};
  event("setting.changed", "name", name);
  state_.cluster->name = name;
  out_.changes.cluster = state_.cluster;
  return {};
}

Status Applier::run(const model::PruneRuns& command) {
  for (const std::int64_t id : command.run_ids) {
    if (!state_.runs.contains(id)) out_.changes.removed_runs.push_back(id);
  }
  return {};
}

void Applier::finish(LiveRun& live, RunState state, Reason reason) {
  model::Run run = live.run;
  state_.remove_run(run.run_id);
  run.state = state;
  run.reason = reason;
  run.not_before.reset();
  put(run);
  note_end(run);
  // Runs that wait for this one's place; where all may run at once nobody waits for it.
  const JobEntry* entry = state_.job(run.job_uid);
  if (entry == nullptr || entry->job.spec->concurrency != model::Concurrency::kAllow) {
    state_.wake_first_queued(run.job_uid);
  }
  out_.orders.emplace_back(RunFinal{std::move(run)});
}

void Applier::note_end(const model::Run& run) {
  const bool is_lost = run.state == RunState::kLost || run.state == RunState::kUnknown;
  if (!model::has_run(run.state) && !is_lost) return;
  JobEntry* entry = state_.job(run.job_uid);
  if (entry == nullptr) return;
  Job& job = entry->job;
  job.last_started_at = run.started_at;
  job.last_ended_at = run.ended_at;
  job.last_state = run.state;
  job.last_run_id = run.run_id;
  if (run.state == RunState::kOk) {
    job.failures = 0;
  } else if (run.state != RunState::kKilled) {
    ++job.failures;
  }
  changed_jobs_.insert(run.job_uid);
}

void Applier::put_setting(std::string key, std::string value) {
  state_.settings[key] = value;
  out_.changes.settings.emplace_back(std::move(key), std::move(value));
}

void Applier::drop_setting(std::string_view key) {
  const auto found = state_.settings.find(key);
  if (found == state_.settings.end()) return;
  out_.changes.removed_settings.push_back(found->first);
  state_.settings.erase(found);
}

void Applier::item(std::string_view name, std::string_view action, std::int64_t version,
                   std::int64_t run_id) {
  AppliedItem line;
  line.name = name;
  line.action = action;
  line.version = version;
  line.run_id = run_id;
  out_.items.push_back(std::move(line));
}

void Applier::event(std::string_view type, std::string_view object, std::string_view text) {
  Changes::Event line;
  line.at = entry_.at;
  line.type = type;
  line.actor = entry_.actor;
  line.object = object;
  line.text = text;
  if (!entry_.note.empty()) line.text += (line.text.empty() ? "" : ": ") + entry_.note;
  line.request_id = entry_.request_id;
  out_.changes.events.push_back(std::move(line));
}

}  // namespace distcron::planner
