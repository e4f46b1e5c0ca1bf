// SPDX-License-Identifier: Apache-2.0
#include "agent/crontab_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include <fcntl.h>
#include <pwd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/crontab_import.h"
#include "cron/crontab_files.h"

namespace distcron::agent {

namespace {

constexpr Seconds kRescan{60};  // as cron does, whatever inotify says
constexpr Millis kSettle{200};  // package scripts write, then rename, then chmod
constexpr std::size_t kTableBytesMax = 16U << 20U;
constexpr std::string_view kActor = "crontab";
constexpr std::string_view kSourcePrefix = "crontab:";

bool user_exists(std::string_view name) {
  return ::getpwnam(std::string(name).c_str()) != nullptr;
}

/// What lies in a table, and whether the daemon would read it.
struct Table {
  std::string text;
  std::string fault;  ///< Why it is not read; empty when it is.
};

Table load_table(const std::string& path, cron::Dialect dialect, bool is_system,
                 const std::string& user) {
  Table table;

  struct stat link {};

  if (::lstat(path.c_str(), &link) != 0) {
    table.fault = std::strerror(errno);
    return table;
  }
  const int follow = is_system ? 0 : O_NOFOLLOW;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | follow));

  struct stat facts {};

  if (!fd || ::fstat(fd.get(), &facts) != 0) {
    table.fault = std::strerror(errno);
    return table;
  }
  cron::StatFacts stat;
  stat.is_regular = S_ISREG(facts.st_mode);
  stat.is_symlink = S_ISLNK(link.st_mode);
  stat.link_uid = link.st_uid;
  stat.uid = facts.st_uid;
  stat.mode = facts.st_mode & 07777U;
  stat.links = facts.st_nlink;
  const cron::TableKind kind = is_system ? cron::TableKind::kSystem : cron::TableKind::kUser;
  if (!is_system) {
    const passwd* owner = ::getpwnam(user.c_str());
    if (owner == nullptr) {
      table.fault = "there is no user " + user;
      return table;
    }
    stat.table_uid = owner->pw_uid;
  }
  if (const auto fault = cron::check_table_stat(dialect, kind, stat)) {
    table.fault = *fault;
    return table;
  }
  std::array<char, 65536> piece{};
  ssize_t count = 0;
  while ((count = ::read(fd.get(), piece.data(), piece.size())) > 0) {
    table.text.append(piece.data(), static_cast<std::size_t>(count));
    if (table.text.size() > kTableBytesMax) {
      table.fault = "it is larger than 16 MiB";
      return table;
    }
  }
  if (count < 0) table.fault = std::strerror(errno);
  return table;
}

}  // namespace

bool is_cron_daemon_running() {
  for (const char* pid_file : {"/run/crond.pid", "/run/cron.pid", "/var/run/crond.pid"}) {
    std::ifstream file(pid_file);
    long pid = 0;
    if (!(file >> pid) || pid <= 0) continue;
    std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
    std::string name;
    if (comm >> name && (name == "cron" || name == "crond")) return true;
  }
  return false;
}

CrontabWatch::CrontabWatch(Facts facts, planner::State& state, LogPipe& log, Random& random)
    : facts_(std::move(facts)),
      state_(state),
      log_(log),
      random_(random),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  auto zone = cron::load_zone(facts_.zone_name);
  zone_ = zone ? *zone : cron::Zone::utc();
  watch_dirs();
}

void CrontabWatch::watch_dirs() {
  if (!inotify_) return;
  constexpr std::uint32_t kMask =
      IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
  const std::string table_dir =
      std::filesystem::path(facts_.files.system_table).parent_path().string();
  for (const std::string& dir : {table_dir, facts_.files.system_dir, facts_.files.spool_dir}) {
    // A directory that does not exist yet is found by the rescan.
    static_cast<void>(::inotify_add_watch(inotify_.get(), dir.c_str(), kMask));
  }
}

void CrontabWatch::on_event(const Now& now) {
  std::array<char, 16384> events{};
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  next_scan_ = std::min(next_scan_, now.mono + kSettle);
}

std::optional<MonoTime> CrontabWatch::next_timer() const {
  if (under_way_) return std::nullopt;
  return next_scan_;
}

void CrontabWatch::on_timer(const Now& now) {
  if (under_way_ || now.mono < next_scan_) return;
  next_scan_ = now.mono + kRescan;
  watch_dirs();
  rescan(now);
}

