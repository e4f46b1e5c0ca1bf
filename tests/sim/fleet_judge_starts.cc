// SPDX-License-Identifier: Apache-2.0
// What must hold of every process that starts, and of every slot at the end.
#include <algorithm>

#include "sim/fleet_judge.h"
#include "sim/fleet_plan.h"

namespace distcron::sim {

using model::RunState;

namespace {

/// Latest start after the claim's instant: the wait for the wall clock, the slack, the herd's
/// stretch of a host with some dozens of runs, and what lies between the last look and the exec.
constexpr Micros kLatestStart{6'000'000};
/// What was on its way to the executor when its host heard that it was removed.
constexpr FleetTime kLastOrders = 4 * kSecond;
/// Between the last look at the clock and the exec.
constexpr Micros kLastLook{100'000};
/// The wait for the wall clock, and the slack after it.
constexpr Micros kWallWait{3'000'000};
/// For so long a host may believe in a majority of which it hears nothing.
constexpr Micros kContactSeen{3'000'000};
/// From an end until all know of it, when all is well.
constexpr FleetTime kReported = 15 * kSecond;
/// Clocks that run a little wrong, and the way of a permit to the scheduler.
constexpr Micros kClockError{300'000};

std::string text_of(process::RunKey key) {
  return std::to_string(key.run_id) + "." + std::to_string(key.attempt);
}

}  // namespace

/// What was on its way when the host heard that it is no member may start.
bool FleetJudge::may_start_still(std::int64_t host) const {
  const auto knows = knows_.find(host);
  return knows == knows_.end() || agenda_.now() <= knows->second + kLastOrders;
}

/// The run as its host noted it durably before it started it alone.
std::optional<model::Run> FleetJudge::local_run(RunKey key, std::int64_t host) const {
  const auto note = local_.find({host, key});
  if (note == local_.end()) return std::nullopt;
  model::Run run;
  run.run_id = key.run_id;
  run.attempt = key.attempt;
  run.job_uid = note->second.job_uid;
  run.job = note->second.job;
  run.origin = model::local_origin(key.run_id);
  run.scheduled_at = note->second.scheduled_at;
  run.node_id = host;
  return run;
}

/// Nobody claimed it. It must be of a job that its host may go on with, and exclude others as the
/// job says; a claim of the same slot may have run before, of which the host knew nothing any more.
void FleetJudge::take_local_start(const FleetProcess& process, const model::Run& run) {
  const std::string name =
      "run " + text_of(process.key) + ", alone on host " + std::to_string(process.host);
  const model::JobSpec* spec = spec_of(run.job_uid);
  const bool may = spec != nullptr && spec->on_no_quorum == model::OnNoQuorum::kRunLocal &&
                   model::pinned_host(*spec) == node_name(process.host);
  if (!may) return fail("start_unclaimed", name + " started, but its job is not for that");
  if (!forgot_.contains(process.host) && !may_start_still(process.host)) {
    return fail("start_removed", name + " started, but the host knows that it is no member");
  }
  const bool is_for_ever = local_runs_max_ && Micros(agenda_.now() - contacts_[process.host]) >
                                                  *local_runs_max_ + kContactSeen + kLatestStart;
  if (is_for_ever) {
    return fail("start_alone_late", name + " started, but no other host was heard for too long");
  }
  Start start{process, run.job_uid, slot_of(run), true};
  const auto [mine, is_new] = starts_.emplace(process.key, start);
  if (!is_new) return fail("attempt_twice", name + " started before");
  if (tombstones_.contains({process.host, process.key})) {
    return fail("start_tombstoned", name + " started after its tombstone was durable");
  }
  for (const auto& [key, other] : starts_) {
    const bool is_same = other.is_local && other.job_uid == start.job_uid &&
                         std::get<2>(other.slot) == std::get<2>(start.slot);
    if (key != process.key && is_same) {
      return fail("slot_started_twice", name + " started its slot a second time");
    }
  }
  check_overlap(run, *spec, start);
  live_[process.key] = &mine->second;
}

void FleetJudge::on_start(const FleetProcess& process, MonoTime mono) {
  const std::string name =
      "attempt " + text_of(process.key) + " on host " + std::to_string(process.host);
  const auto row = rows_.find(process.key.run_id);
  const auto claim = claims_.find(process.key);
  if (const auto local = local_run(process.key, process.host); local && claim == claims_.end()) {
    return take_local_start(process, *local);
  }
  if (row == rows_.end() || claim == claims_.end() || claim->second != process.host) {
    return fail("start_unclaimed", name + " started without a committed claim");
  }
  if (!may_start_still(process.host)) {
    return fail("start_removed", name + " started, but the host knows that it is no member");
  }
  const model::Run& run = row->second;
  Start start{process, run.job_uid, slot_of(run)};
  const auto [mine, is_new] = starts_.emplace(process.key, start);
  if (!is_new)
    return fail("attempt_twice",
                name + " started before, on host " + std::to_string(mine->second.process.host));
  if (tombstones_.contains({process.host, process.key})) {
    return fail("start_tombstoned", name + " started after its tombstone was durable");
  }
  const auto accepted = accepted_.find({process.host, process.key});
  if (accepted == accepted_.end()) {
    return fail("start_unaccepted", name + " started before its claim was noted durably");
  }
  check_time(name, accepted->second, run, mono);
  const auto over = ended_.find(process.key);
  if (over != ended_.end() && over->second != RunState::kUnknown &&
      over->second != RunState::kLost) {
    return fail("start_after_end", name + " started after it was committed as " +
                                       std::string(model::name_of(over->second)));
  }
  check_slot(run, start);
  const model::JobSpec* spec = spec_of(run.job_uid);
  if (spec != nullptr) check_overlap(run, *spec, start);
  live_[process.key] = &mine->second;
}

void FleetJudge::on_end(const FleetProcess& process) {
  const auto found = starts_.find(process.key);
  if (found == starts_.end()) return;
  found->second.process = process;
  live_.erase(process.key);
}

void FleetJudge::check_time(const std::string& name, const Accepted& accepted,
                            const model::Run& run, MonoTime mono) {
  const WallTime truth = kFleetEpoch + Micros(agenda_.now());
  if (trusts_clocks_ && truth < run.scheduled_at - kClockError) {
    return fail("start_early", name + " started " +
                                   std::to_string((run.scheduled_at - truth).count() / 1000) +
                                   " ms before its slot");
  }
  Micros late = truth + accepted.wall_ahead - (accepted.wall + kLatestStart);
  if (accepted.window) {
    const auto& [from, until] = *accepted.window;
    if (mono < from) return fail("start_early", name + " started before the claim said");
    late = mono - std::max(until, from + kWallWait) - kLastLook;
  }
  if (late > Micros(0)) {
    fail("start_late", name + " started " + std::to_string(late.count() / 1000) + " ms too late");
  }
}

/// At most once: again only after a committed end of which all is known, and as retry.max says. At
/// least once: again only after a committed end or loss.
void FleetJudge::check_slot(const model::Run& run, const Start& start) {
  const model::JobSpec* spec = spec_of(run.job_uid);
  if (spec == nullptr || released_.contains(run.run_id)) return;
  // It was accepted before; what was lost with its host may have got another attempt by now.
  if (removed_.contains(start.process.host)) return;
  const bool is_once = spec->guarantee == model::Guarantee::kAtMostOnce;
  std::int64_t earlier = 0;
  for (const auto& [key, other] : starts_) {
    const bool is_local = other.is_local && std::get<0>(other.slot) == run.job_uid &&
                          std::get<2>(other.slot) == run.scheduled_at && run.origin == "schedule";
    if (is_local) {
      return fail("slot_started_twice", "attempt " + text_of(start.process.key) +
                                            " of the slot that " + text_of(key) + " started alone");
    }
    if (key == start.process.key || other.slot != start.slot) continue;
    ++earlier;
    const std::string name =
        "attempt " + text_of(start.process.key) + " of the slot that " + text_of(key) + " started";
    const auto ended = ended_.find(key);
    if (ended == ended_.end()) return fail("slot_started_twice", name + ": no end is committed");
    const bool is_doubtful =
        ended->second == RunState::kUnknown || ended->second == RunState::kLost;
    if (is_once && is_doubtful) return fail("at_most_once", name + ": its end is not known");
    if (ended->second == RunState::kOk) return fail("slot_started_twice", name + ": it was ok");
  }
  if (is_once && earlier > spec->retry_max) {
    fail("at_most_once", "attempt " + text_of(start.process.key) + " is one more than retry.max");
  }
}

/// Concurrency: nothing else of the job lives, but what was forced, or was given up as lost.
void FleetJudge::check_overlap(const model::Run& run, const model::JobSpec& spec,
                               const Start& start) {
  if (spec.concurrency == model::Concurrency::kAllow || run.force) return;
  if (removed_.contains(start.process.host)) return;
  if (released_.contains(run.run_id)) return;  // its place was taken from it; it has not heard yet
  for (const auto& [key, other] : live_) {
    if (other->job_uid != start.job_uid) continue;
    const auto known = rows_.find(key.run_id);
    const model::Run row = known != rows_.end() ? known->second : model::Run{};
    const bool is_shard = row.shards > 0 && run.shards > 0 &&
                          row.scheduled_at == run.scheduled_at && row.origin == run.origin &&
                          key.run_id != run.run_id;
    if (removed_.contains(other->process.host)) continue;  // given up by people
    if (is_shard || row.force || released_.contains(key.run_id)) continue;
    // Whoever repeats may meet what it gave up.
    const bool may_repeat = spec.guarantee == model::Guarantee::kAtLeastOnce;
    const auto ended = ended_.find(key);
    const bool was_given_up = ended != ended_.end() && (ended->second == RunState::kUnknown ||
                                                        ended->second == RunState::kLost);
    if (may_repeat && was_given_up) continue;
    fail("overlap", "attempt " + text_of(start.process.key) + " of " + run.job + " started while " +
                        text_of(key) + " (" + outcome_text(row) + ") lives on host " +
                        std::to_string(other->process.host));
  }
}

/// What began may go on once a host of that name joins again, or the job is edited.
bool FleetJudge::waits_for_removed(const model::Run& run) const {
  const model::JobSpec* spec = spec_of(run.job_uid);
  if (spec == nullptr || run.state != RunState::kQueued || run.starts == 0) return false;
  const std::string name = model::pinned_host(*spec);
  return std::any_of(removed_.begin(), removed_.end(),
                     [&name](std::int64_t id) { return node_name(id) == name; });
}

// --- the end -------------------------------------------------------------------------------------

void FleetJudge::close(WallTime settled, Micros guard) {
  for (const auto& [id, run] : rows_) {
    if (model::is_final(run.state)) continue;
    if (run.scheduled_at > settled || run.created_at.value_or(run.scheduled_at) > settled) continue;
    const auto process = starts_.find(RunKey{id, run.attempt});
    const bool is_live = process != starts_.end() && !process->second.process.ended_at;
    if (is_live && run.state == RunState::kRunning) continue;
    if (waits_for_removed(run)) continue;
    fail("never_ends", "run " + std::to_string(id) + " of " + run.job + " is still " +
                           outcome_text(run) + ", attempt " + std::to_string(run.attempt) +
                           " on host " + std::to_string(run.node_id));
  }
  for (const auto& [uid, eras] : jobs_)
    check_job(uid, eras, settled, guard);
}

/// A place is kept for what may be alive, no longer.
void FleetJudge::check_holds(std::int64_t node, const std::map<std::int64_t, std::int32_t>& holds) {
  for (const auto& [run_id, attempt] : holds) {
    bool is_alive = false;
    for (auto at = starts_.lower_bound(RunKey{run_id, 0});
         at != starts_.end() && at->first.run_id == run_id; ++at) {
      const FleetProcess& process = at->second.process;
      const FleetTime end = process.ended_at.value_or(agenda_.now());
      is_alive = is_alive || end + kReported > agenda_.now();
    }
    if (is_alive) continue;
    fail("place_kept", "run " + std::to_string(run_id) + " keeps its place on host " +
                           std::to_string(node) + ", where attempt " + std::to_string(attempt) +
                           " is not alive");
  }
}

/// The schedules of this world fall on the multiples of their period, counted from 1970.
void FleetJudge::check_job(std::uint64_t uid, const std::vector<Era>& eras, WallTime settled,
                           Micros guard) {
  std::set<WallTime> accounted;
  for (const auto& [slot, run_id] : slots_) {
    if (std::get<0>(slot) == uid &&
        (std::get<1>(slot) == "schedule" || std::get<1>(slot).starts_with("local:")))
      accounted.insert(std::get<2>(slot));
  }
  for (std::size_t i = 0; i < eras.size(); ++i) {
    const Era& era = eras[i];
    const Seconds period = period_of(*era.spec);
    const bool is_last = i + 1 == eras.size();
    if (!era.is_there || period == Seconds(0)) continue;
    if (!is_last && eras[i + 1].from == WallTime::min()) continue;
    const WallTime end = is_last ? settled : eras[i + 1].from - guard;
    const std::int64_t first = epoch_seconds(era.from + guard) / period.count() + 1;
    for (WallTime slot = wall_from_seconds(first * period.count()); slot < end; slot += period) {
      ++slots_checked_;
      if (accounted.contains(slot)) continue;
      return fail("slot_lost",
                  "job " + era.spec->name + ": no row for the slot " +
                      std::to_string(epoch_seconds(slot - kFleetEpoch.time_since_epoch())) +
                      " s after the start");
    }
  }
}

}  // namespace distcron::sim
