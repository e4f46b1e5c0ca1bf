// SPDX-License-Identifier: Apache-2.0
// distcrond: parses its command line and calls agent::run_daemon.
#include <iostream>

#include <CLI/CLI.hpp>

#include "agent/daemon.h"

int main(int argc, char** argv) {
  using distcron::agent::DaemonArguments;
  DaemonArguments arguments;
  std::string state_dir;
  std::string log_level;
  std::string log_format;
  bool shows_version = false;
  bool is_verbose = false;
  bool stays = true;
  CLI::App app(
      "distcrond - the agent of DistCron: runs jobs on this host and replicates the state");
  app.add_option("-c,--config", arguments.config_file, "read only this configuration FILE");
  app.add_option("--conf-dir", arguments.conf_dir,
                 "further files, instead of /etc/distcron/conf.d");
  app.add_option("--set", arguments.sets, "set one key: section.key=value")
      ->take_all()
      ->expected(1);
  app.add_option("--state-dir", state_dir, "same as --set storage.dir=DIR");
  app.add_option("--log-level", log_level, "same as --set log.level=LEVEL");
  app.add_option("--log-format", log_format, "same as --set log.format=text|json");
  app.add_flag("--foreground", stays, "accepted; it always stays in the foreground");
  app.add_flag("--ephemeral", arguments.is_ephemeral,
               "a complete one-node cluster in a temporary folder, gone at its end");
  app.add_flag("--check-config", arguments.checks_config, "check the configuration and exit");
  app.add_flag("--init-keys", arguments.inits_keys, "make missing key files and exit");
  app.add_flag("--print-config", arguments.prints_config, "print the effective settings and exit");
  app.add_flag("--origin", arguments.prints_origin, "with --print-config: where each comes from");
  app.add_flag("--print-defaults", arguments.prints_defaults, "print the reference file and exit");
  app.add_flag("-V,--version", shows_version, "print the version and exit");
  app.add_flag("--verbose", is_verbose, "with --version: more");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    if (is_help) return app.exit(error);
    std::cerr << "distcrond: " << error.what() << "\n  usage: distcrond --help\n";
    return distcron::agent::kExitConfig;
  }
  if (shows_version) {
    std::cout << "distcrond " << distcron::agent::version_text() << '\n';
    if (is_verbose) std::cout << distcron::agent::build_text();
    return 0;
  }
  if (!state_dir.empty()) arguments.sets.push_back("storage.dir=" + state_dir);
  if (!log_level.empty()) arguments.sets.push_back("log.level=" + log_level);
  if (!log_format.empty()) arguments.sets.push_back("log.format=" + log_format);
  return distcron::agent::run_daemon(arguments);
}
