// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace distcron::sim {
namespace {

constexpr std::array<std::string_view, 28> kOpNames{
    "kill-agent", "power-off",  "crash-exec", "pause",       "isolate", "deafen",
    "mute",       "slow-disk",  "full-disk",  "hand-over",   "clock",   "put-job",
    "toggle-job", "remove-job", "trigger",    "kill-run",    "drain",   "crash-write",
    "blackout",   "insist",     "cut-start",  "crash-spawn", "release", "crash-start",
    "join",       "remove",     "leave",      "set-node"};

template <class T, std::size_t N>
const T& pick(Rng& rng, const std::array<T, N>& of) {
  return of[rng.below(N)];
}

model::JobSpec draw_job(Rng& rng, std::int64_t number, std::int64_t nodes) {
  model::JobSpec spec;
  spec.name = "job" + std::to_string(number);
  spec.command = "true";
  spec.user = "root";
  spec.tz = "UTC";
  constexpr std::array<int, 6> kPeriods{1, 2, 5, 10, 30, 60};
  if (!draw_chance(rng, 10)) {
    spec.schedule = {"@every " + std::to_string(pick(rng, kPeriods)) + "s"};
  }
  constexpr std::array kPolicies{model::Concurrency::kAllow, model::Concurrency::kForbid,
                                 model::Concurrency::kForbid, model::Concurrency::kQueue,
                                 model::Concurrency::kReplace};
  spec.concurrency = pick(rng, kPolicies);
  if (draw_chance(rng, 40)) spec.guarantee = model::Guarantee::kAtLeastOnce;
  constexpr std::array kMisfires{model::Misfire::kOnce, model::Misfire::kSkip,
                                 model::Misfire::kAll};
  spec.misfire = pick(rng, kMisfires);
  spec.retry_delay = Millis(2'000);
  if (draw_chance(rng, 40)) {
    spec.retry_max = static_cast<std::int32_t>(draw_between(rng, 1, 3));
    spec.retry_delay = Millis(draw_between(rng, 0, 2'000));
  }
  if (draw_chance(rng, 20)) spec.timeout = Millis(draw_between(rng, 500, 8'000));
  if (draw_chance(rng, 20)) spec.jitter = Millis(draw_between(rng, 0, 500));
  spec.kill_grace = Millis(draw_between(rng, 10, 2'000));
  if (nodes > 1 && draw_chance(rng, 25)) {
    const std::array<std::string, 2> targets{"all", "2"};
    spec.target = pick(rng, targets);
  }
  constexpr std::array kRoutes{model::Route::kHash, model::Route::kLeastLoaded,
                               model::Route::kRoundRobin, model::Route::kOrdered};
  spec.route = pick(rng, kRoutes);
  return spec;
}

/// Its host goes on with it alone.
model::JobSpec draw_local_job(Rng& rng, std::int64_t nodes) {
  model::JobSpec spec = draw_job(rng, 99, nodes);
  spec.schedule = {"@every " + std::to_string(draw_between(rng, 1, 5)) + "s"};
  spec.on = "name=" + node_name(draw_between(rng, 1, nodes));
  spec.target = "one";
  spec.guarantee = model::Guarantee::kAtMostOnce;
  spec.on_no_quorum = model::OnNoQuorum::kRunLocal;
  return spec;
}

/// What a seed has of each kind of trouble: none, a little, or a lot.
struct Kind {
  FleetOpKind kind;
  FleetTime span_min;
  FleetTime span_max;
  std::int64_t often;    ///< Mean number in 60 s, where it is drawn at all.
  std::int64_t percent;  ///< Of the seeds.
};

constexpr std::array kKinds{
    Kind{FleetOpKind::kKillAgent, 1 * kMs, 6 * kSecond, 6, 60},
    Kind{FleetOpKind::kPowerOff, 1 * kSecond, 20 * kSecond, 2, 40},
    Kind{FleetOpKind::kCrashExec, 10 * kMs, 3 * kSecond, 4, 30},
    Kind{FleetOpKind::kPause, 500 * kMs, 12 * kSecond, 4, 40},
    Kind{FleetOpKind::kIsolate, 1 * kSecond, 25 * kSecond, 3, 45},
    Kind{FleetOpKind::kDeafen, 1 * kSecond, 15 * kSecond, 2, 20},
    Kind{FleetOpKind::kMute, 1 * kSecond, 15 * kSecond, 2, 20},
    Kind{FleetOpKind::kSlowDisk, 1 * kSecond, 15 * kSecond, 2, 25},
    Kind{FleetOpKind::kFullDisk, 1 * kSecond, 15 * kSecond, 2, 20},
    Kind{FleetOpKind::kHandOver, 0, 0, 6, 25},
    Kind{FleetOpKind::kClock, 0, 0, 4, 20},
    Kind{FleetOpKind::kPutJob, 0, 0, 8, 50},
    Kind{FleetOpKind::kToggleJob, 0, 0, 8, 40},
    Kind{FleetOpKind::kRemoveJob, 0, 0, 2, 20},
    Kind{FleetOpKind::kTrigger, 0, 0, 15, 60},
    Kind{FleetOpKind::kKillRun, 0, 0, 12, 50},
    Kind{FleetOpKind::kDrain, 1 * kSecond, 20 * kSecond, 2, 25},
    Kind{FleetOpKind::kCrashWrite, 1 * kMs, 4 * kSecond, 8, 35},
};

std::int64_t draw_arg(Rng& rng, FleetOpKind kind, const FleetOptions& options) {
  const auto jobs = static_cast<std::int64_t>(options.jobs.size());
  if (kind == FleetOpKind::kDrain) return draw_between(rng, 1, options.nodes);
  if (kind == FleetOpKind::kCrashWrite) return draw_between(rng, 1, 4);
  if (kind != FleetOpKind::kClock) return draw_between(rng, 0, jobs - 1);
  const std::int64_t reach = draw_chance(rng, 50) ? 1'500 : 60'000;
  return draw_between(rng, -reach, reach);
}

void draw_ops(Rng& rng, FleetPlan& plan) {
  for (const Kind& kind : kKinds) {
    const bool is_in = draw_chance(rng, kind.percent);
    if (!is_in) continue;
    if (kind.kind == FleetOpKind::kClock) plan.options.steps_clocks = true;
    const std::int64_t mean =
        std::max<std::int64_t>(1, kind.often * plan.options.faults_until / (60 * kSecond));
    const std::int64_t count = draw_between(rng, 1, 2 * mean);
    for (std::int64_t i = 0; i < count; ++i) {
      FleetOp op;
      op.at = draw_between(rng, 2 * kSecond, plan.options.faults_until);
      op.kind = kind.kind;
      op.node = draw_between(rng, 1, plan.options.nodes);
      op.span = draw_between(rng, kind.span_min, kind.span_max);
      op.arg = draw_arg(rng, kind.kind, plan.options);
      plan.ops.push_back(op);
    }
  }
  std::stable_sort(plan.ops.begin(), plan.ops.end(),
                   [](const FleetOp& a, const FleetOp& b) { return a.at < b.at; });
}

}  // namespace

FleetPlan draw_fleet_plan(std::uint64_t seed, std::int64_t seconds) {
  FleetPlan plan = draw_plain_plan(seed, seconds);
  draw_trouble(plan);
  draw_snapshots(plan);
  draw_members(plan);
  return plan;
}

FleetPlan draw_plain_plan(std::uint64_t seed, std::int64_t seconds) {
  Rng rng(mix64(seed));
  FleetPlan plan;
  FleetOptions& o = plan.options;
  o.seed = seed;
  constexpr std::array<std::int64_t, 6> kSizes{1, 2, 3, 3, 3, 5};
  o.nodes = pick(rng, kSizes);
  if (o.nodes >= 3 && draw_chance(rng, 25)) o.standbys = 1;
  if (draw_chance(rng, 20)) o.capacity = draw_between(rng, 1, 4);
  o.faults_until = seconds * kSecond;
  o.habits.run_max = draw_chance(rng, 50) ? 800 * kMs : 5 * kSecond;
  if (draw_chance(rng, 15)) {  // longer than a silent host is waited for
    o.habits.run_max = 25 * kSecond;
    o.habits.long_percent = 0;
  }
  o.habits.refuse_percent = draw_between(rng, 0, 4);
  o.habits.setup_percent = draw_between(rng, 0, 4);
  o.habits.lost_percent = draw_between(rng, 0, 2);
  o.drifts = draw_chance(rng, 30);
  if (draw_chance(rng, 40)) o.loss_percent = draw_between(rng, 1, 20);
  if (draw_chance(rng, 30)) o.double_percent = draw_between(rng, 1, 30);
  if (draw_chance(rng, 20)) o.late_percent = draw_between(rng, 1, 5);
  if (draw_chance(rng, 40)) o.delay_max = draw_between(rng, 2 * kMs, 80 * kMs);
  const std::int64_t jobs = draw_between(rng, 1, 6);
  for (std::int64_t i = 0; i < jobs; ++i)
    o.jobs.push_back(draw_job(rng, i, o.nodes));
  draw_ops(rng, plan);
  // Kinds of jobs that came later are drawn apart, so that older seeds keep their meaning.
  Rng later(mix64(seed ^ 0x6c6f63616cULL));
  if (o.nodes > 1 && draw_chance(later, 40)) {
    o.jobs.push_back(draw_local_job(later, o.nodes));
    if (draw_chance(later, 30)) o.no_quorum_max = Seconds(draw_between(later, 8, 15));
  }
  return plan;
}

Seconds period_of(const model::JobSpec& spec) {
  if (spec.schedule.empty()) return Seconds(0);
  constexpr std::string_view kPrefix = "@every ";
  const std::string& text = spec.schedule.front();
  std::int64_t seconds = 0;
  std::from_chars(text.data() + kPrefix.size(), text.data() + text.size(), seconds);
  return Seconds(seconds);
}

std::string node_name(std::int64_t id) {
  return "n" + std::to_string(id);
}

std::string format_op(const FleetOp& op) {
  return "at " + std::to_string(op.at / kMs) + "ms " +
         std::string(kOpNames[static_cast<std::size_t>(op.kind)]) +
         " node=" + std::to_string(op.node) + " for=" + std::to_string(op.span / kMs) +
         "ms arg=" + std::to_string(op.arg);
}

std::string format_options(const FleetOptions& o) {
  std::string out =
      "seed " + std::to_string(o.seed) + ": nodes=" + std::to_string(o.nodes) +
      " standbys=" + std::to_string(o.standbys) + " joiners=" + std::to_string(o.joiners) +
      " capacity=" + std::to_string(o.capacity) + " loss=" + std::to_string(o.loss_percent) +
      "% doubled=" + std::to_string(o.double_percent) + "% late=" + std::to_string(o.late_percent) +
      "% delay<" + std::to_string(o.delay_max / kMs) + "ms log<" +
      std::to_string(o.log.entries_max) + " keeps " + std::to_string(o.log.keep) +
      (o.no_quorum_max > Seconds(0) ? " alone<" + std::to_string(o.no_quorum_max.count()) + "s\n"
                                    : "\n");
  for (const model::JobSpec& spec : o.jobs) {
    out += "  " + spec.name + ": " + (spec.schedule.empty() ? "by hand" : spec.schedule.front()) +
           " " + std::string(model::name_of(spec.concurrency)) + " " +
           std::string(model::name_of(spec.guarantee)) +
           " misfire=" + std::string(model::name_of(spec.misfire)) + " target=" + spec.target +
           " retry.max=" + std::to_string(spec.retry_max) +
           (spec.on.empty() ? std::string() : " alone on " + spec.on) + "\n";
  }
  return out;
}

}  // namespace distcron::sim
