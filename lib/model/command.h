// SPDX-License-Identifier: Apache-2.0
// The commands of the replicated log: the only way to change state. A log entry is one Entry;
// planner::State::apply runs it and must come to the same result everywhere, so every instant,
// choice and random number stands in the entry, put there by its proposer. Plain values.
// Versions: a new field gets a default that means the old behaviour; a new command a new number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "model/run.h"

namespace distcron::model {

#define DC_VISIT(Type)                                  \
  template <class T, class Visitor>                     \
  requires std::is_same_v<std::remove_const_t<T>, Type> \
  void visit_fields(T& c, Visitor&& visit)

/// First command of a log: makes the cluster.
struct InitCluster {
  std::string name;
  std::string cluster_id;  ///< 32 hex digits, random.
  std::int64_t incarnation = 0;
  std::string tz;  ///< IANA zone of the first host; default of jobs.
};

DC_VISIT(InitCluster) {
  visit(Field{"name", ""}, c.name);
  visit(Field{"cluster_id", ""}, c.cluster_id);
  visit(Field{"incarnation", ""}, c.incarnation);
  visit(Field{"tz", ""}, c.tz);
}

/// A host joins, or starts again (boot id, version, address may change).
struct PutNode {
  std::int64_t id = 0;
  std::string name;
  std::string boot_id;
  std::string address;
  std::string version;
  TextMap labels;
};

DC_VISIT(PutNode) {
  visit(Field{"id", ""}, c.id);
  visit(Field{"name", ""}, c.name);
  visit(Field{"boot_id", ""}, c.boot_id);
  visit(Field{"address", ""}, c.address);
  visit(Field{"version", ""}, c.version);
  visit(Field{"labels", ""}, c.labels);
}

/// Reported by people and scripts as 5 (conflict) when it does not fit what is stored.
enum class PutMode : std::uint8_t {
  kCreate,           ///< Must not exist.
  kUpdate,           ///< Must exist.
  kReplace,          ///< Either.
  kCreateIfMissing,  ///< Existing one is left alone and counts as unchanged.
};

template <>
struct EnumNames<PutMode> {
  static constexpr std::array<std::string_view, 4> kNames{"create", "update", "replace",
                                                          "create_if_missing"};
};

struct JobPut {
  JobSpec spec;
  PutMode mode = PutMode::kCreate;
  std::optional<std::int64_t> if_version;
  std::uint64_t new_uid = 0;  ///< Used when the job is new; random, never 0.
  std::string source_text;    ///< The admin's own TOML with comments; may be empty.
};

DC_VISIT(JobPut) {
  visit(Field{"spec", ""}, c.spec);
  visit(Field{"mode", ""}, c.mode);
  visit(Field{"if_version", ""}, c.if_version);
  visit(Field{"new_uid", ""}, c.new_uid);
  visit(Field{"source_text", ""}, c.source_text);
}

/// All or nothing.
struct PutJobs {
  std::vector<JobPut> puts;
};

DC_VISIT(PutJobs) {
  visit(Field{"puts", ""}, c.puts);
}

struct RemoveJobs {
  TextList names;
  bool keep_history = false;
};

DC_VISIT(RemoveJobs) {
  visit(Field{"names", ""}, c.names);
  visit(Field{"keep_history", ""}, c.keep_history);
}

struct RenameJob {
  std::string name;
  std::string new_name;
};

DC_VISIT(RenameJob) {
  visit(Field{"name", ""}, c.name);
  visit(Field{"new_name", ""}, c.new_name);
}

struct SetEnabled {
  TextList names;
  bool enabled = true;
  std::optional<WallTime> until;  ///< Only with enabled = false: enabled again at this instant.
};

DC_VISIT(SetEnabled) {
  visit(Field{"names", ""}, c.names);
  visit(Field{"enabled", ""}, c.enabled);
  visit(Field{"until", ""}, c.until);
}

/// A slot made by hand (or API, rerun, reboot...). Its origin is the entry's request id.
struct TriggerRun {
  std::string job;
  Trigger trigger = Trigger::kManual;
  std::optional<WallTime> scheduled_at;  ///< Unset: the entry's instant.
  std::optional<std::string> param;
  TextMap env;
  TextList argv;
  bool force = false;
};

DC_VISIT(TriggerRun) {
  visit(Field{"job", ""}, c.job);
  visit(Field{"trigger", ""}, c.trigger);
  visit(Field{"scheduled_at", ""}, c.scheduled_at);
  visit(Field{"param", ""}, c.param);
  visit(Field{"env", ""}, c.env);
  visit(Field{"argv", ""}, c.argv);
  visit(Field{"force", ""}, c.force);
}

enum class Action : std::uint8_t { kClaim, kQueue, kSkip, kMiss, kCancel, kReplace };

template <>
struct EnumNames<Action> {
  static constexpr std::array<std::string_view, 6> kNames{"claim", "queue",  "skip",
                                                          "miss",  "cancel", "replace"};
};

/// What the planner decided about one slot; the reasons are data, `explain` reads them.
struct Decision {
  std::int64_t run_id = 0;  ///< 0: a slot of the schedule that has no row yet.
  std::uint64_t job_uid = 0;
  std::int64_t job_version = 0;
  WallTime scheduled_at{};
  std::int32_t shard = 0;
  Action action = Action::kClaim;
  Reason reason = Reason::kNone;
  std::string detail;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
  WallTime start_at{};  ///< Claim: not before. Queue: earliest next look.
  std::vector<Fact> facts;
};

DC_VISIT(Decision) {
  visit(Field{"run_id", ""}, c.run_id);
  visit(Field{"job_uid", ""}, c.job_uid);
  visit(Field{"job_version", ""}, c.job_version);
  visit(Field{"scheduled_at", ""}, c.scheduled_at);
  visit(Field{"shard", ""}, c.shard);
  visit(Field{"action", ""}, c.action);
  visit(Field{"reason", ""}, c.reason);
  visit(Field{"detail", ""}, c.detail);
  visit(Field{"attempt", ""}, c.attempt);
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"start_at", ""}, c.start_at);
  visit(Field{"facts", ""}, c.facts);
}

