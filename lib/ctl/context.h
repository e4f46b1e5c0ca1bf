// SPDX-License-Identifier: Apache-2.0
// What every command gets: the options of all commands, output, host, and the way to the agent.
// Owned by the dispatcher for one run of the program; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cron/zone.h"
#include "ctl/outcome.h"

namespace distcron::ctl {

class Client;
class Flags;
class Host;
class Output;

/// Options that every command takes.
struct Globals {
  std::string endpoint;
  std::string key;
  std::string db;
  std::string output;
  bool json = false;
  std::string columns;
  bool no_header = false;
  bool utc = false;
  bool local = false;
  std::string color;
  bool no_color = false;
  bool no_pager = false;
  bool quiet = false;
  std::int64_t verbose = 0;
  bool yes = false;
  bool no_input = false;
  bool dry_run = false;
  Millis request_timeout{10'000};
  bool stale = false;
  std::string request_id;
  std::string reason;
  bool help = false;
  bool version = false;
};

/// Adds the flags of all commands; `globals` must outlive `flags`.
void add_global_flags(Flags& flags, Globals& globals);

struct Context {
  Client& client;
  Output& out;
  Host& host;
  const Globals& globals;
  WallTime now{};  ///< When the program started.

  /// An instant as typed for flag `--flag`; without offset in the zone for people. A Failure with
  /// exit code 2 names the flag.
  [[nodiscard]] Answer<WallTime> parse_time(std::string_view flag, std::string_view text) const;
  [[nodiscard]] Answer<std::optional<WallTime>> parse_time_if(
      std::string_view flag, const std::optional<std::string>& text) const;
};

}  // namespace distcron::ctl
