// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <zmq.h>

#include "agent/agent.h"
#include "agent/config_files.h"
#include "agent/join.h"
#include "agent/log.h"

namespace distcron::agent {

namespace {

/// No honest clock of a host that runs this version is earlier.
constexpr WallTime kReleased = wall_from_seconds(DISTCRON_RELEASED);

constexpr Seconds kIdle{10};  // an executor without agent and runs ends after this
constexpr Seconds kIdleEphemeral{1};

/// Settings that SIGHUP changes: those that Tunables holds, and the level of the log.
constexpr std::array<std::string_view, 8> kTunableKeys = {
    "log.level",        "exec.max_running",  "output.max_bytes", "output.keep.age",
    "output.keep.runs", "output.keep.bytes", "output.journal",   "mail.sendmail"};

int exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
      return kExitConfig;
    case ErrorCode::kDenied:
      return kExitNoPermission;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return kExitUnavailable;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
      return kExitDisk;
  }
  return kExitFailure;
}

int complain(const Error& error, int code) {
  std::cerr << "distcrond: " << error.message << '\n';
  if (!error.hint.empty()) std::cerr << "  " << error.hint << '\n';
  return code;
}

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signum : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&set, signum);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

/// Each start that waits for the executor holds a descriptor. The executor, and so the jobs, were
/// started before and keep the limit that we were given.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