/// All slots of the job up to and including `cursor` are decided.
struct CursorMove {
  std::uint64_t job_uid = 0;
  WallTime cursor{};
};

DC_VISIT(CursorMove) {
  visit(Field{"job_uid", ""}, c.job_uid);
  visit(Field{"cursor", ""}, c.cursor);
}

/// The scheduler's batch: claims and cursor moves travel together.
struct Decide {
  std::int64_t term = 0;
  std::vector<Decision> decisions;
  std::vector<CursorMove> cursors;
  TextList enable_again;  ///< Jobs whose `disable --until` is over.
};

DC_VISIT(Decide) {
  visit(Field{"term", ""}, c.term);
  visit(Field{"decisions", ""}, c.decisions);
  visit(Field{"cursors", ""}, c.cursors);
  visit(Field{"enable_again", ""}, c.enable_again);
}

/// What a host says of one attempt.
enum class ReportKind : std::uint8_t {
  kStarted,
  kEnded,      ///< `outcome` is final for the attempt.
  kUnstarted,  ///< Proven never started: refused, tombstoned; `reason` says why.
};

template <>
struct EnumNames<ReportKind> {
  static constexpr std::array<std::string_view, 3> kNames{"started", "ended", "unstarted"};
};

struct HostReport {
  ReportKind kind = ReportKind::kStarted;
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  RunState outcome = RunState::kOk;  ///< kEnded: kOk, kFailed, kTimeout, kKilled or kUnknown.
  Reason reason = Reason::kNone;
  std::string detail;
  std::int64_t pid = 0;
  std::optional<WallTime> started_at;
  std::optional<WallTime> ended_at;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::int64_t output_bytes = 0;
  bool output_truncated = false;
  std::string tail;
  std::int64_t cpu_user_us = 0;
  std::int64_t cpu_sys_us = 0;
  std::int64_t maxrss_kb = 0;
  double random = 0.0;  ///< 0..1, drawn by the proposer: spreads a retry.
};

