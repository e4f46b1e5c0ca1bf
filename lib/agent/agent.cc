// SPDX-License-Identifier: Apache-2.0
// Start of an agent: store, state, doors, keys. The loop is in loop.cc.
#include "agent/agent.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <utility>

#include <pwd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <unistd.h>

#include "agent/log_members.h"
#include "agent/mesh_addresses.h"
#include "agent/sockets.h"
#include "base/hash.h"
#include "process/exec_client.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

/// A list as cron.allow and cron.deny: one name a line.
bool is_listed(const std::string& path, const std::string& user) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line == user) return true;
  }
  return false;
}

/// Source: crontab(1), allowed(): cron.allow alone decides when it exists, else cron.deny.
bool may_use_cron(const std::string& user) {
  if (user == "root") return true;
  if (::access("/etc/cron.allow", F_OK) == 0) return is_listed("/etc/cron.allow", user);
  if (::access("/etc/cron.deny", F_OK) == 0) return !is_listed("/etc/cron.deny", user);
  return true;
}

LocalFacts local_facts_of(const AgentOptions& options, const store::Loaded& loaded) {
  LocalFacts facts;
  facts.node_id = options.node_id;
  facts.node_name = options.node_name;
  // A scheduler that is about to be there decides before this host does, and takes a host of which
  // it has heard that long ago for silent.
  facts.takes_over = std::max(5 * options.election, 2 * options.suspect_after);
  facts.capacity = options.max_running;
  facts.said = local_runs_of_log(loaded, options.node_id);
  return facts;
}

}  // namespace

Agent::Agent(AgentOptions options, Clock& clock, Random& random)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      now_(clock.read()),
      started_at_(now_.wall),
      state_([this](std::string_view name) { return find_zone(name); }),
      dice_(random),
      clock_guard_(options_.released),
      passed_mark_(options_.layout.storage_dir + "/clock"),
      contact_mark_(options_.layout.storage_dir + "/contact") {}

Agent::~Agent() {
  if (store_) store_->stop();
}

const cron::Zone* Agent::find_zone(std::string_view name) {
  const auto zone = zones_.find(name);
  return zone ? zone->get() : nullptr;
}

Result<std::unique_ptr<Agent>> Agent::make(AgentOptions options, Clock& clock, Random& random) {
  std::unique_ptr<Agent> agent(new Agent(std::move(options), clock, random));
  DC_CHECK_OK(agent->open());
  return agent;
}

Status Agent::open() {
  DC_TRY(boot_id_, read_boot_id());
  DC_CHECK_OK(make_timers());
  DC_CHECK_OK(open_store(boot_id_));
  return open_doors();
}

Status Agent::make_timers() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signum : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&set, signum);
  signal_fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  timer_fd_.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  clock_fd_.reset(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!signal_fd_ || !timer_fd_ || !clock_fd_) {
    return fail_errno(ErrorCode::kIo, "cannot make timers", errno);
  }
  return {};
}

void Agent::load_state(store::Loaded& loaded) {
  for (model::Run& run : loaded.live_runs)
    state_.load_run(std::move(run));
  for (model::AccessKey& key : loaded.keys)
    state_.load_key(std::move(key));
  for (planner::Node& node : loaded.nodes)
    state_.load_node(std::move(node));
  for (planner::JoinToken& token : loaded.tokens)
    state_.load_token(std::move(token));
  for (auto& [key, value] : loaded.settings)
    state_.load_setting(key, value);
  for (const auto& [id, at] : loaded.requests)
    state_.load_request(id, at);
  if (loaded.cluster) state_.load_cluster(*loaded.cluster);
  state_.load_counters(loaded.next_run_id, loaded.next_job_id);
}