void CrontabWatch::rescan(const Now& now) {
  complaints_.clear();
  other_daemon_runs_ = is_cron_daemon_running();
  if (other_daemon_runs_) {
    complaints_.emplace_back(
        "a cron daemon is running: jobs of crontab files stay disabled, so that nothing runs "
        "twice; stop it and they are enabled within a minute");
  }
  Wanted wanted;
  if (::access(facts_.files.system_table.c_str(), F_OK) == 0) {
    read_table(facts_.files.system_table, true, {}, wanted, now);
  }
  read_system_dir(wanted, now);
  read_spool(wanted, now);
  propose(wanted, now);
}

void CrontabWatch::read_system_dir(Wanted& wanted, const Now& now) {
  std::error_code error;
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(facts_.files.system_dir, error)) {
    names.insert(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    if (!cron::daemon_reads_name(facts_.files.dialect, name)) continue;
    read_table(facts_.files.system_dir + "/" + name, true, {}, wanted, now);
  }
}

void CrontabWatch::read_spool(Wanted& wanted, const Now& now) {
  std::error_code error;
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(facts_.files.spool_dir, error)) {
    names.insert(entry.path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    complaints_.push_back("cannot read " + facts_.files.spool_dir + ": " + error.message() +
                          "; users' crontabs are not followed");
    return;
  }
  for (const std::string& name : names) {
    if (name.empty() || name[0] == '.') continue;
    if (!user_exists(name)) {
      complaints_.push_back(facts_.files.spool_dir + "/" + name + " is ignored: no such user");
      continue;
    }
    read_table(facts_.files.spool_dir + "/" + name, false, name, wanted, now);
  }
}

void CrontabWatch::read_table(const std::string& path, bool is_system, const std::string& user,
                              Wanted& wanted, const Now& now) {
  const Table table = load_table(path, facts_.files.dialect, is_system, user);
  if (!table.fault.empty()) {
    complaints_.push_back(path + " is ignored: " + table.fault);
    return;
  }
  config::ImportOptions options;
  options.table.dialect = facts_.files.dialect;
  options.table.kind = is_system ? cron::TableKind::kSystem : cron::TableKind::kUser;
  options.table.owner_is_root = user == "root";
  options.table.user_exists = user_exists;
  options.table_user = user;
  options.source = path;
  options.host = facts_.node_name;
  options.host_zone = facts_.zone_name;
  options.as_is = true;  // what the daemon accepts, it runs
  options.enable = !other_daemon_runs_;
  cron::LintContext context;
  context.now = now.wall;
  context.zone = zone_;
  const config::ImportResult result = config::import_crontab(table.text, options, context);
  if (result.daemon_ignored_file) {
    complaints_.push_back(path + " is ignored, as cron does: " + result.daemon_reason);
    return;
  }
  for (const config::ImportItem& item : result.items) {
    if (!item.job) continue;
    model::JobSpec spec = *item.job;
    spec.managed = true;
    wanted[spec.name] = std::move(spec);
  }
}

void CrontabWatch::propose(const Wanted& wanted, const Now& now) {
  model::PutJobs puts;
  for (const auto& [name, spec] : wanted) {
    const planner::Job* job = state_.find_job(name);
    if (job != nullptr && *job->spec == spec) continue;
    if (job != nullptr && !job->spec->managed) {
      complaints_.push_back("job " + name + " exists already and is not replaced by " +
                            spec.origin_source);
      continue;
    }
    model::JobPut put;
    put.spec = spec;
    put.mode = model::PutMode::kReplace;
    put.new_uid = random_.draw();
    puts.puts.push_back(std::move(put));
  }
  model::RemoveJobs removes;
  removes.keep_history = true;
  for (const planner::Job* job : state_.jobs_by_name()) {
    const bool ours = job->spec->managed && job->spec->origin_host == facts_.node_name &&
                      job->spec->origin_source.rfind(kSourcePrefix, 0) == 0;
    if (ours && !wanted.contains(job->spec->name)) removes.names.push_back(job->spec->name);
  }
  const auto send = [this, &now](model::Command command) {
    model::Entry entry;
    entry.at = now.wall;
    entry.actor = kActor;
    entry.command = std::move(command);
    under_way_ = true;
    log_.propose(std::move(entry), [this](const planner::Applied& applied) {
      under_way_ = false;
      if (!applied.status) complaints_.push_back(applied.status.error().message);
    });
  };
  if (!removes.names.empty()) send(std::move(removes));
  if (!puts.puts.empty()) send(std::move(puts));
}

}  // namespace distcron::agent
