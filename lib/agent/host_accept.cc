// SPDX-License-Identifier: Apache-2.0
// From a claim to an accepted attempt, and when that starts by this host's own boottime (RUNS.md
// 2.3, 2.4): its permits, and what claims make of them.
#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/host.h"
#include "agent/local_runs.h"
#include "base/hash.h"
#include "base/mutant.h"

namespace distcron::agent {

namespace {

constexpr Seconds kStartSlack{2};      // a start later than this after start_at is refused
constexpr Seconds kStartSlackMax{30};  // ... stretched by a herd up to this
/// Starts that a busy host can be expected to make. The executor's own measure is of forks, many
/// times what of them comes to an exec when all that it has forked wants the processor at once.
constexpr std::int64_t kStartsPerSecondMax = 100;
/// A claim that counts from an older permit than this was long under way.
constexpr Seconds kPermitMax{60};

/// A small difference is left as it is: then records fit the host's own logs.
bool is_worth_it(Micros skew) {
  constexpr Micros kKeptFrom{2'000'000};
  return skew > kKeptFrom || skew < -kKeptFrom;
}

MonoTime mono_from_micros(std::int64_t micros) {
  return MonoTime(Micros(micros));
}

}  // namespace

/// The boottime numbers the permits of a boot, so none has to be kept, also over a restart of the
/// agent.
void Host::add_permit(wire::HostState& state, const Now& now) const {
  state.boot = stable_hash(facts_.boot_id);
  state.permit = now.mono.time_since_epoch().count();
  state.start_rate = start_rate();
}

std::optional<Host::Start> Host::resolve(const planner::ClaimOrder& order, const Now& now) const {
  Start start;
  if (!order.permit) {
    start.at = now.mono + (order.start_at - now.wall);
    start.by = start_limit(start.at);
    start.wall = order.start_at;
    return start;
  }
  const model::StartPermit& permit = *order.permit;
  const MonoTime issued = mono_from_micros(permit.counter);
  const bool is_ours = permit.boot == stable_hash(facts_.boot_id);
  if (!is_ours || issued > now.mono || now.mono - issued > kPermitMax) return std::nullopt;
  start.is_permitted = true;
  start.at = issued + Micros(permit.start_in_us);
  start.by = start.at + Micros(permit.start_slack_us);
  // What is late already starts at once, by the scheduler's clock when it decided.
  start.wall = std::max(order.start_at, order.run.dispatched_at.value_or(order.start_at));
  start.skew = start.wall - (now.wall + (start.at - now.mono));
  return start;
}

std::string Host::note_of(const Start& start) {
  std::string note = std::to_string(epoch_micros(start.wall));
  if (!start.is_permitted) return note;
  for (const Micros part : {start.at.time_since_epoch(), start.by.time_since_epoch(), start.skew}) {
    note += ' ' + std::to_string(part.count());
  }
  return note;
}

std::optional<Host::Start> Host::noted_start(const std::string& note) {
  std::int64_t wall = 0;
  std::int64_t at = 0;
  std::int64_t by = 0;
  std::int64_t skew = 0;
  const char* const end = note.data() + note.size();
  const char* from = note.data();
  for (std::int64_t* part : {&wall, &at, &by, &skew}) {
    if (from != note.data() && from != end) ++from;  // the blank
    const auto [stop, error] = std::from_chars(from, end, *part);
    if (error != std::errc{}) return std::nullopt;
    from = stop;
  }
  Start start;
  start.at = mono_from_micros(at);
  start.by = mono_from_micros(by);
  start.is_permitted = true;
  start.wall = wall_from_micros(wall);
  start.skew = Micros(skew);
  return start;
}

Host::Start Host::start_of(process::RunKey key) const {
  if (const auto task = tasks_.find(key); task != tasks_.end()) return task->second.start;
  const auto note = journal_.find(key);
  if (note == journal_.end() || note->second.boot_id != facts_.boot_id) return {};
  return noted_start(note->second.bytes).value_or(Start{});
}

WallTime Host::recorded(const Start& start, std::int64_t wall_us, std::int64_t boot_us) {
  if (!is_worth_it(start.skew) || boot_us == 0) return wall_from_micros(wall_us);
  return start.wall + (mono_from_micros(boot_us) - start.at);
}

WallTime Host::recorded(const Now& now) const {
  return is_worth_it(skew_) ? now.wall + skew_ : now.wall;
}

std::int64_t Host::start_rate() const {
  const std::int64_t rate = hello_ ? hello_->starts_per_s : 0;
  return rate <= 0 || rate > kStartsPerSecondMax ? kStartsPerSecondMax : rate;
}

MonoTime Host::start_limit(MonoTime start_at) const {
  // All that is under way counts, also what waits in the executor: a herd that was refused once
  // would else come back with hardly any time and be refused again.
  const std::int64_t herd_ms = live_count() * 1000 / start_rate();
  const Millis slack = std::min<Millis>(Millis(kStartSlack) + Millis(herd_ms), kStartSlackMax);
  return start_at + slack;
}

void Host::accept(const planner::ClaimOrder& order, const Now& now) {
  const process::RunKey key{order.run.run_id, order.run.attempt};
  const auto note = journal_.find(key);
  const bool forgets = note != journal_.end() && mutant("tombstone-forgotten") &&
                       note->second.kind == store::JournalKind::kTombstone;
  if (tasks_.contains(key) || (note != journal_.end() && !forgets)) return;
  // It may be one of the slots, or must not run beside them: decided before the log knows.
  if (local_ != nullptr && local_->stand_against(order.run) && !mutant("local-slot-again")) {
    tombstone(key, model::Reason::kHostCrash, "this host has still to say what it started alone");
    return;
  }
  if (const std::optional<Start> start = resolve(order, now)) {
    if (start->is_permitted) skew_ = start->skew;
    accept(order.run, *start, note_of(*start), now);
  } else {
    tombstone(key, model::Reason::kHostCrash, "claimed with a permit that does not hold any more");
  }
}

void Host::start_alone(const model::Run& run, const std::string& note, const Now& now) {
  Start start;
  start.at = now.mono;
  start.by = start_limit(start.at);
  start.wall = now.wall;
  accept(run, start, note, now);
}

void Host::accept(const model::Run& run, const Start& start, const std::string& note,
                  const Now& now) {
  const process::RunKey key{run.run_id, run.attempt};
  const planner::Job* job = state_.find_job(run.job_uid);
  if (job == nullptr) {
    tombstone(key, model::Reason::kRemoved, {});
    return;
  }
  // A host that comes to a claim too late, as after a partition, cannot know what was decided
  // about it meanwhile: its own state is still on the way there.
  if (now.mono > start.by) {
    tombstone(key, model::Reason::kTooLate, "the host heard of it too late");
    return;
  }
  Task task;
  task.run = run;
  task.spec = job->spec;
  task.start = start;
  tasks_.emplace(key, std::move(task));

  store::JournalPut put;
  put.run_id = key.run_id;
  put.attempt = key.attempt;
  put.kind = store::JournalKind::kAccepted;
  put.boot_id = facts_.boot_id;
  put.bytes = note;
  journal_[key] = put;
  if (mutant("start-unaccepted")) arm(key);
  log_.journal(put, [this, key](const Status& status) {
    const auto found = tasks_.find(key);
    if (found == tasks_.end() || found->second.phase != Phase::kAccepting) return;
    if (status) {
      arm(key);
      return;
    }
    // Not durable, so it never starts; the scheduler hears that and may assign it again.
    journal_.erase(key);
    tasks_.erase(found);
    model::HostReport refused;
    refused.kind = model::ReportKind::kUnstarted;
    refused.run_id = key.run_id;
    refused.attempt = key.attempt;
    refused.reason = model::Reason::kSpawnFailed;
    refused.detail = status.error().message;
    report(std::move(refused));
  });
}

void Host::arm(process::RunKey key) {
  Task& task = tasks_.at(key);
  task.phase = Phase::kArmed;
  stretch(task.start);
  timers_.emplace(task.start.at, key);
}

/// The first of a herd share the processor with all that are started after them. Claims with a
/// permit know of them already.
void Host::stretch(Start& start) const {
  if (!start.is_permitted) start.by = std::max(start.by, start_limit(start.at));
}

}  // namespace distcron::agent
