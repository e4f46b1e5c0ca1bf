// SPDX-License-Identifier: Apache-2.0
#include "ctl/context.h"

#include "ctl/flags.h"
#include "ctl/output.h"
#include "model/units.h"

namespace distcron::ctl {

void add_global_flags(Flags& flags, Globals& g) {
  flags.add({"endpoint", 'e', "URL", "where the agent listens: ipc://PATH or tcp://HOST:PORT"},
            g.endpoint);
  flags.add({"key", 0, "FILE", "key file that says who is asking"}, g.key);
  flags.add({"db", 0, "FILE", "read this state.db or backup instead of asking an agent"}, g.db);
  flags.add({"output", 'o', "FMT", "form of the result"}, g.output).one_of(format_names());
  flags.add({"json", 0, "", "same as -o json"}, g.json);
  flags.add({"columns", 0, "A,B", "choose and order columns (table, wide, tsv)"}, g.columns);
  flags.add({"no-header", 0, "", "no heading line (table, tsv)"}, g.no_header);
  flags.add({"utc", 0, "", "times in UTC"}, g.utc);
  flags.add({"local", 0, "", "times in this host's zone, the default for people"}, g.local);
  flags.add({"color", 0, "WHEN", "when to use colours"}, g.color)
      .one_of({"auto", "always", "never"});
  flags.add({"no-color", 0, "", "same as --color never"}, g.no_color);
  flags.add({"no-pager", 0, "", "write straight to the terminal"}, g.no_pager);
  flags.add({"quiet", 'q', "", "only results and errors"}, g.quiet);
  std::int64_t& verbose = g.verbose;
  flags.call({"verbose", 'v', "", "say more; twice: every request, its id and time"},
             [&verbose](std::string_view) -> Status {
               ++verbose;
               return {};
             });
  flags.add({"yes", 'y', "", "answer questions with yes"}, g.yes);
  flags.add({"no-input", 0, "", "never ask"}, g.no_input);
  flags.add({"dry-run", 0, "", "check a change on the server, store nothing"}, g.dry_run);
  flags.add({"request-timeout", 0, "DUR", "how long to wait for an answer, 10s by default"},
            g.request_timeout);
  flags.add({"stale", 0, "", "answer from this agent's own state, without asking a majority"},
            g.stale);
  flags.add({"request-id", 0, "ID", "idempotency key of a change; random by default"},
            g.request_id);
  flags.add({"reason", 0, "TEXT", "why, kept with the change"}, g.reason);
  flags.add({"help", 'h', "", "show help"}, g.help);
  flags.add({"version", 'V', "", "show the version"}, g.version);
}

Answer<WallTime> Context::parse_time(std::string_view flag, std::string_view text) const {
  auto at = model::parse_time(text, *out.options().zone, now);
  if (!at) {
    return usage("--" + std::string(flag) + ": " + at.error().message, at.error().hint);
  }
  return *at;
}

Answer<std::optional<WallTime>> Context::parse_time_if(
    std::string_view flag, const std::optional<std::string>& text) const {
  if (!text) return std::optional<WallTime>();
  DC_TRY(const WallTime at, parse_time(flag, *text));
  return std::optional<WallTime>(at);
}

}  // namespace distcron::ctl
