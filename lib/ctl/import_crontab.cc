// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/crontab_import.h"
#include "config/job_file.h"
#include "cron/crontab_files.h"
#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/crontab_source.h"
#include "ctl/host.h"
#include "ctl/job_editor.h"
#include "ctl/json_text.h"

namespace distcron::ctl {
namespace {

/// Jobs of one request, far below the size limit of a message.
constexpr std::size_t kBatchMax = 200;

struct Options {
  SourceOptions source;
  bool local = false;
  bool as_is = false;
  bool enable = false;
  bool disabled = false;
  std::string prefix;
  model::TextMap labels;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"[FILE...|-]", 0, kAnyWords}, o.source.files);
  add_source_flags(flags, o.source);
  flags.add({"local", 0, "", "this host's /etc/crontab, /etc/cron.d and all user tables"}, o.local);
  flags.add({"as-is", 0, "", "import lines too that never did what they seem to say"}, o.as_is);
  flags.add({"enable", 0, "", "let jobs of live tables run although a cron daemon does too"},
            o.enable);
  flags.add({"disabled", 0, "", "make the new jobs disabled"}, o.disabled);
  flags.add({"prefix", 0, "P", "put this in front of the names"}, o.prefix);
  flags.add({"label", 0, "K=V", "label of the new jobs"}, o.labels);
}

/// A line of the report.
struct Line {
  std::string path;
  config::ImportItem item;
  std::string problem;  ///< Why the agent refused it.
};

struct Report {
  std::vector<Line> lines;
  std::vector<std::string> file_lints;  ///< As lint lines.
  std::size_t unchanged = 0;
  bool waits_for_cron = false;  ///< Jobs are disabled because a cron daemon runs them.
};

std::size_t count(const Report& report, config::ImportStatus status) {
  return static_cast<std::size_t>(
      std::count_if(report.lines.begin(), report.lines.end(),
                    [status](const Line& line) { return line.item.status == status; }));
}

/// The node that the jobs will be pinned to: the asked agent's own name, as its host may have
/// another one; this host's when no agent answers.
Answer<std::string> origin_host(Context& context) {
  if (context.globals.db.empty()) {
    auto reply = context.client.request<wire::Op::kVersion>({});
    if (reply && !reply->node.empty()) return std::move(reply->node);
    if (!reply && !context.globals.dry_run) return tl::unexpected<Failure>(reply.error());
  }
  return context.host.host_name();
}

/// Tables that a cron daemon reads. What comes through a pipe is most often `crontab -l`.
bool is_live_table(const std::string& path) {
  return path == "-" || path == "/etc/crontab" || path.rfind("/etc/cron.d/", 0) == 0 ||
         path.rfind("/var/spool/cron/", 0) == 0;
}

bool is_cron_running(Context& context) {
  return cron::is_cron_daemon_running([&context](const std::string& path) {
    auto text = context.host.read_file(path);
    return text ? std::optional<std::string>(std::move(*text)) : std::nullopt;
  });
}

Report read_report(const std::vector<CrontabSource>& sources, const Options& o,
                   const std::string& host, Context& context) {
  Report report;
  const bool cron_runs = is_cron_running(context);
  for (const CrontabSource& source : sources) {
    config::ImportOptions options;
    options.table = source.table;
    options.table_user = source.user;
    options.source = source.path;
    options.host = host;
    options.host_zone = context.host.zone_name();
    options.as_is = o.as_is;
    const bool would_run_twice = cron_runs && is_live_table(source.path) && !o.enable;
    options.enable = !o.disabled && !would_run_twice;
    report.waits_for_cron = report.waits_for_cron || would_run_twice;
    config::ImportResult result =
        config::import_crontab(source.text, options, lint_facts(source, context));
    for (const cron::LintItem& lint : result.file_lints) {
      report.file_lints.push_back(lint_line(source.path, lint));
    }
    if (result.daemon_ignored_file) {
      context.out.talk(source.path + ": its daemon runs nothing of it: " + result.daemon_reason);
    }
    for (config::ImportItem& item : result.items) {
      if (item.job) {
        item.job->name.insert(0, o.prefix);
        for (const auto& [key, value] : o.labels)
          item.job->labels[key] = value;
      }
      report.lines.push_back({source.path, std::move(item), ""});
    }
  }
  return report;
}

