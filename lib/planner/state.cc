// SPDX-License-Identifier: Apache-2.0
#include "planner/state.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "model/units.h"
#include "planner/applier.h"
#include "planner/explain.h"
#include "planner/slots.h"
#include "planner/turn.h"

namespace distcron::planner {

struct State::Impl : StateData {};

State::State(FindZone find_zone) : impl_(std::make_unique<Impl>()) {
  impl_->find_zone = std::move(find_zone);
}

State::~State() = default;
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;

Status State::load_job(Job job) {
  if (job.spec == nullptr || job.uid == 0) {
    return fail(ErrorCode::kCorrupt, "cannot load job " + std::to_string(job.id) + ": no spec");
  }
  auto compiled = model::compile_schedules(*job.spec, job.uid);
  if (!compiled) {
    return fail(ErrorCode::kCorrupt, std::move(compiled.error()).within("cannot load it").message);
  }
  job.schedules = std::move(*compiled);
  impl_->add_job(std::move(job));
  return {};
}

void State::load_run(model::Run run) {
  if (!model::is_final(run.state)) impl_->add_run(std::move(run));
}

void State::load_key(model::AccessKey key) {
  std::string name = key.name;
  impl_->keys[std::move(name)] = std::move(key);
}

void State::load_node(Node node) {
  const std::int64_t id = node.id;
  impl_->nodes[id] = std::move(node);
}

void State::load_token(JoinToken token) {
  std::string id = token.id;
  impl_->tokens[std::move(id)] = std::move(token);
}

void State::load_setting(std::string key, std::string value) {
  impl_->load_hold(key, value);
  impl_->settings[std::move(key)] = std::move(value);
}

void State::load_cluster(Cluster cluster) {
  impl_->cluster = std::move(cluster);
}

void State::load_request(const std::string& id, WallTime at) {
  impl_->requests.add(id, at);
}

void State::load_counters(std::int64_t next_run_id, std::int64_t next_job_id) {
  impl_->next_run_id = std::max<std::int64_t>(next_run_id, 1);
  impl_->next_job_id = std::max<std::int64_t>(next_job_id, 1);
}

Applied State::apply(const model::Entry& entry, LogIndex index) {
  return Applier(*impl_, entry, index).apply();
}

bool State::awaits_local_runs(const Situation& situation) const {
  std::set<std::string_view> names;
  for (const HostSituation& host : situation.nodes) {
    const Node* node = host.is_alive && host.has_local_runs ? find_node(host.node_id) : nullptr;
    if (node != nullptr && model::is_member(*node)) names.insert(node->name);
  }
  if (names.empty()) return false;
  return std::any_of(impl_->jobs.begin(), impl_->jobs.end(), [&names](const auto& item) {
    const model::JobSpec& spec = *item.second.job.spec;
    return spec.on_no_quorum == model::OnNoQuorum::kRunLocal && spec.enabled &&
           names.contains(model::pinned_host(spec));
  });
}

Plan State::due(const Situation& situation) {
  return Turn(*impl_, situation).run();
}

bool State::refresh_timers() {
  return impl_->refresh_timers(kLookAhead);
}

namespace {

/// Names, uids and run ids that a command may touch.
struct Touched {
  std::set<std::string_view> names;
  std::set<std::uint64_t> uids;
  std::set<std::int64_t> runs;
  bool is_all = false;

  void add(const model::PutJobs& command) {
    for (const model::JobPut& put : command.puts)
      names.insert(put.spec.name);
  }

  void add(const model::RemoveJobs& command) {
    names.insert(command.names.begin(), command.names.end());
  }

  void add(const model::RenameJob& command) { names.insert({command.name, command.new_name}); }

  void add(const model::SetEnabled& command) {
    names.insert(command.names.begin(), command.names.end());
  }

  void add(const model::TriggerRun& command) { names.insert(command.job); }

  void add(const model::Decide& command) {
    for (const model::Decision& decision : command.decisions)
      uids.insert(decision.job_uid);
    for (const model::CursorMove& move : command.cursors)
      uids.insert(move.job_uid);
    names.insert(command.enable_again.begin(), command.enable_again.end());
  }

  void add(const model::HostReports& command) {
    for (const model::HostReport& report : command.reports)
      runs.insert(report.run_id);
  }

  void add(const model::KillRuns& command) {
    runs.insert(command.run_ids.begin(), command.run_ids.end());
  }

  void add(const model::ReleaseRuns& command) {
    runs.insert(command.run_ids.begin(), command.run_ids.end());
  }

  void add(const model::LocalRuns& command) {
    for (const model::LocalRun& line : command.runs)
      uids.insert(line.job_uid);
  }

  void add(const model::PutNode&) { is_all = true; }  // may boot any job

  void add(const model::PruneRuns& command) {
    runs.insert(command.run_ids.begin(), command.run_ids.end());
  }

  // These may end or wake any run.
  void add(const model::DrainNode&) { is_all = true; }

  void add(const model::UndrainNode&) { is_all = true; }

  void add(const model::RemoveNode&) { is_all = true; }

  void add(const model::RaiseIncarnation&) { is_all = true; }

