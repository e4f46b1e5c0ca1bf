// SPDX-License-Identifier: Apache-2.0
// cluster status, cluster settings and cluster events.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/node_text.h"
#include "ctl/watch.h"
#include "model/glob.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

constexpr Millis kEventsPoll{1'000};

struct StatusOptions {
  bool exit_code = false;
  bool watch = false;
};

struct SettingsOptions {
  std::vector<std::string> words;
};

struct EventsOptions {
  bool follow = false;
  std::optional<std::string> since;
  std::string type;
  std::int64_t limit = 100;
};

void add_status_flags(Flags& flags, StatusOptions& o) {
  flags.add({"exit-code", 0, "", "exit 1 when something is wrong"}, o.exit_code);
  flags.add({"watch", 0, "", "show it again whenever it changes, until Ctrl-C"}, o.watch);
}

void add_settings_flags(Flags& flags, SettingsOptions& o) {
  flags.words({"[KEY [VALUE]]", 0, 2}, o.words);
}

void add_events_flags(Flags& flags, EventsOptions& o) {
  flags.add({"follow", 'f', "", "go on as new ones come"}, o.follow);
  flags.add({"since", 0, "TIME", "only after this instant"}, o.since);
  flags.add({"type", 0, "GLOB", "only of this type, such as node.*"}, o.type);
  flags.add({"limit", 0, "N", "at most this many, 100 by default"}, o.limit);
}

bool is_well(const wire::StatusReply& status) {
  if (!status.quorum || !status.scheduler || !status.warnings.empty()) return false;
  for (const wire::NodeItem& node : status.nodes) {
    const bool is_there = node.state == "alive" || node.state == "draining";
    if (!is_there) return false;
  }
  return true;
}

std::string status_text(const wire::StatusReply& status, const Output& out) {
  std::string text = "cluster    " + status.name + "\nquorum     ";
  text += status.quorum ? "yes\n" : "no: nothing can be changed, and no run starts\n";
  text += "scheduler  " + (status.scheduler ? status.scheduler->name : std::string("none"));
  text += ", term " + std::to_string(status.term) + "\n";
  text += "jobs       " + std::to_string(status.jobs) + ", " + std::to_string(status.failing) +
          " failing\n";
  text += "runs       " + std::to_string(status.running) + " running, " +
          std::to_string(status.queued) + " queued\n";
  if (status.paused) {
    text += "paused     " +
            (status.paused_until ? "until " + out.day_time(*status.paused_until)
                                 : std::string("until somebody resumes")) +
            "\n";
  }
  if (!status.cgroup.empty()) text += "cgroups    " + status.cgroup + "\n";
  return text;
}

Outcome print_status(const wire::StatusReply& status, const StatusOptions& o, Output& out) {
  const ExitCode exit = o.exit_code && !is_well(status) ? ExitCode::kNegative : ExitCode::kOk;
  if (out.is_json()) {
    out.json_object("ClusterStatus", wire::to_json(status));
    return exit;
  }
  std::vector<std::string> names;
  for (const wire::NodeItem& node : status.nodes)
    names.push_back(node.name);
  const bool is_text = out.format() == Format::kTable || out.format() == Format::kWide;
  if (is_text) out.write(status_text(status, out) + "\n");
  if (Status printed = out.table(node_table(status.nodes), names); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  if (is_text && !status.warnings.empty()) {
    out.write("\n");
    for (const std::string& warning : status.warnings) {
      out.line(out.paint("33", "warning") + "  " + printable(warning));
    }
  }
  return exit;
}

Outcome show_status(const StatusOptions& o, Context& context) {
  if (o.watch && o.exit_code) return usage("--watch has no end, so --exit-code has no meaning");
  const auto look = [&o, &context]() -> Answer<Sight> {
    DC_TRY(wire::StatusReply status, context.client.request<wire::Op::kClusterStatus>({}));
    Sight sight;
    wire::StatusReply facts = status;
    forget_measures(facts.nodes);
    sight.facts = wire::to_json(facts);
    sight.print = [&o, &context, status = std::move(status)] {
      return print_status(status, o, context.out);
    };
    return sight;
  };
  if (o.watch) return watch_changes(context, look);
  DC_TRY(const Sight sight, look());
  return sight.print();
}

Outcome show_settings(const SettingsOptions& o, Context& context) {
  wire::SettingRequest request;
  if (!o.words.empty()) request.key = o.words[0];
  if (o.words.size() > 1) request.value = o.words[1];
  DC_TRY(const wire::SettingList list, context.client.request<wire::Op::kSettings>(request));
  Output& out = context.out;
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::SettingItem& item : list.items)
      texts.push_back(wire::to_json(item));
    out.json_list("SettingList", texts);
    return ExitCode::kOk;
  }
  if (request.value) {
    out.talk(context.globals.dry_run ? "dry run: nothing was stored"
                                     : "Set " + request.key + " to " + *request.value + ".");
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"key"}, {"value"}};
  for (const wire::SettingItem& item : list.items) {
    texts.push_back(item.value);
    table.rows.push_back({item.key, item.value});
  }
  if (Status printed = out.table(std::move(table), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

Outcome print_events(const wire::EventList& list, Output& out, bool with_header) {
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::EventItem& item : list.items)
      texts.push_back(wire::to_json(item));
    out.json_list("EventList", texts);
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"at"}, {"type"}, {"actor"}, {"object"}, {"text", Align::kLeft, true}};
  for (const wire::EventItem& item : list.items) {
    texts.push_back(item.type);
    table.rows.push_back({out.time(item.at), item.type, item.actor, item.object, item.text});
  }
  if (!with_header) {
    out.write(format_tsv(table, false));
    return ExitCode::kOk;
  }
  if (Status printed = out.table(std::move(table), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

void keep_type(wire::EventList& list, const std::string& type) {
  if (type.empty()) return;
  std::erase_if(list.items, [&type](const wire::EventItem& item) {
    return !model::glob_match(type, item.type);
  });
}

Outcome show_events(const EventsOptions& o, Context& context) {
  wire::EventsRequest request;
  DC_TRY(request.since, context.parse_time_if("since", o.since));
  request.limit = o.limit;
  if (o.follow && context.out.format() == Format::kJson) {
    return usage("--follow has no end, and -o json is one text", "use -o jsonl");
  }
  DC_TRY(wire::EventList list, context.client.request<wire::Op::kEvents>(request));
  WallTime newest = context.now;
  for (const wire::EventItem& item : list.items)
    newest = std::max(newest, item.at);
  keep_type(list, o.type);
  DC_TRY(const ExitCode exit, print_events(list, context.out, true));
  if (!o.follow) return exit;
  WallTime seen = newest;
  for (;;) {
    context.host.pause(kEventsPoll);
    request.since = seen + Micros(1);
    DC_TRY(wire::EventList more, context.client.request<wire::Op::kEvents>(request));
    std::erase_if(more.items, [seen](const wire::EventItem& item) { return item.at <= seen; });
    std::stable_sort(more.items.begin(), more.items.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    for (const wire::EventItem& item : more.items)
      seen = std::max(seen, item.at);
    keep_type(more, o.type);
    DC_TRY(const ExitCode shown, print_events(more, context.out, false));
    static_cast<void>(shown);
  }
}

}  // namespace

CommandSpec cluster_status_command() {
  return make_command<StatusOptions>(
      {"cluster status",
       "show nodes, scheduler and what is wrong",
       "The asked agent answers from what it knows, also without a majority. For --watch, clocks, "
       "round trips and entries behind alone are no change; with -o json or jsonl it prints one "
       "document for each change.",
       {{"cluster status", "for people"},
        {"cluster status --watch", "again with each change, while hosts come and go"},
        {"cluster status --exit-code", "for monitoring: 0 well, 1 degraded, 6 no agent"}}},
      add_status_flags, show_status);
}

CommandSpec cluster_settings_command() {
  return make_command<SettingsOptions>(
      {"cluster settings",
       "show or change settings that all nodes share",
       "",
       {{"cluster settings", "all of them"},
        {"cluster settings tz Europe/Berlin", "zone of jobs that name none"},
        {"cluster settings no_quorum_max 2h", "how long run-local goes on"}}},
      add_settings_flags, show_settings);
}

CommandSpec cluster_events_command() {
  return make_command<EventsOptions>({"cluster events",
                                      "show who changed what",
                                      "",
                                      {{"cluster events --since -2h", "the last two hours"},
                                       {"cluster events --type 'node.*'", "of hosts only"},
                                       {"cluster events -f -o jsonl", "as they come"}}},
                                     add_events_flags, show_events);
}

}  // namespace distcron::ctl
