// SPDX-License-Identifier: Apache-2.0
#include "model/job_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "model/notify_rule.h"
#include "model/selector.h"
#include "model/target.h"
#include "model/units.h"

namespace distcron::model {

namespace {

constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kLineBytesMax = 4'096;       // names, paths, descriptions, selectors
constexpr std::size_t kCommandBytesMax = 131'071;  // MAX_ARG_STRLEN of Linux less the NUL
constexpr std::size_t kTextBytesMax = 1U << 20U;   // script, stdin, argv and env in sum
constexpr std::size_t kListItemsMax = 4'096;       // argv, env
constexpr std::size_t kSmallListMax = 256;         // schedules, labels, rules, codes
constexpr std::int64_t kCountMax = 1'000'000;
constexpr Millis kDay{86'400'000};
constexpr Millis kLong = kDay * 36'500;
constexpr std::string_view kNameRule =
    "names are [group/]name of letters, digits, '.', '_' and '-', up to 200 bytes";

/// What is wrong with a name, or empty.
std::string name_problem(std::string_view name) {
  if (name.empty()) return "is missing";
  if (name.size() > kNameBytesMax) return "is longer than 200 bytes";
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && name.find('/', slash + 1) != std::string_view::npos) {
    return "has more than one '/'";
  }
  for (const char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-' || c == '/';
    if (!good) return "has a character that is not allowed";
  }
  const std::string_view group = slash == std::string_view::npos ? "g" : name.substr(0, slash);
  const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
  for (const std::string_view part : {group, last}) {
    if (part.empty()) return "has nothing on one side of its '/'";
    if (part == "." || part == ".." || part.front() == '-') {
      return "has the part \"" + std::string(part) + "\", which would read as a path or an option";
    }
  }
  return {};
}

/// Collects problems; one method per kind of check.
class Checker {
 public:
  void add(std::string_view field, std::string text, std::string hint = {}) {
    problems_.push_back({std::string(field), std::move(text), std::move(hint)});
  }

  /// One line for people or the kernel: no control characters.
  void line(std::string_view field, std::string_view text, std::size_t limit = kLineBytesMax) {
    size(field, text, limit);
    if (has_control(text)) add(field, "has control characters");
  }

  /// Text that becomes a C string.
  void text(std::string_view field, std::string_view value, std::size_t limit) {
    size(field, value, limit);
    if (value.find('\0') != std::string_view::npos) add(field, "has a NUL byte");
  }

  void size(std::string_view field, std::string_view value, std::size_t limit) {
    if (value.size() > limit) add(field, "is longer than " + std::to_string(limit) + " bytes");
  }

  void path(std::string_view field, std::string_view value) {
    line(field, value);
    if (!value.empty() && value.front() != '/') {
      add(field, "\"" + std::string(value.substr(0, 64)) + "\" is not an absolute path");
    }
  }

  void range(std::string_view field, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return;
    add(field, std::to_string(value) + " is not between " + std::to_string(low) + " and " +
                   std::to_string(high));
  }

  template <class T>
  void range(std::string_view field, const std::optional<T>& value, std::int64_t low,
             std::int64_t high) {
    if (value) range(field, static_cast<std::int64_t>(*value), low, high);
  }

  void bytes(std::string_view field, const std::optional<Bytes>& value, std::int64_t low) {
    if (value) range(field, value->count, low, 1LL << 60);
  }

  void share(std::string_view field, double value, double low, double high) {
    if (std::isfinite(value) && value >= low && value <= high) return;
    add(field, "is not between " + std::to_string(static_cast<int>(low)) + " and " +
                   std::to_string(static_cast<int>(high)));
  }

  void duration(std::string_view field, const std::optional<Millis>& value, Millis low,
                Millis high = kLong) {
    if (!value || (*value >= low && *value <= high)) return;
    if (low > Millis{0} && *value < low) {
      add(field, format_duration(*value) + " is shorter than " + format_duration(low),
          "leave it out for the default");
    } else {
      add(field, format_duration(*value) + " is not between " + format_duration(low) + " and " +
                     format_duration(high));
    }
  }

  void count(std::string_view field, std::size_t items, std::size_t limit) {
    if (items > limit) add(field, "has more than " + std::to_string(limit) + " members");
  }

  /// Adds the error of a parser.
  void status(std::string_view field, Error error) {
    add(field, std::move(error.message), std::move(error.hint));
  }

