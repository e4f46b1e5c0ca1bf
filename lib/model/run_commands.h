// SPDX-License-Identifier: Apache-2.0
// Commands of the log that make, decide and end runs (model/command.h). Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/run.h"
#include "model/visit.h"

namespace distcron::model {

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

DC_VISIT(TriggerRun, c) {
  visit(Field{"job", ""}, c.job);
  visit(Field{"trigger", ""}, c.trigger);
  visit(Field{"scheduled_at", ""}, c.scheduled_at);
  visit(Field{"param", ""}, c.param);
  visit(Field{"env", ""}, c.env);
  visit(Field{"argv", ""}, c.argv);
  visit(Field{"force", ""}, c.force);
}

enum class Action : std::uint8_t {
  kClaim,
  kQueue,
  kSkip,
  kMiss,
  kCancel,
  kReplace,
  kGiveUp,  ///< The attempt is lost: another one or unknown, as the guarantee says.
};

template <>
struct EnumNames<Action> {
  static constexpr std::array<std::string_view, 7> kNames{"claim",  "queue",   "skip",   "miss",
                                                          "cancel", "replace", "give_up"};
};

/// When a host starts a claim, by its own boottime clock. The host hands out permits with what it
/// says of itself; a claim names the one that it counts from.
struct StartPermit {
  std::uint64_t boot = 0;           ///< Hash of the boot id of the host that issued it.
  std::int64_t counter = 0;         ///< Its boottime then, in us: within a boot it only grows.
  std::int64_t start_in_us = 0;     ///< From the permit until the start.
  std::int64_t start_slack_us = 0;  ///< The host starts it until so much later, then never.
};

DC_VISIT(StartPermit, c) {
  visit(Field{"boot", ""}, c.boot);
  visit(Field{"counter", ""}, c.counter);
  visit(Field{"start_in_us", ""}, c.start_in_us);
  visit(Field{"start_slack_us", ""}, c.start_slack_us);
}

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
  std::int32_t shards = 0;   ///< Above 0: one of so many; `node_id` is then its host.
  std::int64_t copy_of = 0;  ///< With run_id 0: a further shard of this queued run.
  /// Claim: `start_at` on the clock of its host. Unset: the host goes by its wall clock.
  std::optional<StartPermit> permit;
};

DC_VISIT(Decision, c) {
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
  visit(Field{"shards", ""}, c.shards);
  visit(Field{"copy_of", ""}, c.copy_of);
  visit(Field{"permit", ""}, c.permit);
}

/// All slots of the job up to and including `cursor` are decided.
struct CursorMove {
  std::uint64_t job_uid = 0;
  WallTime cursor{};
};

DC_VISIT(CursorMove, c) {
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

DC_VISIT(Decide, c) {
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

DC_VISIT(HostReport, c) {
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

DC_VISIT(HostReports, c) {
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

DC_VISIT(KillRuns, c) {
  visit(Field{"run_ids", ""}, c.run_ids);
  visit(Field{"signal", ""}, c.signal);
  visit(Field{"grace", ""}, c.grace);
  visit(Field{"reason", ""}, c.reason);
}

/// Frees the concurrency places that these runs keep: of one that ended as unknown, its hold; one
/// that is out on a host ends as unknown(host_unreachable) and keeps nothing. Feature level 2.
struct ReleaseRuns {
  std::vector<std::int64_t> run_ids;
};

DC_VISIT(ReleaseRuns, c) {
  visit(Field{"run_ids", ""}, c.run_ids);
}

}  // namespace distcron::model