Status Agent::open_store(const std::string& boot_id) {
  DC_TRY(std::optional<Identity> known, load_identity(options_.layout.storage_dir));
  if (known && known->starts_empty) {
    DC_CHECK_OK(set_aside(options_.layout.storage_dir, now_.wall));
    known->starts_empty = false;
    DC_CHECK_OK(save_identity(options_.layout.storage_dir, *known));
  }
  DC_TRY(store_, store::Store::open(options_.layout.storage_dir));
  if (const auto passed = passed_mark_.load()) clock_guard_.raise_floor(*passed);
  kept_passed_ = clock_guard_.floor();
  DC_TRY(store::Loaded loaded, store_->load());
  for (planner::Job& job : loaded.jobs)
    DC_CHECK_OK(state_.load_job(std::move(job)));
  std::vector<model::Node> members = members_of_log(loaded);
  const std::vector<model::Node> named = nodes_of_log(loaded);
  load_state(loaded);
  if (loaded.is_restored) restore_identity(known);
  DC_CHECK_OK(open_identity(std::move(known)));
  LocalFacts local = local_facts_of(options_, loaded);  // open_replica() takes the log's entries
  local.is_removed_in_log = is_removed(named, options_.node_id);
  DC_CHECK_OK(open_mesh(std::move(members)));
  store_->start();
  DC_CHECK_OK(open_replica(loaded));

  HostFacts facts;
  facts.node_id = options_.node_id;
  facts.node_name = options_.node_name;
  facts.boot_id = boot_id;
  facts.is_root = options_.own_user.empty();
  facts.output_bytes_max = options_.output_bytes_max;
  HostPorts ports;
  ports.connect = [this]() -> Result<std::unique_ptr<process::ExecPort>> {
    DC_TRY(process::ExecClient client, process::ExecClient::connect(options_.layout.exec_socket));
    return std::make_unique<process::ExecClient>(std::move(client));
  };
  ports.files = std::make_unique<process::StoredRunFiles>(options_.layout.exec_dir);
  host_ = std::make_unique<Host>(std::move(facts), std::move(ports), state_, *log_, random_);
  host_->load_journal(loaded.journal);
  open_local_runs(std::move(local), loaded.journal);
  scheduler_ = std::make_unique<Scheduler>(state_, *log_, options_.max_running,
                                           [this] { return fleet_->situations(now_); });
  outbox_ = std::make_unique<Outbox>(OutboxFacts{host_name(), options_.sendmail,
                                                 options_.own_user.empty(), options_.writes_syslog},
                                     state_, *host_);
  output_log_ = std::make_unique<OutputLog>(host_->files());
  return {};
}

void Agent::open_local_runs(LocalFacts facts, const std::vector<store::JournalPut>& journal) {
  local_ = std::make_unique<LocalRuns>(std::move(facts), state_, *log_, *host_);
  local_->load(journal, contact_mark_.load(), now_);
  host_->set_local_runs(*local_);
}

void Agent::retune(const Tunables& tunables) {
  static_cast<Tunables&>(options_) = tunables;
  host_->set_output_limit(tunables.output_bytes_max);
  fleet_->set_capacity(tunables.max_running);
  local_->set_capacity(tunables.max_running);
  scheduler_->set_capacity(tunables.max_running);
  outbox_->set_sendmail(tunables.sendmail);
}

Status Agent::open_mesh(std::vector<model::Node> members) {
  mesh::MeshOptions options;
  options.keys = options_.keys.mesh;
  options.node_id = identity_.node_id;
  options.cluster = stable_hash(identity_.cluster_id);
  options.incarnation = identity_.incarnation;
  options.boot = random_.draw();
  const auto is_free = [](const std::string& url) { return url.ends_with(":*"); };
  const bool chooses =
      std::any_of(options_.mesh_listen.begin(), options_.mesh_listen.end(), is_free);
  // A port that was free to choose stays what it is: the others know this agent by it.
  options.listen =
      chooses && !identity_.mesh_listen.empty() ? identity_.mesh_listen : options_.mesh_listen;
  auto mesh = mesh::PeerMesh::make(options);
  if (!mesh && mesh.error().code == ErrorCode::kUnavailable &&
      (chooses || !options_.is_mesh_listen_set)) {
    options_.warnings.push_back(mesh.error().message + "; another port is used");
    options.listen = {"tcp://127.0.0.1:*"};
    mesh = mesh::PeerMesh::make(options);
  }
  if (!mesh) return fail(mesh.error());
  mesh_ = std::move(*mesh);
  if (identity_.mesh_listen != mesh_->endpoints()) {
    identity_.mesh_listen = mesh_->endpoints();
    DC_CHECK_OK(save_identity(options_.layout.storage_dir, identity_));
  }
  FleetFacts facts;
  facts.self = identity_.node_id;
  facts.life = options.boot;
  facts.capacity = options_.max_running;
  facts.heartbeat = options_.heartbeat;
  facts.election = options_.election;
  facts.suspect_after = options_.suspect_after;
  facts.dead_after = options_.dead_after;
  facts.addresses = mesh_addresses(mesh_->endpoints(), advertised());
  facts.first_members = identity_.members;
  facts.log_members = std::move(members);
  fleet_ = std::make_unique<Fleet>(std::move(facts), state_, *mesh_);
  return {};
}

