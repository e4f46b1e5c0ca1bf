// SPDX-License-Identifier: Apache-2.0
#include "agent/local_runs.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <variant>

#include "agent/host.h"
#include "base/mutant.h"
#include "consensus/message.h"
#include "model/command.h"
#include "model/selector.h"
#include "model/units.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr std::string_view kNotePrefix = "local ";
constexpr Micros kLookEvery{1'000'000};  // the wall clock may be set
constexpr std::size_t kLinesPerEntry = 1'000;
constexpr Seconds kSayPause{1};

/// The host's word of a run from which on it is no news any more whether it was started.
bool is_heard(const model::LocalRun& line) {
  return line.report.run_id != 0;
}

bool is_over(const model::LocalRun& line) {
  return is_heard(line) && line.report.kind != model::ReportKind::kStarted;
}

}  // namespace

std::vector<model::LocalRun> local_runs_of_log(const store::Loaded& loaded, std::int64_t node_id) {
  std::vector<model::LocalRun> out;
  for (const store::LogEntry& stored : loaded.unapplied()) {
    if (stored.kind != static_cast<std::uint8_t>(consensus::EntryKind::kCommand)) continue;
    auto entry = wire::decode<model::Entry>(stored.bytes);
    if (!entry) continue;
    auto* command = std::get_if<model::LocalRuns>(&entry->command);
    if (command == nullptr || command->node_id != node_id) continue;
    std::move(command->runs.begin(), command->runs.end(), std::back_inserter(out));
  }
  return out;
}

std::string local_note(const model::LocalRun& line) {
  return std::string(kNotePrefix) + wire::encode(line);
}

std::optional<model::LocalRun> noted_local(const std::string& note) {
  if (!note.starts_with(kNotePrefix)) return std::nullopt;
  auto line = wire::decode<model::LocalRun>(std::string_view(note).substr(kNotePrefix.size()));
  if (!line) return std::nullopt;
  return std::move(*line);
}

void LocalRuns::load(const std::vector<store::JournalPut>& journal, std::optional<WallTime> contact,
                     const Now& now) {
  last_contact_ = now.mono;
  if (contact && *contact < now.wall) last_contact_ = now.mono - (now.wall - *contact);
  for (const model::LocalRun& line : facts_.said)
    said_.insert({line.job_uid, line.scheduled_at});
  for (const store::JournalPut& put : journal) {
    const std::optional<model::LocalRun> line = noted_local(put.bytes);
    if (!line || line->run_id != put.run_id) continue;
    if (!model::is_local_id_of(put.run_id, facts_.node_id)) continue;  // of another life
    slots_.insert({line->job_uid, line->scheduled_at});
    runs_.emplace(put.run_id, *line);
  }
}

// --- alone ---------------------------------------------------------------------------------------

void LocalRuns::turn(const Now& now, bool clock_trusted, bool is_cast_out) {
  wake_at_.reset();
  const bool has_contact = log_.raft().has_quorum() || log_.is_alone();
  if (has_contact) {
    last_contact_ = now.mono;
    lost_since_.reset();
    is_alone_ = false;
    seen_to_.clear();
  } else if (!lost_since_) {
    lost_since_ = now.mono;
  }
  drop_said();
  const model::Node* self = state_.find_node(facts_.node_id);
  if (self != nullptr && !model::is_member(*self)) purge();
  if (has_contact) {
    if (!log_.is_caught_up()) return;
    said_.clear();
    return say(now);
  }
  if (state_.feature_level() < model::kLocalLevel) return;
  // Without a range of its own, or where the log has come to the first of them.
  if (facts_.node_id >= model::kLocalNodesMax || state_.next_run_id() > model::kLocalIds) return;
  if (facts_.is_removed_in_log && !log_.is_caught_up()) return;
  const MonoTime takes_over = *lost_since_ + facts_.takes_over;
  const MonoTime ends = last_contact_ + state_.no_quorum_max();
  is_alone_ =
      now.mono >= takes_over && (now.mono < ends || mutant("local-for-ever")) && !is_cast_out;
  if (!is_alone_) {
    if (now.mono < takes_over) wake_at_ = takes_over;
    return;
  }
  wake_at_ = std::min(now.mono + kLookEvery, ends);
  if (!clock_trusted || !host_.has_executor()) return;
  if (now.wall >= look_at_ || look_at_ > now.wall + kLookEvery) look(now);
  wake_at_ = std::min(*wake_at_, now.mono + (look_at_ - now.wall));
}

