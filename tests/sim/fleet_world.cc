// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_world.h"

#include <algorithm>

namespace distcron::sim {
namespace {

constexpr std::size_t kTailMax = 80;
/// A slot that is older than this when all is over must have its row, in its final state.
constexpr Seconds kSettled{35};
constexpr Seconds kGuard{15};
constexpr std::int64_t kStepsPerSecondMax = 400'000;

std::string time_text(FleetTime at) {
  std::string text = std::to_string(at);
  text.insert(0, text.size() < 7 ? 7 - text.size() : 0, '0');
  return text.insert(text.size() - 6, ".");
}

}  // namespace

FleetWorld::FleetWorld(const FleetPlan& plan)
    : plan_(plan),
      rng_(mix64(plan.options.seed ^ 0x666c656574ULL)),
      net_(agenda_, rng_.draw()),
      judge_(agenda_) {
  const FleetOptions& o = plan_.options;
  net_.loss_percent = o.loss_percent;
  net_.double_percent = o.double_percent;
  net_.late_percent = o.late_percent;
  net_.delay_max = o.delay_max;
  for (std::int64_t id = 1; id <= o.nodes + o.joiners; ++id) {
    nodes_.push_back(std::make_unique<FleetNode>(agenda_, net_, judge_, library_, o, id));
    nodes_.back()->trace = [this, id](const std::string& line) {
      note(node_name(id) + " " + line);
    };
    if (id > o.nodes) nodes_.back()->stay_out();
  }
  if (!plan_.options.steps_clocks) judge_.trust_clocks();
  judge_.on_row = [this](const model::Run& run) {
    note("row " + std::to_string(run.run_id) + "." + std::to_string(run.attempt) + " " + run.job +
         " " + outcome_text(run) +
         " slot=" + std::to_string((run.scheduled_at - kFleetEpoch).count() / kMs) +
         "ms host=" + std::to_string(run.node_id) +
         (run.shards > 0 ? " shard=" + std::to_string(run.shard) : std::string()));
  };
}

void FleetWorld::note(const std::string& line) {
  const std::string text = time_text(agenda_.now()) + " " + line;
  hash_ = mix64(hash_ ^ stable_hash(text));
  if (listener) listener(text);
  tail_.push_back(text);
  if (tail_.size() > kTailMax) tail_.pop_front();
}

void FleetWorld::run_until(FleetTime until) {
  while (!judge_.violation() && agenda_.step(until)) {
    ++steps_;
    if (net_.is_flooded()) return judge_.fail("flood", "messages make ever more messages");
    if (agenda_.now() / kSecond != second_) {
      second_ = agenda_.now() / kSecond;
      steps_before_ = steps_;
    }
    if (steps_ - steps_before_ > kStepsPerSecondMax) {
      return judge_.fail("busy_loop", "the world does not come to rest");
    }
  }
}

/// The members as they stand after a founding and joins long ago.
void FleetWorld::found() {
  const FleetOptions& o = plan_.options;
  FleetRows rows;
  rows.cluster = planner::Cluster{"sim", "0123456789abcdef0123456789abcdef", 1, "UTC"};
  planner::JoinToken token;
  token.id = "t";
  token.hash = kJoinToken;
  token.expires_at = kFleetEpoch + Seconds(86'400);
  token.uses_left = 1'000;
  rows.tokens[token.id] = token;
  consensus::Config config;
  const std::int64_t voters = o.nodes - o.standbys;
  for (std::int64_t id = 1; id <= o.nodes; ++id) {
    planner::Node row;
    row.id = id;
    row.name = node_name(id);
    row.boot_id = "boot-" + std::to_string(id) + "-1";
    row.mesh_keys = {"key of " + row.name};
    row.kind = id > voters ? model::MemberKind::kStandby : model::MemberKind::kAuto;
    row.joined_at = kFleetEpoch - Seconds(3'600);
    rows.nodes[id] = row;
    const bool votes = id <= voters;
    config.members.push_back(consensus::Member{
        id, votes ? consensus::MemberKind::kVoter : consensus::MemberKind::kLearner, 0});
  }
  if (voters > 5) rows.settings["voters"] = "7";
  if (o.no_quorum_max > Seconds(0)) {
    rows.settings["no_quorum_max"] = std::to_string(o.no_quorum_max.count()) + "s";
    judge_.limit_local_runs(o.no_quorum_max);
  }
  rows.applied = o.founded_at;
  judge_.begin_after(o.founded_at);
  for (auto& node : nodes_) {
    if (node->is_member()) {
      node->format(rows, config);
    } else if (o.founded_at == 0) {
      node->format(rows);
    }
    node->power_on();
  }
}

FleetOutcome FleetWorld::run() {
  found();
  // The jobs are made by whoever leads first; asked again until it is done.
  for (FleetTime at = 3 * kSecond; at < 4 * kSecond; at += 100 * kMs) {
    const auto number = static_cast<std::size_t>((at - 3 * kSecond) / (100 * kMs));
    if (number >= plan_.options.jobs.size()) break;
    agenda_.at(
        at, [this, number] { node(1).client(put_of(plan_.options.jobs[number]), request_id()); });
  }
  for (const FleetOp& op : plan_.ops) {
    agenda_.at(op.at + 2 * kSecond, [this, &op] { perform(op); });
  }
  run_until(plan_.options.faults_until + 4 * kSecond);
  if (!judge_.violation()) heal();
  run_until(plan_.options.faults_until + 4 * kSecond + plan_.options.settle);
  if (!judge_.violation()) finish();

  FleetOutcome out;
  out.violation = judge_.violation();
  if (out.violation) {
    for (const std::string& line : tail_)
      out.tail += line + "\n";
  }
  out.hash = hash_;
  out.starts = judge_.starts();
  out.slots = judge_.slots_checked();
  out.acked = judge_.acked();
  out.entries = judge_.applied_max();
  out.installs = judge_.installs();
  out.terms = judge_.terms();
  out.unhealable = is_unhealable_ ? 1 : 0;
  for (const auto& one : nodes_)
    out.members += one->is_member() ? 1 : 0;
  out.outcomes = judge_.outcomes();
  out.steps = steps_;
  out.ended_at = agenda_.now();
  return out;
}

// --- orders and faults ---------------------------------------------------------------------------

std::string FleetWorld::request_id() {
  return "r" + std::to_string(++requests_);
}

model::PutJobs FleetWorld::put_of(const model::JobSpec& spec) {
  model::JobPut put;
  put.spec = spec;
  put.mode = model::PutMode::kReplace;
  put.new_uid = rng_.draw() | 1U;
  model::PutJobs command;
  command.puts.push_back(std::move(put));
  return command;
}

void FleetWorld::cut(const FleetOp& op, bool out, bool in) {
  const auto hosts = static_cast<std::int64_t>(nodes_.size());
  for (std::int64_t other = 1; other <= hosts; ++other) {
    if (other == op.node) continue;
    if (out) net_.close(op.node, other);
    if (in) net_.close(other, op.node);
  }
  agenda_.after(op.span, [this, id = op.node, hosts, out, in, life = faults_life_] {
    if (life != faults_life_) return;
    for (std::int64_t other = 1; other <= hosts; ++other) {
      if (out) net_.open(id, other);
      if (in) net_.open(other, id);
    }
    note(node_name(id) + " is in touch again");
  });
}

void FleetWorld::kill_some_run(FleetNode& at) {
  const planner::State* state = at.state();
  if (state == nullptr) return;
  const std::vector<const model::Run*> live = state->live_runs();
  if (live.empty()) return;
  model::KillRuns command;
  command.run_ids = {live[rng_.below(live.size())]->run_id};
  at.client(std::move(command), request_id());
}

void FleetWorld::change_jobs(FleetNode& at, const FleetOp& op) {
  model::JobSpec& spec = plan_.options.jobs[static_cast<std::size_t>(op.arg)];
  if (op.kind == FleetOpKind::kPutJob) {
    spec.description = request_id();
    if (!spec.schedule.empty() && draw_chance(rng_, 30)) {
      spec.schedule = {"@every " + std::to_string(draw_between(rng_, 1, 20)) + "s"};
    }
    at.client(put_of(spec), request_id());
  } else if (op.kind == FleetOpKind::kToggleJob) {
    const planner::Job* job = at.state() != nullptr ? at.state()->find_job(spec.name) : nullptr;
    if (job == nullptr) return;
    model::SetEnabled command;
    command.names = {spec.name};
    command.enabled = !job->spec->enabled;
    at.client(std::move(command), request_id());
  } else if (op.kind == FleetOpKind::kRemoveJob) {
    model::RemoveJobs command;
    command.names = {spec.name};
    at.client(std::move(command), request_id());
  } else {
    model::TriggerRun command;
    command.job = spec.name;
    command.force = draw_chance(rng_, 15);
    at.client(std::move(command), request_id());
  }
}

void FleetWorld::perform(const FleetOp& op) {
  note("op " + format_op(op));
  FleetNode& at = node(op.node);
  const auto later = [this, &op, &at](void (FleetNode::*what)()) {
    agenda_.after(op.span, [this, &at, what, life = faults_life_] {
      if (life == faults_life_) (at.*what)();
    });
  };
  switch (op.kind) {
    case FleetOpKind::kKillAgent:
      at.kill_agent();
      return later(&FleetNode::start_agent);
    case FleetOpKind::kPowerOff:
      at.power_off();
      return later(&FleetNode::power_on);
    case FleetOpKind::kCrashExec:
      return at.crash_executor(op.span);
    case FleetOpKind::kPause:
      return at.pause(op.span);
    case FleetOpKind::kIsolate:
      return cut(op, true, true);
    case FleetOpKind::kDeafen:
      return cut(op, false, true);
    case FleetOpKind::kMute:
      return cut(op, true, false);
    case FleetOpKind::kSlowDisk:
    case FleetOpKind::kFullDisk: {
      bool FleetDisk::*const what =
          op.kind == FleetOpKind::kSlowDisk ? &FleetDisk::is_slow : &FleetDisk::is_full;
      at.disk().*what = true;
      agenda_.after(op.span, [&at, what] { at.disk().*what = false; });
      return;
    }
    case FleetOpKind::kHandOver:
      for (auto& one : nodes_)
        one->hand_over();
      return;
    case FleetOpKind::kClock:
      return at.set_wall(Micros(op.arg * kMs));
    case FleetOpKind::kPutJob:
    case FleetOpKind::kToggleJob:
    case FleetOpKind::kRemoveJob:
    case FleetOpKind::kTrigger:
      return change_jobs(at, op);
    case FleetOpKind::kKillRun:
      return kill_some_run(at);
    case FleetOpKind::kCrashWrite:
      return at.crash_at_write(static_cast<FleetCrash>(op.arg), op.span);
    case FleetOpKind::kBlackout:
      return black_out(op);
    case FleetOpKind::kInsist:
      return insist(plan_.options.jobs[static_cast<std::size_t>(op.arg)].name, false, request_id(),
                    op.span);
    case FleetOpKind::kCutStart:
      return cut_at_start(op);
    case FleetOpKind::kCrashSpawn:
      return at.crash_at_spawn(op.arg * kMs + 1, op.span);
    case FleetOpKind::kCrashStart:
      return at.at_next_start([&at, span = op.span] { at.crash_executor(span); }, 0);
    case FleetOpKind::kRelease:
      return release(op);
    case FleetOpKind::kJoin:
      return join(op.arg);
    case FleetOpKind::kRemove:
    case FleetOpKind::kLeave:
    case FleetOpKind::kSetNode:
      return change_members(at, op);
    case FleetOpKind::kDrain:
      at.client(model::DrainNode{op.arg, draw_chance(rng_, 30)}, request_id());
      agenda_.after(op.span, [this, &at, drained = op.arg] {
        at.client(model::UndrainNode{drained}, request_id());
      });
      return;
  }
}

// --- the end -------------------------------------------------------------------------------------

void FleetWorld::heal() {
  note("all is healed");
  ++faults_life_;
  net_.open_all();
  net_.loss_percent = 0;
  net_.double_percent = 0;
  net_.late_percent = 0;
  net_.delay_max = 2 * kMs;
  for (auto& one : nodes_) {
    one->disk().is_full = false;
    one->disk().is_slow = false;
    one->disk().crash = FleetCrash::kNone;
    one->habits() = FleetExecHabits{200 * kMs, 0, 0, 0, 0, 0};
    if (plan_.options.steps_clocks || plan_.options.drifts) one->set_wall(Micros(0));
    one->resume();
    one->power_on();
    one->start_agent();
    one->trust_clock();
  }
  // Whoever was drained takes runs again; asked of each, as some may not know a leader yet.
  const auto hosts = static_cast<std::int64_t>(nodes_.size());
  for (std::int64_t i = 1; i <= std::max<std::int64_t>(8, hosts); ++i) {
    if (i > 16) break;
    agenda_.after(i * kSecond, [this, i, hosts] {
      for (std::int64_t id = 1; id <= hosts; ++id)
        node(1 + i % hosts).client(model::UndrainNode{id}, request_id());
    });
  }
}

void FleetWorld::finish() {
  const auto count_leaders = [this] {
    return std::count_if(nodes_.begin(), nodes_.end(),
                         [](const auto& one) { return one->is_scheduler(); });
  };
  std::int64_t leaders = count_leaders();
  for (int i = 0; i < 20 && leaders != 1; ++i) {  // the role is just being handed on
    run_until(agenda_.now() + kSecond / 2);
    leaders = count_leaders();
  }
  if (leaders == 0 && is_stranded()) {
    is_unhealable_ = true;
    return;
  }
  if (leaders != 1) {
    std::string text = std::to_string(leaders) + " members schedule at the end";
    for (const auto& one : nodes_)
      text += "; " + one->describe();
    return judge_.fail("no_scheduler", text);
  }
  const FleetNode& leader = **std::find_if(nodes_.begin(), nodes_.end(),
                                           [](const auto& one) { return one->is_scheduler(); });
  is_unhealable_ = std::any_of(nodes_.begin(), nodes_.end(), [&leader](const auto& one) {
    return one->id() != leader.id() && is_forsaken(*one, leader);
  });
  if (is_unhealable_) return;
  check_members(leader);
  for (auto& one : nodes_) {
    judge_.check_holds(one->id(), leader.state()->holds_on(one->id()));
    const model::Node* row = leader.state()->find_node(one->id());
    if (row == nullptr || !model::is_member(*row)) continue;
    if (!one->has_agent()) return judge_.fail("no_agent", node_name(one->id()) + " is down");
    judge_.compare(one->id(), one->applied(), *one->state());
    if (one->applied() + 50 < judge_.applied_max()) {
      return judge_.fail("left_behind", node_name(one->id()) + " has applied " +
                                            std::to_string(one->applied()) + " of " +
                                            std::to_string(judge_.applied_max()) + " entries");
    }
  }
  const WallTime settled = kFleetEpoch + Micros(agenda_.now()) - kSettled;
  judge_.close(settled, kGuard + (plan_.options.steps_clocks ? Seconds(70) : Seconds(0)));
}

}  // namespace distcron::sim
