// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "ctl/help.h"

namespace distcron::ctl {
namespace {

using Topic = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kSchedule = R"(Schedules

  30 2 * * *            minute, hour, day of month, month, day of week
  */15 8-17 * * mon-fri steps, ranges, names of 3 letters or full
  0 0 L * *             last day of the month; also L-3, 15W, LW
  0 9 * * mon#1         first Monday; also friL, the last Friday
  H 3 * * *             a minute that is fixed for this job, spread over jobs
  0~29 4 * * *          the same within a range
  @hourly @daily @weekly @monthly @yearly @reboot
  @every 90s            multiples of an interval since 1970-01-01T00:00:00Z
  @at 2026-12-01T10:00  once

Of a restricted day of month and day of week, one match is enough, as in cron.
--dialect reads the text as another program does: native, seconds, debian, cronie,
supercronic, quartz, cronexpr. Clock changes: --dst vixie (as cron), skip, both.
Try one without an agent:
  distcronctl next --expr '30 2 * * *' --tz Europe/Berlin -n 3
More: man distcron-schedule
)";

constexpr std::string_view kOutput = R"(Output

  -o table   aligned columns, the default
  -o wide    more columns
  -o json    {"apiVersion":"v1","kind":"...","items":[...]}; one object where there is one
  -o jsonl   one JSON object per line
  -o tsv     tab-separated, --no-header for data only
  -o toml    job files (show, export)
  -o name    only names, ids or instants, one per line

--columns A,B chooses columns. Times are local for people (--utc changes that) and RFC 3339
UTC in JSON. Keys in JSON are snake_case; what is absent is left out. With -o json errors are
JSON too, on stderr. Results go to stdout, all talk to stderr; -q silences the talk.
)";

constexpr std::string_view kExitCodes = R"(Exit codes

  0    done; the answer is yes
  1    carried out, but the result is negative: the awaited run failed, lint has errors
  2    wrong usage
  3    no such job, run, key
  4    not allowed
  5    conflict: exists already, or changed since it was read
  6    agent unreachable
  7    timed out; the request may still take effect
  8    cluster not ready; trying again is safe
  9    input invalid: job file, schedule
  70   internal error
  130  interrupted

`run --wait --exit-code` returns the job's own status.
)";

constexpr std::string_view kEnvironment = R"(Environment

  DISTCRON_ENDPOINT   as --endpoint
  DISTCRON_KEY        as --key
  DISTCRON_OUTPUT     as --output
  DISTCRON_EDITOR, VISUAL, EDITOR
                      editor of `edit`
  DISTCRON_PAGER, PAGER
                      pager for long tables on a terminal
  NO_COLOR            no colours
  CLICOLOR_FORCE      colours also when not on a terminal
  COLUMNS             width of tables
  XDG_RUNTIME_DIR, XDG_STATE_HOME
                      where an agent of one's own is looked for
  XDG_CACHE_HOME      where completion remembers names

The agent is looked for at --endpoint, DISTCRON_ENDPOINT, one's own agent's socket, then
ipc:///run/distcron/control.sock. The key is the first readable of --key, DISTCRON_KEY,
~/.config/distcron/client.key, /etc/distcron/keys/admin.key, /etc/distcron/keys/operator.key.
)";

constexpr std::string_view kGuarantees = R"(Guarantees

  at-most-once   (default) a slot is started once or not at all. When it cannot be known
                 whether it started, it is recorded as lost or unknown and never repeated.
  at-least-once  such a slot is started again; the job must bear a second start.

Every due slot ends in a recorded state: ok, failed, timeout, killed, cancelled, skipped,
missed, lost or unknown, with a reason where it did not run. What happens to slots that come
too late is the job's misfire rule: skip, once (default) or all.
Ask about one: distcronctl explain JOB --at TIME
)";

constexpr std::array<Topic, 5> kTopics{{{"schedule", kSchedule},
                                        {"output", kOutput},
                                        {"exit-codes", kExitCodes},
                                        {"environment", kEnvironment},
                                        {"guarantees", kGuarantees}}};

}  // namespace

std::vector<std::string> help_topics() {
  std::vector<std::string> names;
  for (const Topic& topic : kTopics)
    names.emplace_back(topic.first);
  return names;
}

std::optional<std::string> topic_help(std::string_view topic) {
  for (const Topic& known : kTopics) {
    if (known.first == topic) return std::string(known.second);
  }
  return std::nullopt;
}

}  // namespace distcron::ctl
