// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/job_editor.h"
#include "ctl/job_flags.h"
#include "model/units.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> names;
  std::optional<std::vector<std::string>> argv;
  model::JobSpec spec;
  std::vector<std::string> at;
  std::vector<std::string> every;
  bool manual = false;
  std::optional<std::string> script_path;
  std::vector<std::string> env_files;
  bool if_not_exists = false;
  bool replace = false;
  bool edit = false;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"NAME", 1, 1}, o.names);
  flags.argv("-- ARGV...", o.argv);
  flags.add({"at", 0, "TIME", "run once at this instant"}, o.at);
  flags.add({"every", 0, "DUR", "run at each multiple of this since 1970"}, o.every);
  flags.add({"manual", 0, "", "no schedule: runs only when asked"}, o.manual);
  flags
      .add({"script", 0, "FILE|-", "send the text of this file as the job's script"}, o.script_path)
      .field = "script";
  flags.add({"env-file", 0, "FILE", "variables from this file, a NAME=VALUE per line"},
            o.env_files);
  flags.add({"if-not-exists", 0, "", "leave a job of this name as it is"}, o.if_not_exists);
  flags.add({"replace", 0, "", "change a job of this name"}, o.replace);
  flags.add({"edit", 0, "", "open the result in the editor first"}, o.edit);
  add_job_flags(flags, o.spec);
}

/// "@at 2026-12-01T10:00": an absolute time stays in the job's zone, a relative one becomes UTC.
Answer<std::string> at_expression(const std::string& text, Context& context) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    std::string instant = text;
    const std::size_t blank = instant.find(' ');
    if (blank == 10) instant[blank] = 'T';
    return "@at " + instant;
  }
  DC_TRY(const WallTime at, context.parse_time("at", text));
  return "@at " + model::format_utc(at);
}

Answer<bool> add_schedules(const Options& o, Context& context, model::JobSpec& spec) {
  for (const std::string& text : o.at) {
    DC_TRY(std::string expression, at_expression(text, context));
    spec.schedule.push_back(std::move(expression));
  }
  for (const std::string& text : o.every)
    spec.schedule.push_back("@every " + text);
  if (o.manual && !spec.schedule.empty()) {
    return usage("--manual means no schedule; leave one of them out");
  }
  if (!o.manual && spec.schedule.empty() && !o.edit) {
    return usage("add: when should " + o.names.front() + " run?",
                 "give --schedule EXPR, --at TIME, --every DUR or --manual");
  }
  return true;
}

Answer<bool> add_command(const Options& o, Context& context, model::JobSpec& spec) {
  if (o.script_path) {
    DC_TRY(spec.script, context.host.read_file(*o.script_path));
  }
  if (o.argv) spec.argv = *o.argv;
  const int given = (spec.command.empty() ? 0 : 1) + (o.script_path ? 1 : 0) + (o.argv ? 1 : 0);
  if (given > 1) return usage("add takes one of --command, --script and -- ARGV...");
  if ((given == 0 || (o.argv && o.argv->empty())) && !o.edit) {
    return usage("add: what should " + o.names.front() + " run?",
                 "give --command STRING, --script FILE or -- PROGRAM ARGUMENTS...");
  }
  return true;
}

/// NAME=VALUE per line, taken as it stands; empty lines and those that begin with # are nothing.
/// Later files win over earlier ones, and --env over all.
Answer<bool> add_env_files(const Options& o, Context& context, model::JobSpec& spec) {
  model::TextMap read;
  for (const std::string& path : o.env_files) {
    DC_TRY(const std::string text, context.host.read_file(path));
    std::size_t number = 0;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      ++number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (line.empty() || line.front() == '#') continue;
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos || equals == 0) {
        return fail_hint(
            ErrorCode::kInvalid,
            path + ":" + std::to_string(number) + ": " + std::string(line) + " is no variable",
            "a line is NAME=VALUE, empty, or a comment that begins with #");
      }
      read[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
  }
  spec.env.merge(read);
  return true;
}

Outcome run(const Options& o, Context& context) {
  if (o.if_not_exists && o.replace) {
    return usage("--if-not-exists and --replace exclude each other");
  }
  model::JobSpec spec = o.spec;
  spec.name = o.names.front();
  DC_TRY(const bool has_schedule, add_schedules(o, context, spec));
  DC_TRY(const bool has_command, add_command(o, context, spec));
  DC_TRY(const bool has_env, add_env_files(o, context, spec));
  static_cast<void>(has_schedule && has_command && has_env);
  model::PutMode mode = model::PutMode::kCreate;
  if (o.if_not_exists) mode = model::PutMode::kCreateIfMissing;
  if (o.replace) mode = model::PutMode::kReplace;
  if (o.edit) return edit_job({std::move(spec), "", std::nullopt, mode}, context);
  DC_TRY(const wire::ChangeReply reply,
         put_job({std::move(spec), "", std::nullopt, mode}, context));
  DC_TRY(const ExitCode exit, print_changes(reply, context));
  context.out.hint("  see: distcronctl next " + o.names.front());
  return exit;
}

}  // namespace

CommandSpec job_add_command() {
  return make_command<Options>(
      {"add",
       "define a job",
       "What stands behind -- is run as it is, without a shell; --command goes to /bin/sh -c. "
       "Exactly one of --command, --script and -- ARGV is needed, and a schedule or --manual.\n"
       "Without --tz the schedule is in the cluster's zone, which is stored in the job.",
       {{"add backup-db --schedule '30 2 * * *' --tz Europe/Berlin -- /usr/local/bin/backup --all",
         "every night, argv without a shell"},
        {"add report --schedule '0 9 * * mon-fri' --command 'make report | mail -s report ops'",
         "a command line for the shell"},
        {"add poll --every 90s --timeout 1m --retry 2 -- ./poll", "an interval, with retries"},
        {"add reindex --manual --user www-data --script reindex.sh", "a script, run by hand"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
