// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/run_ref.h"
#include "ctl/run_text.h"
#include "ctl/run_watch.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::int64_t signal = SIGTERM;
  std::optional<Millis> grace;
  bool wait = false;
};

constexpr std::array<std::pair<std::string_view, int>, 11> kSignals{{{"HUP", SIGHUP},
                                                                     {"INT", SIGINT},
                                                                     {"QUIT", SIGQUIT},
                                                                     {"ABRT", SIGABRT},
                                                                     {"KILL", SIGKILL},
                                                                     {"USR1", SIGUSR1},
                                                                     {"USR2", SIGUSR2},
                                                                     {"ALRM", SIGALRM},
                                                                     {"TERM", SIGTERM},
                                                                     {"CONT", SIGCONT},
                                                                     {"STOP", SIGSTOP}}};

Result<std::int64_t> parse_signal(std::string_view text) {
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (const auto& [name, number] : kSignals) {
    if (name == text) return number;
  }
  const auto number = parse_integer(text);
  if (number && *number >= 1 && *number <= 64) return *number;
  return fail_hint(ErrorCode::kInvalid, "unknown signal \"" + std::string(text) + "\"",
                   "a number, or a name such as TERM, INT, KILL");
}

void add_flags(Flags& flags, Options& o) {
  flags.words({"(RUN|JOB)...", 1, kAnyWords}, o.runs);
  flags.call({"signal", 0, "SIG", "the first signal, TERM by default"},
             [&o](std::string_view text) -> Status {
               DC_TRY(o.signal, parse_signal(text));
               return {};
             });
  flags.add({"grace", 0, "DUR", "wait before SIGKILL; the job's kill_grace by default"}, o.grace);
  flags.add({"wait", 'w', "", "wait until they have ended"}, o.wait);
}

Outcome run(const Options& o, Context& context) {
  wire::KillRequest request;
  request.signal = static_cast<std::int32_t>(o.signal);
  request.grace = o.grace;
  for (const std::string& text : o.runs) {
    DC_TRY(wire::RunRef ref, parse_run_ref(text, context));
    if (ref.run_id == 0 && !names_job_only(text)) {
      // To the agent a job alone means all its runs, so JOB@latest is looked up first.
      wire::WaitRequest wait;
      wait.run = ref;
      DC_TRY(const wire::WaitReply found, context.client.request<wire::Op::kRunWait>(wait));
      ref = wire::RunRef{};
      ref.run_id = found.run.run_id;
    }
    request.runs.push_back(std::move(ref));
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kRunKill>(request));
  DC_TRY(const ExitCode exit, print_changes(reply, context));
  if (!o.wait || reply.dry_run) return exit;
  for (const wire::ChangeItem& item : reply.items) {
    if (!item.run_id) continue;
    wire::RunRef ref;
    ref.run_id = *item.run_id;
    DC_TRY(const wire::RunItem ended, wait_for_run(context, ref, "finished", std::nullopt));
    context.out.talk(run_sentence(ended));
  }
  return exit;
}

}  // namespace

CommandSpec run_kill_command() {
  return make_command<Options>(
      {"kill",
       "stop runs",
       "JOB means all runs of the job that are alive. The job itself stays as it is; see "
       "disable and rm. After the grace period follows SIGKILL.",
       {{"kill 8123", "one run"},
        {"kill backup-db --grace 30s -w", "all of a job, and wait"},
        {"kill backup-db@latest --signal INT", "with another signal"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