using Indices = std::vector<std::size_t>;

Answer<wire::ChangeReply> put_lines(const Report& report, const Indices& indices,
                                    Context& context) {
  wire::PutJobsRequest request;
  for (const std::size_t i : indices) {
    model::JobPut put;
    put.spec = *report.lines[i].item.job;
    put.mode = model::PutMode::kCreateIfMissing;
    put.new_uid = random_uid(context.host);
    request.puts.push_back(std::move(put));
  }
  return context.client.request<wire::Op::kJobPut>(request);
}

bool blames_a_job(const Failure& failure) {
  return failure.exit == ExitCode::kInvalid || failure.exit == ExitCode::kDenied ||
         failure.exit == ExitCode::kConflict;
}

void note_unchanged(const wire::ChangeReply& reply, Report& report,
                    std::vector<std::string>& names) {
  for (const wire::ChangeItem& item : reply.items) {
    if (item.action != "unchanged") continue;
    ++report.unchanged;
    names.push_back(item.name);
  }
}

/// Stores the jobs in batches; a batch that is refused is tried job by job, so that one bad line
/// keeps no other from being imported. Names of jobs that were there before go to `known`.
Answer<bool> store(Report& report, std::vector<std::string>& known, Context& context) {
  Indices all;
  for (std::size_t i = 0; i < report.lines.size(); ++i) {
    if (report.lines[i].item.job) all.push_back(i);
  }
  for (std::size_t begin = 0; begin < all.size(); begin += kBatchMax) {
    const std::size_t end = std::min(begin + kBatchMax, all.size());
    const Indices batch(all.begin() + static_cast<std::ptrdiff_t>(begin),
                        all.begin() + static_cast<std::ptrdiff_t>(end));
    Answer<wire::ChangeReply> reply = put_lines(report, batch, context);
    if (reply) {
      note_unchanged(*reply, report, known);
      continue;
    }
    if (!blames_a_job(reply.error())) return tl::unexpected<Failure>(std::move(reply).error());
    for (const std::size_t i : batch) {
      Answer<wire::ChangeReply> single = put_lines(report, {i}, context);
      if (single) {
        note_unchanged(*single, report, known);
        continue;
      }
      if (!blames_a_job(single.error())) return tl::unexpected<Failure>(std::move(single).error());
      report.lines[i].item.status = config::ImportStatus::kRefused;
      report.lines[i].problem = single.error().error.message;
    }
  }
  return true;
}

std::string line_json(const Line& line, bool with_file) {
  const config::ImportItem& item = line.item;
  std::vector<std::string> lints;
  for (const cron::LintItem& lint : item.lints)
    lints.push_back(lint_json("", lint));
  JsonObject object;
  if (with_file) object.add_text("file", line.path);
  object.add_json("line", std::to_string(item.line));
  object.add_text("status", config::name_of(item.status));
  if (item.job && item.status == config::ImportStatus::kImported) {
    object.add_text("job", item.job->name);
  }
  object.add_some("schedule", item.schedule).add_some("tz", item.tz).add_some("user", item.user);
  object.add_some("command", item.command).add_some("problem", line.problem);
  object.add_json("lints", json_array(lints));
  return object.text();
}

void print_json(const Report& report, bool with_file, Context& context) {
  std::vector<std::string> items;
  for (const Line& line : report.lines)
    items.push_back(line_json(line, with_file));
  std::string extra =
      ",\"imported\":" + std::to_string(count(report, config::ImportStatus::kImported)) +
      ",\"refused\":" + std::to_string(count(report, config::ImportStatus::kRefused));
  if (context.globals.dry_run) extra += ",\"dry_run\":true";
  context.out.json_list("ImportReport", items, extra);
}

/// What people should know about single lines.
void print_lints(const Report& report, Output& out) {
  for (const std::string& text : report.file_lints)
    out.talk(text);
  for (const Line& line : report.lines) {
    for (const cron::LintItem& lint : line.item.lints)
      out.talk(lint_line(line.path, lint));
    if (line.item.status == config::ImportStatus::kRefused) {
      const std::string place = line.path + ":" + std::to_string(line.item.line);
      out.problem(place + ": refused" + (line.problem.empty() ? "" : ": " + line.problem));
    }
  }
}

