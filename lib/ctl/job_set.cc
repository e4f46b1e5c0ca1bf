// SPDX-License-Identifier: Apache-2.0
// set, edit, copy and versions.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/job_file.h"
#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/job_editor.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct SetOptions {
  std::vector<std::string> words;
  std::vector<std::string> unset;
  std::optional<std::int64_t> if_version;
};

struct EditOptions {
  std::vector<std::string> jobs;
};

struct CopyOptions {
  std::vector<std::string> names;
  std::vector<std::string> set;
};

struct VersionsOptions {
  std::vector<std::string> jobs;
};

void add_set_flags(Flags& flags, SetOptions& o) {
  flags.words({"JOB KEY=VALUE...", 1, kAnyWords}, o.words);
  flags.add({"unset", 0, "KEY", "back to the default"}, o.unset);
  flags.add({"if-version", 0, "N", "only if the job is at this version"}, o.if_version);
}

void add_edit_flags(Flags& flags, EditOptions& o) {
  flags.words({"JOB", 1, 1}, o.jobs);
}

void add_copy_flags(Flags& flags, CopyOptions& o) {
  flags.words({"JOB NEW", 2, 2}, o.names);
  flags.add({"set", 0, "KEY=VALUE", "change a field of the copy"}, o.set);
}

void add_versions_flags(Flags& flags, VersionsOptions& o) {
  flags.words({"JOB", 1, 1}, o.jobs);
}

Answer<bool> set_fields(model::JobSpec& spec, const std::vector<std::string>& pairs) {
  for (const std::string& text : pairs) {
    const auto pair = parse_pair(text);
    if (!pair) return usage(pair.error().message, "fields: man distcron-jobs");
    DC_CHECK_OK(config::set_field(spec, pair->first, pair->second));
  }
  return true;
}

Outcome set(const SetOptions& o, Context& context) {
  if (o.words.size() < 2 && o.unset.empty()) return usage("set: which fields?", "KEY=VALUE");
  DC_TRY(wire::JobDetail job, fetch_job(o.words.front(), context));
  DC_CHECK_OK(set_fields(job.spec, {o.words.begin() + 1, o.words.end()}));
  for (const std::string& key : o.unset)
    DC_CHECK_OK(config::unset_field(job.spec, key));
  JobDraft draft{std::move(job.spec), "", o.if_version ? o.if_version : job.version,
                 model::PutMode::kUpdate};
  DC_TRY(const wire::ChangeReply reply, put_job(std::move(draft), context));
  return print_changes(reply, context);
}

Outcome edit(const EditOptions& o, Context& context) {
  DC_TRY(wire::JobDetail job, fetch_job(o.jobs.front(), context));
  return edit_job(
      {std::move(job.spec), std::move(job.source_text), job.version, model::PutMode::kUpdate},
      context);
}

Outcome copy(const CopyOptions& o, Context& context) {
  DC_TRY(wire::JobDetail job, fetch_job(o.names[0], context));
  job.spec.name = o.names[1];
  job.spec.managed = false;
  job.spec.origin_source.clear();
  job.spec.origin_line = 0;
  job.spec.origin_host.clear();
  DC_CHECK_OK(set_fields(job.spec, o.set));
  DC_TRY(const wire::ChangeReply reply,
         put_job({std::move(job.spec), "", std::nullopt, model::PutMode::kCreate}, context));
  return print_changes(reply, context);
}

Outcome versions(const VersionsOptions& o, Context& context) {
  wire::NameRequest request;
  request.name = o.jobs.front();
  DC_TRY(const wire::VersionsReply reply, context.client.request<wire::Op::kJobVersions>(request));
  Output& out = context.out;
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::VersionItem& item : reply.items)
      texts.push_back(wire::to_json(item));
    out.json_list("VersionList", texts);
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"version", Align::kRight}, {"at"}, {"by"}, {"reason", Align::kLeft, true}};
  for (const wire::VersionItem& item : reply.items) {
    texts.push_back(std::to_string(item.version));
    table.rows.push_back({texts.back(), out.time(item.at), item.by, item.note});
  }
  if (Status printed = out.table(std::move(table), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec job_set_command() {
  return make_command<SetOptions>(
      {"set",
       "change single fields of a job",
       "KEY is a field of a job file, such as retry.max, env.PATH or schedule; see "
       "distcron-jobs(5). A list is given as TOML: 'schedule=[\"@daily\", \"@hourly\"]'.",
       {{"set backup-db timeout=2h retry.max=3", "two fields"},
        {"set backup-db 'schedule=0 3 * * *' --if-version 4", "if nobody changed it since"},
        {"set backup-db env.LANG=C --unset jitter", "one variable; a field back to its default"}}},
      add_set_flags, set);
}

CommandSpec job_edit_command() {
  return make_command<EditOptions>(
      {"edit",
       "edit a job in your editor",
       "Opens the job as TOML, with its comments. What does not fit is shown and can be edited "
       "again; edits are never lost. Editor: DISTCRON_EDITOR, VISUAL, EDITOR.",
       {{"edit backup-db", "and save to store it"},
        {"edit backup-db --reason 'moved to web2'", "with a reason for the record"}}},
      add_edit_flags, edit);
}

CommandSpec job_copy_command() {
  return make_command<CopyOptions>(
      {"copy",
       "make a new job from another one",
       "",
       {{"copy backup-db backup-web --set 'argv=[\"/usr/bin/backup\", \"web\"]'",
         "with another command"},
        {"copy backup-db backup-test --set enabled=false", "not yet running"}}},
      add_copy_flags, copy);
}

CommandSpec job_versions_command() {
  return make_command<VersionsOptions>({"versions",
                                        "list the versions of a job",
                                        "One of them in full: distcronctl show JOB@VERSION.",
                                        {{"versions backup-db", "who changed it, and why"},
                                         {"versions backup-db -o json", "with each definition"}}},
                                       add_versions_flags, versions);
}

}  // namespace distcron::ctl
