// SPDX-License-Identifier: Apache-2.0
// From the command line of distcrond to a running agent: reads configuration, makes directories
// and keys, starts the executor, gives up root, runs the loop. Exit codes are those of sysexits
// (distcrond(8)).
#pragma once

#include <string>
#include <vector>

namespace distcron::agent {

struct DaemonArguments {
  std::string config_file;        ///< -c: replaces the files of /etc.
  std::string conf_dir;           ///< --conf-dir: further files; default /etc/distcron/conf.d.
  std::vector<std::string> sets;  ///< --set KEY=VALUE
  bool is_ephemeral = false;
  bool checks_config = false;
  bool inits_keys = false;
  bool prints_config = false;
  bool prints_origin = false;
  bool prints_defaults = false;
};

enum DaemonExit : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUnavailable = 69,  ///< A port or socket is in use.
  kExitDisk = 74,
  kExitBusy = 75,  ///< Another agent uses the storage.
  kExitNoPermission = 77,
  kExitConfig = 78,
};

[[nodiscard]] int run_daemon(const DaemonArguments& arguments);

/// Version of the program, such as "0.1.0".
[[nodiscard]] std::string version_text();
/// Compiler and libraries, a line each.
[[nodiscard]] std::string build_text();

}  // namespace distcron::agent
