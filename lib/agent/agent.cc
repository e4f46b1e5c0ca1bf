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

#include "agent/sockets.h"
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

}  // namespace

Agent::Agent(AgentOptions options, Clock& clock, Random& random)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      now_(clock.read()),
      state_([this](std::string_view name) { return find_zone(name); }),
      clock_guard_(options_.released) {}

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

Status Agent::open_store(const std::string& boot_id) {
  DC_TRY(store_, store::Store::open(options_.layout.storage_dir));
  DC_TRY(store::Loaded loaded, store_->load());
  for (planner::Job& job : loaded.jobs)
    DC_CHECK_OK(state_.load_job(std::move(job)));
  for (model::Run& run : loaded.live_runs)
    state_.load_run(std::move(run));
  for (model::AccessKey& key : loaded.keys)
    state_.load_key(std::move(key));
  std::int64_t last_node = 0;
  for (planner::Node& node : loaded.nodes) {
    last_node = std::max(last_node, node.id);
    if (options_.node_id == 0 && node.name == options_.node_name) options_.node_id = node.id;
    state_.load_node(std::move(node));
  }
  if (options_.node_id == 0) options_.node_id = last_node + 1;
  for (planner::JoinToken& token : loaded.tokens)
    state_.load_token(std::move(token));
  for (auto& [key, value] : loaded.settings)
    state_.load_setting(key, value);
  if (loaded.cluster) state_.load_cluster(*loaded.cluster);
  state_.load_counters(loaded.next_run_id, loaded.next_job_id);

  // A new life of the only member is a new term.
  const std::int64_t term = loaded.hard.term + 1;
  DC_CHECK_OK(store_->save_hard_state({term, 0}));
  store_->start();

  log_ = std::make_unique<LogPipe>(*store_, state_,
                                   [this](const planner::Order& order) { on_order(order); });
  DC_CHECK_OK(log_->replay(loaded.unapplied()));
  log_->start_after(loaded.last_index, term);

  HostFacts facts;
  facts.node_id = options_.node_id;
  facts.node_name = options_.node_name;
  facts.boot_id = boot_id;
  facts.exec_socket = options_.layout.exec_socket;
  facts.exec_state_dir = options_.layout.exec_dir;
  facts.is_root = options_.own_user.empty();
  facts.output_bytes_max = options_.output_bytes_max;
  host_ = std::make_unique<Host>(std::move(facts), state_, *log_, random_);
  host_->load_journal(loaded.journal);
  scheduler_ = std::make_unique<Scheduler>(state_, *log_, options_.max_running);
  outbox_ = std::make_unique<Outbox>(OutboxFacts{host_name(), options_.sendmail,
                                                 options_.own_user.empty(), options_.writes_syslog},
                                     state_, *host_);
  return {};
}

Status Agent::open_doors() {
  AgentFacts facts;
  facts.version = options_.version;
  facts.node_name = options_.node_name;
  facts.node_id = options_.node_id;
  facts.own_user = options_.own_user;
  facts.default_user = options_.default_user;
  facts.warnings = [this] { return warnings(); };
  facts.trust_clock = [this] { clock_guard_.trust(now_); };
  facts.find_zone = [this](std::string_view name) { return find_zone(name); };
  operations_ =
      std::make_unique<Operations>(std::move(facts), state_, *store_, *log_, *host_, random_);

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

void Agent::put_key(const std::string& name, const std::string& public_key, model::Role role) {
  const model::AccessKey* known = state_.find_key(public_key);
  if (known != nullptr && known->role == role) return;
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = "host:" + options_.node_name;
  entry.command = model::PutKey{model::AccessKey{name, public_key, role, {}, {}, {}}};
  log_->propose(std::move(entry), [](const planner::Applied&) {});
}

void Agent::introduce() {
  if (state_.cluster().cluster_id.empty()) {
    model::Entry entry;
    entry.at = now_.wall;
    entry.actor = "host:" + options_.node_name;
    entry.command =
        model::InitCluster{"distcron", random_hex(random_, 16), 1, cron::host_zone_name()};
    log_->propose(std::move(entry), [](const planner::Applied&) {});
  }
  put_key("admin", options_.keys.admin_public_key, model::Role::kAdmin);
  put_key("operator", options_.keys.operator_public_key, model::Role::kOperator);
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = "host:" + options_.node_name;
  model::PutNode node;
  node.id = options_.node_id;
  node.name = options_.node_name;
  node.boot_id = boot_id_;
  node.address = options_.control_listen.front();
  node.version = options_.version;
  node.labels = options_.node_labels;
  entry.command = std::move(node);
  log_->propose(std::move(entry), [this](const planner::Applied& applied) {
    if (applied.status) is_ready_ = true;
  });
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
  if (!log_->health()) {
    out.push_back("changes cannot be stored: " + log_->health().error().message);
  }
  if (store_->is_state_behind()) {
    out.emplace_back("state.db cannot be written and is behind; nothing is lost");
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
