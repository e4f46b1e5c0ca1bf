// SPDX-License-Identifier: Apache-2.0
#include "config/crontab_import.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

#include "base/hash.h"

namespace distcron::config {
namespace {

using cron::CrontabEntry;
using cron::CrontabLine;
using cron::Dialect;

constexpr std::size_t kNameWordBytesMax = 40;
constexpr std::int64_t kRandomDelayMinutesMax = std::int64_t{24} * 60;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Letters, digits, '.', '_', '-'; begins with a letter or digit; empty when nothing is left.
std::string name_part(std::string_view text) {
  while (!text.empty() && !is_alnum(text.front()))
    text.remove_prefix(1);
  std::string out;
  for (const char c : text.substr(0, kNameWordBytesMax)) {
    out += is_alnum(c) || c == '.' || c == '_' || c == '-' ? c : '_';
  }
  while (!out.empty() && !is_alnum(out.back()))
    out.pop_back();
  return out;
}

std::string_view base_name(std::string_view path) {
  while (path.ends_with('/'))
    path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

/// Base name of the first word that can stand in a name: not `[`, not an option or assignment.
std::string command_word(std::string_view command) {
  std::size_t at = 0;
  while (true) {
    at = command.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) return "job";
    const std::size_t end = std::min(command.find_first_of(" \t;|&<>()", at + 1), command.size());
    const std::string_view word = command.substr(at, end - at);
    at = end;
    if (word.front() == '-' || word.find('=') != std::string_view::npos) continue;
    std::string part = name_part(base_name(word));
    if (!part.empty()) return part;
  }
}

std::string hex8(std::uint64_t value) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (int shift = 28; shift >= 0; shift -= 4) {
    out += kDigits[static_cast<std::size_t>((value >> static_cast<unsigned>(shift)) & 15U)];
  }
  return out;
}

std::string user_of(const CrontabEntry& entry, const ImportOptions& options) {
  const bool has_field = options.table.kind == cron::TableKind::kSystem &&
                         options.table.dialect != Dialect::kSupercronic;
  return has_field ? entry.user : options.table_user;
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  return text;
}

model::Compat compat_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kDebian:
      return model::Compat::kDebian;
    case Dialect::kCronie:
      return model::Compat::kCronie;
    case Dialect::kSupercronic:
      return model::Compat::kSupercronic;
    case Dialect::kNative:
    case Dialect::kSeconds:
    case Dialect::kSeconds5:
    case Dialect::kQuartz:
    case Dialect::kCronexpr:
      return model::Compat::kNative;
  }
  return model::Compat::kNative;
}

/// cronie's RANDOM_DELAY as strtol() reads it; 0 when crond ignores it.
Millis random_delay(const std::string& text) {
  std::int64_t minutes = 0;
  for (const char c : trim_left(text)) {
    if (c < '0' || c > '9' || minutes > kRandomDelayMinutesMax) break;
    minutes = minutes * 10 + (c - '0');
  }
  return minutes > kRandomDelayMinutesMax ? Millis(0) : std::chrono::minutes(minutes);
}

void take_mail(const CrontabEntry& entry, Dialect dialect, model::JobSpec& job) {
  if (dialect == Dialect::kSupercronic) {
    job.mail_to = "";
    return;
  }
  const cron::Env& env = *entry.env;
  if (const std::string* to = cron::find_env(env, "MAILTO"); to != nullptr) {
    job.mail_to = cron::daemon_mails_to(*to, dialect) ? *to : "";  // L21 says so
  }
  if (const std::string* from = cron::find_env(env, "MAILFROM")) job.mail_from = *from;
  if (const std::string* type = cron::find_env(env, "CONTENT_TYPE")) job.mail_content_type = *type;
  if (const std::string* encoding = cron::find_env(env, "CONTENT_TRANSFER_ENCODING")) {
    job.mail_transfer_encoding = *encoding;
  }
  job.mail_on_failure_only = entry.mails_only_failure;
}

void take_env(const CrontabEntry& entry, Dialect dialect, model::JobSpec& job) {
  for (const cron::EnvVar& var : *entry.env) {
    const bool is_forced =
        dialect != Dialect::kSupercronic &&
        (var.name == "LOGNAME" || (var.name == "USER" && dialect == Dialect::kCronie));
    if (is_forced || var.name.empty()) continue;
    job.env.insert_or_assign(var.name, var.value);
  }
  if (dialect != Dialect::kCronie) return;
  if (const std::string* delay = cron::find_env(*entry.env, "RANDOM_DELAY")) {
    job.jitter = random_delay(*delay);
  }
}

/// The zone that the daemon matches in.
std::string zone_of(const CrontabEntry& entry, const ImportOptions& options) {
  if (entry.tz.empty()) return options.host_zone;
  return cron::load_zone(entry.tz) ? entry.tz : "UTC";
}

