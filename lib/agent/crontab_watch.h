// SPDX-License-Identifier: Apache-2.0
// CrontabWatch: follows the crontab tables of this host as a cron daemon does: reads them at start,
// when inotify says that a directory changed, and once a minute; keeps one managed job per line.
// The jobs change and go with their file. Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/clock.h"
#include "agent/log_pipe.h"
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

  CrontabWatch(Facts facts, planner::State& state, LogPipe& log, Random& random);

  [[nodiscard]] int fd() const { return inotify_.get(); }

  /// The inotify descriptor is readable: look again soon.
  void on_event(const Now& now);
  void on_timer(const Now& now);
  [[nodiscard]] std::optional<MonoTime> next_timer() const;

  /// What could not be read or is ignored, a sentence each.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  using Wanted = std::map<std::string, model::JobSpec>;

  void rescan(const Now& now);
  void read_system_dir(Wanted& wanted, const Now& now);
  void read_spool(Wanted& wanted, const Now& now);
  void read_table(const std::string& path, bool is_system, const std::string& user, Wanted& wanted,
                  const Now& now);
  void propose(const Wanted& wanted, const Now& now);
  void watch_dirs();

  Facts facts_;
  planner::State& state_;
  LogPipe& log_;
  Random& random_;
  std::shared_ptr<const cron::Zone> zone_;
  UniqueFd inotify_;
  bool other_daemon_runs_ = false;
  bool under_way_ = false;
  MonoTime next_scan_{};
  std::vector<std::string> complaints_;
};

/// Whether a cron daemon of the host is alive (its pid file, and that process's name).
[[nodiscard]] bool is_cron_daemon_running();

}  // namespace distcron::agent
