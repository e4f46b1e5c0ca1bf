// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/job_file.h"
#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/job_flags.h"
#include "ctl/run_ref.h"
#include "ctl/run_text.h"
#include "model/units.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct Options {
  TargetOptions targets;
  bool resolved = false;
};

void add_flags(Flags& flags, Options& o) {
  add_target_flags(flags, o.targets, "(JOB[@VERSION]|RUN)...");
  flags.add({"resolved", 0, "", "all fields, those with default values too"}, o.resolved);
}

using Rows = std::vector<std::pair<std::string, std::string>>;

void add_facts(const wire::JobDetail& job, const Output& out, Rows& rows) {
  if (!job.description_of_schedule.empty()) {
    rows.emplace_back("in words", job.description_of_schedule);
  }
  if (job.next_at) rows.emplace_back("next run", out.day_time(*job.next_at));
  if (job.running > 0) rows.emplace_back("running", std::to_string(job.running));
  if (job.misfire_window_ms > 0) {
    rows.emplace_back("may be late by", model::format_duration(Millis(job.misfire_window_ms)));
  }
  rows.emplace_back("version", std::to_string(job.version));
  rows.emplace_back("uid", job.uid);
  rows.emplace_back("created", out.time(job.created_at));
  rows.emplace_back("updated", out.time(job.updated_at) +
                                   (job.updated_by.empty() ? "" : " by " + job.updated_by));
}

std::string job_text(const wire::JobDetail& job, bool resolved, const Output& out) {
  Rows rows;
  for (auto& [key, value] : field_texts(job.spec, resolved)) {
    rows.emplace_back(key, printable(value));
  }
  add_facts(job, out, rows);
  std::size_t width = 0;
  for (const auto& [key, value] : rows)
    width = std::max(width, key.size());
  std::string text;
  for (auto& [key, value] : rows) {
    key.resize(width + 2, ' ');
    text += key + value + "\n";
  }
  return text;
}

std::string toml_text(const wire::JobDetail& job) {
  return job.source_text.empty() ? config::format_job_toml(job.spec) : job.source_text;
}

Outcome print_jobs(const std::vector<wire::JobDetail>& jobs, const Options& o, Output& out,
                   bool is_single) {
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::JobDetail& job : jobs)
      texts.push_back(wire::to_json(job));
    if (is_single && texts.size() == 1) {
      out.json_object("Job", texts.front());
    } else {
      out.json_list("JobDetailList", texts);
    }
    return ExitCode::kOk;
  }
  std::string text;
  for (const wire::JobDetail& job : jobs) {
    if (!text.empty() && out.format() != Format::kName) text += "\n";
    if (out.format() == Format::kName) {
      text += job.spec.name + "\n";
    } else if (out.format() == Format::kToml) {
      text += toml_text(job);
    } else {
      text += job_text(job, o.resolved, out);
    }
  }
  out.page(text);
  return ExitCode::kOk;
}

/// "JOB@3" as name and version; nullopt for no version.
std::optional<std::int64_t> take_version(std::string& name) {
  const std::size_t at = name.find('@');
  if (at == std::string::npos) return std::nullopt;
  const auto version = parse_integer(name.substr(at + 1));
  if (!version) return std::nullopt;
  name.resize(at);
  return *version;
}

Outcome run(const Options& o, Context& context) {
  wire::ShowRequest request;
  DC_TRY(request.targets, make_targets(o.targets, context, true));
  std::vector<std::string>& names = request.targets.names;
  const bool is_single = names.size() == 1 && o.targets.selector.empty() && !o.targets.all;
  if (is_single) request.version = take_version(names.front());
  std::vector<std::string> runs;
  for (const std::string& name : names) {
    if (!names_job_only(name)) runs.push_back(name);
  }
  for (const std::string& name : runs) {
    wire::WaitRequest wait;
    DC_TRY(wait.run, parse_run_ref(name, context));
    DC_TRY(const wire::WaitReply reply, context.client.request<wire::Op::kRunWait>(wait));
    print_run(reply.run, context.out);
  }
  if (!runs.empty()) {
    std::erase_if(names, [](const std::string& name) { return !names_job_only(name); });
    if (names.empty()) return ExitCode::kOk;
  }
  DC_TRY(const wire::ShowReply reply, context.client.request<wire::Op::kJobShow>(request));
  return print_jobs(reply.items, o, context.out, is_single);
}

}  // namespace

CommandSpec job_show_command() {
  return make_command<Options>(
      {"show",
       "show jobs or runs in full",
       "RUN is a run id, JOB@latest, JOB@-1 (the one before) or JOB@TIME; JOB@3 is version 3 of "
       "the job.",
       {{"show backup-db", "one job"},
        {"show backup-db -o toml", "as a job file"},
        {"show backup-db@3", "an earlier version"},
        {"show 8123", "one run"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