Status print_text(const Report& report, Context& context) {
  Output& out = context.out;
  print_lints(report, out);
  std::vector<model::JobSpec> specs;
  std::vector<std::string> names;
  Table table;
  table.columns = {{"line", Align::kRight},
                   {"status"},
                   {"job"},
                   {"schedule"},
                   {"command", Align::kLeft, true},
                   {"user", Align::kLeft, false, true},
                   {"tz", Align::kLeft, false, true},
                   {"file", Align::kLeft, true, true}};
  for (const Line& line : report.lines) {
    const bool is_in = line.item.status == config::ImportStatus::kImported && line.item.job;
    const std::string name = is_in ? line.item.job->name : "-";
    if (is_in) names.push_back(name);
    if (is_in) specs.push_back(*line.item.job);
    table.rows.push_back({std::to_string(line.item.line),
                          std::string(config::name_of(line.item.status)), name, line.item.schedule,
                          line.item.command, line.item.user, line.item.tz, line.path});
  }
  const bool as_toml =
      out.format() == Format::kToml || (context.globals.dry_run && out.format() == Format::kTable);
  if (as_toml) {
    if (!specs.empty()) out.page(config::format_jobs_toml(specs));
  } else if (!table.rows.empty()) {
    DC_CHECK_OK(out.table(std::move(table), names));
  }
  const std::size_t refused = count(report, config::ImportStatus::kRefused);
  std::string text = context.globals.dry_run ? "Would import " : "Imported ";
  text += std::to_string(names.size()) + (names.size() == 1 ? " job" : " jobs");
  if (report.unchanged > 0) text += " (" + std::to_string(report.unchanged) + " were there)";
  out.talk(text + ", refused " + std::to_string(refused) + ".");
  if (report.waits_for_cron && !names.empty()) {
    out.talk(
        "They are disabled: a cron daemon runs them, and nothing shall run twice. Stop it or "
        "remove the lines, then: distcronctl enable NAME...");
  }
  return {};
}

Answer<bool> enable_known(const std::vector<std::string>& names, Context& context) {
  if (names.empty()) return true;
  wire::EnableRequest request;
  request.targets.names = names;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kJobEnable>(request));
  return !reply.dry_run;
}

Outcome run(const Options& o, Context& context) {
  if (o.local && !o.source.files.empty()) return usage("import crontab takes FILES or --local");
  if (!o.local && o.source.files.empty()) {
    return usage("import which crontab?", "name FILES, - for standard input, or --local");
  }
  auto sources =
      o.local ? read_local_sources(o.source.dialect, context) : read_sources(o.source, context);
  if (!sources) return tl::unexpected<Failure>(std::move(sources).error());
  DC_TRY(const std::string host, origin_host(context));
  Report report = read_report(*sources, o, host, context);
  if (!context.globals.dry_run) {
    std::vector<std::string> known;
    DC_CHECK_OK(store(report, known, context));
    if (o.enable) DC_CHECK_OK(enable_known(known, context));
  }
  if (context.out.is_json()) {
    print_json(report, sources->size() > 1, context);
  } else if (Status printed = print_text(report, context); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  const std::size_t imported = count(report, config::ImportStatus::kImported);
  const std::size_t refused = count(report, config::ImportStatus::kRefused);
  if (refused == 0) return ExitCode::kOk;
  return imported > 0 ? ExitCode::kNegative : ExitCode::kInvalid;
}

}  // namespace

CommandSpec import_crontab_command() {
  return make_command<Options>(
      {"import crontab",
       "make jobs from crontab files",
       "Reads each line exactly as its daemon does. Lines that the daemon refuses, or that never "
       "did what they seem to say, are refused and reported; the others are imported. Without "
       "--system or --user a file is a table of the caller. Jobs of tables that a "
       "running cron daemon reads are made disabled unless --enable is given. Jobs stay on this "
       "host, and get names that depend on user, schedule and "
       "command only: a second import changes nothing.\n"
       "Exit 0: nothing refused; 1: some lines; 9: all of them. --dry-run needs no agent and "
       "prints the jobs as TOML.",
       {{"import crontab /etc/crontab --system --dry-run", "what would be made of it"},
        {"import crontab /etc/cron.d/php --system --enable", "and let it run here"},
        {"import crontab - --user www-data --dialect debian", "a table from a pipe"},
        {"import crontab --local --prefix web1/", "all tables of this host"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