Status Agent::open_replica(store::Loaded& loaded) {
  consensus::Stored stored;
  stored.hard = consensus::HardState{loaded.hard.term, loaded.hard.vote};
  stored.base_index = loaded.base.index;
  stored.base_term = loaded.base.term;
  stored.base_config_index = loaded.base.config.index;
  if (!loaded.base.config.bytes.empty()) {
    DC_TRY(stored.base_config, consensus::decode_config(loaded.base.config.bytes));
  } else if (!identity_.has_joined) {
    stored.base_config.members = {
        consensus::Member{identity_.node_id, consensus::MemberKind::kVoter, 0}};
  }
  for (store::LogEntry& entry : loaded.entries) {
    stored.entries.push_back(consensus::Entry{entry.index, entry.term,
                                              static_cast<consensus::EntryKind>(entry.kind),
                                              std::move(entry.bytes)});
  }
  stored.applied = std::max(loaded.applied_index, loaded.base.index);

  if (identity_.is_forced) force(stored);

  consensus::Settings settings;
  settings.self = identity_.node_id;
  settings.cluster = stable_hash(identity_.cluster_id);
  settings.incarnation = identity_.incarnation;
  settings.election = options_.election;
  settings.heartbeat = options_.heartbeat;
  log_ = std::make_unique<Replica>(*store_, state_, *fleet_,
                                   [this](const planner::Order& order) { on_order(order); });
  log_->on_pruned([this](const std::vector<std::int64_t>& runs) {
    for (const std::int64_t run_id : runs) {
      host_->remove_output(run_id);
      output_keeper_.forget(run_id);
    }
  });
  fleet_->set_replica(*log_);
  fleet_->refresh_peers();
  return log_->start(settings, std::move(stored), dice_, now_);
}

Status Agent::open_doors() {
  AgentFacts facts;
  facts.version = options_.version;
  facts.node_name = options_.node_name;
  facts.node_id = options_.node_id;
  facts.own_user = options_.own_user;
  facts.default_user = options_.default_user;
  facts.warnings = [this] { return warnings(); };
  facts.server = options_.keys.server;
  facts.join = [this](const wire::NodeJoinRequest& request, JoinDone done) {
    start_joining(request, std::move(done));
  };
  facts.force_quorum = [this](bool dry_run) { return force_quorum(dry_run); };
  facts.advertise = [this](const std::string& address, bool dry_run) {
    return advertise(address, dry_run);
  };
  facts.storage_dir = options_.layout.storage_dir;
  facts.trust_clock = [this] { clock_guard_.trust(now_); };
  facts.refused = [this] { return refused(); };
  facts.refuse = [this](bool is_relayed, mesh::Refusal reason, std::string about) {
    (is_relayed ? mesh_->refusals() : sockets_->control->refusals()).note(reason, std::move(about));
  };
  facts.find_zone = [this](std::string_view name) { return find_zone(name); };
  operations_ = std::make_unique<Operations>(std::move(facts), state_, *store_, *log_, *host_,
                                             *fleet_, random_);
  fleet_->set_handlers(
      [this](const std::string& public_key, const std::string& bytes, const Fleet::Answer& answer) {
        operations_->receive(public_key, bytes, true, answer);
      },
      [this](const wire::JoinRequest& request, const std::string& token,
             const std::function<void(const wire::JoinReply&)>& answer) {
        operations_->join(request, token, answer);
      },
      [this] { return own_state(); });

  sockets_ = std::make_unique<Sockets>();
  DC_CHECK_OK(sockets_->open(
      options_.keys.server, options_.control_listen,
      [this](const std::string& public_key) { return state_.find_key(public_key) != nullptr; },
      options_.layout.runtime_dir + "/login.sock",
      [this](std::uint32_t uid, std::uint32_t gid, const std::string& public_key) {
        static_cast<void>(gid);
        return login(uid, public_key);
      }));
  if (options_.watches_crontabs) {
    crontabs_ = std::make_unique<CrontabWatch>(
        CrontabWatch::Facts{options_.crontabs, options_.node_name, cron::host_zone_name()}, state_,
        *log_, random_, *host_);
    host_->set_spool_listener(
        [this](const process::ExecSpoolFile& table) { crontabs_->on_spool(table, now_); });
  }
  return {};
}

