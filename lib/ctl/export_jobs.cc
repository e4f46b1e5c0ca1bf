// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "config/crontab_export.h"
#include "config/job_file.h"
#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

constexpr unsigned kExportMode = 0644;

struct Options {
  TargetOptions targets;
  std::string format;
  std::string dialect = "debian";
  std::string dir;
};

void add_flags(Flags& flags, Options& o) {
  add_target_flags(flags, o.targets, "[JOB...]");
  flags.add({"format", 0, "FORMAT", "what to write, toml by default"}, o.format)
      .one_of({"toml", "json", "crontab"});
  flags.add({"dialect", 0, "DIALECT", "of --format crontab"}, o.dialect)
      .one_of({"debian", "cronie"});
  flags.add({"dir", 0, "DIR", "one job file per job in this directory"}, o.dir);
}

std::string toml_of(const wire::JobDetail& job) {
  return job.source_text.empty() ? config::format_job_toml(job.spec) : job.source_text;
}

Outcome write_dir(const std::vector<wire::JobDetail>& jobs, const Options& o, Context& context) {
  for (const wire::JobDetail& job : jobs) {
    const std::string path = o.dir + "/" + job.spec.name + ".toml";
    DC_CHECK_OK(context.host.write_file(path, toml_of(job), kExportMode));
    context.out.talk("Wrote " + path + ".");
  }
  return ExitCode::kOk;
}

Outcome write_crontab(const std::vector<model::JobSpec>& specs, const Options& o,
                      Context& context) {
  config::ExportOptions options;
  DC_TRY(options.dialect, cron::parse_dialect(o.dialect));
  options.host_zone = context.host.zone_name();
  const config::ExportResult result = config::export_crontab(specs, options);
  context.out.write(result.text);
  for (const std::string& reason : result.left_out) {
    context.out.talk("only a comment: " + reason);
  }
  return ExitCode::kOk;
}

Outcome run(const Options& o, Context& context) {
  wire::ShowRequest request;
  DC_TRY(request.targets, make_targets(o.targets, context, false));
  if (request.targets.names.empty() && request.targets.selector.empty()) {
    request.targets.all = true;
  }
  wire::ShowReply reply;
  do {
    DC_TRY(wire::ShowReply page, context.client.request<wire::Op::kJobShow>(request));
    request.offset = page.next.value_or(0);
    std::move(page.items.begin(), page.items.end(), std::back_inserter(reply.items));
  } while (request.offset > 0);
  if (!o.dir.empty()) return write_dir(reply.items, o, context);
  std::vector<model::JobSpec> specs;
  for (const wire::JobDetail& job : reply.items)
    specs.push_back(job.spec);
  if (o.format == "crontab") return write_crontab(specs, o, context);
  if (o.format == "json" || (o.format.empty() && context.out.is_json())) {
    std::vector<std::string> items;
    for (const model::JobSpec& spec : specs)
      items.push_back(wire::to_json(spec));
    context.out.json_list("JobSpecList", items);
  } else if (reply.items.size() == 1) {
    context.out.write(toml_of(reply.items.front()));
  } else {
    context.out.write(config::format_jobs_toml(specs));
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec export_jobs_command() {
  return make_command<Options>(
      {"export",
       "write jobs as job files, JSON or crontab lines",
       "One job comes as its author wrote it, comments included. What a crontab cannot express "
       "is written as a comment there.",
       {{"export > jobs.toml", "all jobs"},
        {"export 'web/*' --dir jobs", "one file per job"},
        {"export --format crontab", "back to cron"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
