// SPDX-License-Identifier: Apache-2.0
#include "agent/crontab_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
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
constexpr Seconds kSpoolWait{10};
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

/// Reads an open table that the daemon of `dialect` would read. `link`: of its name.
Table load_table(int fd, cron::Dialect dialect, cron::TableKind kind, const struct stat& link,
                 std::optional<uid_t> owner) {
  Table table;

  struct stat facts {};

  if (::fstat(fd, &facts) != 0) {
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
  if (owner) stat.table_uid = *owner;
  if (const auto fault = cron::check_table_stat(dialect, kind, stat)) {
    table.fault = *fault;
    return table;
  }
  std::array<char, 65536> piece{};
  ssize_t count = 0;
  while ((count = ::read(fd, piece.data(), piece.size())) > 0) {
    table.text.append(piece.data(), static_cast<std::size_t>(count));
    if (table.text.size() > kTableBytesMax) {
      table.fault = "it is larger than 16 MiB";
      return table;
    }
  }
  if (count < 0) table.fault = std::strerror(errno);
  return table;
}

std::optional<uid_t> uid_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return std::nullopt;
  return entry->pw_uid;
}

/// In words for people; the executor tells only numbers.
std::string spool_fault(int sys_errno) {
  if (sys_errno == ELOOP) return "it is a symbolic link";
  if (sys_errno == EMLINK) return "it has more than one link";
  if (sys_errno == EINVAL) return "it is no regular file, or its name is none";
  if (sys_errno == EFBIG) return "it is larger than 16 MiB";
  return std::strerror(sys_errno);
}

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return text.str();
}

}  // namespace

CrontabWatch::CrontabWatch(Facts facts, planner::State& state, Replica& log, Random& random,
                           Host& host)
    : facts_(std::move(facts)),
      state_(state),
      log_(log),
      random_(random),
      host_(host),
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
  if (scan_) return scan_->until;
  if (under_way_ > 0) return std::nullopt;
  return next_scan_;
}

void CrontabWatch::on_timer(const Now& now) {
  if (scan_) {
    if (now.mono < scan_->until) return;
    give_up_spool("the executor does not answer");
    finish(now);
    return;
  }
  if (under_way_ > 0 || now.mono < next_scan_) return;
  next_scan_ = now.mono + kRescan;
  watch_dirs();
  rescan(now);
}

void CrontabWatch::rescan(const Now& now) {
  scan_ = Scan{};
  other_daemon_runs_ = cron::is_cron_daemon_running(read_text);
  if (other_daemon_runs_) {
    scan_->complaints.emplace_back(
        "a cron daemon is running: jobs of crontab files stay disabled, so that nothing runs "
        "twice; stop it and they are enabled within a minute");
  }
  if (::access(facts_.files.system_table.c_str(), F_OK) == 0) {
    read_system_table(facts_.files.system_table, now);
  }
  read_system_dir(now);
  const bool is_closed = ::geteuid() != 0 && ::access(facts_.files.spool_dir.c_str(), F_OK) == 0 &&
                         ::access(facts_.files.spool_dir.c_str(), R_OK | X_OK) != 0;
  if (is_closed) {
    ask_for_spool(now);
  } else {
    read_spool(now);
  }
  if (scan_->awaited.empty()) finish(now);
}

void CrontabWatch::read_system_dir(const Now& now) {
  std::error_code error;
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(facts_.files.system_dir, error)) {
    names.insert(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    if (!cron::daemon_reads_name(facts_.files.dialect, name)) continue;
    read_system_table(facts_.files.system_dir + "/" + name, now);
  }
}

void CrontabWatch::read_system_table(const std::string& path, const Now& now) {
  struct stat link {};

  const bool is_there = ::lstat(path.c_str(), &link) == 0;
  const UniqueFd fd(is_there ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1);
  Table table;
  if (fd) {
    table = load_table(fd.get(), facts_.files.dialect, cron::TableKind::kSystem, link, {});
  } else {
    table.fault = std::strerror(errno);
  }
  if (table.fault.empty()) {
    import(path, {}, table.text, now);
  } else {
    scan_->complaints.push_back(path + " is ignored: " + table.fault);
  }
}

bool CrontabWatch::is_user_table(const std::string& name) {
  if (name.empty() || name[0] == '.') return false;
  if (user_exists(name)) return true;
  scan_->complaints.push_back(facts_.files.spool_dir + "/" + name + " is ignored: no such user");
  return false;
}

void CrontabWatch::read_spool(const Now& now) {
  std::error_code error;
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(facts_.files.spool_dir, error)) {
    names.insert(entry.path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    give_up_spool(error.message());
    return;
  }
  for (const std::string& name : names) {
    if (!is_user_table(name)) continue;
    const std::string path = facts_.files.spool_dir + "/" + name;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (fd) {
      read_user_table(fd.get(), name, now);
    } else {
      scan_->complaints.push_back(path + " is ignored: " + spool_fault(errno));
    }
  }
}

void CrontabWatch::read_user_table(int file, const std::string& name, const Now& now) {
  const std::string path = facts_.files.spool_dir + "/" + name;

  struct stat itself {};

  static_cast<void>(::fstat(file, &itself));
  const auto owner = uid_of(name);
  if (!owner) return;  // gone since the list was read; the next look says so
  const Table table = load_table(file, facts_.files.dialect, cron::TableKind::kUser, itself, owner);
  if (table.fault.empty()) {
    import(path, name, table.text, now);
  } else {
    scan_->complaints.push_back(path + " is ignored: " + table.fault);
  }
}