wire::RefusedReport Agent::refused() const {
  wire::RefusedReport out;
  out.since = started_at_;
  for (const mesh::Refusals* door : {&mesh_->refusals(), &sockets_->control->refusals()}) {
    for (std::size_t i = 0; i < mesh::kRefusalCount; ++i) {
      const auto reason = static_cast<mesh::Refusal>(i);
      const mesh::Refusals::Tally& tally = door->of(reason);
      if (tally.count == 0) continue;
      out.items.push_back({door->door(), std::string(mesh::name_of(reason)), tally.count,
                           tally.last_at, tally.last});
    }
  }
  return out;
}

wire::HostState Agent::own_state() const {
  wire::HostState out;
  out.running = host_->live_count();
  out.capacity = options_.max_running;
  out.clock_ok = clock_guard_.is_trusted();
  out.applied = log_->last_applied();
  out.local_runs = local_->unsaid();
  out.can_start = host_->can_start(now_);
  host_->add_permit(out, now_);
  return out;
}

model::PutNode Agent::describe_node() const {
  model::PutNode node;
  node.id = options_.node_id;
  node.name = options_.node_name;
  node.boot_id = boot_id_;
  node.address = options_.control_listen.front();
  node.version = options_.version;
  node.labels = options_.node_labels;
  node.mesh_keys = {options_.keys.mesh.public_key};
  node.mesh_addresses = mesh_addresses(mesh_->endpoints(), advertised());
  node.feature_level = model::kFeatureLevel;
  return node;
}

Result<std::string> Agent::login(std::uint32_t uid, const std::string& public_key) {
  const passwd* entry = ::getpwuid(uid);
  if (entry == nullptr) {
    return fail(ErrorCode::kDenied, "no user has the id " + std::to_string(uid));
  }
  const std::string user = entry->pw_name;
  if (!may_use_cron(user)) {
    return fail_hint(ErrorCode::kDenied, "user \"" + user + "\" may not use cron on this host",
                     "root decides that in /etc/cron.allow and /etc/cron.deny");
  }
  const model::AccessKey* known = state_.find_key(public_key);
  if (known != nullptr && known->role != model::Role::kSelf) return options_.keys.server.public_key;
  model::AccessKey key;
  key.name = user + "@" + options_.node_name;
  key.public_key = public_key;
  key.role = model::Role::kSelf;
  key.run_as = {user};
  model::Entry logged;
  logged.at = now_.wall;
  logged.actor = key.name;
  logged.command = model::PutKey{key};
  log_->propose(std::move(logged), [](const planner::Applied&) {});
  return options_.keys.server.public_key;
}

model::TextList Agent::warnings() const {
  model::TextList out = options_.warnings;
  if (!clock_guard_.is_trusted()) out.push_back(clock_guard_.why());
  for (const model::TextList& warnings : {fleet_->clock_warnings(), fleet_->executor_warnings()})
    out.insert(out.end(), warnings.begin(), warnings.end());
  if (!log_->health()) {
    out.push_back("changes cannot be stored: " + log_->health().error().message);
  }
  if (log_->newer_incarnation() > 0) {
    out.emplace_back("the cluster goes on without this host, in a later incarnation: empty " +
                     options_.layout.storage_dir + " and join again");
  }
  if (store_->is_state_behind()) {
    out.emplace_back("state.db cannot be written and is behind; nothing is lost");
  }
  if (log_->is_scheduler()) {
    for (const auto& [zone, jobs] : state_.unknown_zones()) {
      out.push_back("time zone \"" + zone + "\" is not known to this host: while it schedules, " +
                    std::to_string(jobs) + (jobs == 1 ? " job does" : " jobs do") +
                    " not run; install tzdata and start the agent anew, or move the role with "
                    "`cluster stepdown`");
    }
  }
  if (!host_->has_executor()) out.emplace_back("the executor is not there: no job can start");
  if (!outbox_->complaint().empty()) out.push_back(outbox_->complaint());
  if (crontabs_) {
    for (const std::string& complaint : crontabs_->complaints())
      out.push_back(complaint);
  }
  return out;
}

bool Agent::is_clock_synchronised() {
  timex state{};
  return ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

}  // namespace distcron::agent
