// SPDX-License-Identifier: Apache-2.0
// JobSpec: what the user defined, and visit_fields: the only list of its fields. CLI flags, TOML
// and wire keys, JSON, `show`, man page and completion all read that list. Plain values, pure.
// Keys with a dot are members of a table (`retry.max`) in TOML and JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cron/cron.h"
#include "model/enums.h"

namespace distcron::model {

/// A size in bytes; texts such as 8MiB (model/units.h).
struct Bytes {
  std::int64_t count = 0;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

/// A file mode or umask; texts are octal, such as 022.
struct Mode {
  std::int32_t bits = 0;
  friend bool operator==(const Mode&, const Mode&) = default;
};

using TextList = std::vector<std::string>;
using TextMap = std::map<std::string, std::string, std::less<>>;

struct JobSpec {
  std::string name;
  std::string description;
  bool enabled = true;

  TextList schedule;  ///< Union of expressions; empty: only by hand. `@every DUR`, `@at TIME` too.
  cron::Dialect dialect = cron::Dialect::kNative;
  std::string tz;  ///< IANA name; filled in from the cluster's setting when a job is stored.
  cron::DstMode dst = cron::DstMode::kVixie;
  Millis jitter{0};

  std::string command;  ///< For /bin/sh -c (or the SHELL of a crontab). One of the three is set.
  TextList argv;
  std::string script;

  std::string user;
  std::string group;
  std::string cwd;
  TextMap env;
  std::string stdin_text;
  std::string stdin_file;
  std::optional<Mode> umask;

