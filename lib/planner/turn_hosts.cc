// SPDX-License-Identifier: Apache-2.0
// The hosts' side of a turn (planner/turn.h): who takes a run, slots that run on several hosts,
// and what becomes of runs whose host is silent or was booted (RUNS.md 6).
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "model/target.h"
#include "planner/turn.h"

namespace distcron::planner {

using model::Action;
using model::Guarantee;
using model::Reason;
using model::RunState;

/// What had no host is looked at again when a host came or went.
void Turn::look_at_hosts() {
  if (state_.host_signature == hosts_.signature()) return;
  state_.host_signature = hosts_.signature();
  const std::set<std::int64_t> waiting = std::exchange(state_.hostless, {});
  for (const std::int64_t id : waiting)
    state_.set_look_at(*state_.live(id), kEarliest);
}

void Turn::collect_losses() {
  for (const HostSituation& host : now_.nodes) {
    const auto busy = state_.busy_of_node.find(host.node_id);
    const Node* node = state_.member(host.node_id);
    if (busy == state_.busy_of_node.end() || node == nullptr) continue;
    if (host.is_alive && !node->booted_at) continue;
    for (const std::int64_t id : busy->second) {
      if (out_.decisions.size() >= kDecisionsMax) return;
      collect_loss(state_.live(id)->run, *node, host);
    }
  }
}

void Turn::collect_loss(const model::Run& run, const Node& node, const HostSituation& host) {
  const auto due = [this](WallTime at) {
    if (at > now_.now) wake_hosts_ = std::min(wake_hosts_, at);
    return at <= now_.now;
  };
  const WallTime claimed_at = run.dispatched_at.value_or(run.scheduled_at);
  if (host.is_alive) {
    // It was told to start in an earlier life of the host, and the host says nothing about it.
    if (claimed_at >= *node.booted_at || !due(*node.booted_at + kBootReportGrace)) return;
    return give_up(run, Reason::kHostReboot,
                   "host " + node.name + " was booted at " + utc_text(*node.booted_at));
  }
  JobEntry* entry = state_.job(run.job_uid);
  const model::JobSpec standard;
  const model::JobSpec& spec = entry != nullptr ? *entry->job.spec : standard;
  const cron::Zone* zone = entry != nullptr ? zone_of(entry->job) : nullptr;
  const auto gap = zone != nullptr ? interval(*entry, *zone) : std::nullopt;
  const Micros window = std::min(limits_of(spec, gap).window, kSilenceMax);
  const std::string silent = "host " + node.name + " is silent" +
                             (host.silent_since ? " since " + utc_text(*host.silent_since) : "");
  if (run.state == RunState::kDispatched) {
    // It may have started: nobody else takes it before the host was given that long.
    if (!due(std::max(run.scheduled_at, claimed_at) + window)) return;
    return give_up(run, Reason::kHostUnreachable, silent);
  }
  const bool may_repeat = spec.guarantee == Guarantee::kAtLeastOnce && run.kill_by.empty() &&
                          run.shards == 0 && host.silent_since;
  if (may_repeat && due(*host.silent_since + window)) {
    give_up(run, Reason::kHostUnreachable, silent);
  }
}

void Turn::give_up(const model::Run& run, Reason reason, std::string text) {
  const JobEntry* entry = std::as_const(state_).job(run.job_uid);
  model::Decision decision;
  decision.run_id = run.run_id;
  decision.job_uid = run.job_uid;
  decision.job_version = entry != nullptr ? entry->job.version : run.job_version;
  decision.scheduled_at = run.scheduled_at;
  decision.action = Action::kGiveUp;
  decision.reason = reason;
  decision.attempt = run.attempt;
  decision.node_id = run.node_id;
  decision.facts = run.facts;
  decision.facts.push_back({"host", false, std::move(text)});
  out_.decisions.push_back(std::move(decision));
}

HostPool::Wish Turn::wish_of(const LiveRun* live, const Job& job) const {
  HostPool::Wish wish;
  wish.job = &job;
  if (live != nullptr) {
    const model::Run& run = live->run;
    if (run.shards > 0 || run.trigger == model::Trigger::kReboot) wish.bound_to = run.node_id;
  }
  if (job.spec->route != model::Route::kRoundRobin) return wish;
  const auto use = uses_.find(job.uid);
  if (use != uses_.end()) wish.after = use->second.last_node;
  if (wish.after == 0) {
    wish.after = state_.number_setting(std::string(kTurnPrefix) + std::to_string(job.uid), 0);
  }
  return wish;
}

std::vector<HostPool::Share> Turn::shares_of(const LiveRun* live, const Job& job) {
  if (job.spec->target == "one") return {};
  const bool is_whole = live == nullptr || (live->run.shards == 0 && live->run.attempt == 0 &&
                                            live->run.trigger != model::Trigger::kReboot);
  const auto target = model::parse_target(job.spec->target);
  if (!is_whole || !target || target->kind == model::Target::Kind::kOne) return {};
  return hosts_.spread(job, *target);
}

void Turn::claim(const Candidate& candidate, const Job& job, const Node& host) {
  std::string choice;
  if (hosts_.has_choice()) choice = hosts_.describe_choice(wish_of(live_of(candidate), job), host);
  model::Fact late;
  if (!candidate.late_text.empty()) late = {"misfire", true, candidate.late_text};
  model::Decision& decision = emit(candidate, job, Action::kClaim, Reason::kNone, std::move(late));
  decision.node_id = host.id;
  decision.start_at = candidate.start_at;
  if (!choice.empty()) {
    const LiveRun* live = live_of(candidate);
    if (decision.facts.empty() && live != nullptr) decision.facts = live->run.facts;
    std::erase_if(decision.facts, [](const model::Fact& old) { return old.check == "host"; });
    decision.facts.push_back({"host", true, std::move(choice)});
  }
  hosts_.take(host.id);
  JobUse& use = uses_[job.uid];
  ++use.claims;
  use.last_node = host.id;
}

/// Claims travel as durations on their hosts' own clocks: wall clocks need not agree.
void Turn::time_claims() {
  for (model::Decision& decision : out_.decisions) {
    if (decision.action != Action::kClaim) continue;
    decision.permit = hosts_.permit_for(decision.node_id, decision.start_at, now_.now);
  }
}

/// The list of hosts is frozen here. A run that has a row becomes the last shard's line, after the
/// copies that are made of it, as apply goes from line to line.
void Turn::decide_shards(const Candidate& candidate, const Job& job,
                         const std::vector<HostPool::Share>& shares) {
  const auto count = static_cast<std::int32_t>(shares.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const bool has_row = candidate.key.run_id != 0;
    const std::int32_t shard = has_row ? (i + 1) % count : i;  // the row itself is shard 0
    const HostPool::Share& share = shares[static_cast<std::size_t>(shard)];
    HostPool::Wish wish = wish_of(nullptr, job);
    wish.bound_to = share.node->id;
    HostPool::Pick pick = hosts_.pick(wish);
    const bool can_start = pick.node != nullptr;
    model::Fact fact{"shard", true, std::to_string(shard + 1) + " of " + std::to_string(count)};
    model::Decision& decision = emit(candidate, job, can_start ? Action::kClaim : Action::kQueue,
                                     pick.reason, std::move(fact));
    decision.shard = shard;
    decision.shards = count;
    decision.node_id = share.node->id;
    decision.start_at = candidate.start_at;
    decision.facts.insert(decision.facts.end(), pick.facts.begin(), pick.facts.end());
    if (has_row && shard != 0) {
      decision.run_id = 0;
      decision.copy_of = candidate.key.run_id;
      decision.attempt = 1;
    }
    if (can_start) hosts_.take(share.node->id);
  }
  ++uses_[job.uid].claims;
}

/// Slots are skipped; what has a row and began already, or was asked for, waits.
void Turn::decide_paused(const Candidate& candidate, const Job& job, LiveRun* live) {
  const bool is_slot = live == nullptr ||
                       (live->run.starts == 0 && (live->run.trigger == model::Trigger::kSchedule ||
                                                  live->run.trigger == model::Trigger::kReboot));
  if (is_slot) {
    emit(candidate, job, Action::kSkip, Reason::kPaused, {"pause", false, "the cluster is paused"});
    return;
  }
  state_.leave_line(*live);
  const std::int64_t until = state_.number_setting(kPausedSetting, 0);
  state_.set_look_at(*live, wall_from_micros(until));
}

void Turn::decide_no_host(const Candidate& candidate, JobEntry& entry, LiveRun* live,
                          HostPool::Pick pick) {
  const Job& job = entry.job;
  if (live == nullptr || live->run.reason != pick.reason) {
    model::Decision& decision =
        emit(candidate, job, Action::kQueue, pick.reason, std::move(pick.facts.front()));
    decision.facts.insert(decision.facts.end(), pick.facts.begin() + 1, pick.facts.end());
    if (live == nullptr) ++uses_[job.uid].queued;
    return;
  }
  state_.leave_line(*live);
  const std::optional<WallTime> end = window_end(live->run, entry);
  state_.set_look_at(*live, end ? *end + Micros{1} : kNever);
  state_.hostless.insert(live->run.run_id);
}

/// What its host started alone is decided, but not known here yet. While a member could not read
/// that in the log nobody says it, and nobody waits for it long.
bool Turn::waits_for_local_runs(const Job& job) const {
  if (job.spec->on_no_quorum != model::OnNoQuorum::kRunLocal) return false;
  if (state_.feature_level() < model::kLocalLevel && now_.local_wait_is_over) return false;
  if (mutant("local-slot-again")) return false;
  const Node* node = state_.member(model::pinned_host(*job.spec));
  return node != nullptr &&
         std::any_of(now_.nodes.begin(), now_.nodes.end(), [node](const HostSituation& host) {
           return host.node_id == node->id && host.is_alive && host.has_local_runs;
         });
}

/// What came due between the stored state and its restore may have run: it does not run again.
/// False: there is nothing like that.
bool Turn::miss_doubtful(const Job& job, const cron::Zone& zone, JobUse& use) {
  if (job.spec->guarantee != Guarantee::kAtMostOnce) return false;
  const std::int64_t micros = state_.number_setting(kRestoredSetting, INT64_MIN);
  if (micros <= epoch_micros(job.cursor)) return false;
  const SlotLimits all{.late = Micros{-1}, .window = Micros{-1}};
  const SlotScan scan = scan_slots(job, zone, std::min(wall_from_micros(micros), now_.now), all);
  slots_looked_at_ += scan.looked_at;
  if (scan.too_late.is_empty()) return false;
  miss(job, scan.too_late,
       {Reason::kRestored, 0, "the state is from before it", scan.is_cut, Action::kGiveUp});
  use.look_at = now_.now;
  is_cut_ = true;
  return true;
}

/// An edit would take the slots away that the host may have started and has not told of yet. What
/// it tells later of them has rows of its own.
void Turn::give_up_unsaid(const Job& job, JobUse& use) {
  const cron::Zone* zone = zone_of(job);
  if (zone == nullptr) return;
  const SlotLimits all{.late = Micros{-1}, .window = Micros{-1}};
  const SlotScan scan = scan_slots(job, *zone, now_.now, all);
  slots_looked_at_ += scan.looked_at;
  if (scan.is_cut) {
    use.look_at = now_.now;
    is_cut_ = true;
  }
  miss(job, scan.too_late,
       {Reason::kHostUnreachable, 0, "its host has not said yet what it started alone", scan.is_cut,
        Action::kGiveUp});
}

}  // namespace distcron::planner
