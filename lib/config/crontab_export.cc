// SPDX-License-Identifier: Apache-2.0
#include "config/crontab_export.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cron/crontab.h"
#include "cron/crontab_command.h"
#include "model/units.h"

namespace distcron::config {
namespace {

using model::JobSpec;
using EnvMap = std::map<std::string, std::string, std::less<>>;

bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\n\0", 2)) == std::string_view::npos;
}

std::string comment(std::string_view text) {
  std::string out = "# ";
  for (const char c : text)
    out += c == '\n' || c == '\r' ? ' ' : c;
  return out + "\n";
}

std::string shell_word(std::string_view word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// A line that the daemon reads as exactly this assignment.
std::optional<std::string> assignment_text(const std::string& name, const std::string& value,
                                           cron::Dialect dialect) {
  if (!is_one_line(name) || !is_one_line(value)) return std::nullopt;
  for (const char* quote : {"", "\"", "'"}) {
    std::string line = name;
    line += '=';
    line += quote + value + quote;
    const cron::EnvLine read = cron::parse_env_line(line, dialect);
    if (read.var == cron::EnvVar{name, value} && !read.was_cut) return line;
  }
  return std::nullopt;
}

/// The same instants as a text of the target's dialect, or nullopt.
std::optional<std::string> schedule_text(const std::string& text, const JobSpec& job,
                                         cron::Dialect target) {
  if (!is_one_line(text)) return std::nullopt;
  const auto meant = cron::parse(text, {job.dialect, job.dst, 0});
  const auto read = cron::parse_prefix(text + " x", {target, cron::DstMode::kVixie, 0});
  if (!meant || !read || read->consumed != text.size() + 1) return std::nullopt;
  if (text.find_first_of("~H") != std::string::npos && job.dialect != target) return std::nullopt;
  cron::Schedule a = *meant;
  a.dialect = read->schedule.dialect;
  if (!(a == read->schedule)) return std::nullopt;
  return text;
}

/// Everything that must be assigned before the job's entry.
EnvMap wanted_env(const JobSpec& job, const ExportOptions& options) {
  EnvMap env(job.env.begin(), job.env.end());
  if (job.mail_to) env.insert_or_assign("MAILTO", *job.mail_to);
  if (!job.mail_from.empty()) env.insert_or_assign("MAILFROM", job.mail_from);
  if (!job.mail_content_type.empty()) env.insert_or_assign("CONTENT_TYPE", job.mail_content_type);
  if (!job.mail_transfer_encoding.empty()) {
    env.insert_or_assign("CONTENT_TRANSFER_ENCODING", job.mail_transfer_encoding);
  }
  if (!job.cwd.empty()) env.try_emplace("HOME", job.cwd);
  const bool is_cronie = options.dialect == cron::Dialect::kCronie;
  if (is_cronie && !job.tz.empty() && job.tz != options.host_zone) {
    env.insert_or_assign("CRON_TZ", job.tz);
  }
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(job.jitter);
  if (is_cronie && minutes.count() > 0) {
    env.insert_or_assign("RANDOM_DELAY", std::to_string(minutes.count()));
  }
  return env;
}

/// Fields that crons do not have, as "timeout 5m0s".
std::vector<std::string> lost_fields(const JobSpec& job, const ExportOptions& options) {
  std::vector<std::string> lost;
  const auto note = [&lost](bool is_lost, std::string text) {
    if (is_lost) lost.push_back(std::move(text));
  };
  note(job.timeout.has_value(), "timeout");
  note(job.max_runtime.has_value(), "max_runtime");
  note(job.retry_max > 0, "retry.max " + std::to_string(job.retry_max));
  note(job.concurrency != model::Concurrency::kAllow,
       "concurrency " + std::string(model::name_of(job.concurrency)));
  note(job.misfire != model::Misfire::kSkip, "misfire " + std::string(model::name_of(job.misfire)));
  note(job.guarantee != model::Guarantee::kAtMostOnce, "guarantee at-least-once");
  note(!job.on.empty(), "on " + job.on);
  note(!job.group.empty(), "group " + job.group);
  note(!job.stdin_file.empty(), "stdin " + job.stdin_file);
  note(job.umask.has_value(), "umask");
  note(!job.notify.empty(), "notify");
  note(job.dst != cron::DstMode::kVixie, "dst " + std::string(cron::name_of(job.dst)));
  note(job.ok_codes != std::vector<std::int32_t>{0}, "ok_codes");
  const bool is_cronie = options.dialect == cron::Dialect::kCronie;
  note(!is_cronie && job.jitter > Millis(0), "jitter " + model::format_duration(job.jitter));
  note(!is_cronie && job.mail_on_failure_only, "mail.on_failure_only");
  note(!is_cronie && job.quiet_log, "quiet_log");
  note(job.nice || job.limit_nofile || job.limit_nproc || job.limit_memory || job.limit_fsize ||
           job.limit_core,
       "limits");
  return lost;
}

class Writer {
 public:
  explicit Writer(const ExportOptions& options) : options_(options) {}

  void write(const JobSpec& job) {
    result_.text += "\n" + comment("job " + job.name);
    if (!job.description.empty()) result_.text += comment(job.description);
    std::string reason;
    const std::optional<std::string> entries = entries_of(job, reason);
    if (!entries) {
      result_.text += comment("left out: " + reason);
      result_.left_out.push_back(job.name + ": " + reason);
      return;
    }
    for (const std::string& field : lost_fields(job, options_)) {
      result_.text += comment("cron has no " + field);
    }
    result_.text += *entries;
  }

  ExportResult take() { return std::move(result_); }

 private:
  /// The assignments and entries of a job; nullopt with a reason when cron cannot run it.
  std::optional<std::string> entries_of(const JobSpec& job, std::string& reason) {
    const auto refuse = [&reason](std::string text) {
      reason = std::move(text);
      return std::nullopt;
    };
    if (job.schedule.empty()) return refuse("it has no schedule");
    if (job.user.empty() || job.user.find_first_of(" \t\n") != std::string::npos) {
      return refuse("it has no user");
    }
    if (!job.script.empty()) return refuse("it is a script; store it as a file and run that");
    const bool has_zone = options_.dialect == cron::Dialect::kCronie;
    if (!has_zone && !job.tz.empty() && job.tz != options_.host_zone) {
      return refuse("its zone is " + job.tz + ", cron's is " + options_.host_zone);
    }
    const auto command = command_of(job);
    if (!command) return refuse("its command cannot be written in one line");
    std::string text;
    const EnvMap env = wanted_env(job, options_);
    if (!write_env(env, text)) return refuse("a variable cannot be written in one line");
    for (const std::string& schedule : job.schedule) {
      const auto when = schedule_text(schedule, job, options_.dialect);
      if (!when) return refuse("cron has no schedule like '" + schedule + "'");
      const std::string line =
          (has_zone && job.quiet_log ? "-" : "") + *when + " " + job.user + " " + *command + "\n";
      if (!reads_back(line, job))
        return refuse("cron reads '" + line.substr(0, 40) + "' otherwise");
      text += (job.enabled ? "" : "# disabled: ") + line;
    }
    for (const auto& [name, value] : env)
      env_.insert_or_assign(name, value);
    result_.written += job.enabled ? static_cast<int>(job.schedule.size()) : 0;
    return text;
  }

  [[nodiscard]] std::optional<std::string> command_of(const JobSpec& job) const {
    std::string command = job.command;
    for (const std::string& word : job.argv) {
      command += (command.empty() ? "" : " ") + shell_word(word);
    }
    if (!is_one_line(command) || command.find('\0') != std::string::npos) return std::nullopt;
    auto text = cron::join_command({command, job.stdin_text}, options_.dialect);
    if (!text) return std::nullopt;
    const bool is_cronie = options_.dialect == cron::Dialect::kCronie;
    if (is_cronie && job.mail_on_failure_only) text->insert(0, "-n ");
    if (!is_cronie && text->size() > cron::kDebianCommandBytesMax) return std::nullopt;
    return text;
  }

  [[nodiscard]] bool reads_back(const std::string& line, const JobSpec& job) const {
    const cron::CrontabFile file =
        cron::parse_crontab(line, {.dialect = options_.dialect, .kind = cron::TableKind::kSystem});
    if (file.lines.size() != 1 || file.lines[0].kind != cron::LineKind::kEntry) return false;
    const cron::CrontabEntry& entry = file.lines[0].entry;
    return entry.user == job.user && entry.stdin_text == job.stdin_text &&
           entry.is_quiet == (job.quiet_log && options_.dialect == cron::Dialect::kCronie) &&
           (job.command.empty() || entry.command == job.command);
  }

  /// Adds what changes; a variable that an earlier job set cannot be taken away again.
  bool write_env(const EnvMap& wanted, std::string& text) const {
    for (const auto& [name, value] : env_) {
      if (!wanted.contains(name)) {
        text += comment("cron cannot unset " + name + " of an entry above, this one sees it too");
      }
    }
    for (const auto& [name, value] : wanted) {
      const auto old = env_.find(name);
      if (old != env_.end() && old->second == value) continue;
      const auto line = assignment_text(name, value, options_.dialect);
      if (!line) return false;
      text += *line + "\n";
    }
    return true;
  }

  const ExportOptions& options_;
  ExportResult result_;
  EnvMap env_;
};

}  // namespace

ExportResult export_crontab(const std::vector<JobSpec>& jobs, const ExportOptions& options) {
  std::vector<std::pair<EnvMap, const JobSpec*>> order;
  order.reserve(jobs.size());
  for (const JobSpec& job : jobs)
    order.emplace_back(wanted_env(job, options), &job);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() < b.first.size() : a.first < b.first;
  });
  Writer writer(options);
  for (const auto& [env, job] : order)
    writer.write(*job);
  ExportResult result = writer.take();
  result.text.insert(0, comment("written by distcronctl export; system format, with a user field"));
  return result;
}

}  // namespace distcron::config