/// A private folder for an agent that leaves nothing behind.
class TemporaryStorage {
 public:
  [[nodiscard]] Status make() {
    const char* base = std::getenv("TMPDIR");
    std::string path =
        std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/distcron-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return fail_errno(ErrorCode::kIo, "cannot make a temporary folder " + path, errno);
    }
    path_ = path;
    return {};
  }

  TemporaryStorage() = default;
  TemporaryStorage(const TemporaryStorage&) = delete;
  TemporaryStorage& operator=(const TemporaryStorage&) = delete;

  /// The executor, which ends by itself, may still be writing its last lines into it.
  ~TemporaryStorage() {
    constexpr int kTries = 50;
    constexpr int kPauseMs = 100;
    std::error_code failed;
    for (int i = 0; i < kTries && !path_.empty(); ++i) {
      std::filesystem::remove_all(path_, failed);
      if (!failed && !std::filesystem::exists(path_, failed)) return;
      ::poll(nullptr, 0, kPauseMs);
    }
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<Layout> layout_of(const config::Settings& settings) {
  Layout layout;
  layout.storage_dir = settings.storage.dir;
  layout.runtime_dir = settings.runtime_dir;
  layout.keys_dir = settings.control.keys_dir;
  const bool is_system = settings.storage.dir == config::kSystemStorageDir;
  layout.exec_dir = is_system ? "/var/lib/distcron-exec" : settings.storage.dir + "/exec";
  layout.exec_run_dir = is_system ? "/run/distcron-exec" : settings.runtime_dir + "/exec";
  layout.exec_socket = layout.exec_run_dir + "/exec.sock";
  if (settings.crontab.watch) layout.spool_dir = settings.crontab.spool_dir;
  DC_TRY(layout.programs_dir, find_programs_dir());
  return layout;
}

AgentOptions options_of(const config::LoadedSettings& loaded, const DaemonArguments& arguments) {
  const config::Settings& settings = loaded.settings;
  const bool is_mesh_set = loaded.is_set("mesh.listen");
  AgentOptions options;
  options.control_listen = settings.control.listen;
  options.node_name = settings.node.name;
  options.node_id = settings.node.id.value_or(0);
  options.node_labels = settings.node.labels;
  options.mesh_listen = settings.mesh.listen;
  options.is_mesh_listen_set = is_mesh_set;
  options.mesh_advertise = settings.mesh.advertise;
  options.heartbeat = settings.mesh.heartbeat;
  options.election = settings.mesh.election;
  options.suspect_after = settings.mesh.suspect_after;
  options.dead_after = settings.mesh.dead_after;
  options.version = version_text();
  options.released = kReleased;
  if (!is_system_agent()) options.own_user = own_user_name();
  options.default_user = settings.exec.default_user;
  if (arguments.is_ephemeral && options.default_user.empty()) {
    options.default_user = own_user_name();
  }
  options.sendmail = settings.mail.sendmail;
  options.max_running = settings.exec.max_running;
  options.output_bytes_max = settings.output.max_bytes.count;
  options.keep_runs = settings.output.keep_runs;
  options.keep_age = std::chrono::duration_cast<Seconds>(settings.output.keep_age);
  options.keep_bytes = settings.output.keep_bytes.count;
  options.logs_output = settings.output.journal;
  options.crontabs.dialect = settings.crontab.dialect;
  options.crontabs.system_table = settings.crontab.system_table;
  options.crontabs.system_dir = settings.crontab.system_dir;
  options.crontabs.spool_dir = settings.crontab.spool_dir;
  options.watches_crontabs = settings.crontab.watch;
  options.is_ephemeral = arguments.is_ephemeral;
  options.writes_syslog = !arguments.is_ephemeral;
  return options;
}

JoinPlan join_plan_of(const AgentOptions& options, const Layout& layout,
                      const std::optional<AgentUser>& user) {
  JoinPlan plan;
  plan.storage_dir = layout.storage_dir;
  plan.keys_dir = layout.keys_dir;
  plan.node_name = options.node_name;
  plan.node_id = options.node_id;
  plan.labels = options.node_labels;
  plan.mesh_listen = options.mesh_listen;
  plan.mesh_advertise = options.mesh_advertise;
  plan.address = options.control_listen.front();
  plan.version = options.version;
  plan.boot_id = read_boot_id().value_or(std::string());
  plan.user = user;  // of files made before the step down
  return plan;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// SIGHUP: what can change while the agent runs does, and the log says what cannot.
void reload(Agent& agent, const DaemonArguments& arguments, config::Settings& settings,
            AgentOptions& options) {
  if (arguments.is_ephemeral) return log_info("config", "reload: an ephemeral agent reads no file");
  const auto fresh = read_config(arguments, {});
  if (!fresh.problems.empty()) {
    log_error("config", "reload refused, nothing changed: " + problem_texts(fresh));
    return;
  }
  std::vector<std::string> taken;
  std::vector<std::string> waiting;
  for (const std::string& key : config::changed_settings(settings, fresh.settings)) {
    const bool is_tunable =
        std::find(kTunableKeys.begin(), kTunableKeys.end(), key) != kTunableKeys.end();
    (is_tunable ? taken : waiting).push_back(key);
  }
  set_log_level(fresh.settings.log.level);
  static_cast<Tunables&>(options) = options_of(fresh, arguments);
  agent.retune(options);
  log_info("config", "reloaded: " + (taken.empty() ? "nothing has changed" : joined(taken)));
  if (!waiting.empty()) {
    log_warning("config", "changed, and taken only by a restart: " + joined(waiting));
  }
  // What waits for a restart is told again with the next reload.
  settings.log.level = fresh.settings.log.level;
  settings.exec.max_running = fresh.settings.exec.max_running;
  settings.output = fresh.settings.output;
  settings.mail = fresh.settings.mail;
}

/// One life of the agent, under one identity. kRestart: make it anew. `held` keeps the executor
/// until the agent has connected to it, and from its end to the next life.
Result<ExitCause> live(AgentOptions& options, const DaemonArguments& arguments,
                       config::Settings& settings, std::string& fatal,
                       Result<process::ExecClient>& held) {
  SystemClock clock;
  SystemRandom random;
  DC_TRY(const std::unique_ptr<Agent> agent, Agent::make(options, clock, random));
  Agent& running = *agent;
  running.on_ready([&running, &arguments] {
    log_info("agent", "ready node=" + running.node_name() + " endpoint=" + running.endpoint());
    if (!arguments.is_ephemeral) return;
    std::printf("export DISTCRON_ENDPOINT=%s\nexport DISTCRON_KEY=%s\n", running.endpoint().c_str(),
                running.admin_key_file().c_str());
    std::fflush(stdout);
  });
  running.on_reload([&running, &arguments, &settings, &options] {
    reload(running, arguments, settings, options);
  });
  auto cause = running.run();
  if (cause && *cause == ExitCause::kRestart) held = hold_executor(options.layout);
  fatal = running.fatal();
  return cause;
}

int serve(const AgentOptions& options, const DaemonArguments& arguments, config::Settings settings,
          Result<process::ExecClient> held) {
  AgentOptions current = options;
  while (true) {
    std::string fatal;
    const auto cause = live(current, arguments, settings, fatal, held);
    if (!cause) {
      const ErrorCode code = cause.error().code;
      const bool locked = cause.error().message.find("another agent") != std::string::npos;
      return complain(cause.error(), locked ? kExitBusy : exit_of(code));
    }
    switch (*cause) {
      case ExitCause::kDiskError:
        log_error("store", "stopping, jobs go on: " + fatal);
        return kExitDisk;
      case ExitCause::kSignal:
        log_info("agent", "stopped");
        return kExitOk;
      case ExitCause::kRestart:
        break;
    }
    log_info("agent", "begins anew under another identity");
    // The doors of all members of a cluster have one key, which may be another one now.
    const auto server = mesh::load_or_make_key(options.layout.keys_dir, "server");
    if (!server) return complain(server.error(), exit_of(server.error().code));
    current.keys.server = *server;
    current.node_id = 0;
  }
}

int start(const DaemonArguments& arguments, const config::LoadedSettings& loaded) {
  const config::Settings& settings = loaded.settings;
  auto layout = layout_of(settings);
  if (!layout) return complain(layout.error(), exit_of(layout.error().code));
  AgentOptions options = options_of(loaded, arguments);
  std::optional<AgentUser> user;
  if (::geteuid() == 0 && !arguments.is_ephemeral) {
    user = find_agent_user();
    if (!user) {
      options.warnings.emplace_back("the user distcron does not exist: the agent runs as root");
      log_warning("agent", options.warnings.back());
    }
  }
  if (Status made = make_directories(*layout, user); !made) {
    return complain(made.error(), made.error().sys_errno == EACCES ? kExitNoPermission : kExitDisk);
  }
  const auto keys = load_or_make_keys(layout->keys_dir, user);
  if (!keys) return complain(keys.error(), exit_of(keys.error().code));
  if (arguments.inits_keys) return kExitOk;
  // An executor that ended while the host joins or loads could not be started again.
  auto held = start_executor(*layout, user, arguments.is_ephemeral ? kIdleEphemeral : kIdle);
  if (!held) return complain(held.error(), kExitUnavailable);
  raise_descriptor_limit();
  options.join = join_plan_of(options, *layout, user);
  KeyRing ring = *keys;
  if (!settings.mesh.join_token_file.empty()) {
    if (Status joined = join_cluster(options.join, settings.mesh.join_token_file, ring); !joined) {
      return complain(joined.error(), exit_of(joined.error().code));
    }
  }
  if (user) {
    options.join.user.reset();  // whatever is written from here on is the agent's own
    if (Status became = become(*user); !became) return complain(became.error(), kExitNoPermission);
  }
  options.layout = *layout;
  options.keys = ring;
  return serve(options, arguments, settings, std::move(held));
}

}  // namespace

std::string version_text() {
  return DISTCRON_VERSION;
}

std::string build_text() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  ::zmq_version(&major, &minor, &patch);
  return std::string("compiler   ") + __VERSION__ + "\nlibzmq     " + std::to_string(major) + "." +
         std::to_string(minor) + "." + std::to_string(patch) + "\ntzdata     " +
         cron::tzdata_version() + "\n";
}

int run_daemon(const DaemonArguments& arguments) {
  if (arguments.prints_defaults) {
    std::cout << config::format_default_settings();
    return kExitOk;
  }
  TemporaryStorage temporary;
  if (arguments.is_ephemeral) {
    if (Status made = temporary.make(); !made) return complain(made.error(), kExitDisk);
  }
  const config::LoadedSettings loaded = read_config(arguments, temporary.path());
  if (!loaded.problems.empty()) {
    std::cerr << problem_texts(loaded) << '\n';
    return kExitConfig;
  }
  if (arguments.prints_config) {
    std::cout << config::format_settings(loaded, arguments.prints_origin);
    return kExitOk;
  }
  if (arguments.checks_config) return kExitOk;
  block_signals();
  ::umask(022);
  ::openlog("distcrond", LOG_PID, LOG_CRON);
  open_log(loaded.settings.log);
  return start(arguments, loaded);
}

}  // namespace distcron::agent
