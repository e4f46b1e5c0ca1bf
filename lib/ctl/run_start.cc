// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/interrupt.h"
#include "ctl/run_ref.h"
#include "ctl/run_text.h"
#include "ctl/run_watch.h"

namespace distcron::ctl {
namespace {

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
  flags.add({"wait", 'w', "", "wait until it has ended; exit 1 when it failed"}, o.wait);
  flags.add({"follow", 'f', "", "show its output until it has ended"}, o.follow);
  flags.add({"exit-code", 0, "", "with --wait: return the job's own exit status"}, o.exit_code);
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

/// Waits for a run that was just made and turns its end into an exit code.
Outcome watch_run(std::int64_t run_id, const WaitOptions& o, Context& context) {
  Output& out = context.out;
  const DetachNote note(detach_note(run_id));
  wire::RunRef ref;
  ref.run_id = run_id;
  if (o.follow) {
    LogPlan plan;
    plan.run = ref;
    plan.follow = true;
    plan.timeout = o.timeout;
    DC_TRY(const std::string state,
           stream_logs(
               context, plan, [&out](std::string_view bytes) { out.write(bytes); },
               [&out](std::int64_t cut) {
                 out.hint("... " + std::to_string(cut) + " bytes left out ...");
               }));
    static_cast<void>(state);
  }
  DC_TRY(const wire::RunItem run, wait_for_run(context, ref, "finished", o.timeout));
  if (out.is_json() && !o.follow) {
    print_run(run, out);
  } else {
    out.talk(run_sentence(run));
  }
  if (o.exit_code) return job_exit_status(run, out);
  return run.state == "ok" ? ExitCode::kOk : ExitCode::kNegative;
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
       "Prints the run's id. What stands behind -- is appended to the job's own arguments.",
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
