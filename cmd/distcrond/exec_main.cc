// SPDX-License-Identifier: Apache-2.0
// distcron-exec: starts jobs for the agent of one instance. With --guard it first becomes a guard
// that only listens, restarts the executor when it dies, and reaps what is left to it.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/exec_socket.h"
#include "process/executor.h"
#include "process/guard.h"
#include "process/stub.h"
#include "process/user_lookup.h"

namespace {

using distcron::process::ExecOptions;

constexpr int kExitUsage = 64;
constexpr int kExitBusy = 75;
constexpr int kShutdownSeconds = 85;  // below TimeoutStopSec of distcron-shutdown.service
constexpr const char* kServiceRunDir = "/run/distcron-exec";
constexpr const char* kUsage =
    "Usage: distcron-exec --socket PATH --run-dir DIR --state-dir DIR [options]\n"
    "Starts the jobs of one DistCron agent. Started by distcrond or systemd, not by hand.\n\n"
    "  --socket PATH      where the agent connects\n"
    "  --run-dir DIR      runtime directory: journal, copies of scripts\n"
    "  --state-dir DIR    output and end records, in DIR/out\n"
    "  --script-dir DIR   copies of scripts (RUN-DIR/scripts)\n"
    "  --policy-dir DIR   this host's policy (/etc/distcron/policy.d)\n"
    "  --peer-uid UID     user of the agent; root and the own user may always connect\n"
    "  --peer-gid GID     group that may read output\n"
    "  --peer-user NAME   both of these, as /etc/passwd has them\n"
    "  --spool-dir DIR    users' crontabs that the agent may ask for (none)\n"
    "  --cgroup DIR|off   cgroup v2 folder for jobs, or none (searched for)\n"
    "  --idle-exit SEC    end after SEC seconds without agent and runs (0: never)\n"
    "  --guard            restart the executor when it dies\n"
    "  --host-shutdown    end all jobs of the executor of --run-dir, and it, and wait\n"
    "  --failpoints       tests only: obey DISTCRON_FAILPOINT\n";

struct Parsed {
  ExecOptions options;
  bool is_guard = false;
  bool is_host_shutdown = false;
  bool wants_help = false;
  std::string error;
};

bool parse_number(const char* text, std::int64_t& value) {
  char* end = nullptr;
  errno = 0;
  value = std::strtoll(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && value >= 0 && value < 0xffffffffLL;
}

std::string* text_option(ExecOptions& options, std::string_view name) {
  if (name == "--socket") return &options.socket;
  if (name == "--run-dir") return &options.run_dir;
  if (name == "--state-dir") return &options.state_dir;
  if (name == "--script-dir") return &options.script_dir;
  if (name == "--policy-dir") return &options.policy_dir;
  if (name == "--cgroup") return &options.cgroup;
  if (name == "--spool-dir") return &options.spool_dir;
  return nullptr;
}

bool take_number(ExecOptions& options, std::string_view name, const char* text) {
  std::int64_t value = 0;
  if (!parse_number(text, value)) return false;
  if (name == "--peer-uid") {
    options.peer_uid = value;
  } else if (name == "--peer-gid") {
    options.peer_gid = value;
  } else if (name == "--listener") {
    options.listener = static_cast<int>(value);
  } else if (name == "--idle-exit") {
    options.idle_exit_s = static_cast<int>(value);
  } else {
    return false;
  }
  return true;
}

/// Uid and primary group of the agent's user; a unit file knows only its name.
bool take_peer_user(ExecOptions& options, const char* name) {
  const auto info = std::make_unique<distcron::process::UserInfo>();
  const auto found =
      distcron::process::lookup_in_files({}, name, {}, static_cast<uid_t>(-1), *info);
  if (found != distcron::process::Lookup::kFound) return false;
  options.peer_uid = info->uid;
  options.peer_gid = info->gid;
  return true;
}

Parsed parse(int argc, char** argv) {
  Parsed parsed;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name(argv[i]);
    if (name == "--guard") {
      parsed.is_guard = true;
    } else if (name == "--host-shutdown") {
      parsed.is_host_shutdown = true;
    } else if (name == "--failpoints") {
      parsed.options.has_failpoints = true;
    } else if (name == "--help" || name == "-h") {
      parsed.wants_help = true;
    } else if (i + 1 == argc) {
      parsed.error = "unknown option '" + std::string(name) + "', or its value is missing";
    } else if (name == "--peer-user") {
      const char* user = argv[++i];
      if (!take_peer_user(parsed.options, user)) {
        parsed.error = std::string("--peer-user: no user '") + user + "' in /etc/passwd";
      }
    } else if (std::string* text = text_option(parsed.options, name); text != nullptr) {
      *text = argv[++i];
    } else if (!take_number(parsed.options, name, argv[++i])) {
      parsed.error = "unknown option '" + std::string(name) + "', or its value is no number";
    }
  }
  const ExecOptions& o = parsed.options;
  if (parsed.is_host_shutdown) {
    if (o.run_dir.empty()) parsed.options.run_dir = kServiceRunDir;
  } else if (parsed.error.empty() &&
             (o.socket.empty() || o.run_dir.empty() || o.state_dir.empty())) {
    parsed.error = "--socket, --run-dir and --state-dir are needed";
  }
  return parsed;
}

/// Signals blocked and all dispositions default: stubs and jobs inherit both.
void settle_signals() {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
  } plain{};

  for (int signum = 1; signum <= 64; ++signum) {
    ::syscall(SYS_rt_sigaction, signum, &plain, nullptr, sizeof(plain.mask));
  }
  const unsigned long all = ~0UL;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof(all));
}

int run_executor(ExecOptions options) {
  distcron::process::settle_descriptors(options.listener);
  distcron::process::Executor executor(std::move(options));
  if (const std::string error = executor.start(); !error.empty()) {
    distcron::process::exec_log(error);
    return kExitBusy;
  }
  return executor.run();
}

}  // namespace

int main(int argc, char** argv) {
  Parsed parsed = parse(argc, argv);
  if (parsed.wants_help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (!parsed.error.empty()) {
    std::fprintf(stderr, "distcron-exec: %s\n%s", parsed.error.c_str(), kUsage);
    return kExitUsage;
  }
  if (parsed.is_host_shutdown) {
    return distcron::process::request_host_shutdown(parsed.options.run_dir, kShutdownSeconds);
  }
  settle_signals();
  if (!parsed.is_guard) return run_executor(std::move(parsed.options));
  return distcron::process::run_guard(std::move(parsed.options), run_executor);
}
