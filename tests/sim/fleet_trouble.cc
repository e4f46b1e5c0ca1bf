// SPDX-License-Identifier: Apache-2.0
// Faults that aim at one moment each: random ones hit it too rarely. They come from random numbers
// of their own, so what a seed draws besides stays as it is.
#include <algorithm>

#include "sim/fleet_world.h"

namespace distcron::sim {
namespace {

/// Longer than the scheduler waits for a silent host with a claim of a job that runs often.
constexpr FleetTime kCutMin = 12 * kSecond;
constexpr FleetTime kCutMax = 35 * kSecond;
/// How long a process outlives the cut of its host.
constexpr FleetTime kOutlives = 3 * kSecond;
/// An executor that nobody starts again for long: longer than its agent waits to say so.
constexpr FleetTime kGoneMin = 3 * kSecond;
constexpr FleetTime kGoneMax = 45 * kSecond;

class Trouble {
 public:
  explicit Trouble(FleetPlan& plan)
      : plan_(plan), rng_(mix64(plan.options.seed ^ 0x74726f75626c65ULL)) {}

  void draw() {
    if (draw_chance(rng_, 20)) black_out();
    if (draw_chance(rng_, 25)) add(FleetOpKind::kInsist, 4, 1 * kSecond, 6 * kSecond, jobs() - 1);
    if (draw_chance(rng_, 40)) add(FleetOpKind::kCutStart, 4, kCutMin, kCutMax, 1);
    if (draw_chance(rng_, 25)) add(FleetOpKind::kCrashSpawn, 8, 1 * kMs, 150 * kMs, 2'500);
    if (draw_chance(rng_, 15)) add(FleetOpKind::kRelease, 6, 0, 0, 1);
    if (draw_chance(rng_, 25)) add(FleetOpKind::kCrashStart, 8, 1 * kMs, 500 * kMs, 1);
    if (draw_chance(rng_, 25)) add(FleetOpKind::kCrashExec, 3, kGoneMin, kGoneMax, 0);
    std::stable_sort(plan_.ops.begin(), plan_.ops.end(),
                     [](const FleetOp& a, const FleetOp& b) { return a.at < b.at; });
  }

 private:
  [[nodiscard]] std::int64_t jobs() const {
    return static_cast<std::int64_t>(plan_.options.jobs.size());
  }

  FleetOp& put(FleetOpKind kind, FleetTime at) {
    FleetOp op;
    op.at = at;
    op.kind = kind;
    op.node = draw_between(rng_, 1, plan_.options.nodes);
    plan_.ops.push_back(op);
    return plan_.ops.back();
  }

  void add(FleetOpKind kind, std::int64_t count_max, FleetTime span_min, FleetTime span_max,
           std::int64_t arg_max) {
    const std::int64_t count = draw_between(rng_, 1, count_max);
    for (std::int64_t i = 0; i < count; ++i) {
      FleetOp& op = put(kind, draw_between(rng_, 2 * kSecond, plan_.options.faults_until));
      op.span = draw_between(rng_, span_min, span_max);
      op.arg = draw_between(rng_, 0, arg_max);
    }
  }

  /// And somebody who cannot wait until it is over.
  void black_out() {
    const FleetTime at = draw_between(rng_, 10 * kSecond, plan_.options.faults_until);
    const FleetTime span = draw_between(rng_, 1 * kSecond, 30 * kSecond);
    put(FleetOpKind::kBlackout, at).span = span;
    if (draw_chance(rng_, 30)) return;
    FleetOp& insists = put(FleetOpKind::kInsist, at + kSecond);
    insists.span = draw_between(rng_, 1 * kSecond, 6 * kSecond);
    insists.arg = draw_between(rng_, 0, jobs() - 1);
  }

  FleetPlan& plan_;
  Rng rng_;
};

}  // namespace

void draw_trouble(FleetPlan& plan) {
  Trouble(plan).draw();
}

void draw_snapshots(FleetPlan& plan) {
  Rng rng(mix64(plan.options.seed ^ 0x736e617073686f74ULL));
  if (!draw_chance(rng, 40)) return;
  agent::LogLimits& log = plan.options.log;
  log.entries_max = draw_between(rng, 5, 80);
  log.keep = draw_between(rng, 0, log.entries_max - 1);
  log.look_every = Micros(draw_between(rng, 200 * kMs, 5 * kSecond));
  log.chunk_bytes = static_cast<std::uint64_t>(draw_between(rng, 200, 4'000));
}

void FleetWorld::black_out(const FleetOp& op) {
  for (auto& one : nodes_) {
    one->power_off();
    const FleetTime span = draw_between(rng_, op.span / 4, op.span);
    agenda_.after(span, [this, &one = *one, life = faults_life_] {
      if (life == faults_life_) one.power_on();
    });
  }
}

void FleetWorld::insist(const std::string& job, bool enabled, const std::string& request,
                        FleetTime then) {
  const auto again = [this, job, enabled, request, then] { insist(job, enabled, request, then); };
  if (done_.contains(request)) return;
  model::SetEnabled command;
  command.names = {job};
  command.enabled = enabled;
  FleetNode& at = *nodes_[rng_.below(nodes_.size())];
  at.client(std::move(command), request, [this, job, request, then](const Status& status) {
    const bool is_over = status || status.error().code != ErrorCode::kUnavailable;
    if (!is_over || !done_.insert(request).second || then == 0) return;
    agenda_.after(then, [this, job] { insist(job, true, request_id(), 0); });
  });
  agenda_.after(draw_between(rng_, 20 * kMs, 300 * kMs), again);
}

void FleetWorld::cut_at_start(const FleetOp& op) {
  node(op.node).at_next_start(
      [this, &op, life = faults_life_] {
        if (life != faults_life_) return;
        note(node_name(op.node) + " is cut off with that start");
        cut(op, true, op.arg != 1);
      },
      op.span + kOutlives);
}

void FleetWorld::release(const FleetOp& op) {
  for (auto& one : nodes_)
    one->release_places(request_id(), op.arg == 1);
}

}  // namespace distcron::sim
