// SPDX-License-Identifier: Apache-2.0
// World: a State with a clock, a log and the rows that a store would keep, for planner tests.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cron/zone.h"
#include "model/units.h"
#include "planner/recent_requests.h"
#include "planner/state.h"

namespace distcron::planner {

/// 2026-11-20T00:00:00Z, a Friday.
inline constexpr WallTime kT0 = wall_from_seconds(1'795'132'800);

inline State::FindZone test_zones() {
  return [cache = std::make_shared<cron::ZoneCache>(),
          kept = std::make_shared<std::vector<std::shared_ptr<const cron::Zone>>>()](
             std::string_view name) -> const cron::Zone* {
    auto zone = cache->find(name);
    if (!zone) return nullptr;
    if (std::find(kept->begin(), kept->end(), *zone) == kept->end()) kept->push_back(*zone);
    return zone->get();
  };
}

/// What a store keeps of all Changes.
struct Rows {
  std::map<std::uint64_t, Job> jobs;
  std::map<std::int64_t, model::Run> runs;
  std::map<std::string, model::AccessKey> keys;
  std::map<std::int64_t, Node> nodes;
  std::map<std::string, JoinToken> tokens;
  std::map<std::string, std::string> settings;
  RecentRequests requests;
  std::optional<Cluster> cluster;
  std::int64_t next_run_id = 1;
  std::int64_t next_job_id = 1;
  std::vector<Changes::Event> events;

  void write(const Changes& changes) {
    for (const std::uint64_t uid : changes.removed_jobs)
      jobs.erase(uid);
    for (const Job& job : changes.jobs) {
      Job row = job;
      row.schedules.clear();
      jobs[job.uid] = std::move(row);
    }
    for (const model::CursorMove& move : changes.cursors)
      jobs.at(move.job_uid).cursor = move.cursor;
    for (const model::Run& run : changes.runs)
      runs[run.run_id] = run;
    for (const std::int64_t id : changes.removed_runs)
      runs.erase(id);
    for (const model::AccessKey& key : changes.keys)
      keys[key.name] = key;
    for (const std::string& name : changes.removed_keys)
      keys.erase(name);
    for (const Node& node : changes.nodes)
      nodes[node.id] = node;
    for (const std::string& id : changes.removed_tokens)
      tokens.erase(id);
    for (const JoinToken& token : changes.tokens)
      tokens[token.id] = token;
    for (const std::string& key : changes.removed_settings)
      settings.erase(key);
    for (const auto& [key, value] : changes.settings)
      settings[key] = value;
    if (!changes.request_id.empty()) requests.add(changes.request_id, changes.request_at);
    if (changes.cluster) cluster = changes.cluster;
    next_run_id = changes.next_run_id;
    next_job_id = changes.next_job_id;
    events.insert(events.end(), changes.events.begin(), changes.events.end());
  }

  [[nodiscard]] State load(State::FindZone zones = test_zones()) const {
    State state(std::move(zones));
    for (const auto& item : jobs)
      static_cast<void>(state.load_job(item.second));
    for (const auto& item : runs)
      state.load_run(item.second);
    for (const auto& item : keys)
      state.load_key(item.second);
    for (const auto& item : nodes)
      state.load_node(item.second);
    for (const auto& item : tokens)
      state.load_token(item.second);
    for (const auto& [key, value] : settings)
      state.load_setting(key, value);
    if (cluster) state.load_cluster(*cluster);
    requests.each([&state](const std::string& id, WallTime at) { state.load_request(id, at); });
    state.load_counters(next_run_id, next_job_id);
    return state;
  }
};

struct World {
  State state{test_zones()};
  Rows rows;
  Situation situation{.now = kT0, .term = 1, .nodes = {}};
  LogIndex index = 0;
  std::uint64_t next_uid = 1000;
  std::vector<Order> orders;          ///< Of the last apply.
  std::vector<model::Entry> entries;  ///< The log.
  std::string actor = "admin";

  World() {
    apply(model::InitCluster{.name = "c", .cluster_id = "0", .incarnation = 7, .tz = "UTC"});
    apply(node("boot-1"));
  }

  static model::PutNode node(std::string boot_id) {
    model::PutNode out;
    out.id = 1;
    out.name = "web1";
    out.boot_id = std::move(boot_id);
    out.feature_level = model::kFeatureLevel;
    return out;
  }

  Applied apply(model::Command command, std::string request_id = "") {
    model::Entry entry;
    entry.at = situation.now;
    entry.actor = actor;
    entry.request_id = std::move(request_id);
    entry.command = std::move(command);
    entries.push_back(entry);
    Applied out = state.apply(entry, ++index);
    rows.write(out.changes);
    orders = out.orders;
    return out;
  }

  static model::JobSpec spec(std::string name, std::string schedule) {
    model::JobSpec out;
    out.name = std::move(name);
    if (!schedule.empty()) out.schedule = {std::move(schedule)};
    out.command = "true";
    out.user = "root";
    return out;
  }

  Applied put(model::JobSpec job, model::PutMode mode = model::PutMode::kReplace) {
    model::JobPut line;
    line.spec = std::move(job);
    line.mode = mode;
    line.new_uid = next_uid++;
    model::PutJobs command;
    command.puts.push_back(std::move(line));
    return apply(std::move(command));
  }

  /// One turn of the scheduler; the decisions that were applied.
  std::vector<model::Decision> turn() {
    Plan plan = state.due(situation);
    wake_at = plan.wake_at;
    if (!plan.decide) return {};
    std::vector<model::Decision> out = plan.decide->decisions;
    apply(std::move(*plan.decide));
    return out;
  }

  /// Turns until nothing is left to decide.
  std::vector<model::Decision> settle() {
    std::vector<model::Decision> out;
    for (int i = 0; i < 1000; ++i) {
      const Plan plan = state.due(situation);
      wake_at = plan.wake_at;
      if (!plan.decide) return out;
      out.insert(out.end(), plan.decide->decisions.begin(), plan.decide->decisions.end());
      apply(*plan.decide);
    }
    return out;
  }

  void sleep(Micros span) { situation.now += span; }

  Applied report(const model::HostReport& line) {
    model::HostReports command;
    command.node_id = 1;
    command.reports.push_back(line);
    return apply(std::move(command));
  }

  Applied start(std::int64_t run_id) {
    model::HostReport line;
    line.kind = model::ReportKind::kStarted;
    line.run_id = run_id;
    line.attempt = run(run_id).attempt;
    line.started_at = situation.now;
    line.pid = 4711;
    return report(line);
  }

  Applied end(std::int64_t run_id, model::RunState outcome,
              model::Reason reason = model::Reason::kNone) {
    model::HostReport line;
    line.kind = model::ReportKind::kEnded;
    line.run_id = run_id;
    line.attempt = run(run_id).attempt;
    line.outcome = outcome;
    line.reason = reason;
    line.ended_at = situation.now;
    if (outcome == model::RunState::kFailed) line.exit_code = 1;
    if (outcome == model::RunState::kOk) line.exit_code = 0;
    return report(line);
  }

  Applied unstarted(std::int64_t run_id, model::Reason reason) {
    model::HostReport line;
    line.kind = model::ReportKind::kUnstarted;
    line.run_id = run_id;
    line.attempt = run(run_id).attempt;
    line.reason = reason;
    return report(line);
  }

  [[nodiscard]] const model::Run& run(std::int64_t run_id) const { return rows.runs.at(run_id); }

  [[nodiscard]] const model::Run& last_run() const { return rows.runs.rbegin()->second; }

  [[nodiscard]] const Job& job(std::string_view name) const { return *state.find_job(name); }

  /// "ok", "missed(too_late)" ...
  [[nodiscard]] std::string outcome(std::int64_t run_id) const {
    const model::Run& row = run(run_id);
    std::string out(model::name_of(row.state));
    if (row.reason != model::Reason::kNone) {
      out += "(" + std::string(model::name_of(row.reason)) + ")";
    }
    return out;
  }

  template <class T>
  [[nodiscard]] std::vector<T> orders_of() const {
    std::vector<T> out;
    for (const Order& order : orders) {
      if (const T* found = std::get_if<T>(&order)) out.push_back(*found);
    }
    return out;
  }

  std::optional<WallTime> wake_at;
};

}  // namespace distcron::planner