void CrontabWatch::give_up_spool(const std::string& why) {
  scan_->awaited.clear();
  scan_->keeps_spool_jobs = true;
  scan_->complaints.push_back("cannot read " + facts_.files.spool_dir + ": " + why +
                              "; users' crontabs are not followed for the moment");
}

void CrontabWatch::ask_for_spool(const Now& now) {
  ++question_;
  scan_->until = now.mono + kSpoolWait;
  scan_->awaited.insert("");
  if (!host_.ask_spool(question_, {})) {
    next_scan_ = now.mono + kSpoolWait;
    give_up_spool("the executor is not there");
  }
}

void CrontabWatch::ask_for_tables(int list) {
  std::string names;
  std::array<char, 65536> piece{};
  ssize_t count = 0;
  while ((count = ::read(list, piece.data(), piece.size())) > 0) {
    names.append(piece.data(), static_cast<std::size_t>(count));
  }
  std::size_t at = 0;
  for (std::size_t end = 0; (end = names.find('\0', at)) != std::string::npos; at = end + 1) {
    const std::string name = names.substr(at, end - at);
    if (!is_user_table(name)) continue;
    if (!host_.ask_spool(question_, name)) {
      give_up_spool("the executor is not there");
      return;
    }
    scan_->awaited.insert(name);
  }
}

void CrontabWatch::on_spool(const process::ExecSpoolFile& table, const Now& now) {
  if (!scan_ || table.question != question_ || scan_->awaited.erase(table.name) == 0) return;
  if (table.name.empty()) {
    if (table.sys_errno == ENOTSUP) {
      give_up_spool("the executor was started without --spool-dir");
    } else if (!table.fd) {
      give_up_spool(std::strerror(table.sys_errno));
    } else {
      ask_for_tables(table.fd.get());
    }
  } else if (table.fd) {
    read_user_table(table.fd.get(), table.name, now);
  } else {
    scan_->complaints.push_back(facts_.files.spool_dir + "/" + table.name +
                                " is ignored: " + spool_fault(table.sys_errno));
  }
  if (scan_->awaited.empty()) finish(now);
}

void CrontabWatch::import(const std::string& path, const std::string& user, const std::string& text,
                          const Now& now) {
  const bool is_system = user.empty();
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
  const config::ImportResult result = config::import_crontab(text, options, context);
  if (result.daemon_ignored_file) {
    scan_->complaints.push_back(path + " is ignored, as cron does: " + result.daemon_reason);
    return;
  }
  for (const config::ImportItem& item : result.items) {
    if (!item.job) continue;
    model::JobSpec spec = *item.job;
    spec.managed = true;
    // The same package drops the same file on many hosts: each has a job of its own.
    const planner::Job* namesake = state_.find_job(spec.name);
    const bool is_others = namesake != nullptr && namesake->spec->managed &&
                           namesake->spec->origin_host != facts_.node_name;
    if (is_others || state_.find_job(facts_.node_name + "-" + spec.name) != nullptr) {
      spec.name = facts_.node_name + "-" + spec.name;
    }
    scan_->wanted[spec.name] = std::move(spec);
  }
}

void CrontabWatch::finish(const Now& now) {
  propose(now);
  complaints_ = std::move(scan_->complaints);
  scan_.reset();
}

model::RemoveJobs CrontabWatch::gone_jobs() const {
  model::RemoveJobs removes;
  removes.keep_history = true;
  const std::string spool = std::string(kSourcePrefix) + facts_.files.spool_dir + "/";
  for (const planner::Job* job : state_.jobs_by_name()) {
    const model::JobSpec& spec = *job->spec;
    const bool ours = spec.managed && spec.origin_host == facts_.node_name &&
                      spec.origin_source.rfind(kSourcePrefix, 0) == 0;
    const bool is_kept = scan_->keeps_spool_jobs && spec.origin_source.rfind(spool, 0) == 0;
    if (ours && !is_kept && !scan_->wanted.contains(spec.name)) removes.names.push_back(spec.name);
  }
  return removes;
}

void CrontabWatch::propose(const Now& now) {
  model::PutJobs puts;
  for (const auto& [name, spec] : scan_->wanted) {
    const planner::Job* job = state_.find_job(name);
    if (job != nullptr && *job->spec == spec) continue;
    if (job != nullptr && !job->spec->managed) {
      scan_->complaints.push_back("job " + name + " exists already and is not replaced by " +
                                  spec.origin_source);
      continue;
    }
    model::JobPut put;
    put.spec = spec;
    put.mode = model::PutMode::kReplace;
    put.new_uid = random_.draw();
    puts.puts.push_back(std::move(put));
  }
  const auto send = [this, &now](model::Command command) {
    model::Entry entry;
    entry.at = now.wall;
    entry.actor = kActor;
    entry.command = std::move(command);
    ++under_way_;
    log_.propose(std::move(entry), [this](const planner::Applied& applied) {
      --under_way_;
      if (!applied.status) complaints_.push_back(applied.status.error().message);
    });
  };
  if (model::RemoveJobs removes = gone_jobs(); !removes.names.empty()) send(std::move(removes));
  if (!puts.puts.empty()) send(std::move(puts));
}

}  // namespace distcron::agent
