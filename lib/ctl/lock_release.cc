// SPDX-License-Identifier: Apache-2.0
// lock list, lock show and lock release.
#include <string>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct ListOptions {};

struct ShowOptions {
  std::vector<std::string> names;
};

struct ReleaseOptions {
  std::vector<std::string> names;
  bool force = false;
};

void add_list_flags(Flags& flags, ListOptions& o) {
  static_cast<void>(flags);
  static_cast<void>(o);
}

void add_show_flags(Flags& flags, ShowOptions& o) {
  flags.words({"(JOB|RUN)", 1, 1}, o.names);
}

void add_release_flags(Flags& flags, ReleaseOptions& o) {
  flags.words({"(JOB|RUN)", 1, 1}, o.names);
  flags.add({"force", 0, "", "also of a run whose host is in touch"}, o.force);
}

Outcome print_locks(const std::string& name, Context& context) {
  wire::LockRequest request;
  request.name = name;
  DC_TRY(const wire::LockList locks, context.client.request<wire::Op::kLockList>(request));
  Output& out = context.out;
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::LockItem& item : locks.items)
      texts.push_back(wire::to_json(item));
    out.json_list("LockList", texts);
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"job"},   {"run", Align::kRight},
                   {"state"}, {"node"},
                   {"since"}, {"attempt", Align::kRight, false, true}};
  for (const wire::LockItem& item : locks.items) {
    texts.push_back(item.name);
    const bool is_silent = item.suspect.value_or(false);
    table.rows.push_back({item.name, std::to_string(item.run_id),
                          item.state + (is_silent ? " (host silent)" : ""), item.node,
                          out.time(item.since), std::to_string(item.attempt)});
  }
  if (locks.items.empty() && out.format() != Format::kName) {
    out.talk("no run keeps a place");
    return ExitCode::kOk;
  }
  if (Status printed = out.table(std::move(table), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

Outcome list(const ListOptions& o, Context& context) {
  static_cast<void>(o);
  return print_locks("", context);
}

Outcome show(const ShowOptions& o, Context& context) {
  return print_locks(o.names.front(), context);
}

Outcome release(const ReleaseOptions& o, Context& context) {
  DC_TRY(const bool is_sure,
         confirm(context, "Let other runs start although this one may still be alive?"));
  if (!is_sure) {
    context.out.talk("nothing released");
    return ExitCode::kOk;
  }
  wire::LockRequest request;
  request.name = o.names.front();
  request.force = o.force;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kLockRelease>(request));
  return print_changes(reply, context);
}

}  // namespace

CommandSpec lock_list_command() {
  return make_command<ListOptions>(
      {"lock list",
       "list the runs that keep the place of their job",
       "Of jobs whose runs exclude each other. A run that ended as unknown keeps its place while "
       "it may be alive on a silent host: until the host reports, is booted, or is removed.",
       {{"lock list", "all of them"}, {"lock list -o json", "for scripts"}}},
      add_list_flags, list);
}

CommandSpec lock_show_command() {
  return make_command<ShowOptions>(
      {"lock show",
       "show the runs that keep the place of one job",
       "",
       {{"lock show backup-db", "by job"}, {"lock show 8123", "by run"}}},
      add_show_flags, show);
}

CommandSpec lock_release_command() {
  return make_command<ReleaseOptions>(
      {"lock release",
       "free the place of a run whose host is silent",
       "For runs that are unknown, or whose host does not answer: be sure that they are dead. A "
       "run that was out on its host ends as unknown(host_unreachable), or is tried again when it "
       "is at-least-once; what the host says later becomes an event. Asks first.",
       {{"lock release backup-db", "all silent runs of a job"},
        {"lock release 8123 --yes --reason 'web2 is broken'", "one run"}}},
      add_release_flags, release);
}

}  // namespace distcron::ctl
