// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "ctl/choices.h"
#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/output.h"
#include "ctl/run_text.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> jobs;
  bool active = false;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::vector<std::string> outcomes;
  std::string node;
  std::string reason_code;
  std::int64_t limit = 100;
  std::int64_t before = 0;
  bool attempts = false;
  bool failed_first = false;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"[JOB...]", 0, kAnyWords}, o.jobs);
  flags.add({"active", 0, "", "only runs that are alive"}, o.active);
  flags.add({"since", 0, "TIME", "scheduled at or after"}, o.since);
  flags.add({"until", 0, "TIME", "scheduled before"}, o.until);
  flags.call({"outcome", 0, "STATE[,STATE...]", "only runs in one of these states"},
             [&o](std::string_view text) -> Status {
               const std::vector<std::string> known = enum_names<model::RunState>();
               while (!text.empty()) {
                 const std::size_t end = std::min(text.find(','), text.size());
                 const std::string_view word = text.substr(0, end);
                 if (std::find(known.begin(), known.end(), word) == known.end()) {
                   return fail(ErrorCode::kInvalid, "unknown state \"" + std::string(word) + "\"");
                 }
                 o.outcomes.emplace_back(word);
                 text.remove_prefix(std::min(end + 1, text.size()));
               }
               return {};
             });
  flags.add({"node", 0, "NODE", "only runs on this node"}, o.node);
  flags.add({"reason-code", 0, "CODE", "only runs with this reason, such as too_late"},
            o.reason_code);
  flags.add({"limit", 0, "N", "at most this many, 100 by default"}, o.limit);
  flags.add({"before", 0, "RUN", "only runs older than this one: the next page"}, o.before);
  flags.add({"attempts", 0, "", "one line per attempt"}, o.attempts);
  flags.add({"failed-first", 0, "", "runs that did not end well come first"}, o.failed_first);
}

bool is_bad(const wire::RunItem& run) {
  return is_final_state(run.state) && run.state != "ok";
}

Outcome run(const Options& o, Context& context) {
  wire::HistoryRequest request;
  request.jobs = o.jobs;
  request.active = o.active;
  DC_TRY(request.since, context.parse_time_if("since", o.since));
  DC_TRY(request.until, context.parse_time_if("until", o.until));
  request.outcomes = o.outcomes;
  request.node = o.node;
  request.reason = o.reason_code;
  request.attempts = o.attempts;
  request.before_run_id = o.before;
  if (o.limit < 1) return usage("--limit takes at least 1");
  wire::RunList all;
  do {
    request.limit =
        std::min(wire::kRunListMax, o.limit - static_cast<std::int64_t>(all.items.size()));
    DC_TRY(wire::RunList page, context.client.request<wire::Op::kRunHistory>(request));
    std::move(page.items.begin(), page.items.end(), std::back_inserter(all.items));
    all.next = page.next;
    request.before_run_id = page.next.value_or(0);
  } while (all.next && static_cast<std::int64_t>(all.items.size()) < o.limit);
  if (o.failed_first) std::stable_partition(all.items.begin(), all.items.end(), is_bad);
  return print_runs(all, context.out);
}

}  // namespace

CommandSpec run_history_command() {
  return make_command<Options>(
      {"history",
       "list runs, newest first",
       "Runs that did not happen are listed too, with the reason.",
       {{"history backup-db", "of one job"},
        {"history --active", "what is running or waiting now"},
        {"history --since yesterday --outcome failed,timeout,missed", "what went wrong"},
        {"history backup-db --limit 1 -o json", "the newest, for scripts"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
