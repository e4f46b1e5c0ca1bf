// SPDX-License-Identifier: Apache-2.0
// rm, rename, enable and disable.
#include <optional>
#include <string>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"

namespace distcron::ctl {
namespace {

struct RemoveOptions {
  TargetOptions targets;
  bool keep_history = false;
  bool kill = false;
};

struct RenameOptions {
  std::vector<std::string> names;
};

struct EnableOptions {
  TargetOptions targets;
};

struct DisableOptions {
  TargetOptions targets;
  std::optional<std::string> until;
  bool kill = false;
};

void add_remove_flags(Flags& flags, RemoveOptions& o) {
  add_target_flags(flags, o.targets, "JOB...");
  flags.add({"keep-history", 0, "", "keep its past runs"}, o.keep_history);
  flags.add({"kill", 0, "", "stop its runs that are alive"}, o.kill);
}

void add_rename_flags(Flags& flags, RenameOptions& o) {
  flags.words({"JOB NEW", 2, 2}, o.names);
}

void add_enable_flags(Flags& flags, EnableOptions& o) {
  add_target_flags(flags, o.targets, "JOB...");
}

void add_disable_flags(Flags& flags, DisableOptions& o) {
  add_target_flags(flags, o.targets, "JOB...");
  flags.add({"until", 0, "TIME", "enable it again at this instant"}, o.until);
  flags.add({"kill", 0, "", "stop its runs that are alive"}, o.kill);
}

bool is_one_name(const wire::JobTargets& targets) {
  return targets.names.size() == 1 && targets.selector.empty() && !targets.all &&
         targets.names.front().find_first_of("*?[") == std::string::npos;
}

/// How many jobs are meant, for the question before they are removed.
Answer<std::size_t> count_jobs(const wire::JobTargets& targets, Context& context) {
  wire::ListRequest request;
  request.targets = targets;
  DC_TRY(const wire::JobList list, context.client.request<wire::Op::kJobList>(request));
  return list.items.size();
}

Outcome remove(const RemoveOptions& o, Context& context) {
  wire::RemoveRequest request;
  DC_TRY(request.targets, make_targets(o.targets, context, true));
  request.keep_history = o.keep_history;
  request.kill = o.kill;
  if (!is_one_name(request.targets) && !context.globals.yes && !context.globals.dry_run) {
    DC_TRY(const std::size_t count, count_jobs(request.targets, context));
    if (count > 1) {
      DC_TRY(const bool is_sure, confirm(context, "Remove " + std::to_string(count) + " jobs?"));
      if (!is_sure) {
        context.out.talk("nothing removed");
        return ExitCode::kOk;
      }
    }
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kJobRemove>(request));
  return print_changes(reply, context);
}

Outcome rename(const RenameOptions& o, Context& context) {
  wire::RenameRequest request;
  request.name = o.names[0];
  request.new_name = o.names[1];
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kJobRename>(request));
  return print_changes(reply, context);
}

Outcome enable(const EnableOptions& o, Context& context) {
  wire::EnableRequest request;
  DC_TRY(request.targets, make_targets(o.targets, context, true));
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kJobEnable>(request));
  return print_changes(reply, context);
}

Outcome disable(const DisableOptions& o, Context& context) {
  wire::EnableRequest request;
  request.enabled = false;
  DC_TRY(request.targets, make_targets(o.targets, context, true));
  DC_TRY(request.until, context.parse_time_if("until", o.until));
  request.kill = o.kill;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kJobEnable>(request));
  return print_changes(reply, context);
}

}  // namespace

CommandSpec job_rm_command() {
  return make_command<RemoveOptions>(
      {"rm",
       "remove jobs",
       "Its history goes too, unless --keep-history says otherwise. Runs that are alive go on, "
       "unless --kill says otherwise. Asks from two jobs on.",
       {{"rm backup-db", "one job"},
        {"rm 'old/*' --yes", "many, without being asked"},
        {"list --state disabled -o name | distcronctl rm - --yes", "names from a pipe"}}},
      add_remove_flags, remove);
}

CommandSpec job_rename_command() {
  return make_command<RenameOptions>({"rename",
                                      "give a job another name",
                                      "Its history, its uid and so the spread of H stay.",
                                      {{"rename backup-db db/backup", "into a group"},
                                       {"rename db/backup backup-db", "and back"}}},
                                     add_rename_flags, rename);
}

CommandSpec job_enable_command() {
  return make_command<EnableOptions>(
      {"enable",
       "let the schedules of jobs make runs",
       "Slots of the time while a job was disabled are not made up.",
       {{"enable backup-db", "one job"}, {"enable -l team=db", "all of a label"}}},
      add_enable_flags, enable);
}

CommandSpec job_disable_command() {
  return make_command<DisableOptions>(
      {"disable",
       "stop the schedules of jobs from making runs",
       "Runs that are alive go on, unless --kill says otherwise. `run` works all the same.",
       {{"disable backup-db", "until it is enabled"},
        {"disable backup-db --until '2026-12-01 06:00'", "for a while"}}},
      add_disable_flags, disable);
}

}  // namespace distcron::ctl
