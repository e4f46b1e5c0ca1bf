// SPDX-License-Identifier: Apache-2.0
#include "planner/applier.h"

#include <utility>

#include "model/selector.h"

namespace distcron::planner {

using model::Reason;
using model::RunState;

Applied Applier::apply() {
  Status status = std::visit([this](const auto& command) { return run(command); }, entry_.command);
  if (!status) {
    out_ = Applied{};
    out_.status = std::move(status);
  } else {
    gather();
    out_.changes.request_id = entry_.request_id;
  }
  out_.changes.index = index_;
  out_.changes.next_run_id = state_.next_run_id;
  out_.changes.next_job_id = state_.next_job_id;
  return std::move(out_);
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

Status Applier::run(const model::PutNode& command) {
  if (command.id <= 0 || command.name.empty()) {
    return fail(ErrorCode::kInvalid, "cannot add a node: it needs a positive id and a name");
  }
  for (const auto& [id, node] : state_.nodes) {
    if (id != command.id && node.name == command.name) {
      return fail(ErrorCode::kConflict, "cannot add node \"" + command.name +
                                            "\": the name belongs to node " + std::to_string(id));
    }
  }
  const auto known = state_.nodes.find(command.id);
  const bool is_new = known == state_.nodes.end();
  const bool has_booted = !is_new && known->second.boot_id != command.boot_id;
  const Node node{.id = command.id,
                  .name = command.name,
                  .boot_id = command.boot_id,
                  .address = command.address,
                  .version = command.version,
                  .labels = command.labels};
  state_.nodes[command.id] = node;
  out_.changes.nodes.push_back(node);
  item(command.name, is_new ? "created" : "updated");
  event(is_new       ? "node.joined"
        : has_booted ? "node.booted"
                     : "node.restarted",
        command.name, command.version);
  // To join is not to boot: a job that is already there was not meant for it.
  if (has_booted) start_reboot_runs(node);
  for (const auto& [uid, ids] : state_.runs_of)
    state_.wake_queued(uid);
  return {};
}

void Applier::start_reboot_runs(const Node& node) {
  for (const auto& [name, uid] : state_.names) {
    const Job& job = state_.job(uid)->job;
    bool wants_boot = false;
    for (const cron::Schedule& schedule : job.schedules) {
      wants_boot = wants_boot || schedule.kind == cron::ScheduleKind::kReboot;
    }
    if (!wants_boot || !job.spec->enabled) continue;
    const std::string& origin_host = job.spec->origin_host;
    if (!origin_host.empty() && origin_host != node.name) continue;
    if (!model::matches(job.spec->on, node.name, node.labels)) continue;
    model::Run run;
    run.run_id = state_.next_run_id++;
    run.job_uid = uid;
    run.job = name;
    run.job_version = job.version;
    run.origin = "reboot:" + std::to_string(node.id) + ":" + node.boot_id;
    run.scheduled_at = entry_.at;
    run.trigger = model::Trigger::kReboot;
    run.node_id = node.id;
    run.node = node.name;
    run.incarnation = state_.cluster ? state_.cluster->incarnation : 0;
    run.created_at = entry_.at;
    run.facts.push_back({"schedule", true, "@reboot: host " + node.name + " was booted"});
    put(run);
    state_.add_run(std::move(run));
  }
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
  if (command.key.empty() || command.key == kTermSetting) {
    return fail(ErrorCode::kInvalid, "cannot change setting \"" + command.key + "\"");
  }
  const auto found = state_.settings.find(command.key);
  const bool is_same = found != state_.settings.end() && found->second == command.value;
  put_setting(command.key, command.value);
  item(command.key, is_same ? "unchanged" : "updated");
  if (!is_same) event("setting.changed", command.key, command.value);
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
