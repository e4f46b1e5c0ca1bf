// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "cron/cron.h"
#include "ctl/choices.h"
#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/json_text.h"
#include "ctl/output.h"
#include "model/units.h"

namespace distcron::ctl {
namespace {

constexpr std::int64_t kCountMax = 100'000;

struct Options {
  std::vector<std::string> jobs;
  std::int64_t count = 5;
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::string tz;
  std::optional<std::string> expr;
  std::string dialect = "native";
  std::string dst = "vixie";
  std::optional<std::int64_t> seed;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"[JOB...]", 0, kAnyWords}, o.jobs);
  flags.add({"count", 'n', "COUNT", "how many instants, 5 by default"}, o.count);
  flags.add({"from", 0, "TIME", "only after this instant, now by default"}, o.from);
  flags.add({"to", 0, "TIME", "only up to this instant"}, o.to);
  flags.add({"tz", 0, "ZONE", "time zone: of the expression, or of the times shown"}, o.tz);
  flags.add({"expr", 0, "EXPR", "a schedule instead of jobs; needs no agent"}, o.expr);
  flags.add({"dialect", 0, "DIALECT", "grammar of --expr"}, o.dialect).one_of(dialect_names());
  flags.add({"dst", 0, "MODE", "what --expr does at clock changes"}, o.dst).one_of(dst_names());
  flags.add({"seed", 0, "N", "spread of H and ~ in --expr; made from the text by default"}, o.seed);
}

Status print_instants(const std::vector<wire::NextItem>& items, Output& out) {
  Table table;
  const bool with_job = !items.empty() && !items.front().job.empty();
  if (with_job) table.columns.push_back({"job"});
  table.columns.push_back({"local"});
  table.columns.push_back({"utc"});
  std::vector<std::string> names;
  std::vector<std::string> json;
  for (const wire::NextItem& item : items) {
    names.push_back(model::format_utc(item.at));
    std::vector<std::string> row;
    if (with_job) row.push_back(item.job);
    row.push_back(item.local);
    row.push_back(names.back());
    table.rows.push_back(std::move(row));
    JsonObject object;
    object.add_some("job", item.job);
    object.add_text("at", model::format_utc(item.at, 6));
    object.add_some("local", item.local);
    json.push_back(object.text());
  }
  if (out.is_json()) {
    out.json_list("NextList", json);
    return {};
  }
  if (items.empty() && out.format() != Format::kName) {
    out.talk("no instants");
    return {};
  }
  return out.table(std::move(table), names);
}

Outcome next_of_expression(const Options& o, Context& context) {
  const std::string zone_name = o.tz.empty() ? context.host.zone_name() : o.tz;
  DC_TRY(const std::shared_ptr<const cron::Zone> zone, cron::load_zone(zone_name));
  cron::ParseOptions parse;
  DC_TRY(parse.dialect, cron::parse_dialect(o.dialect));
  DC_TRY(parse.dst, cron::parse_dst_mode(o.dst));
  parse.seed = o.seed ? static_cast<std::uint64_t>(*o.seed) : stable_hash(*o.expr);
  auto schedule = cron::parse(*o.expr, parse);
  if (!schedule) return fail(std::move(schedule).error().within("schedule \"" + *o.expr + "\""));
  WallTime at = context.now;
  if (o.from) {
    const auto from = model::parse_time(*o.from, *zone, context.now);
    if (!from) return usage("--from: " + from.error().message, from.error().hint);
    at = *from;
  }
  std::optional<WallTime> to;
  if (o.to) {
    const auto until = model::parse_time(*o.to, *zone, context.now);
    if (!until) return usage("--to: " + until.error().message, until.error().hint);
    to = *until;
  }
  std::vector<wire::NextItem> items;
  for (std::int64_t i = 0; i < o.count; ++i) {
    const std::optional<WallTime> due = cron::next(*schedule, at, *zone);
    if (!due || (to && *due > *to)) break;
    items.push_back({"", *due, cron::format_local(*due, *zone)});
    at = *due;
  }
  DC_CHECK_OK(print_instants(items, context.out));
  return ExitCode::kOk;
}

Outcome run(const Options& o, Context& context) {
  if (o.count < 1 || o.count > kCountMax) return usage("-n takes 1 to 100000");
  if (o.expr) {
    if (!o.jobs.empty()) return usage("next takes jobs or --expr, not both");
    return next_of_expression(o, context);
  }
  wire::NextRequest request;
  request.targets.names = o.jobs;
  request.targets.all = o.jobs.empty();
  request.count = o.count;
  DC_TRY(request.from, context.parse_time_if("from", o.from));
  DC_TRY(request.to, context.parse_time_if("to", o.to));
  std::shared_ptr<const cron::Zone> zone;
  if (!o.tz.empty()) {
    DC_TRY(zone, cron::load_zone(o.tz));
  }
  DC_TRY(wire::NextReply reply, context.client.request<wire::Op::kJobNext>(request));
  for (wire::NextItem& item : reply.items) {
    if (zone) item.local = cron::format_local(item.at, *zone);
    if (item.local.empty()) item.local = context.out.time(item.at);
  }
  DC_CHECK_OK(print_instants(reply.items, context.out));
  return ExitCode::kOk;
}

}  // namespace

CommandSpec job_next_command() {
  return make_command<Options>(
      {"next",
       "show when jobs, or an expression, are due next",
       "Instants are strictly after --from. A time without offset is in --tz.\n"
       "With --expr no agent is asked; the zone is this host's unless --tz says otherwise.",
       {{"next backup-db -n 3", "the next three runs of a job"},
        {"next", "what is due next, all jobs"},
        {"next --expr '30 2 * * *' --tz Europe/Berlin", "try a schedule, without an agent"},
        {"next --expr '0 0 L * ?' --dialect quartz -o name", "for scripts: UTC, one per line"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
