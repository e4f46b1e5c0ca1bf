// SPDX-License-Identifier: Apache-2.0
#include "agent/outbox.h"

#include <algorithm>
#include <utility>

#include <pwd.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/operations.h"
#include "model/notify_rule.h"
#include "model/units.h"

namespace distcron::agent {

namespace {

constexpr std::int64_t kMailBytesMax = 1 << 20;
constexpr std::int64_t kOutboxTimeoutMs = 60'000;
constexpr std::int64_t kOutboxOutputMax = 64 << 10;

/// Header values are one line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// Source: safe_p of Debian's do_command.c: what may stand in a recipient.
bool is_safe_address(const std::string& address) {
  if (address.empty()) return false;
  const auto is_alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!is_alnum(address[0])) return false;
  return std::all_of(address.begin(), address.end(), [&](char c) {
    return is_alnum(c) || std::string_view("@!:%-.,_+=/").find(c) != std::string_view::npos;
  });
}

std::string shown_command(const model::JobSpec& spec) {
  if (!spec.command.empty()) return spec.command;
  if (!spec.script.empty()) return spec.name;
  std::string out;
  for (const std::string& word : spec.argv)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

/// The table's variables with those that cron adds. A mail from a table shows them.
model::TextMap shown_env(const model::JobSpec& spec) {
  model::TextMap env = spec.env;
  const bool is_cronie = spec.compat == model::Compat::kCronie;
  if (!is_cronie && spec.compat != model::Compat::kDebian) return env;
  env.try_emplace("SHELL", "/bin/sh");
  env.try_emplace("PATH", is_cronie ? "/usr/bin:/bin:/usr/sbin:/sbin" : "/usr/bin:/bin");
  env["LOGNAME"] = spec.user;
  if (is_cronie) env["USER"] = spec.user;
  const passwd* entry = ::getpwnam(spec.user.c_str());
  if (entry != nullptr) env.try_emplace("HOME", entry->pw_dir);
  return env;
}

}  // namespace

Outbox::Outbox(OutboxFacts facts, planner::State& state, Host& host)
    : facts_(std::move(facts)), state_(state), host_(host) {
  for (const planner::Job* job : state_.jobs_by_name()) {
    if (job->failures > 0) failing_.insert(job->uid);
  }
}

void Outbox::on_final(const model::Run& run) {
  const planner::Job* job = state_.find_job(run.job_uid);
  write_syslog(run, job != nullptr ? job->spec.get() : nullptr);
  if (job == nullptr) return;
  const bool was_failing = failing_.contains(run.job_uid);
  if (run.state == model::RunState::kOk) {
    failing_.erase(run.job_uid);
  } else if (model::has_run(run.state)) {
    failing_.insert(run.job_uid);
  }
  const std::shared_ptr<const model::JobSpec> spec = job->spec;
  if (run.started_at) send_cron_mail(run, *spec);
  run_rules(run, *spec, was_failing);
}

void Outbox::write_syslog(const model::Run& run, const model::JobSpec* spec) const {
  if (!facts_.writes_syslog || (spec != nullptr && spec->quiet_log)) return;
  const wire::RunItem item = run_item(run);
  std::string line = "run " + item.state + " job=" + run.job +
                     " run=" + std::to_string(run.run_id) +
                     " attempt=" + std::to_string(run.attempt);
  if (spec != nullptr) line += " user=" + spec->user;
  if (!item.reason.empty()) line += " reason=" + item.reason;
  if (run.exit_code) line += " exit_code=" + std::to_string(*run.exit_code);
  if (run.signal) line += " signal=" + std::to_string(*run.signal);
  const bool good = run.state == model::RunState::kOk || run.state == model::RunState::kSkipped ||
                    run.state == model::RunState::kCancelled;
  syslog(LOG_CRON | (good ? LOG_INFO : LOG_WARNING), "%s", line.c_str());
}

void Outbox::send_cron_mail(const model::Run& run, const model::JobSpec& spec) {
  const bool from_crontab =
      spec.compat == model::Compat::kDebian || spec.compat == model::Compat::kCronie;
  if (!spec.mail_to && !from_crontab) return;
  const std::string to = spec.mail_to.value_or(spec.user);
  if (to.empty() || (spec.mail_on_failure_only && run.state == model::RunState::kOk)) return;
  const auto chunk = host_.files().read(process::RunKey{run.run_id, run.attempt},
                                        process::Stream::kOut, 0, kMailBytesMax);
  if (!chunk || chunk->bytes.empty()) return;
  std::string body = chunk->bytes;
  if (!chunk->at_end) {
    body += "\n[cut here; the whole output: distcronctl logs " + std::to_string(run.run_id) + "]\n";
  }
  send_mail(run, spec, to,
            "Cron <" + spec.user + "@" + facts_.host_name + "> " + shown_command(spec), body);
}

void Outbox::run_rules(const model::Run& run, const model::JobSpec& spec, bool was_failing) {
  for (const std::string& text : spec.notify) {
    const auto rule = model::parse_notify_rule(text);
    if (!rule || !model::applies(*rule, run.state, was_failing)) continue;
    const wire::RunItem item = run_item(run);
    if (rule->type == model::NotifyType::kMail) {
      std::string body = "job        " + run.job + "\nrun        " + std::to_string(run.run_id) +
                         "\nstate      " + item.state + "\nscheduled  " +
                         model::format_utc(run.scheduled_at) + "\nnode       " + run.node + "\n";
      if (!item.reason.empty()) body += "reason     " + item.reason + " " + run.detail + "\n";
      if (run.exit_code) body += "exit code  " + std::to_string(*run.exit_code) + "\n";
      body += "why        distcronctl explain " + run.job + " --at " +
              model::format_utc(run.scheduled_at) + "\n";
      if (!run.tail.empty()) body += "\nend of its output:\n" + run.tail + "\n";
      send_mail(run, spec, rule->target, "[distcron] " + run.job + " " + item.state, body);
      continue;
    }
    process::SpawnPlan plan;
    plan.argv = {"/bin/sh", "-c", rule->target};
    plan.env = {"DISTCRON_JOB=" + run.job,
                "DISTCRON_RUN_ID=" + std::to_string(run.run_id),
                "DISTCRON_STATE=" + item.state,
                "DISTCRON_REASON=" + item.reason,
                "DISTCRON_SCHEDULED_AT=" + model::format_utc(run.scheduled_at),
                "DISTCRON_ATTEMPT=" + std::to_string(run.attempt),
                "DISTCRON_NODE=" + facts_.host_name,
                "DISTCRON_EXIT_CODE=" + (run.exit_code ? std::to_string(*run.exit_code) : "")};
    start(run, spec, std::move(plan));
  }
}

void Outbox::send_mail(const model::Run& run, const model::JobSpec& spec, const std::string& to,
                       const std::string& subject, const std::string& body) {
  if (facts_.sendmail.empty() || ::access(facts_.sendmail.c_str(), X_OK) != 0) {
    complaint_ = "mail is not sent: there is no " +
                 (facts_.sendmail.empty() ? std::string("sendmail") : facts_.sendmail) +
                 "; output is kept, see distcronctl logs";
    return;
  }
  if (!is_safe_address(to)) {
    complaint_ = "mail of job " + run.job + " is not sent: unsafe address \"" + to + "\"";
    return;
  }
  const std::string from = spec.mail_from.empty() ? "root (Cron Daemon)" : one_line(spec.mail_from);
  const std::string type =
      spec.mail_content_type.empty() ? "text/plain; charset=UTF-8" : spec.mail_content_type;
  const std::string encoding =
      spec.mail_transfer_encoding.empty() ? "8bit" : spec.mail_transfer_encoding;
  process::SpawnPlan plan;
  plan.argv = {facts_.sendmail, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", to};
  plan.stdin_data = "From: " + from + "\nTo: " + to + "\nSubject: " + one_line(subject) +
                    "\nMIME-Version: 1.0\nContent-Type: " + one_line(type) +
                    "\nContent-Transfer-Encoding: " + one_line(encoding) +
                    "\nAuto-Submitted: auto-generated\nX-Distcron-Job: " + run.job +
                    "\nX-Distcron-Run: " + std::to_string(run.run_id) + "\n";
  for (const auto& [name, value] : shown_env(spec)) {
    plan.stdin_data += "X-Cron-Env: <" + one_line(name + "=" + value) + ">\n";
  }
  plan.stdin_data += "\n" + body;
  start(run, spec, std::move(plan));
}

void Outbox::start(const model::Run& run, const model::JobSpec& spec, process::SpawnPlan plan) {
  constexpr std::int32_t kCounterMax = 1 << 20;
  counter_ = (counter_ + 1) % kCounterMax;
  plan.run_id = run.run_id;
  plan.attempt = kOutboxAttempt + counter_;
  plan.user = facts_.is_root ? spec.user : std::string();
  plan.cwd = "/";
  plan.timeout_ms = kOutboxTimeoutMs;
  plan.output_max_bytes = kOutboxOutputMax;
  plan.compat_cron = true;  // sendmail is often setgid
  if (Status sent = host_.spawn_extra(plan); !sent) complaint_ = sent.error().message;
}

}  // namespace distcron::agent