  [[nodiscard]] std::vector<FieldProblem> take() { return std::move(problems_); }

 private:
  std::vector<FieldProblem> problems_;
};

void check_schedules(Checker& check, const JobSpec& spec) {
  check.count("schedule", spec.schedule.size(), kSmallListMax);
  for (const std::string& text : spec.schedule) {
    if (text.size() > kLineBytesMax) {
      check.size("schedule", text, kLineBytesMax);
      continue;
    }
    const cron::ParseOptions options{.dialect = spec.dialect, .dst = spec.dst, .seed = 0};
    auto parsed = cron::parse(text, options);
    if (!parsed) check.status("schedule", std::move(parsed.error()).within('"' + text + '"'));
  }
  check.line("tz", spec.tz, 255);
  check.duration("jitter", spec.jitter, Millis{0}, kDay * 31);
}

void check_what_runs(Checker& check, const JobSpec& spec) {
  const int given = static_cast<int>(!spec.command.empty()) + static_cast<int>(!spec.argv.empty()) +
                    static_cast<int>(!spec.script.empty());
  if (given != 1) {
    check.add("command", given == 0 ? "nothing to run" : "more than one thing to run",
              "set exactly one of command, argv and script");
  }
  check.text("command", spec.command, kCommandBytesMax);
  check.size("script", spec.script, kTextBytesMax);
  check.count("argv", spec.argv.size(), kListItemsMax);
  std::size_t sum = 0;
  for (const std::string& word : spec.argv) {
    check.text("argv", word, kCommandBytesMax);
    sum += word.size() + 1;
  }
  if (sum > kTextBytesMax) check.add("argv", "is longer than 1 MiB in all");
  if (!spec.argv.empty() && spec.argv.front().empty()) check.add("argv", "has no program");
}

void check_surroundings(Checker& check, const JobSpec& spec) {
  for (const auto& [field, value] :
       {std::pair<std::string_view, const std::string&>{"user", spec.user},
        std::pair<std::string_view, const std::string&>{"group", spec.group}}) {
    check.line(field, value, 255);
    if (value.find_first_of(":/ ") != std::string::npos || (!value.empty() && value[0] == '-')) {
      check.add(field, "\"" + value + "\" is no name that the system knows");
    }
  }
  check.path("cwd", spec.cwd);
  check.count("env", spec.env.size(), kListItemsMax);
  std::size_t sum = 0;
  for (const auto& [key, value] : spec.env) {
    if (key.empty() || key.find('=') != std::string::npos) {
      check.add("env", "\"" + key + "\" is no name of a variable");
    }
    check.text("env", key, kLineBytesMax);
    check.text("env", value, kCommandBytesMax);
    sum += key.size() + value.size() + 2;
  }
  if (sum > kTextBytesMax) check.add("env", "is longer than 1 MiB in all");
  check.size("stdin_text", spec.stdin_text, kTextBytesMax);
  check.path("stdin", spec.stdin_file);
  if (!spec.stdin_text.empty() && !spec.stdin_file.empty()) {
    check.add("stdin", "stands beside stdin_text", "set one of the two");
  }
  if (spec.umask) check.range("umask", spec.umask->bits, 0, 0777);
  check.line("on", spec.on);
  if (auto selector = parse_selector(spec.on); !selector) check.status("on", selector.error());
  if (auto target = parse_target(spec.target); !target) check.status("target", target.error());
}

void check_policy(Checker& check, const JobSpec& spec) {
  check.duration("timeout", spec.timeout, Millis{1});
  check.duration("kill_grace", spec.kill_grace, Millis{0}, kDay);
  check.duration("max_runtime", spec.max_runtime, Millis{1});
  check.range("retry.max", spec.retry_max, 0, 1'000);
  check.duration("retry.delay", spec.retry_delay, Millis{0});
  check.share("retry.factor", spec.retry_factor, 1, 1000);
  check.duration("retry.max_delay", spec.retry_max_delay, Millis{0});
  check.share("retry.jitter", spec.retry_jitter, 0, 1);
  check.duration("misfire_window", spec.misfire_window, Millis{1});
  check.range("catchup_max", spec.catchup_max, 1, 100'000);
  if (spec.on_no_quorum == OnNoQuorum::kRunLocal && pinned_host(spec).empty()) {
    check.add("on_no_quorum", "run-local is only for a job that is pinned to one host",
              "name that host, such as on = \"name=web1\", with target = \"one\"");
  }
  check.range("priority", spec.priority, 0, 100);
  check.count("ok_codes", spec.ok_codes.size(), kSmallListMax);
  if (spec.ok_codes.empty()) check.add("ok_codes", "is empty: no run could succeed");
  for (const std::int32_t code : spec.ok_codes)
    check.range("ok_codes", code, 0, 255);
  check.count("labels", spec.labels.size(), kSmallListMax);
  for (const auto& [key, value] : spec.labels) {
    if (key.empty() || key.find_first_of("=!,& ") != std::string::npos) {
      check.add("labels", "\"" + key + "\" is no name of a label");
    }
    check.line("labels", key, 255);
    check.line("labels", value, 255);
  }
  check.count("notify", spec.notify.size(), kSmallListMax);
  for (const std::string& text : spec.notify) {
    check.size("notify", text, kLineBytesMax);
    if (auto rule = parse_notify_rule(text); !rule) check.status("notify", rule.error());
  }
}

void check_limits(Checker& check, const JobSpec& spec) {
  check.range("limits.nice", spec.nice, -20, 19);
  check.range("limits.nofile", spec.limit_nofile, 3, 1LL << 30);
  check.range("limits.nproc", spec.limit_nproc, 1, 1LL << 30);
  check.bytes("limits.memory", spec.limit_memory, 1);
  check.bytes("limits.fsize", spec.limit_fsize, 0);
  check.bytes("limits.core", spec.limit_core, 0);
  check.bytes("output.max_bytes", spec.output_max_bytes, 0);
  check.range("output.keep_runs", spec.output_keep_runs, 0, kCountMax);
  check.duration("output.keep_age", spec.output_keep_age, Millis{1});
  if (spec.mail_to) check.line("mail.to", *spec.mail_to);
  check.line("mail.from", spec.mail_from);
  check.line("mail.content_type", spec.mail_content_type);
  check.line("mail.transfer_encoding", spec.mail_transfer_encoding);
  check.line("origin.source", spec.origin_source);
  check.range("origin.line", spec.origin_line, 0, INT32_MAX);
  check.line("origin.host", spec.origin_host);
}

Status first_problem(const JobSpec& spec, const std::vector<FieldProblem>& problems) {
  if (problems.empty()) return {};
  const FieldProblem& first = problems.front();
  const std::string name = has_control(spec.name) ? "?" : spec.name.substr(0, kNameBytesMax);
  return fail_hint(ErrorCode::kInvalid, "job \"" + name + "\": " + first.field + ": " + first.text,
                   first.hint);
}

}  // namespace

std::vector<FieldProblem> check_fields(const JobSpec& spec) {
  Checker check;
  if (std::string problem = name_problem(spec.name); !problem.empty()) {
    check.add("name", std::move(problem), std::string(kNameRule));
  }
  check.text("description", spec.description, kLineBytesMax);
  check_schedules(check, spec);
  check_what_runs(check, spec);
  check_surroundings(check, spec);
  check_policy(check, spec);
  check_limits(check, spec);
  return check.take();
}

std::vector<FieldProblem> check_zone(const JobSpec& spec, cron::ZoneCache& zones) {
  if (spec.tz.empty()) return {};
  const auto zone = zones.find(spec.tz);
  if (zone) return {};
  return {FieldProblem{"tz", zone.error().message, zone.error().hint}};
}

Status validate(const JobSpec& spec, cron::ZoneCache& zones) {
  DC_CHECK_OK(validate_without_zone(spec));
  return first_problem(spec, check_zone(spec, zones));
}

Status validate_without_zone(const JobSpec& spec) {
  return first_problem(spec, check_fields(spec));
}

Status validate(const JobSpec& spec) {
  cron::ZoneCache zones;
  return validate(spec, zones);
}

Status check_job_name(std::string_view name) {
  const std::string problem = name_problem(name);
  if (problem.empty()) return {};
  const std::string shown = has_control(name) ? "?" : std::string(name.substr(0, kNameBytesMax));
  return fail_hint(ErrorCode::kInvalid, "job name \"" + shown + "\" " + problem,
                   std::string(kNameRule));
}

}  // namespace distcron::model
