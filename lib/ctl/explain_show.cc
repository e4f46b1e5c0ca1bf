// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <vector>

#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/output.h"
#include "ctl/run_ref.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> jobs;
  std::optional<std::string> at;
  std::string run;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"[JOB]", 0, 1}, o.jobs);
  flags.add({"at", 0, "TIME", "about this instant, now by default"}, o.at);
  flags.add({"run", 0, "RUN", "about this run"}, o.run);
}

std::string verdict_text(const wire::ExplainReply& reply) {
  std::string text = reply.verdict;
  if (reply.verdict == "not_due") text = "is not due";
  if (reply.verdict == "will_run") text = "will run";
  if (!reply.reason.empty()) text += " (" + reply.reason + ")";
  return text;
}

Outcome run(const Options& o, Context& context) {
  wire::ExplainRequest request;
  const std::string run_text =
      o.run.empty() && o.jobs.size() == 1 && !names_job_only(o.jobs.front()) ? o.jobs.front()
                                                                             : o.run;
  if (!run_text.empty()) {
    DC_TRY(const wire::RunRef ref, parse_run_ref(run_text, context));
    wire::WaitRequest wait;
    wait.run = ref;
    request.run_id = ref.run_id;
    if (request.run_id == 0) {
      DC_TRY(const wire::WaitReply found, context.client.request<wire::Op::kRunWait>(wait));
      request.run_id = found.run.run_id;
    }
  } else if (o.jobs.empty()) {
    return usage("explain what?", "name a JOB, or --run RUN");
  } else {
    request.job = o.jobs.front();
    DC_TRY(request.at, context.parse_time_if("at", o.at));
  }
  DC_TRY(const wire::ExplainReply reply, context.client.request<wire::Op::kExplain>(request));
  Output& out = context.out;
  if (out.is_json()) {
    out.json_object("Explanation", wire::to_json(reply));
    return ExitCode::kOk;
  }
  std::string text = reply.job + " at " + out.day_time(reply.at) + ": " + verdict_text(reply);
  if (reply.run_id) text += ", run " + std::to_string(*reply.run_id);
  text += "\n";
  for (const model::Fact& fact : reply.facts) {
    const std::string mark = fact.ok ? out.paint("32", "ok") : out.paint("31", "no");
    text += "  " + mark + "  " + printable(fact.check) + ": " + printable(fact.text) + "\n";
  }
  out.page(text);
  return ExitCode::kOk;
}

}  // namespace

CommandSpec explain_show_command() {
  return make_command<Options>(
      {"explain",
       "say why a job ran, did not run, or will not run",
       "Answers from what was decided, or from the job as it is now for an instant to come.",
       {{"explain backup-db --at '2026-11-21 02:30'", "about one slot"},
        {"explain backup-db", "whether it is due now"},
        {"explain --run 8123", "about one run"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
