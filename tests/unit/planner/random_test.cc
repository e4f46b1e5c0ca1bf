// SPDX-License-Identifier: Apache-2.0
// Random commands, reports, clock jumps, lost and stale decisions and reloads against the
// invariants of planning. DISTCRON_SEED repeats one seed, DISTCRON_SEEDS sets how many run.
#include <cstdlib>
#include <set>
#include <tuple>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::Reason;
using model::RunState;

namespace {

template <std::size_t N>
const char* pick(Rng& rng, const char* const (&items)[N]) {
  return items[rng.below(N)];
}

/// Drives one world and checks each step.
class Driver {
 public:
  /// `hosts` 0: one host of which nothing is measured.
  Driver(std::uint64_t seed, int hosts) : rng_(seed), hosts_(hosts), world_(std::max(hosts, 1)) {
    world_.situation.capacity = static_cast<std::int64_t>(2 + rng_.below(6));
    if (hosts == 0) world_.situation.nodes.clear();
    for (HostSituation& host : world_.situation.nodes)
      host.capacity = static_cast<std::int64_t>(1 + rng_.below(4));
  }

  void run(int steps) {
    for (int i = 0; i < steps && failure_.empty(); ++i)
      step();
    if (failure_.empty()) drain();
    if (failure_.empty()) replay();
  }

  [[nodiscard]] const std::string& failure() const { return failure_; }

  [[nodiscard]] std::size_t run_count() const { return world_.rows.runs.size(); }

 private:
  void fail_with(std::string text) {
    if (failure_.empty())
      failure_ = std::move(text) + " at log index " + std::to_string(world_.index);
  }

  bool chance(std::uint64_t percent) { return rng_.below(100) < percent; }

  std::string name() { return pick(rng_, {"a", "b", "c", "d", "e"}); }