DC_VISIT(HostReport) {
  visit(Field{"kind", ""}, c.kind);
  visit(Field{"run_id", ""}, c.run_id);
  visit(Field{"attempt", ""}, c.attempt);
  visit(Field{"outcome", ""}, c.outcome);
  visit(Field{"reason", ""}, c.reason);
  visit(Field{"detail", ""}, c.detail);
  visit(Field{"pid", ""}, c.pid);
  visit(Field{"started_at", ""}, c.started_at);
  visit(Field{"ended_at", ""}, c.ended_at);
  visit(Field{"exit_code", ""}, c.exit_code);
  visit(Field{"signal", ""}, c.signal);
  visit(Field{"output_bytes", ""}, c.output_bytes);
  visit(Field{"output_truncated", ""}, c.output_truncated);
  visit(Field{"tail", ""}, c.tail);
  visit(Field{"cpu_user_us", ""}, c.cpu_user_us);
  visit(Field{"cpu_sys_us", ""}, c.cpu_sys_us);
  visit(Field{"maxrss_kb", ""}, c.maxrss_kb);
  visit(Field{"random", ""}, c.random);
}

struct HostReports {
  std::int64_t node_id = 0;
  std::vector<HostReport> reports;
};

DC_VISIT(HostReports) {
  visit(Field{"node_id", ""}, c.node_id);
  visit(Field{"reports", ""}, c.reports);
}

/// Ends runs that are alive: queued ones are cancelled, the host of others is told.
struct KillRuns {
  std::vector<std::int64_t> run_ids;
  std::int32_t signal = 15;
  std::optional<Millis> grace;  ///< Unset: the job's kill_grace.
  Reason reason = Reason::kUser;
};

DC_VISIT(KillRuns) {
  visit(Field{"run_ids", ""}, c.run_ids);
  visit(Field{"signal", ""}, c.signal);
  visit(Field{"grace", ""}, c.grace);
  visit(Field{"reason", ""}, c.reason);
}

/// A key that the control door knows.
struct AccessKey {
  std::string name;
  std::string public_key;  ///< z85, 40 characters.
  Role role = Role::kViewer;
  TextList run_as;   ///< Users its jobs may run as; empty: none but for admin: all.
  std::string jobs;  ///< Glob of the jobs it may touch; empty: all.
};

DC_VISIT(AccessKey) {
  visit(Field{"name", "name"}, c.name);
  visit(Field{"public_key", "public key"}, c.public_key);
  visit(Field{"role", "role"}, c.role);
  visit(Field{"run_as", "users that its jobs may run as"}, c.run_as);
  visit(Field{"jobs", "glob of the jobs that it may touch"}, c.jobs);
}

struct PutKey {
  AccessKey key;
};

DC_VISIT(PutKey) {
  visit(Field{"key", ""}, c.key);
}

struct RemoveKey {
  std::string name;
};

DC_VISIT(RemoveKey) {
  visit(Field{"name", ""}, c.name);
}

struct PutSetting {
  std::string key;
  std::string value;
};

DC_VISIT(PutSetting) {
  visit(Field{"key", ""}, c.key);
  visit(Field{"value", ""}, c.value);
}

/// Rows of final runs that retention lets go.
struct PruneRuns {
  std::vector<std::int64_t> run_ids;
};

DC_VISIT(PruneRuns) {
  visit(Field{"run_ids", ""}, c.run_ids);
}

/// The number of a command in the log is its place here: append only.
using Command =
    std::variant<InitCluster, PutNode, PutJobs, RemoveJobs, RenameJob, SetEnabled, TriggerRun,
                 Decide, HostReports, KillRuns, PutKey, RemoveKey, PutSetting, PruneRuns>;

/// One entry of the log.
struct Entry {
  WallTime at{};           ///< The proposer's wall clock.
  std::string actor;       ///< Name of the key, or "scheduler", "host:NAME".
  std::string request_id;  ///< Idempotency key; empty for the agent's own entries.
  std::string note;        ///< --reason TEXT.
  Command command;
};
DC_VISIT(Entry) {
  visit(Field{"at", ""}, c.at);
  visit(Field{"actor", ""}, c.actor);
  visit(Field{"request_id", ""}, c.request_id);
  visit(Field{"note", ""}, c.note);
  visit(Field{"command", ""}, c.command);
}

#undef DC_VISIT

}  // namespace distcron::model
