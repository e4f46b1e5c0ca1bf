// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <string>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/interrupt.h"
#include "ctl/watch.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct Options {
  TargetOptions targets;
  std::string state;
  std::string node;
  std::string user;
  std::string sort = "name";
  std::int64_t limit = 0;
  std::optional<Millis> watch;
};

void add_flags(Flags& flags, Options& o) {
  add_target_flags(flags, o.targets, "[PATTERN...]");
  flags.add({"state", 0, "STATE", "only jobs in this state"}, o.state)
      .one_of({"enabled", "disabled", "running", "failing", "overdue", "never-ran"});
  flags.add({"node", 0, "NODE", "only jobs that run, or ran last, on this node"}, o.node);
  flags.add({"user", 'u', "USER", "only jobs that run as this user"}, o.user);
  flags.add({"sort", 0, "KEY", "order"}, o.sort).one_of({"name", "next", "last", "failures"});
  flags.add({"limit", 0, "N", "at most this many"}, o.limit);
  flags.add({"watch", 0, "DUR", "again and again at this interval"}, o.watch);
}

std::string joined(const model::TextList& list) {
  std::string text;
  for (const std::string& item : list)
    text += (text.empty() ? "" : "; ") + item;
  return text.empty() ? "by hand" : text;
}

std::string joined(const model::TextMap& map) {
  std::string text;
  for (const auto& [key, value] : map)
    text += (text.empty() ? "" : ",") + key + "=" + value;
  return text;
}

std::string state_text(const wire::JobItem& item) {
  if (!item.enabled) return "disabled";
  if (item.running > 0) return "running";
  if (item.last_state.empty()) return "never ran";
  return item.last_state;
}

Table job_table(const std::vector<wire::JobItem>& items, const Output& out) {
  Table table;
  table.columns = {{"name"},
                   {"state"},
                   {"next"},
                   {"schedule", Align::kLeft, true},
                   {"running", Align::kRight},
                   {"last", Align::kLeft, false, true},
                   {"failures", Align::kRight, false, true},
                   {"user", Align::kLeft, false, true},
                   {"tz", Align::kLeft, false, true},
                   {"version", Align::kRight, false, true},
                   {"labels", Align::kLeft, true, true},
                   {"origin", Align::kLeft, true, true},
                   {"description", Align::kLeft, true, true}};
  for (const wire::JobItem& item : items) {
    table.rows.push_back({item.name, state_text(item), out.time(item.next_at),
                          joined(item.schedules), std::to_string(item.running),
                          out.time(item.last_at), std::to_string(item.failures), item.user, item.tz,
                          std::to_string(item.version), joined(item.labels), item.origin,
                          item.description});
  }
  return table;
}

Answer<wire::JobList> list_all_pages(wire::ListRequest request, Context& context) {
  wire::JobList all;
  do {
    DC_TRY(wire::JobList page, context.client.request<wire::Op::kJobList>(request));
    request.offset = page.next.value_or(0);
    std::move(page.items.begin(), page.items.end(), std::back_inserter(all.items));
  } while (request.offset > 0);
  return all;
}

Outcome print_once(const Options& o, Context& context) {
  wire::ListRequest request;
  DC_TRY(request.targets, make_targets(o.targets, context, false));
  request.state = o.state;
  request.node = o.node;
  request.user = o.user;
  request.sort = o.sort;
  request.limit = o.limit;
  DC_TRY(const wire::JobList reply, list_all_pages(request, context));
  Output& out = context.out;
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::JobItem& item : reply.items)
      texts.push_back(wire::to_json(item));
    out.json_list("JobList", texts);
    return ExitCode::kOk;
  }
  for (const wire::JobItem& item : reply.items)
    texts.push_back(item.name);
  if (reply.items.empty() && out.format() != Format::kName) {
    out.talk("no jobs");
    if (!request.targets.names.empty() || !o.state.empty()) return ExitCode::kOk;
    out.hint("  make one: distcronctl help add");
    return ExitCode::kOk;
  }
  if (Status status = out.table(job_table(reply.items, out), texts); !status) {
    return usage(status.error().message, status.error().hint);
  }
  return ExitCode::kOk;
}

Outcome run(const Options& o, Context& context) {
  if (!o.watch) return print_once(o, context);
  if (o.watch->count() < 100) return usage("--watch takes at least 100ms");
  context.out.stop_paging();
  for (;;) {
    if (context.out.out_is_tty()) context.out.write(kClearScreen);
    DC_TRY(const ExitCode exit, print_once(o, context));
    static_cast<void>(exit);
    context.host.pause(*o.watch);
  }
}

}  // namespace

CommandSpec job_list_command() {
  return make_command<Options>(
      {"list",
       "list jobs",
       "PATTERN is a name or a glob such as 'web/*'. States: failing, the last run failed; "
       "overdue, a slot should have started by now.",
       {{"list", "all jobs"},
        {"list 'web/*' -l team=db", "by name and label"},
        {"list --state failing -o wide", "what needs a look"},
        {"list -o json", "for scripts"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