/// Jobs that only this host may run, and may still.
bool LocalRuns::is_mine(const planner::Job& job) const {
  const model::JobSpec& spec = *job.spec;
  return spec.on_no_quorum == model::OnNoQuorum::kRunLocal && spec.enabled &&
         model::pinned_host(spec) == facts_.node_name &&
         model::matches(spec.on, facts_.node_name, state_.find_node(facts_.node_id)->labels);
}

void LocalRuns::look(const Now& now) {
  look_at_ = now.wall + kLookEvery;
  const model::Node* self = state_.find_node(facts_.node_id);
  if (self == nullptr || self->state != model::NodeState::kActive) return;
  if (self->kind == model::MemberKind::kWitness || state_.paused_until(now.wall)) return;
  for (const planner::Job* job : state_.jobs_by_name()) {
    if (is_mine(*job)) look_at(*job, now);
  }
}

void LocalRuns::look_at(const planner::Job& job, const Now& now) {
  WallTime& seen_to = seen_to_.try_emplace(job.uid, job.cursor).first->second;
  seen_to = std::max(seen_to, job.cursor);
  const planner::LocalLook look = state_.look_alone(job, seen_to, now.wall);
  for (const WallTime slot : look.due) {
    const Slot key{job.uid, slot};
    if (slots_.contains(key) || said_.contains(key)) continue;  // before a restart
    const bool excludes = job.spec->concurrency != model::Concurrency::kAllow;
    if (excludes && host_.has_alive(job.uid) && !mutant("local-overlaps")) {
      overlapped_.insert({job.uid, slot});
      continue;
    }
    if (runs_.size() < kRunsMax && host_.live_count() < facts_.capacity) begin(job, slot, now);
  }
  seen_to = look.seen_to;
  if (look.next) look_at_ = std::min(look_at_, *look.next);
}

/// Above all ids of its own that the log, the journal and the disk of this host know of.
std::int64_t LocalRuns::first_id() const {
  std::int64_t last = model::local_ids_of(facts_.node_id);
  last = std::max(last, state_.last_local_run(facts_.node_id));
  for (const model::LocalRun& line : facts_.said)
    last = std::max(last, line.run_id);
  if (!runs_.empty()) last = std::max(last, runs_.rbegin()->first);
  if (const auto stored = host_.files().list_runs()) {
    for (const std::int64_t id : *stored) {
      if (model::is_local_id_of(id, facts_.node_id)) last = std::max(last, id);
    }
  }
  return last + 1;
}

void LocalRuns::begin(const planner::Job& job, WallTime slot, const Now& now) {
  if (next_id_ == 0) next_id_ = first_id();
  if (!model::is_local_id_of(next_id_, facts_.node_id)) return;  // all are given
  model::LocalRun line;
  line.run_id = next_id_++;
  line.job_uid = job.uid;
  line.job = job.spec->name;
  line.job_version = job.version;
  line.scheduled_at = slot;
  line.accepted_at = now.wall;
  slots_.insert({job.uid, slot});
  const std::int64_t run_id = line.run_id;
  const std::string note = local_note(line);
  runs_.emplace(run_id, std::move(line));
  host_.start_alone(run_of(run_id), note, now);
}

model::Run LocalRuns::run_of(std::int64_t run_id) const {
  const model::LocalRun& line = runs_.at(run_id);
  model::Run run;
  run.run_id = run_id;
  run.job_uid = line.job_uid;
  run.job = line.job;
  run.job_version = line.job_version;
  run.origin = model::local_origin(run_id);
  run.scheduled_at = line.scheduled_at;
  run.trigger = model::Trigger::kLocal;
  run.state = model::RunState::kDispatched;
  run.attempt = 1;
  run.node_id = facts_.node_id;
  run.node = facts_.node_name;
  return run;
}

std::vector<process::RunKey> LocalRuns::unheard() const {
  std::vector<process::RunKey> out;
  for (const auto& [run_id, line] : runs_) {
    if (!is_over(line)) out.push_back(process::RunKey{run_id, 1});
  }
  return out;
}

void LocalRuns::take(const model::HostReport& report) {
  model::LocalRun& line = runs_.at(report.run_id);
  if (!is_over(line)) line.report = report;
}

/// While a member does not know local runs they cannot be said, and do not hold up their job.
bool LocalRuns::stand_against(const model::Run& claimed) const {
  if (state_.feature_level() >= model::kLocalLevel) return has_job(claimed.job_uid);
  if (slots_.contains({claimed.job_uid, claimed.scheduled_at})) return true;
  const planner::Job* job = state_.find_job(claimed.job_uid);
  const bool excludes = job != nullptr && job->spec->concurrency != model::Concurrency::kAllow;
  return excludes && std::any_of(runs_.begin(), runs_.end(), [&claimed](const auto& item) {
           return item.second.job_uid == claimed.job_uid && !is_over(item.second);
         });
}

