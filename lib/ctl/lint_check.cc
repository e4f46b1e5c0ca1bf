// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "config/job_file.h"
#include "ctl/command_list.h"
#include "ctl/crontab_source.h"
#include "ctl/host.h"
#include "ctl/job_editor.h"
#include "model/job_check.h"

namespace distcron::ctl {
namespace {

struct Options {
  SourceOptions source;
  bool strict = false;
};

struct Finding {
  std::string place;  ///< File, or name of the job.
  cron::LintItem item;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"(FILE|JOB)...", 1, kAnyWords}, o.source.files);
  add_source_flags(flags, o.source);
  flags.add({"strict", 0, "", "exit 1 for warnings too"}, o.strict);
}

bool is_file(const std::string& word, const Host& host) {
  return word == "-" || word.starts_with('/') || word.starts_with('.') || host.is_readable(word);
}

cron::LintItem make_item(std::string code, cron::Severity severity, std::string message) {
  cron::LintItem item;
  item.code = std::move(code);
  item.severity = severity;
  item.message = std::move(message);
  return item;
}

std::string with_hint(const std::string& text, const std::string& hint) {
  return hint.empty() ? text : text + "; " + hint;
}

Answer<bool> lint_job_file(const std::string& path, Context& context,
                           std::vector<Finding>& findings) {
  DC_TRY(const std::string text, context.host.read_file(path));
  for (const config::Problem& problem : config::parse_job_file(text, path).problems) {
    cron::LintItem item =
        make_item("J01", cron::Severity::kError, with_hint(problem.text, problem.hint));
    item.line = static_cast<int>(problem.line);
    item.column = static_cast<int>(problem.column);
    findings.push_back({path, std::move(item)});
  }
  return true;
}

/// What is odd about a stored job: fields that no longer hold, and schedules without any slot.
Answer<bool> lint_job(const std::string& name, Context& context, std::vector<Finding>& findings) {
  DC_TRY(const wire::JobDetail job, fetch_job(name, context));
  for (const model::FieldProblem& problem : model::check_fields(job.spec)) {
    findings.push_back(
        {name, make_item("J01", cron::Severity::kError,
                         with_hint(problem.field + ": " + problem.text, problem.hint))});
  }
  if (!job.spec.enabled) {
    findings.push_back({name, make_item("J02", cron::Severity::kInfo, "the job is disabled")});
  }
  if (job.spec.enabled && !job.spec.schedule.empty() && !job.next_at) {
    findings.push_back({name, make_item("J03", cron::Severity::kWarning,
                                        "no slot comes any more: its schedules are over")});
  }
  return true;
}

Answer<std::vector<Finding>> collect(const Options& o, Context& context) {
  std::vector<Finding> findings;
  for (const std::string& word : o.source.files) {
    if (!is_file(word, context.host)) {
      DC_CHECK_OK(lint_job(word, context, findings));
      continue;
    }
    if (word.ends_with(".toml")) {
      DC_CHECK_OK(lint_job_file(word, context, findings));
      continue;
    }
    SourceOptions one = o.source;
    one.files = {word};
    DC_TRY(const std::vector<CrontabSource> sources, read_sources(one, context));
    for (const CrontabSource& source : sources) {
      const cron::CrontabFile file = cron::parse_crontab(source.text, source.table);
      for (cron::LintItem& item : cron::lint_crontab(file, lint_facts(source, context))) {
        findings.push_back({word, std::move(item)});
      }
    }
  }
  return findings;
}

Outcome run(const Options& o, Context& context) {
  DC_TRY(const std::vector<Finding> findings, collect(o, context));
  Output& out = context.out;
  const bool with_place = o.source.files.size() > 1;
  std::vector<std::string> items;
  bool is_bad = false;
  for (const Finding& finding : findings) {
    is_bad = is_bad || finding.item.severity == cron::Severity::kError ||
             (o.strict && finding.item.severity == cron::Severity::kWarning);
    items.push_back(out.is_json() ? lint_json(with_place ? finding.place : "", finding.item)
                                  : lint_line(finding.place, finding.item));
  }
  if (out.is_json()) {
    out.json_list("LintReport", items);
  } else {
    for (const std::string& item : items)
      out.line(item);
    if (items.empty()) out.talk("nothing to report");
  }
  return is_bad ? ExitCode::kNegative : ExitCode::kOk;
}

}  // namespace

CommandSpec lint_check_command() {
  return make_command<Options>(
      {"lint",
       "look for what is wrong or surprising in crontabs, job files and jobs",
       "One line per finding: FILE:LINE:COL: severity CODE message. A name ending in .toml is a "
       "job file, another file a crontab, anything else a job. Exit 1 when there is an error. "
       "Files need no agent.",
       {{"lint /etc/crontab --system", "a system table"},
        {"lint my.crontab --dialect cronie -o json", "as another daemon reads it"},
        {"lint nightly.toml backup-db", "a job file and a job"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
