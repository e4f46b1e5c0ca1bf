// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_node.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/log_members.h"
#include "sim/fleet_agent.h"

namespace distcron::sim {
namespace {

constexpr FleetTime kIdleMax = 5 * kSecond;
constexpr FleetTime kNever = std::numeric_limits<FleetTime>::max();
/// What the boottime of a host that was just booted says.
constexpr FleetTime kBootTook = 20 * kSecond;

}  // namespace

const cron::Zone* find_zone_of_sim(std::string_view name) {
  static const std::shared_ptr<const cron::Zone> utc = [] {
    cron::ZoneCache cache;
    auto zone = cache.find("UTC");
    return zone ? *zone : nullptr;
  }();
  return name == "UTC" ? utc.get() : nullptr;
}

FleetNode::FleetNode(Agenda& agenda, FleetNet& net, FleetJudge& judge, FleetLibrary& library,
                     const FleetOptions& options, std::int64_t id)
    : agenda_(agenda),
      net_(net),
      judge_(judge),
      library_(library),
      options_(options),
      id_(id),
      rng_(options.seed ^ mix64(static_cast<std::uint64_t>(id))),
      exec_(agenda, id, rng_.draw(),
            {[this] { return now(); }, [this] { wake(); },
             [this](const FleetProcess& process) {
               trace("start " + std::to_string(process.key.run_id) + "." +
                     std::to_string(process.key.attempt));
               judge_.on_start(process, now().mono);
               if (at_start_) std::exchange(at_start_, nullptr)();
             },
             [this](const FleetProcess& process) {
               trace("end " + std::to_string(process.key.run_id) + "." +
                     std::to_string(process.key.attempt) + (process.record ? "" : " unseen"));
               judge_.on_end(process);
             },
             [this] { die_soon(); }}) {
  exec_.habits = options.habits;
  if (options.drifts) drift_ppm_ = draw_between(rng_, -500, 500);
}

FleetNode::~FleetNode() = default;

void FleetNode::format(const FleetRows& rows, const consensus::Config& config) {
  format(rows);
  disk_.base.index = rows.applied;
  disk_.base.term = rows.applied > 0 ? 1 : 0;
  disk_.hard.term = disk_.base.term;
  disk_.base.config = store::LogConfig{consensus::encode_config(config), rows.applied};
}

void FleetNode::format(const FleetRows& rows) {
  disk_.rows = rows;
  disk_.checkpoint = rows;
}

// --- clocks --------------------------------------------------------------------------------------

agent::Now FleetNode::now() const {
  const FleetTime up = agenda_.now() - booted_at_;
  agent::Now out;
  out.mono = MonoTime(Micros(kBootTook + up + up * drift_ppm_ / 1'000'000));
  out.wall = kFleetEpoch + Micros(agenda_.now()) + wall_ahead_ +
             Micros(agenda_.now() * drift_ppm_ / 1'000'000);
  return out;
}

void FleetNode::set_wall(Micros ahead) {
  wall_ahead_ = ahead - Micros(agenda_.now() * drift_ppm_ / 1'000'000);
  trace("clock " + std::to_string(ahead.count() / 1000) + " ms ahead");
  wake();
}

void FleetNode::trust_clock() {
  if (agent_) agent_->guard.trust(now());
}

// --- lives ---------------------------------------------------------------------------------------

std::string FleetNode::boot_id() const {
  return "boot-" + std::to_string(id_) + "-" + std::to_string(boot_);
}

void FleetNode::power_on() {
  if (is_on_ || !is_member_) return;
  is_on_ = true;
  ++boot_;
  booted_at_ = agenda_.now();
  trace("power on");
  exec_.boot(boot_);
  judge_.on_boot(id_, boot_);
  start_agent();
}

void FleetNode::power_off() {
  if (!is_on_) return;
  trace("power off");
  if (agent_) agent_->store.crash(true);
  agent_.reset();
  exec_.lose_power();
  is_on_ = false;
}

void FleetNode::kill_agent() {
  if (!agent_) return;
  trace("agent killed");
  agent_->store.crash(false);
  agent_.reset();
}

/// Once whoever notices it has returned.
void FleetNode::die_soon() {
  agenda_.after(0, [this, boot = boot_, number = lives_] {
    if (boot_ == boot && lives_ == number) die_now();
  });
}

void FleetNode::die_now() {
  kill_agent();
  agenda_.after(crash_span_, [this, number = lives_] {
    if (number == lives_) start_agent();
  });
}

void FleetNode::crash_at_write(FleetCrash when, FleetTime span) {
  disk_.crash = when;
  crash_span_ = span;
}

void FleetNode::crash_at_spawn(FleetTime stall, FleetTime span) {
  exec_.stall_next_spawn(stall);
  crash_span_ = span;
}

void FleetNode::at_next_start(std::function<void()> what, FleetTime lives) {
  at_start_ = std::move(what);
  exec_.prolong_next(lives);
}

void FleetNode::start_agent() {
  if (agent_ || !is_on_ || !is_member()) return;
  ++lives_;
  agent_ = std::make_unique<Agent>(*this, rng_.draw());
  Agent& a = *agent_;
  a.now = now();
  if (passed_) a.guard.raise_floor(*passed_);
  auto loaded = a.store.load();
  if (Status rows = disk_.rows.load(a.state); !rows) {
    return judge_.fail("load_failed", rows.error().message);
  }
  agent::FleetFacts facts;
  facts.self = id_;
  facts.life = a.life;
  facts.capacity = options_.capacity;
  facts.first_members = first_members_;
  facts.log_members = agent::members_of_log(*loaded);
  const bool is_removed_in_log = agent::is_removed(agent::nodes_of_log(*loaded), id_);
  const model::Node* self = a.state.find_node(id_);
  const bool is_removed = is_removed_in_log || (self != nullptr && !model::is_member(*self));
  if (!is_removed) judge_.on_member_started(id_);
  judge_.on_contact(id_);  // it knows of no other instant
  const std::vector<model::LocalRun> said = agent::local_runs_of_log(*loaded, id_);
  facts.election = Micros(options_.election);
  facts.heartbeat = Micros(options_.election / 10);
  a.fleet = std::make_unique<agent::Fleet>(std::move(facts), a.state, a.mesh);
  consensus::Stored stored;
  stored.hard = consensus::HardState{loaded->hard.term, loaded->hard.vote};
  stored.base_index = loaded->base.index;
  stored.base_term = loaded->base.term;
  stored.base_config_index = loaded->base.config.index;
  if (auto config = consensus::decode_config(loaded->base.config.bytes)) {
    stored.base_config = *config;
  }
  for (store::LogEntry& entry : loaded->entries) {
    stored.entries.push_back(consensus::Entry{entry.index, entry.term,
                                              static_cast<consensus::EntryKind>(entry.kind),
                                              std::move(entry.bytes)});
  }
  stored.applied = std::max(loaded->applied_index, loaded->base.index);
  consensus::Settings settings;
  settings.self = id_;
  settings.cluster = 1;
  settings.election = Micros(options_.election);
  settings.heartbeat = Micros(options_.election / 10);
  a.log = std::make_unique<agent::Replica>(a.store, a.state, *a.fleet,
                                           [this](const planner::Order& order) {
                                             if (agent_ && agent_->host)
                                               agent_->host->on_order(order, agent_->now);
                                           });
  a.log->set_limits(options_.log);
  a.fleet->set_replica(*a.log);
  const auto joins = [this](const wire::JoinRequest& request, const std::string& token,
                            const std::function<void(const wire::JoinReply&)>& answer) {
    take_in(request, token, answer);
  };
  a.fleet->set_handlers({}, joins, [this] {
    wire::HostState out;
    out.running = agent_->host->live_count();
    out.capacity = options_.capacity;
    out.clock_ok = agent_->guard.is_trusted();
    out.applied = agent_->log->last_applied();
    out.local_runs = agent_->local->unsaid();
    out.can_start = agent_->host->can_start(agent_->now);
    agent_->host->add_permit(out, agent_->now);
    return out;
  });
  a.fleet->refresh_peers();
  // The agent makes its Host after the log was opened: what that applies has no listener yet.
  if (Status started = a.log->start(settings, std::move(stored), a.dice, a.now); !started) {
    return judge_.fail("start_failed", started.error().message);
  }
  agent::HostFacts host;
  host.node_id = id_;
  host.node_name = node_name(id_);
  host.boot_id = boot_id();
  agent::HostPorts ports;
  ports.connect = [this] { return exec_.connect(); };
  ports.files = exec_.files();
  a.host =
      std::make_unique<agent::Host>(std::move(host), std::move(ports), a.state, *a.log, a.dice);
  a.host->load_journal(loaded->journal);
  agent::LocalFacts local;
  local.node_id = id_;
  local.node_name = node_name(id_);
  local.takes_over = std::max(Micros(5 * options_.election), 2 * agent::FleetFacts().suspect_after);
  local.capacity = options_.capacity;
  local.is_removed_in_log = is_removed_in_log;
  local.said = said;
  a.local = std::make_unique<agent::LocalRuns>(std::move(local), a.state, *a.log, *a.host);
  a.local->load(loaded->journal, std::nullopt, a.now);
  a.host->set_local_runs(*a.local);
  a.scheduler = std::make_unique<agent::Scheduler>(a.state, *a.log, options_.capacity, [this] {
    return agent_->fleet->situations(agent_->now);
  });
  trace("agent started, applied " + std::to_string(loaded->applied_index) + " of " +
        std::to_string(loaded->last_index));
  a.log->begin_turn(a.now);
  introduce();
  next_turn_ = kNever;
  wake();
}

void FleetNode::introduce() {
  model::PutNode node;
  node.id = id_;
  node.name = node_name(id_);
  node.boot_id = boot_id();
  node.feature_level = model::kFeatureLevel;
  model::Entry entry;
  entry.at = agent_->now.wall;
  entry.actor = "host:" + node.name;
  entry.command = std::move(node);
  agent_->log->propose(std::move(entry), [this](const planner::Applied& applied) {
    if (applied.status) {
      agent_->is_introduced = true;
    } else if (applied.status.error().code == ErrorCode::kUnavailable) {
      introduce();
    } else {
      const model::Node* self = agent_->state.find_node(id_);
      if (self != nullptr && !model::is_member(*self)) return;  // it leaves when it may
      judge_.fail("introduction", applied.status.error().message);
    }
  });
}

void FleetNode::pause(FleetTime span) {
  frozen_until_ = std::max(frozen_until_, agenda_.now() + span);
  was_frozen_ = true;
  trace("paused for " + std::to_string(span / kMs) + " ms");
}

// --- turns ---------------------------------------------------------------------------------------

void FleetNode::wake() {
  if (agent_) turn_at(agenda_.now() + draw_between(rng_, 10, 200));
}

void FleetNode::turn_at(FleetTime when) {
  if (when >= next_turn_ && next_turn_ > agenda_.now()) return;
  next_turn_ = when;
  const std::uint64_t number = ++turn_number_;
  agenda_.at(when, [this, number] {
    if (number == turn_number_ && agent_) turn();
  });
}

void FleetNode::turn() {
  next_turn_ = kNever;
  if (frozen_until_ > agenda_.now()) return turn_at(frozen_until_);
  if (std::exchange(was_frozen_, false) || agent_->mesh.has_messages()) judge_.on_contact(id_);
  step();
  if (judge_.violation()) return;
  if (agent_->log->corrupt()) {
    return judge_.fail("corrupt",
                       "node " + std::to_string(id_) + ": " + agent_->log->corrupt()->message);
  }
  if (has_left_) {
    trace("has left the cluster");
    led_ = false;
    return kill_agent();
  }
  const bool leads = agent_->log->is_scheduler() && !agent_->is_leaving;
  if (leads) judge_.on_scheduler(id_, agent_->log->term());
  if (leads != std::exchange(led_, leads)) {
    trace((leads ? "leads in term " : "leads no more, term ") +
          std::to_string(agent_->log->term()));
  }
  arm();
}

/// As agent::Agent::turn() and arm_timer().
void FleetNode::step() {
  Agent& a = *agent_;
  a.now = now();
  a.guard.observe(a.now, false);
  if (a.guard.has_jumped()) a.scheduler->wake();
  a.log->begin_turn(a.now);
  for (const store::Completion& completion : a.store.take_completions())
    on_completion(completion);
  a.fleet->on_mesh(a.now);
  a.log->on_timer();
  a.fleet->on_timer(a.now);
  if (std::exchange(a.seen_applied, a.log->last_applied()) != a.log->last_applied()) {
    a.scheduler->wake();
  }
  if (a.fleet->take_hosts_changed()) a.scheduler->wake();
  if (const auto decided = a.state.decided_at()) a.guard.on_decided(*decided, a.now);
  if (a.guard.is_trusted()) passed_ = a.guard.floor();
  on_role();
  if (a.is_leaving && a.fleet->may_stop()) has_left_ = true;
  a.host->on_executor(a.now);
  const bool is_cast_out = !a.log->raft().has_quorum() && a.fleet->is_cast_out();
  a.local->turn(a.now, a.guard.is_trusted(), is_cast_out);
  a.host->on_timer(a.now);
  if (a.schedules()) {
    a.scheduler->turn(a.now, a.guard.is_trusted());
  } else {
    a.scheduler->stand_by();
  }
  a.log->hold_changes(!a.is_leaving && (!a.schedules() || a.scheduler->is_behind()),
                      a.is_leaving || a.scheduler->awaits_local_runs());
  a.host->propose_reports(a.now);
  a.log->flush();
}

/// As agent::Agent::on_completion().
void FleetNode::on_completion(const store::Completion& completion) {
  agent::Replica& log = *agent_->log;
  if (const auto* durable = std::get_if<store::Durable>(&completion)) {
    log.on_durable(*durable);
  } else if (const auto* compacted = std::get_if<store::Compacted>(&completion)) {
    log.on_compacted(*compacted);
  } else if (const auto* made = std::get_if<store::SnapshotMade>(&completion)) {
    log.on_snapshot_made(*made);
  } else if (const auto* read = std::get_if<store::SnapshotRead>(&completion)) {
    log.on_snapshot_read(*read);
  } else if (const auto* stored = std::get_if<store::PieceStored>(&completion)) {
    log.on_piece_stored(*stored);
  } else if (const auto* installed = std::get_if<store::SnapshotInstalled>(&completion)) {
    on_installed(installed->index);
  }
}

/// As agent::Agent::on_installed().
void FleetNode::on_installed(std::int64_t index) {
  Agent& a = *agent_;
  trace("state taken over from another member, entry " + std::to_string(index));
  a.state = planner::State(find_zone_of_sim);
  if (Status rows = disk_.rows.load(a.state); !rows) {
    return judge_.fail("load_failed", rows.error().message);
  }
  judge_.on_installed(id_, index, a.state);
  a.log->on_installed(index);
  a.host->start_over();
  a.fleet->refresh_peers();
}

void FleetNode::on_role() {
  Agent& a = *agent_;
  if (!a.log->take_role_changed()) return;
  a.fleet->refresh_peers();
  if (a.log->is_scheduler()) a.scheduler->wake();
  const model::Node* self = a.state.find_node(id_);
  if (self != nullptr && !model::is_member(*self)) a.is_leaving = true;
  a.log->set_eligible(self == nullptr || self->eligible);
}

void FleetNode::arm() {
  Agent& a = *agent_;
  std::optional<MonoTime> next;
  const auto sooner = [&next](std::optional<MonoTime> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  sooner(a.host->next_timer());
  sooner(a.local->next_timer());
  if (a.schedules()) sooner(a.scheduler->next_timer(a.now));
  if (!a.schedules() && a.scheduler->has_standby_work()) sooner(a.now.mono);
  sooner(a.log->next_timer());
  sooner(a.fleet->next_timer());
  FleetTime span = kIdleMax;
  if (next) {
    // The clock of the host may run slower than true time: a little later than asked.
    const FleetTime wait = (*next - a.now.mono).count();
    span = std::clamp<FleetTime>(wait + wait / 1'000 + 1, 50, kIdleMax);
  }
  if (a.mesh.has_messages()) span = 50;
  turn_at(agenda_.now() + span);
}

}  // namespace distcron::sim