// --- in touch again ------------------------------------------------------------------------------

void LocalRuns::erase(std::int64_t run_id) {
  const auto found = runs_.find(run_id);
  slots_.erase({found->second.job_uid, found->second.scheduled_at});
  runs_.erase(found);
}

/// What the log knows is a run as any other from now on, or over.
void LocalRuns::drop_said() {
  const std::int64_t last = state_.last_local_run(facts_.node_id);
  while (!runs_.empty() && runs_.begin()->first <= last) {
    const std::int64_t run_id = runs_.begin()->first;
    const model::LocalRun line = runs_.begin()->second;
    erase(run_id);
    const bool lives = state_.find_live_run(run_id) != nullptr;
    if (lives && is_over(line)) {
      host_.say(line.report);  // it ended while the log was told that it had started
    } else if (!lives) {
      host_.forget(process::RunKey{run_id, 1});
    }
  }
}

/// Slots that this host let go by before one that it started: nobody else decides about them.
void LocalRuns::add_gap(std::vector<model::LocalRun>& lines, const model::LocalRun& next,
                        std::map<std::uint64_t, WallTime>& cursors) const {
  const planner::Job* job = state_.find_job(next.job_uid);
  if (job == nullptr) return;
  WallTime& cursor = cursors.try_emplace(job->uid, job->cursor).first->second;
  if (next.scheduled_at <= cursor) return;
  const planner::SlotGap gap = state_.slots_between(*job, cursor, next.scheduled_at);
  cursor = next.scheduled_at;
  for (const WallTime slot : gap.slots) {
    model::LocalRun line;
    line.job_uid = next.job_uid;
    line.job = next.job;
    line.job_version = next.job_version;
    line.scheduled_at = slot;
    line.accepted_at = next.accepted_at;
    line.reason = overlapped_.contains({next.job_uid, slot}) ? model::Reason::kOverlap
                                                             : model::Reason::kNoMajority;
    if (gap.earlier > 0 && slot == gap.slots.front()) {
      line.detail = "and " + std::to_string(gap.earlier) + " slots from " +
                    model::format_utc(gap.first, 0) + " on";
    }
    lines.push_back(std::move(line));
  }
}

/// When the state that this host started with was older than its journal.
bool LocalRuns::has_accepted_claim_of(const model::LocalRun& line) const {
  const std::vector<const model::Run*> lives = state_.live_runs_of(line.job_uid);
  return std::any_of(lives.begin(), lives.end(), [&](const model::Run* run) {
    return run->origin == "schedule" && run->scheduled_at == line.scheduled_at &&
           host_.has_accepted(process::RunKey{run->run_id, run->attempt});
  });
}

void LocalRuns::say(const Now& now) {
  if (runs_.empty()) {
    overlapped_.clear();
    return;
  }
  if (is_saying_ || !host_.has_executor()) return;
  if (state_.feature_level() < model::kLocalLevel) return;
  if (now.mono < say_again_) {
    wake_at_ = say_again_;
    return;
  }
  model::LocalRuns command;
  command.node_id = facts_.node_id;
  std::map<std::uint64_t, WallTime> cursors;
  for (const auto& [run_id, line] : runs_) {
    // One that is about to start will say so in a moment.
    if (!is_heard(line) || command.runs.size() >= kLinesPerEntry) break;
    if (!mutant("local-gap-unsaid")) add_gap(command.runs, line, cursors);
    command.runs.push_back(line);
    if (has_accepted_claim_of(line)) {
      command.runs.back().detail = "this host had accepted a claim of it before";
    }
  }
  if (command.runs.empty()) {
    wake_at_ = now.mono + kSayPause;
    return;
  }
  is_saying_ = true;
  model::Entry entry;
  entry.at = now.wall;
  entry.actor = "host:" + facts_.node_name;
  entry.command = std::move(command);
  say_again_ = now.mono + kSayPause;
  log_.propose(std::move(entry), [this](const planner::Applied& applied) {
    is_saying_ = false;
    if (applied.status) {
      say_again_ = {};
    } else if (applied.status.error().code == ErrorCode::kDenied) {
      purge();
    }
  });
}

/// This host was removed: nobody wants to hear of it.
void LocalRuns::purge() {
  while (!runs_.empty()) {
    const std::int64_t run_id = runs_.begin()->first;
    erase(run_id);
    host_.forget(process::RunKey{run_id, 1});
  }
}

}  // namespace distcron::agent
