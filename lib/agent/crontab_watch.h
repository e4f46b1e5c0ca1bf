// SPDX-License-Identifier: Apache-2.0
// CrontabWatch: follows the crontab tables of this host as a cron daemon does: reads them at start,
// when inotify says that a directory changed, and once a minute; keeps one managed job per line.
// The jobs change and go with their file. Users' tables, which only root can read, come through the
// executor where the agent is not root: asked for in one turn, read in a later one. Loop thread
// only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "agent/host.h"
#include "agent/replica.h"
#include "base/unique_fd.h"
#include "cron/cron.h"
#include "planner/state.h"

namespace distcron::agent {

/// Where the tables of a host lie.
struct CrontabFiles {
  cron::Dialect dialect = cron::Dialect::kDebian;
  std::string system_table = "/etc/crontab";
  std::string system_dir = "/etc/cron.d";
  std::string spool_dir = "/var/spool/cron/crontabs";
};

class CrontabWatch {
 public:
  struct Facts {
    CrontabFiles files;
    std::string node_name;
    std::string zone_name;  ///< Of this host.
  };

  CrontabWatch(Facts facts, planner::State& state, Replica& log, Random& random, Host& host);

  [[nodiscard]] int fd() const { return inotify_.get(); }

  /// The inotify descriptor is readable: look again soon.
  void on_event(const Now& now);
  void on_timer(const Now& now);
  /// What the executor has opened.
  void on_spool(const process::ExecSpoolFile& table, const Now& now);
  [[nodiscard]] std::optional<MonoTime> next_timer() const;

  /// What could not be read or is ignored, a sentence each.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  using Wanted = std::map<std::string, model::JobSpec>;

  /// One look at all tables, which may take several turns.
  struct Scan {
    Wanted wanted;
    std::vector<std::string> complaints;
    std::set<std::string> awaited;  ///< Of the executor; "" is the list.
    bool keeps_spool_jobs = false;  ///< The spool cannot be read now: its jobs stay as they are.
    MonoTime until{};               ///< For the executor's answers.
  };

  void rescan(const Now& now);
  void read_system_dir(const Now& now);
  void read_spool(const Now& now);
  /// False: this name has no table.
  bool is_user_table(const std::string& name);
  void read_system_table(const std::string& path, const Now& now);
  void read_user_table(int file, const std::string& name, const Now& now);
  void import(const std::string& path, const std::string& user, const std::string& text,
              const Now& now);
  void ask_for_spool(const Now& now);
  void ask_for_tables(int list);
  void give_up_spool(const std::string& why);
  void finish(const Now& now);
  [[nodiscard]] model::RemoveJobs gone_jobs() const;
  void propose(const Now& now);
  void watch_dirs();

  Facts facts_;
  planner::State& state_;
  Replica& log_;
  Random& random_;
  Host& host_;
  std::shared_ptr<const cron::Zone> zone_;
  UniqueFd inotify_;
  bool other_daemon_runs_ = false;
  std::optional<Scan> scan_;  ///< Under way.
  std::int64_t question_ = 0;
  int under_way_ = 0;  ///< Entries on their way to the log.
  MonoTime next_scan_{};
  std::vector<std::string> complaints_;
};

}  // namespace distcron::agent
