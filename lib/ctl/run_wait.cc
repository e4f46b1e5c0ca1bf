// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <vector>

#include "ctl/command_list.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/run_ref.h"
#include "ctl/run_text.h"
#include "ctl/run_watch.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string until = "finished";
  std::optional<Millis> timeout;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"(RUN|JOB)", 1, 1}, o.runs);
  flags.add({"for", 0, "EVENT", "what to wait for"}, o.until)
      .one_of({"finished", "started", "outcome=ok"});
  flags.add({"timeout", 0, "DUR", "give up after this long, exit 7"}, o.timeout);
}

Outcome run(const Options& o, Context& context) {
  DC_TRY(const wire::RunRef ref, parse_run_ref(o.runs.front(), context));
  const std::string until = o.until == "started" ? "started" : "finished";
  const std::string name = ref.run_id != 0 ? std::to_string(ref.run_id) : o.runs.front();
  const DetachNote note("run " + name + " continues; kill it with: distcronctl kill " + name);
  DC_TRY(const wire::RunItem item, wait_for_run(context, ref, until, o.timeout));
  if (context.out.is_json()) {
    print_run(item, context.out);
  } else {
    context.out.talk(run_sentence(item));
  }
  if (until == "started" && !is_final_state(item.state)) return ExitCode::kOk;
  return item.state == "ok" ? ExitCode::kOk : ExitCode::kNegative;
}

}  // namespace

CommandSpec run_wait_command() {
  return make_command<Options>(
      {"wait",
       "wait for a run",
       "Exit 0 when it ended well, 1 when it did not, 7 when the time is over. JOB means its "
       "newest run.",
       {{"wait 8123 --timeout 10m", "at most ten minutes"},
        {"wait backup-db --for started", "until it has started"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