  void add(const model::Pause&) { is_all = true; }

  void add(const model::Resume&) { is_all = true; }

  // The rest touches only what is copied anyway.
  template <class Command>
  void add(const Command& /*command*/) {}
};

/// A copy of the touched jobs with their live runs, and of everything that is small.
StateData scratch_copy(const StateData& whole, Touched touched) {
  StateData copy;
  copy.keys = whole.keys;
  copy.nodes = whole.nodes;
  copy.tokens = whole.tokens;
  copy.settings = whole.settings;
  copy.holds = whole.holds;
  copy.cluster = whole.cluster;
  copy.next_run_id = whole.next_run_id;
  copy.next_job_id = whole.next_job_id;
  copy.whole = &whole;
  for (const std::int64_t id : touched.runs) {
    const auto found = whole.runs.find(id);
    if (found != whole.runs.end()) touched.uids.insert(found->second.run.job_uid);
  }
  for (const std::string_view name : touched.names) {
    const auto found = whole.names.find(name);
    if (found != whole.names.end()) touched.uids.insert(found->second);
  }
  if (touched.is_all) {
    for (const auto& item : whole.jobs)
      touched.uids.insert(item.first);
  }
  for (const std::uint64_t uid : touched.uids) {
    if (const JobEntry* entry = whole.job(uid)) copy.add_job(entry->job);
    for (const std::int64_t id : whole.run_ids_of(uid))
      copy.add_run(whole.runs.at(id).run);
  }
  return copy;
}

}  // namespace

Applied State::dry_run(const model::Entry& entry) const {
  Touched touched;
  std::visit([&](const auto& command) { touched.add(command); }, entry.command);
  StateData copy = scratch_copy(*impl_, std::move(touched));
  return Applier(copy, entry, 0).apply();
}

const Job* State::find_job(std::string_view name) const {
  const JobEntry* entry = impl_->job(name);
  return entry != nullptr ? &entry->job : nullptr;
}

const Job* State::find_job(std::uint64_t uid) const {
  const JobEntry* entry = impl_->job(uid);
  return entry != nullptr ? &entry->job : nullptr;
}

std::vector<const Job*> State::jobs_by_name() const {
  std::vector<const Job*> out;
  out.reserve(impl_->names.size());
  for (const auto& [name, uid] : impl_->names)
    out.push_back(&impl_->job(uid)->job);
  return out;
}

std::size_t State::job_count() const {
  return impl_->jobs.size();
}

const model::Run* State::find_live_run(std::int64_t run_id) const {
  const LiveRun* live = impl_->live(run_id);
  return live != nullptr ? &live->run : nullptr;
}

std::vector<const model::Run*> State::live_runs() const {
  std::vector<const model::Run*> out;
  out.reserve(impl_->runs.size());
  for (const auto& item : impl_->runs)
    out.push_back(&item.second.run);
  return out;
}

std::vector<const model::Run*> State::live_runs_of(std::uint64_t job_uid) const {
  std::vector<const model::Run*> out;
  for (const std::int64_t id : impl_->run_ids_of(job_uid)) {
    out.push_back(&impl_->runs.at(id).run);
  }
  return out;
}

const model::AccessKey* State::find_key(std::string_view public_key) const {
  for (const auto& item : impl_->keys) {
    if (item.second.public_key == public_key) return &item.second;
  }
  return nullptr;
}

std::vector<model::AccessKey> State::keys() const {
  std::vector<model::AccessKey> out;
  for (const auto& item : impl_->keys)
    out.push_back(item.second);
  return out;
}

std::vector<Node> State::nodes() const {
  std::vector<Node> out;
  for (const auto& item : impl_->nodes) {
    if (model::is_member(item.second)) out.push_back(item.second);
  }
  return out;
}

std::vector<Node> State::all_nodes() const {
  std::vector<Node> out;
  for (const auto& item : impl_->nodes)
    out.push_back(item.second);
  return out;
}

const Node* State::find_node(std::int64_t id) const {
  const auto found = impl_->nodes.find(id);
  return found != impl_->nodes.end() ? &found->second : nullptr;
}

const Node* State::find_node(std::string_view name_or_id) const {
  if (const Node* node = impl_->member(name_or_id)) return node;
  std::int64_t id = 0;
  const char* const end = name_or_id.data() + name_or_id.size();
  const auto [stop, error] = std::from_chars(name_or_id.data(), end, id);
  return error == std::errc{} && stop == end ? impl_->member(id) : nullptr;
}

std::vector<JoinToken> State::tokens() const {
  std::vector<JoinToken> out;
  for (const auto& item : impl_->tokens)
    out.push_back(item.second);
  return out;
}

std::optional<WallTime> State::paused_until(WallTime now) const {
  if (!impl_->is_paused(now)) return std::nullopt;
  return wall_from_micros(impl_->number_setting(kPausedSetting, 0));
}

bool State::is_single() const {
  const auto found = impl_->settings.find(kSingleSetting);
  return found != impl_->settings.end() && found->second == "true";
}

std::int64_t State::wanted_voters() const {
  return impl_->number_setting(kVotersSetting, 5);
}

std::map<std::int64_t, std::int32_t> State::holds_on(std::int64_t node_id) const {
  std::map<std::int64_t, std::int32_t> out;
  for (const auto& [run_id, hold] : impl_->holds) {
    if (hold.node_id == node_id) out.emplace(run_id, hold.attempt);
  }
  return out;
}

std::vector<Place> State::places() const {
  std::vector<Place> out;
  for (const auto& [id, live] : impl_->runs) {
    const model::Run& run = live.run;
    const JobEntry* entry = std::as_const(*impl_).job(run.job_uid);
    const bool excludes =
        entry != nullptr && entry->job.spec->concurrency != model::Concurrency::kAllow;
    if (!excludes || !is_busy(run.state)) continue;
    out.push_back({id, run.job_uid, run.node_id, run.attempt, &run});
  }
  for (const auto& [id, hold] : impl_->holds)
    out.push_back({id, hold.job_uid, hold.node_id, hold.attempt, nullptr});
  std::sort(out.begin(), out.end(),
            [](const Place& a, const Place& b) { return a.run_id < b.run_id; });
  return out;
}

std::map<std::string, std::int64_t> State::unknown_zones() const {
  std::map<std::string, std::int64_t> out;
  for (const std::uint64_t uid : impl_->zoneless) {
    const JobEntry* entry = std::as_const(*impl_).job(uid);
    const bool waits =
        entry != nullptr && entry->job.spec->enabled && !entry->job.schedules.empty();
    if (waits) ++out[entry->job.spec->tz];
  }
  std::erase_if(out, [this](const auto& item) { return impl_->find_zone(item.first) != nullptr; });
  return out;
}

std::optional<WallTime> State::decided_at() const {
  return impl_->decided_at;
}

std::int32_t State::feature_level() const {
  return impl_->feature_level();
}

const Cluster& State::cluster() const {
  static const Cluster kNone;
  return impl_->cluster ? *impl_->cluster : kNone;
}

std::optional<std::string> State::setting(std::string_view key) const {
  const auto found = impl_->settings.find(key);
  if (found == impl_->settings.end()) return std::nullopt;
  return found->second;
}

std::map<std::string, std::string> State::settings() const {
  std::map<std::string, std::string> out(impl_->settings.begin(), impl_->settings.end());
  std::erase_if(out, [](const auto& item) { return item.first.starts_with(kInternalPrefix); });
  return out;
}

std::optional<WallTime> State::next_slot(const Job& job, WallTime after, bool even_disabled) const {
  if (!job.spec->enabled && !even_disabled) return std::nullopt;
  const cron::Zone* zone = impl_->find_zone(job.spec->tz);
  if (zone == nullptr) return std::nullopt;
  return next_slot_of(job, after, *zone);
}

LocalLook State::look_alone(const Job& job, WallTime after, WallTime now) const {
  LocalLook look;
  look.seen_to = after;
  const cron::Zone* zone = impl_->find_zone(job.spec->tz);
  if (zone == nullptr || !job.spec->enabled) return look;
  const SlotLimits limits = limits_of(*job.spec, interval_of(job, *zone, after));
  // What is older would be let go by in any case.
  look.seen_to = std::max(after, now - limits.late - Micros{1});
  std::optional<WallTime> slot = next_slot_of(job, look.seen_to, *zone);
  while (slot && *slot + jitter_of(job, *slot) <= now) {
    look.due.push_back(*slot);
    look.seen_to = *slot;
    slot = next_slot_of(job, *slot, *zone);
  }
  if (slot) look.next = *slot + jitter_of(job, *slot);
  return look;
}

SlotGap State::slots_between(const Job& job, WallTime from, WallTime to) const {
  constexpr std::size_t kKept = 100;
  SlotGap gap;
  const cron::Zone* zone = impl_->find_zone(job.spec->tz);
  if (zone == nullptr) return gap;
  SlotTail tail(kKept);
  std::optional<WallTime> slot = next_slot_of(job, from, *zone);
  for (; slot && *slot < to; slot = next_slot_of(job, *slot, *zone))
    tail.add(*slot);
  gap.slots = tail.kept();
  gap.earlier = tail.earlier().count;
  gap.first = tail.earlier().first;
  return gap;
}

std::int64_t State::last_local_run(std::int64_t node_id) const {
  return impl_->last_local_run(node_id);
}

std::int64_t State::next_run_id() const {
  return impl_->next_run_id;
}

Millis State::no_quorum_max() const {
  constexpr Millis kDay{86'400'000};
  const auto found = impl_->settings.find(kNoQuorumMaxSetting);
  if (found == impl_->settings.end()) return kDay;
  return model::parse_duration(found->second).value_or(kDay);
}

std::string State::dump() const {
  return dump_of(*impl_);
}

Explanation State::explain(const Job* job, std::string_view name, WallTime at, WallTime now,
                           const std::optional<model::Run>& stored) const {
  return explain_slot(*impl_, {.job = job, .name = name, .at = at, .now = now, .stored = stored});
}

}  // namespace distcron::planner