  model::JobSpec spec() {
    model::JobSpec job =
        World::spec(name(), pick(rng_, {"* * * * *", "*/5 * * * *", "0 * * * *", "30 2 * * *",
                                        "@every 7s", "@every 90s", "@reboot", "*/20 2-4 * * *"}));
    if (chance(20)) job.schedule.push_back("*/10 * * * *");
    if (chance(10)) job.schedule.clear();
    job.tz = pick(rng_, {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"});
    job.concurrency = static_cast<model::Concurrency>(rng_.below(4));
    job.misfire = static_cast<model::Misfire>(rng_.below(3));
    job.guarantee = static_cast<model::Guarantee>(rng_.below(2));
    job.priority = static_cast<std::int32_t>(rng_.below(3));
    job.catchup_max = static_cast<std::int32_t>(1 + rng_.below(20));
    if (chance(50)) job.misfire_window = Seconds{static_cast<std::int64_t>(rng_.below(7200))};
    if (chance(30)) job.jitter = Seconds{static_cast<std::int64_t>(rng_.below(100))};
    if (chance(50)) job.retry_max = static_cast<std::int32_t>(rng_.below(3));
    job.retry_delay = Seconds{static_cast<std::int64_t>(rng_.below(100))};
    if (chance(10)) job.max_runtime = 200s;
    job.enabled = chance(90);
    if (hosts_ > 1) {
      job.route = static_cast<model::Route>(rng_.below(4));
      job.target = pick(rng_, {"one", "one", "one", "all", "2", "50%"});
      job.on = pick(rng_, {"", "", "name=web*", "web2", "x=1"});
      if (chance(10)) job.origin_host = "web3";
    }
    return job;
  }

  std::int64_t some_live() {
    const auto live = world_.state.live_runs();
    return live.empty() ? 0 : live[rng_.below(live.size())]->run_id;
  }

  void step() {
    const std::uint64_t dice = rng_.below(100);
    if (dice < 8) {
      world_put(spec());
    } else if (dice < 20) {
      command();
    } else if (dice < 45) {
      decide();
    } else if (dice < 75) {
      report();
    } else if (dice < 97) {
      jump();
    } else {
      reload();
    }
  }

  void world_put(model::JobSpec job) {
    model::JobPut line;
    line.spec = std::move(job);
    line.mode = static_cast<model::PutMode>(rng_.below(4));
    line.new_uid = world_.next_uid++;
    model::PutJobs put;
    put.puts.push_back(std::move(line));
    apply(std::move(put));
  }

  void command() {
    if (hosts_ > 1 && chance(40)) return fleet_command();
    switch (rng_.below(8)) {
      case 0:
        return apply(model::RemoveJobs{.names = {name()}, .keep_history = chance(50)});
      case 1:
        return apply(model::RenameJob{.name = name(), .new_name = name()});
      case 2:
        return apply(model::SetEnabled{.names = {name()}, .enabled = true, .until = {}});
      case 3: {
        model::SetEnabled off{.names = {name()}, .enabled = false, .until = {}};
        if (chance(50))
          off.until = world_.situation.now + Seconds{1 + static_cast<int>(rng_.below(5000))};
        return apply(std::move(off));
      }
      case 4:
        return apply(model::KillRuns{.run_ids = {some_live()}, .grace = {}});
      case 5:
        return apply(World::node("boot-" + std::to_string(rng_.below(4))));
      default: {
        model::TriggerRun trigger;
        trigger.job = name();
        trigger.force = chance(20);
        return apply(std::move(trigger), "req-" + std::to_string(rng_.below(1000)));
      }
    }
  }

  std::int64_t some_node() { return static_cast<std::int64_t>(1 + rng_.below(5)); }

  void fleet_command() {
    const std::int64_t id = some_node();
    switch (rng_.below(10)) {
      case 0:
        return apply(model::DrainNode{.node_id = id, .kill = chance(50)});
      case 1:
        return apply(model::UndrainNode{.node_id = id});
      case 2:
        if (chance(20)) apply(model::RemoveNode{.node_id = id, .leaves = chance(50)});
        return;
      case 3: {
        model::SetNode set;
        set.node_id = id;
        if (chance(50)) set.put_labels = {{"x", chance(50) ? "1" : "2"}};
        if (chance(30)) set.rank = static_cast<std::int32_t>(rng_.below(3));
        if (chance(20)) set.kind = static_cast<model::MemberKind>(rng_.below(3));
        return apply(std::move(set));
      }
      case 4:
        if (chance(50)) return apply(model::Resume{});
        return apply(model::Pause{.until = world_.situation.now + Seconds{600}});
      case 5: {
        model::PutNode put = World::node("boot-" + std::to_string(rng_.below(4)));
        put.id = id;
        put.name = "web" + std::to_string(id);
        return world_.state.find_node(id) != nullptr ? apply(std::move(put)) : void();
      }
      case 6:
        if (chance(10)) {
          apply(model::RaiseIncarnation{
              .incarnation = ++incarnation_, .node_id = 0, .name = {}, .cluster_id = {}});
        }
        return;
      default: {
        HostSituation& host = world_.situation.nodes[rng_.below(world_.situation.nodes.size())];
        host.is_alive = !host.is_alive;
        host.silent_since.reset();
        if (!host.is_alive) host.silent_since = world_.situation.now;
        host.is_clock_ok = chance(90);
        host.can_start = chance(90);
      }
    }
  }

  void decide() {
    world_.situation.clock_trusted = !chance(3);
    const Plan plan = world_.state.due(world_.situation);
    const bool is_trusted = world_.situation.clock_trusted;
    world_.situation.clock_trusted = true;
    if (!plan.decide) {
      if (is_trusted) check_wake(plan);
      return;
    }
    if (chance(10)) return;  // lost
    const Situation before = world_.situation;
    if (chance(20)) {  // something else is committed first
      chance(50) ? command() : report();
    }
    decided_on_ = before.nodes;
    apply(*plan.decide);
    if (chance(10)) apply(*plan.decide);  // and once more
  }

  void check_wake(const Plan& plan) {
    if (!plan.wake_at) return;
    if (*plan.wake_at <= world_.situation.now) return fail_with("wake_at is not in the future");
    Situation before = world_.situation;
    before.now = *plan.wake_at - Micros{1};
    if (world_.state.due(before).decide) fail_with("there was work before wake_at");
  }

  void report() {
    const std::int64_t id = some_live();
    if (id == 0) return;
    const model::Run run = *world_.state.find_live_run(id);
    model::HostReport line;
    line.run_id = id;
    line.attempt = run.attempt;
    if (chance(5)) line.attempt = static_cast<std::int32_t>(rng_.below(4));  // old or nonsense
    line.random = 0.5;
    const bool is_waiting = run.state == RunState::kDispatched;
    if (is_waiting && chance(30)) {
      line.kind = model::ReportKind::kUnstarted;
      const Reason reasons[] = {Reason::kTooLate, Reason::kEdited,      Reason::kKilled,
                                Reason::kPolicy,  Reason::kSpawnFailed, Reason::kHostCrash};
      line.reason = reasons[rng_.below(6)];
    } else if (is_waiting && chance(80)) {
      line.kind = model::ReportKind::kStarted;
      line.started_at = world_.situation.now;
    } else {
      line.kind = model::ReportKind::kEnded;
      const RunState outcomes[] = {RunState::kOk,      RunState::kOk,     RunState::kFailed,
                                   RunState::kTimeout, RunState::kKilled, RunState::kUnknown};
      line.outcome = outcomes[rng_.below(6)];
      line.started_at = run.started_at ? run.started_at : world_.situation.now;
      line.ended_at = world_.situation.now;
      if (line.outcome == RunState::kUnknown) line.reason = Reason::kHostReboot;
    }
    model::HostReports reports;
    reports.node_id = run.node_id;
    reports.reports.push_back(line);
    if (chance(5)) reports.reports.push_back(line);
    apply(std::move(reports));
  }

  void jump() {
    const std::uint64_t dice = rng_.below(100);
    std::int64_t millis = static_cast<std::int64_t>(rng_.below(20'000));
    if (dice < 10) millis = -static_cast<std::int64_t>(rng_.below(600'000));
    if (dice >= 80) millis *= 20;
    if (dice >= 95) millis *= 20;
    if (dice == 99) millis *= 10;
    world_.sleep(Millis{millis});
  }

  void reload() {
    State loaded = world_.rows.load();
    if (loaded.dump() != world_.state.dump()) return fail_with("reload differs");
    world_.state = std::move(loaded);
  }

  void apply(model::Command command, std::string request_id = "") {
    const auto* decide = std::get_if<model::Decide>(&command);
    std::map<std::uint64_t, Job> before;
    if (decide != nullptr) {
      for (const model::CursorMove& move : decide->cursors) {
        if (const Job* job = world_.state.find_job(move.job_uid)) before[move.job_uid] = *job;
      }
    }
    const std::string dump = chance(5) ? world_.state.dump() : "";
    const Applied out = world_.apply(std::move(command), std::move(request_id));
    if (!out.status) {
      if (!dump.empty() && dump != world_.state.dump()) fail_with("an error changed something");
      return;
    }
    for (const model::Run& run : out.changes.runs)
      check_row(run);
    for (const Order& order : out.orders) {
      if (const auto* claim = std::get_if<ClaimOrder>(&order)) check_claim(claim->run);
    }
    for (const auto& [uid, job] : before)
      check_slots(job);
  }

  void check_row(const model::Run& run) {
    const auto known = finals_.find(run.run_id);
    if (known != finals_.end() && !(known->second == run)) fail_with("a final run changed");
    if (model::is_final(run.state)) finals_[run.run_id] = run;
    if (run.run_id >= world_.rows.next_run_id) fail_with("a run id beyond the counter");
    const auto key = std::tuple(run.job_uid, run.origin, epoch_micros(run.scheduled_at), run.shard);
    const auto [slot, is_new] = slots_.try_emplace(key, run.run_id);
    if (!is_new && slot->second != run.run_id && run.origin == "schedule") {
      fail_with("two runs of one slot");
    }
    if (is_new) {
      if (run.run_id <= newest_run_) fail_with("run ids do not increase");
      newest_run_ = run.run_id;
    }
    std::int64_t stands_for = 0;
    if (run.detail.starts_with("stands for ")) stands_for = std::stoll(run.detail.substr(11));
    if (stands_for > 0) collapsed_[run.job_uid] += stands_for - 1;
  }

  void check_claim(const model::Run& run) {
    if (!claims_.insert({run.run_id, run.attempt}).second) fail_with("an attempt claimed twice");
    std::int64_t busy = 0;
    std::int64_t busy_of_job = 0;
    for (const model::Run* live : world_.state.live_runs()) {
      const bool is_busy = live->state != RunState::kQueued;
      busy += is_busy && live->node_id == run.node_id ? 1 : 0;
      const bool is_shard = live->origin == run.origin && live->scheduled_at == run.scheduled_at;
      const bool is_other = live->run_id != run.run_id && !live->force && !is_shard;
      if (is_busy && is_other && live->job_uid == run.job_uid) ++busy_of_job;
    }
    std::int64_t capacity = world_.situation.capacity;
    for (const HostSituation& host : decided_on_) {
      if (host.node_id != run.node_id) continue;
      capacity = host.capacity;
      if (!host.is_alive || !host.is_clock_ok || !host.can_start)
        fail_with("a claim on a host that is not well");
    }
    if (busy > capacity) fail_with("more runs than capacity");
    const Node* node = world_.state.find_node(run.node_id);
    if (node == nullptr || node->state != model::NodeState::kActive) {
      fail_with("a claim on a host that takes none");
    }
    const Job* job = world_.state.find_job(run.job_uid);
    if (job == nullptr) return fail_with("a claim without a job");
    const bool is_single = job->spec->concurrency != model::Concurrency::kAllow && !run.force;
    if (is_single && busy_of_job > 0) fail_with("two runs in one place");
  }

  /// Each slot that the cursor passed has a row, or a row that stands for it.
  void check_slots(const Job& before) {
    const Job* job = world_.state.find_job(before.uid);
    if (job == nullptr || !before.spec->enabled) return;
    std::int64_t without_row = 0;
    auto slot = world_.state.next_slot(before, before.cursor);
    while (slot && *slot <= job->cursor) {
      if (!slots_.contains(
              std::tuple(before.uid, std::string("schedule"), epoch_micros(*slot), 0))) {
        ++without_row;
      }
      slot = world_.state.next_slot(before, *slot);
    }
    if (without_row != collapsed_[before.uid]) {
      fail_with("slots without a row: " + std::to_string(without_row));
    }
    collapsed_[before.uid] = 0;
  }

  /// A reboot of every host ends what may still be alive on it; none is drained any longer.
  void reboot(int boot) {
    for (std::int64_t id = 1; id <= 3; ++id) {
      const Node* node = world_.state.find_node(id);
      if (node == nullptr) continue;
      if (node->state == model::NodeState::kDraining) apply(model::UndrainNode{.node_id = id});
      model::PutNode put = World::node("boot-" + std::to_string(boot));
      put.id = id;
      put.name = "web" + std::to_string(id);
      apply(std::move(put));
    }
  }

  /// With all jobs disabled and hosts that answer, and reboot where that does not help, every run
  /// comes to an end.
  void drain() {
    for (const Job* job : world_.state.jobs_by_name())
      names_.push_back(job->spec->name);
    world_.situation.now = std::max(world_.situation.now, latest_entry());
    apply(model::Resume{});
    for (HostSituation& host : world_.situation.nodes)
      host.is_alive = host.is_clock_ok = host.can_start = true;
    decided_on_ = world_.situation.nodes;
    apply(model::SetEnabled{.names = names_, .enabled = false, .until = {}});
    int boots = 100;
    for (int i = 0; i < 3000 && failure_.empty(); ++i) {
      for (const model::Run* live : world_.state.live_runs()) {
        if (live->state == RunState::kQueued) continue;
        model::HostReports reports;
        reports.node_id = live->node_id;
        reports.reports.emplace_back();
        model::HostReport& line = reports.reports[0];
        line.kind = model::ReportKind::kEnded;
        line.run_id = live->run_id;
        line.attempt = live->attempt;
        line.started_at = world_.situation.now;
        line.ended_at = world_.situation.now;
        apply(std::move(reports));
        break;
      }
      const Plan plan = world_.state.due(world_.situation);
      if (plan.decide) {
        apply(*plan.decide);
      } else if (plan.wake_at) {
        world_.situation.now = *plan.wake_at;
      } else if (world_.state.live_runs().empty()) {
        return;
      } else {
        reboot(++boots);  // what waits for a run that may still be alive
      }
    }
    fail_with("runs that never end: " + std::to_string(world_.state.live_runs().size()));
  }

  [[nodiscard]] WallTime latest_entry() const {
    WallTime latest = kT0;
    for (const model::Entry& entry : world_.entries)
      latest = std::max(latest, entry.at);
    return latest;
  }

  /// The same log gives the same state and rows.
  void replay() {
    State again(test_zones());
    Rows rows;
    LogIndex index = 0;
    for (const model::Entry& entry : world_.entries)
      rows.write(again.apply(entry, ++index).changes);
    if (again.dump() != world_.state.dump()) fail_with("a replay of the log differs");
    if (rows.runs != world_.rows.runs) fail_with("rows of a replay differ");
  }

  Rng rng_;
  const int hosts_;
  Fleet world_;
  std::vector<HostSituation> decided_on_;
  std::int64_t incarnation_ = 7;
  model::TextList names_;
  std::string failure_;
  std::map<std::int64_t, model::Run> finals_;
  std::map<std::tuple<std::uint64_t, std::string, std::int64_t, std::int32_t>, std::int64_t> slots_;
  std::map<std::uint64_t, std::int64_t> collapsed_;
  std::set<std::pair<std::int64_t, std::int32_t>> claims_;
  std::int64_t newest_run_ = 0;
};

std::uint64_t env_number(const char* key, std::uint64_t otherwise) {
  const char* text = std::getenv(key);  // NOLINT(concurrency-mt-unsafe): one thread
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("random commands, reports, clock jumps and reloads keep the invariants") {
    const std::uint64_t only = env_number("DISTCRON_SEED", 0);
    const std::uint64_t seeds = env_number("DISTCRON_SEEDS", 30);
    std::size_t runs = 0;
    for (std::uint64_t i = 0; i < (only != 0 ? 1 : seeds); ++i) {
      const std::uint64_t seed = only != 0 ? only : 1 + i;
      Driver driver(seed, seed % 2 == 0 ? 0 : 3);
      driver.run(600);
      runs += driver.run_count();
      INFO("seed=" << seed << " " << driver.failure());
      REQUIRE(driver.failure().empty());
    }
    MESSAGE("seeds from 1: " << seeds << ", runs: " << runs);
  }
}

}  // namespace distcron::planner
