// SPDX-License-Identifier: Apache-2.0
// What one applied log entry changes and orders: rows for the store, orders for the hosts. Plain
// values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cron/cron.h"
#include "model/command.h"
#include "model/run.h"

namespace distcron::planner {

using LogIndex = std::int64_t;

/// A stored job. Everything that planning needs lies in `spec`, which is shared and never changes:
/// a new version is a new object.
struct Job {
  std::int64_t id = 0;
  std::uint64_t uid = 0;
  std::int64_t version = 0;
  std::shared_ptr<const model::JobSpec> spec;
  std::vector<cron::Schedule> schedules;  ///< Compiled from spec, seeded by uid.
  WallTime cursor{};                      ///< Slots up to and including this are decided.
  WallTime created_at{};
  WallTime updated_at{};
  std::string updated_by;
  std::optional<WallTime> disabled_until;
  std::optional<WallTime> last_started_at;
  std::optional<WallTime> last_ended_at;
  model::RunState last_state = model::RunState::kQueued;  ///< kQueued: never ended.
  std::int64_t last_run_id = 0;
  std::int32_t failures = 0;  ///< Consecutive, since the last ok.
  std::string source_text;
};

using Node = model::Node;
using JoinToken = model::JoinToken;

struct Cluster {
  std::string name;
  std::string cluster_id;
  std::int64_t incarnation = 0;
  std::string tz;
};

/// Rows that one apply changed; the store writes them with the entry's index in one transaction.
struct Changes {
  LogIndex index = 0;
  std::vector<Job> jobs;                    ///< Insert or replace.
  std::vector<std::uint64_t> new_versions;  ///< uids in `jobs` whose version row is to be kept.
  std::vector<std::uint64_t> removed_jobs;
  std::vector<std::uint64_t> removed_history;  ///< Jobs whose final runs go too.
  std::vector<model::Run> runs;                ///< Insert or replace.
  /// Attempts that ended while their run goes on (retry, revoked claim): a copy of the run of which
  /// `state` and `reason` are that attempt's own. For the rows of attempts only.
  std::vector<model::Run> ended_attempts;
  std::vector<std::int64_t> removed_runs;
  std::vector<model::CursorMove> cursors;  ///< Jobs of which only the cursor moved.
  std::vector<model::AccessKey> keys;
  std::vector<std::string> removed_keys;
  std::vector<Node> nodes;        ///< Insert or replace; who left stays as a row with that state.
  std::vector<JoinToken> tokens;  ///< Insert or replace, by id.
  std::vector<std::string> removed_tokens;  ///< Ids.
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> removed_settings;
  std::optional<Cluster> cluster;
  std::int64_t next_run_id = 0;
  std::int64_t next_job_id = 0;

  struct Event {
    WallTime at{};
    std::string type;  ///< job.created, job.updated, run.killed, key.added ...
    std::string actor;
    std::string object;
    std::string text;
    std::string request_id;
  };

  std::vector<Event> events;
  std::string request_id;  ///< Not empty: remember the reply under this key.
  WallTime request_at{};
  std::string request_reply;  ///< Encoded by the caller of apply before it is stored.
};

/// What a host must do because of an applied entry. The agent of that host acts on its own orders.
struct ClaimOrder {
  model::Run run;
  WallTime start_at{};
  std::optional<model::StartPermit> permit;  ///< Rules over `start_at`.
};

struct RevokeOrder {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
  model::Reason reason = model::Reason::kNone;  ///< edited, disabled, removed, killed.
};

struct KillOrder {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
  std::int32_t signal = 15;
  Millis grace{0};
  model::Reason reason = model::Reason::kUser;
};

/// The end of an attempt is committed: its host may drop its journal entry.
struct EndCommitted {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int64_t node_id = 0;
};

/// A run came to a final state: log line, notify rules, waiting clients.
struct RunFinal {
  model::Run run;
};

using Order = std::variant<ClaimOrder, RevokeOrder, KillOrder, EndCommitted, RunFinal>;

}  // namespace distcron::planner