  std::string on;              ///< Selector of hosts; empty: any.
  std::string target = "one";  ///< On how many of them a slot runs (model/target.h).
  Route route = Route::kHash;
  std::optional<Millis> timeout;  ///< Per attempt, spawn to SIGTERM. Unset: no limit.
  Millis kill_grace{10'000};      ///< SIGTERM to SIGKILL.
  std::optional<Millis> max_runtime;

  std::int32_t retry_max = 0;
  Millis retry_delay{60'000};
  double retry_factor = 2.0;
  Millis retry_max_delay{900'000};
  double retry_jitter = 0.0;  ///< 0..1, share of the delay that is random.

  Concurrency concurrency = Concurrency::kForbid;
  Misfire misfire = Misfire::kOnce;
  std::optional<Millis> misfire_window;  ///< Unset: min(interval/2, 1 h), at least 10 s.
  std::int32_t catchup_max = 100;
  Guarantee guarantee = Guarantee::kAtMostOnce;
  OnNoQuorum on_no_quorum = OnNoQuorum::kSkip;  ///< kRunLocal: only for pinned_host().
  std::int32_t priority = 50;
  std::vector<std::int32_t> ok_codes{0};
  TextMap labels;
  TextList notify;  ///< Rules WHEN[,WHEN...]:TYPE:TARGET (model/notify_rule.h).

  std::optional<std::int32_t> nice;
  std::optional<std::int64_t> limit_nofile;
  std::optional<std::int64_t> limit_nproc;
  std::optional<Bytes> limit_memory;
  std::optional<Bytes> limit_fsize;
  std::optional<Bytes> limit_core;
  bool no_new_privs = true;
  Orphans orphans = Orphans::kKill;

  Bytes output_max_bytes{8LL << 20};
  bool output_split = false;
  std::optional<std::int32_t> output_keep_runs;
  std::optional<Millis> output_keep_age;

  std::optional<std::string> mail_to;  ///< Empty: no mail. Unset: by `compat`, the job's owner.
  std::string mail_from;
  std::string mail_content_type;
  std::string mail_transfer_encoding;
  bool mail_on_failure_only = false;

  Compat compat = Compat::kNative;
  bool quiet_log = false;     ///< cronie's leading `-`: no line in the system log per run.
  std::string origin_source;  ///< Where it was imported from, such as crontab:/etc/cron.d/php.
  std::int32_t origin_line = 0;
  std::string origin_host;
  bool managed = false;  ///< Follows its crontab file; read-only for commands.

  friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

/// One entry of a field list, as texts for people.
struct Field {
  std::string_view key;         ///< Key in TOML, JSON and wire; `a.b` is member b of table a.
  std::string_view help;        ///< Half a sentence for --help and the man page.
  std::string_view value = {};  ///< Placeholder, such as DUR; empty for flags.
};

/// Calls visit(Field, member) for each field, in the order that people read them.
template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, JobSpec>

void visit_fields(Spec& s, Visitor&& visit) {
  visit(Field{"name", "unique name in the cluster", "NAME"}, s.name);
  visit(Field{"description", "what the job is for", "TEXT"}, s.description);
  visit(Field{"enabled", "whether its schedule makes runs", "BOOL"}, s.enabled);
  visit(Field{"schedule", "when it runs; several are a union", "EXPR"}, s.schedule);
  visit(Field{"dialect", "grammar of its schedules", "DIALECT"}, s.dialect);
  visit(Field{"tz", "time zone of its schedules", "ZONE"}, s.tz);
  visit(Field{"dst", "what a clock change does: vixie, skip or both", "MODE"}, s.dst);
  visit(Field{"jitter", "start up to this much later, fixed for each slot", "DUR"}, s.jitter);
  visit(Field{"command", "command line for /bin/sh -c", "STRING"}, s.command);
  visit(Field{"argv", "program and arguments, run without a shell", "ARGV"}, s.argv);
  visit(Field{"script", "text of a script, run by its #! line", "TEXT"}, s.script);
  visit(Field{"user", "user that it runs as", "USER"}, s.user);
  visit(Field{"group", "group that it runs as, instead of the user's own", "GROUP"}, s.group);
  visit(Field{"cwd", "working directory, the user's home by default", "DIR"}, s.cwd);
  visit(Field{"env", "environment variable", "K=V"}, s.env);
  visit(Field{"stdin_text", "text given on standard input", "TEXT"}, s.stdin_text);
  visit(Field{"stdin", "file on the host given as standard input", "FILE"}, s.stdin_file);
  visit(Field{"umask", "file mode creation mask, octal", "N"}, s.umask);
  visit(Field{"on", "selector of the hosts that may run it", "SELECTOR"}, s.on);
  visit(Field{"target", "on how many of them each slot runs: one, all, N or N%", "TARGET"},
        s.target);
  visit(Field{"route", "how one is chosen: hash, least-loaded, round-robin or ordered", "ROUTE"},
        s.route);
  visit(Field{"timeout", "stop an attempt after this long, such as 90s or 5m", "DUR"}, s.timeout);
  visit(Field{"kill_grace", "wait between SIGTERM and SIGKILL", "DUR"}, s.kill_grace);
  visit(Field{"max_runtime", "limit over all attempts of a run", "DUR"}, s.max_runtime);
  visit(Field{"retry.max", "attempts after the first one fails", "N"}, s.retry_max);
  visit(Field{"retry.delay", "wait before the second attempt", "DUR"}, s.retry_delay);
  visit(Field{"retry.factor", "growth of the wait with each attempt", "N"}, s.retry_factor);
  visit(Field{"retry.max_delay", "longest wait between attempts", "DUR"}, s.retry_max_delay);
  visit(Field{"retry.jitter", "random share of the wait, 0 to 1", "N"}, s.retry_jitter);
  visit(
      Field{"concurrency", "when a run is still alive: allow, forbid, queue or replace", "POLICY"},
      s.concurrency);
  visit(Field{"misfire", "what missed slots do: skip, once or all", "RULE"}, s.misfire);
  visit(Field{"misfire_window", "how late a start may still be", "DUR"}, s.misfire_window);
  visit(Field{"catchup_max", "most slots that misfire = all catches up", "N"}, s.catchup_max);
  visit(Field{"guarantee", "at-most-once or at-least-once", "RULE"}, s.guarantee);
  visit(Field{"on_no_quorum", "what its host does alone, without a majority: skip or run-local",
              "RULE"},
        s.on_no_quorum);
  visit(Field{"priority", "0 to 100; higher leaves the queue first", "N"}, s.priority);
  visit(Field{"ok_codes", "exit codes that count as success", "N"}, s.ok_codes);
  visit(Field{"labels", "label", "K=V"}, s.labels);
  visit(Field{"notify", "rule such as failed,missed:mail:root", "RULE"}, s.notify);
  visit(Field{"limits.nice", "nice value", "N"}, s.nice);
  visit(Field{"limits.nofile", "open files (RLIMIT_NOFILE)", "N"}, s.limit_nofile);
  visit(Field{"limits.nproc", "processes of the user (RLIMIT_NPROC)", "N"}, s.limit_nproc);
  visit(Field{"limits.memory", "address space (RLIMIT_AS)", "SIZE"}, s.limit_memory);
  visit(Field{"limits.fsize", "size of a written file (RLIMIT_FSIZE)", "SIZE"}, s.limit_fsize);
  visit(Field{"limits.core", "size of a core file (RLIMIT_CORE)", "SIZE"}, s.limit_core);
  visit(Field{"no_new_privs", "whether setuid programs gain nothing", "BOOL"}, s.no_new_privs);
  visit(Field{"orphans", "processes left at the end: kill or leave", "RULE"}, s.orphans);
  visit(Field{"output.max_bytes", "output kept per attempt, head and tail", "SIZE"},
        s.output_max_bytes);
  visit(Field{"output.split", "keep stdout and stderr apart", "BOOL"}, s.output_split);
  visit(Field{"output.keep_runs", "runs whose output is kept", "N"}, s.output_keep_runs);
  visit(Field{"output.keep_age", "age to which output is kept", "DUR"}, s.output_keep_age);
  visit(Field{"mail.to", "who gets the output by mail; empty for nobody", "ADDRESS"}, s.mail_to);
  visit(Field{"mail.from", "sender of that mail", "ADDRESS"}, s.mail_from);
  visit(Field{"mail.content_type", "its Content-Type", "TEXT"}, s.mail_content_type);
  visit(Field{"mail.transfer_encoding", "its Content-Transfer-Encoding", "TEXT"},
        s.mail_transfer_encoding);
  visit(Field{"mail.on_failure_only", "whether only failures are mailed", "BOOL"},
        s.mail_on_failure_only);
  visit(Field{"compat", "whose habits it keeps: native, debian, cronie or supercronic", "NAME"},
        s.compat);
  visit(Field{"quiet_log", "whether its runs leave no line in the system log", "BOOL"},
        s.quiet_log);
  visit(Field{"origin.source", "where it was imported from", "TEXT"}, s.origin_source);
  visit(Field{"origin.line", "line of that file", "N"}, s.origin_line);
  visit(Field{"origin.host", "host that it was imported on", "NAME"}, s.origin_host);
  visit(Field{"managed", "whether it follows its crontab file", "BOOL"}, s.managed);
}

/// The name of the only host that may ever run the job, as far as its own fields say; else empty.
[[nodiscard]] std::string pinned_host(const JobSpec& spec);

/// Checks everything that needs no cluster: names, schedules, zone name, ranges, exactly one of
/// command, argv and script. Errors are kInvalid and name the job, the field and the way out.
[[nodiscard]] Status validate(const JobSpec& spec);

/// The compiled schedules of a spec, in its order. `uid` seeds `H` and `~`.
[[nodiscard]] Result<std::vector<cron::Schedule>> compile_schedules(const JobSpec& spec,
                                                                    std::uint64_t uid);

/// How late a start may still be: the field, or min(interval/2, 1 h) and at least 10 s.
/// `interval` is the typical gap of its schedules; nullopt for jobs that run by hand or once.
[[nodiscard]] Millis effective_misfire_window(const JobSpec& spec, std::optional<Seconds> interval);

/// Wait before attempt `next_attempt` (2, 3, ...): delay x factor^(n-2), at most max_delay, then
/// shortened by up to the share retry_jitter, as `random` (0..1) says. `retry_delay` 0: at once.
[[nodiscard]] Millis retry_wait(const JobSpec& spec, std::int32_t next_attempt, double random);

}  // namespace distcron::model
