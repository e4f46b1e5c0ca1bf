// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/interrupt.h"
#include "ctl/run_ref.h"
#include "ctl/run_text.h"
#include "ctl/run_watch.h"

namespace distcron::ctl {
namespace {

constexpr std::int64_t kPageMax = 1000;  // of the history

struct WaitOptions {
  bool wait = false;
  bool follow = false;
  bool exit_code = false;
  std::optional<Millis> timeout;
};

struct Options {
  std::vector<std::string> jobs;
  std::optional<std::vector<std::string>> argv;
  std::optional<std::string> scheduled_at;
  std::optional<std::string> param;
  model::TextMap env;
  bool force = false;
  WaitOptions wait;
};

struct RerunOptions {
  std::vector<std::string> runs;
  bool failed = false;
  WaitOptions wait;
};

void add_wait_flags(Flags& flags, WaitOptions& o) {
  flags.add({"wait", 'w', "", "wait until all its runs have ended; exit 1 when one failed"},
            o.wait);
  flags.add({"follow", 'f', "", "show its output until it has ended"}, o.follow);
  flags.add(
      {"exit-code", 0, "", "with --wait: return the job's own exit status, the worst of several"},
      o.exit_code);
  flags.add({"timeout", 0, "DUR", "give up waiting after this long, exit 7; the run goes on"},
            o.timeout);
}

void add_flags(Flags& flags, Options& o) {
  flags.words({"JOB", 1, 1}, o.jobs);
  flags.argv("-- EXTRA_ARGS...", o.argv);
  flags.add({"scheduled-at", 0, "TIME", "the instant that the run stands for"}, o.scheduled_at);
  flags.add({"param", 0, "TEXT", "DISTCRON_PARAM of this run"}, o.param);
  flags.add({"env", 0, "K=V", "environment variable of this run"}, o.env);
  flags.add({"force", 0, "", "ignore the job's concurrency policy"}, o.force);
  add_wait_flags(flags, o.wait);
}

void add_rerun_flags(Flags& flags, RerunOptions& o) {
  flags.words({"RUN", 1, 1}, o.runs);
  flags.add({"failed", 0, "", "only if that run did not end well"}, o.failed);
  add_wait_flags(flags, o.wait);
}

/// What is left of a wait that began at `begun`.
std::optional<Millis> rest_of(std::optional<Millis> timeout, Millis begun, Context& context) {
  if (!timeout) return std::nullopt;
  return std::max(Millis(0), *timeout - (context.host.steady() - begun));
}

/// Shows the output of one run where that is asked for, and waits for its end.
Answer<wire::RunItem> watch_one(std::int64_t run_id, const WaitOptions& o,
                                std::optional<Millis> timeout, Context& context) {
  Output& out = context.out;
  const DetachNote note(detach_note(run_id));
  const Millis begun = context.host.steady();
  wire::RunRef ref;
  ref.run_id = run_id;
  if (o.follow) {
    LogPlan plan;
    plan.run = ref;
    plan.follow = true;
    plan.timeout = timeout;
    DC_TRY(const std::string state,
           stream_logs(
               context, plan, [&out](std::string_view bytes) { out.write(bytes); },
               [&out](std::int64_t cut) {
                 out.hint("... " + std::to_string(cut) + " bytes left out ...");
               }));
    static_cast<void>(state);
  }
  DC_TRY(wire::RunItem run,
         wait_for_run(context, ref, "finished", rest_of(timeout, begun, context)));
  if (!out.is_json() || o.follow) out.talk(run_sentence(run));
  return run;
}

/// The other runs that the trigger of `first` made. They have larger ids than it, its instant and
/// its trigger, and are there once it has ended: where a run needs several hosts, they are chosen
/// together before any of them starts.
Answer<std::vector<wire::RunItem>> find_others(const wire::RunItem& first, Context& context) {
  std::vector<wire::RunItem> others;
  wire::HistoryRequest request;
  request.jobs = {first.job};
  request.until = first.scheduled_at;
  request.limit = kPageMax;
  for (;;) {
    DC_TRY(const wire::RunList page, context.client.request<wire::Op::kRunHistory>(request));
    for (const wire::RunItem& run : page.items) {
      const bool is_other = run.run_id > first.run_id && run.scheduled_at == first.scheduled_at &&
                            run.trigger == first.trigger && run.shard.value_or(0) > 0;
      if (is_other) others.push_back(run);
    }
    // Newest first: what follows is older than the run itself.
    if (!page.next || *page.next <= first.run_id) break;
    request.before_run_id = *page.next;
  }
  std::sort(others.begin(), others.end(),
            [](const auto& a, const auto& b) { return a.run_id < b.run_id; });
  return others;
}

/// All runs of the trigger of `first`, which has ended, once they have ended too.
Answer<wire::RunList> watch_others(const wire::RunItem& first, const WaitOptions& o, Millis begun,
                                   Context& context) {
  wire::RunList ended;
  ended.items.push_back(first);
  DC_TRY(const std::vector<wire::RunItem> others, find_others(first, context));
  for (const wire::RunItem& run : others) {
    if (o.follow) context.out.talk("run " + std::to_string(run.run_id) + " on " + run.node);
    DC_TRY(wire::RunItem done,
           watch_one(run.run_id, o, rest_of(o.timeout, begun, context), context));
    ended.items.push_back(std::move(done));
  }
  return ended;
}

/// The exit status of the worst run: with --exit-code the highest status that a run ended with.
ExitCode worst_of(const wire::RunList& runs, const WaitOptions& o, Output& out) {
  ExitCode worst = ExitCode::kOk;
  for (const wire::RunItem& run : runs.items) {
    ExitCode exit = run.state == "ok" ? ExitCode::kOk : ExitCode::kNegative;
    if (o.exit_code) exit = job_exit_status(run, out);
    if (static_cast<int>(exit) > static_cast<int>(worst)) worst = exit;
  }
  return worst;
}

/// Waits for what a trigger has just made and turns its end into an exit code.
Outcome watch_run(std::int64_t run_id, const WaitOptions& o, Context& context) {
  Output& out = context.out;
  const Millis begun = context.host.steady();
  DC_TRY(const wire::RunItem first, watch_one(run_id, o, o.timeout, context));
  DC_TRY(const wire::RunList runs, watch_others(first, o, begun, context));
  if (out.is_json() && !o.follow) {
    if (runs.items.size() > 1) {
      DC_TRY(const ExitCode printed, print_runs(runs, out));
      static_cast<void>(printed);
    } else {
      print_run(runs.items.front(), out);
    }
  }
  return worst_of(runs, o, out);
}

Outcome report_run(const wire::ChangeReply& reply, const WaitOptions& o, Context& context) {
  Output& out = context.out;
  if (reply.dry_run) return print_changes(reply, context);
  if (reply.items.empty() || !reply.items.front().run_id) {
    if (out.is_json()) return print_changes(reply, context);
    out.talk("no run was made");
    return ExitCode::kOk;
  }
  const std::int64_t run_id = *reply.items.front().run_id;
  const bool waits = o.wait || o.follow || o.exit_code;
  if (out.is_json()) {
    if (!waits) return print_changes(reply, context);
  } else if (!o.follow) {
    out.line(std::to_string(run_id));
  }
  if (!waits) {
    out.hint("  its output: distcronctl logs -f " + std::to_string(run_id));
    return ExitCode::kOk;
  }
  if (o.follow) out.talk("run " + std::to_string(run_id) + " of " + reply.items.front().name);
  return watch_run(run_id, o, context);
}

Outcome run(const Options& o, Context& context) {
  wire::RunRequest request;
  request.job = o.jobs.front();
  DC_TRY(request.scheduled_at, context.parse_time_if("scheduled-at", o.scheduled_at));
  request.param = o.param;
  request.env = o.env;
  if (o.argv) request.argv = *o.argv;
  request.force = o.force;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kRunStart>(request));
  return report_run(reply, o.wait, context);
}

Outcome rerun(const RerunOptions& o, Context& context) {
  wire::RerunRequest request;
  DC_TRY(request.run, parse_run_ref(o.runs.front(), context));
  request.failed_only = o.failed;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kRunRerun>(request));
  return report_run(reply, o.wait, context);
}

}  // namespace

CommandSpec run_start_command() {
  return make_command<Options>(
      {"run",
       "run a job now",
       "Prints the run's id. What stands behind -- is appended to the job's own arguments. A job "
       "with --target all, N or N% makes one run for each host: --wait is for all of them, and "
       "the worst one decides about the exit code.",
       {{"run backup-db", "now; its id goes to stdout"},
        {"run backup-db --wait --exit-code", "wait, and use the job's exit status"},
        {"run backup-db -f", "and show its output"},
        {"run report --env MONTH=2026-10 --param again", "with another environment"}}},
      add_flags, run);
}

CommandSpec run_rerun_command() {
  return make_command<RerunOptions>(
      {"rerun",
       "run a job again as in an earlier run",
       "The new run has the parameter, environment and arguments of the old one.",
       {{"rerun 8123", "by id"}, {"rerun backup-db@latest --failed -w", "only if it failed"}}},
      add_rerun_flags, rerun);
}

}  // namespace distcron::ctl