model::JobSpec make_job(const CrontabLine& line, const ImportOptions& options) {
  const CrontabEntry& entry = line.entry;
  const Dialect dialect = options.table.dialect;
  model::JobSpec job;
  job.enabled = options.enable;
  job.schedule = {entry.schedule_text};
  job.dialect = dialect;
  job.tz = zone_of(entry, options);
  job.command = std::string(trim_left(entry.command));
  job.stdin_text = entry.stdin_text;
  job.user = user_of(entry, options);
  take_env(entry, dialect, job);
  take_mail(entry, dialect, job);
  job.quiet_log = entry.is_quiet;
  job.concurrency =
      dialect == Dialect::kSupercronic ? model::Concurrency::kForbid : model::Concurrency::kAllow;
  job.misfire = model::Misfire::kSkip;
  job.no_new_privs = false;
  job.orphans = model::Orphans::kLeave;
  job.compat = compat_of(dialect);
  if (!options.host.empty()) job.on = "host=" + options.host;
  job.labels.insert_or_assign("origin", "crontab");
  job.origin_source = "crontab:" + options.source;
  job.origin_line = line.number;
  job.origin_host = options.host;
  return job;
}

ImportItem make_item(const CrontabLine& line, const ImportOptions& options,
                     std::vector<cron::LintItem> lints) {
  ImportItem item;
  item.line = line.number;
  item.schedule = line.entry.schedule_text;
  item.user = user_of(line.entry, options);
  item.command = std::string(trim_left(line.entry.command));
  item.lints = std::move(lints);
  if (line.kind != cron::LineKind::kEntry) {
    if (item.command.empty()) item.command = std::string(trim_left(line.raw));
    return item;
  }
  item.tz = zone_of(line.entry, options);
  const bool is_wrong = std::any_of(item.lints.begin(), item.lints.end(), cron::is_silently_wrong);
  if (is_wrong && !options.as_is) return item;
  const bool is_empty = item.command.find_first_not_of(" \t\r") == std::string::npos;
  item.status = is_empty ? ImportStatus::kIgnored : ImportStatus::kImported;
  if (!is_empty) item.job = make_job(line, options);
  return item;
}

/// Gives the job its name and refuses it when it is more than a job can hold.
void name_job(const CrontabLine& line, const ImportOptions& options,
              std::map<std::string, int>& used, ImportItem& item) {
  item.job->name = imported_job_name(line.entry, options);
  const int count = ++used[item.job->name];
  if (count > 1) item.job->name += "-" + std::to_string(count);
  const Status valid = model::validate(*item.job);
  if (valid) return;
  item.status = ImportStatus::kRefused;
  item.job.reset();
  item.lints.push_back({"E03", cron::Severity::kError, line.number, line.entry.schedule_column,
                        "cannot become a job: " + valid.error().message});
}

}  // namespace

std::string_view name_of(ImportStatus status) {
  switch (status) {
    case ImportStatus::kImported:
      return "imported";
    case ImportStatus::kRefused:
      return "refused";
    case ImportStatus::kIgnored:
      return "ignored";
  }
  return "refused";
}

std::string imported_job_name(const CrontabEntry& entry, const ImportOptions& options) {
  const std::string user = user_of(entry, options);
  const bool is_system = options.table.kind == cron::TableKind::kSystem;
  std::string source = name_part(is_system ? base_name(options.source) : std::string_view(user));
  if (source.empty()) source = "crontab";
  std::string key = user;
  key += '\0';
  key += entry.schedule_text;
  key += '\0';
  key += trim_left(entry.command_text);
  return source + "-" + command_word(entry.command) + "-" + hex8(stable_hash(key) >> 32U);
}

ImportResult import_crontab(std::string_view text, const ImportOptions& options,
                            const cron::LintContext& context) {
  const cron::CrontabFile file = cron::parse_crontab(text, options.table);
  std::map<int, std::vector<cron::LintItem>> lints;
  for (cron::LintItem& item : cron::lint_crontab(file, context)) {
    lints[item.line].push_back(std::move(item));
  }
  ImportResult result;
  result.daemon_ignored_file = file.daemon_ignores_file;
  result.daemon_reason = file.fault_text;
  std::map<std::string, int> used;
  for (const CrontabLine& line : file.lines) {
    if (line.kind != cron::LineKind::kEntry && line.kind != cron::LineKind::kRefused) continue;
    ImportItem item = make_item(line, options, std::move(lints[line.number]));
    lints.erase(line.number);
    if (item.job) name_job(line, options, used, item);
    if (item.status == ImportStatus::kImported) ++result.imported;
    if (item.status == ImportStatus::kRefused) ++result.refused;
    result.items.push_back(std::move(item));
  }
  for (auto& [number, rest] : lints) {
    std::move(rest.begin(), rest.end(), std::back_inserter(result.file_lints));
  }
  return result;
}

}  // namespace distcron::config
