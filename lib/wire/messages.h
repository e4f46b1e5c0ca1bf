// SPDX-License-Identifier: Apache-2.0
// Requests and replies of the control protocol, one pair per operation (wire/operations.h), and
// the envelopes that carry them. Field keys here are the JSON keys that scripts read: append only.
// Plain values; encode and decode with wire/codec.h, JSON with wire/json.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model/command.h"
#include "model/run.h"

namespace distcron::wire {

using model::Field;
using model::TextList;
using model::TextMap;

#define DC_VISIT(Type)                                  \
  template <class T, class Visitor>                     \
  requires std::is_same_v<std::remove_const_t<T>, Type> \
  void visit_fields(T& m, Visitor&& visit)

/// What travels to the agent. `body` is the encoded request of `op`.
struct Request {
  std::int32_t op = 0;
  std::int64_t id = 0;  ///< Comes back in the reply.
  std::string body;
  std::string request_id;  ///< Idempotency key of changing operations.
  bool dry_run = false;
  bool stale = false;
  std::string note;  ///< --reason
};

DC_VISIT(Request) {
  visit(Field{"op", ""}, m.op);
  visit(Field{"id", ""}, m.id);
  visit(Field{"body", ""}, m.body);
  visit(Field{"request_id", ""}, m.request_id);
  visit(Field{"dry_run", ""}, m.dry_run);
  visit(Field{"stale", ""}, m.stale);
  visit(Field{"note", ""}, m.note);
}

/// `code` is the ErrorCode number + 1, 0 for success.
struct Reply {
  std::int64_t id = 0;
  std::int32_t code = 0;
  std::string message;
  std::string hint;
  std::string body;
};

DC_VISIT(Reply) {
  visit(Field{"id", ""}, m.id);
  visit(Field{"code", ""}, m.code);
  visit(Field{"message", ""}, m.message);
  visit(Field{"hint", ""}, m.hint);
  visit(Field{"body", ""}, m.body);
}

struct Empty {};

DC_VISIT(Empty) {
  static_cast<void>(m);
  static_cast<void>(visit);
}

/// Which jobs a verb means: names and globs, a label selector, or all.
struct JobTargets {
  TextList names;
  std::string selector;
  bool all = false;
};

DC_VISIT(JobTargets) {
  visit(Field{"names", ""}, m.names);
  visit(Field{"selector", ""}, m.selector);
  visit(Field{"all", ""}, m.all);
}

// --- jobs -------------------------------------------------------------------------------------

/// job.put: `command` as model::PutJobs; the agent fills tz, user and uid where they are empty.
struct PutJobsRequest {
  std::vector<model::JobPut> puts;
};

DC_VISIT(PutJobsRequest) {
  visit(Field{"puts", ""}, m.puts);
}

struct ChangeItem {
  std::string name;
  std::string action;  ///< created, updated, unchanged, removed, renamed, enabled, disabled, killed
  std::optional<std::int64_t> version;
  std::optional<std::int64_t> run_id;
  std::optional<WallTime> next_at;
  std::int32_t live_runs = 0;
};

DC_VISIT(ChangeItem) {
  visit(Field{"name", "job"}, m.name);
  visit(Field{"action", "what happened"}, m.action);
  visit(Field{"version", "version now"}, m.version);
  visit(Field{"run_id", "run"}, m.run_id);
  visit(Field{"next_at", "next slot"}, m.next_at);
  visit(Field{"live_runs", "runs alive"}, m.live_runs);
}

/// Answer of every changing operation.
struct ChangeReply {
  std::vector<ChangeItem> items;
  bool dry_run = false;
};

DC_VISIT(ChangeReply) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"dry_run", ""}, m.dry_run);
}

struct RemoveRequest {
  JobTargets targets;
  bool keep_history = false;
  bool kill = false;
};

DC_VISIT(RemoveRequest) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"keep_history", ""}, m.keep_history);
  visit(Field{"kill", ""}, m.kill);
}

struct RenameRequest {
  std::string name;
  std::string new_name;
};

DC_VISIT(RenameRequest) {
  visit(Field{"name", ""}, m.name);
  visit(Field{"new_name", ""}, m.new_name);
}

struct EnableRequest {
  JobTargets targets;
  bool enabled = true;
  std::optional<WallTime> until;
  bool kill = false;
};

DC_VISIT(EnableRequest) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"enabled", ""}, m.enabled);
  visit(Field{"until", ""}, m.until);
  visit(Field{"kill", ""}, m.kill);
}

struct ListRequest {
  JobTargets targets;  ///< Empty: all.
  std::string state;   ///< enabled disabled running failing overdue never-ran; empty: any.
  std::string user;
  std::string node;
  std::string sort = "name";  ///< name next last failures
  std::int64_t limit = 0;     ///< 0: no limit.
};

DC_VISIT(ListRequest) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"state", ""}, m.state);
  visit(Field{"user", ""}, m.user);
  visit(Field{"node", ""}, m.node);
  visit(Field{"sort", ""}, m.sort);
  visit(Field{"limit", ""}, m.limit);
}

struct JobItem {
  std::string name;
  bool enabled = false;
  TextList schedules;
  std::string tz;
  std::int64_t version = 0;
  std::optional<WallTime> next_at;
  std::int32_t running = 0;
  std::string user;
  std::string description;
  std::string last_state;  ///< Empty: never ran.
  std::optional<WallTime> last_at;
  std::int32_t failures = 0;
  TextMap labels;
  bool managed = false;
  std::string origin;
  std::optional<WallTime> disabled_until;
};

DC_VISIT(JobItem) {
  visit(Field{"name", "name"}, m.name);
  visit(Field{"enabled", "enabled"}, m.enabled);
  visit(Field{"schedules", "schedules"}, m.schedules);
  visit(Field{"tz", "zone"}, m.tz);
  visit(Field{"version", "version"}, m.version);
  visit(Field{"next_at", "next slot"}, m.next_at);
  visit(Field{"running", "live runs"}, m.running);
  visit(Field{"user", "user"}, m.user);
  visit(Field{"description", "description"}, m.description);
  visit(Field{"last_state", "last outcome"}, m.last_state);
  visit(Field{"last_at", "end of the last run"}, m.last_at);
  visit(Field{"failures", "failures in a row"}, m.failures);
  visit(Field{"labels", "labels"}, m.labels);
  visit(Field{"managed", "follows a crontab file"}, m.managed);
  visit(Field{"origin", "where it came from"}, m.origin);
  visit(Field{"disabled_until", "enabled again at"}, m.disabled_until);
}

struct JobList {
  std::vector<JobItem> items;
};

DC_VISIT(JobList) {
  visit(Field{"items", ""}, m.items);
}

struct ShowRequest {
  JobTargets targets;
  std::optional<std::int64_t> version;
};

DC_VISIT(ShowRequest) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"version", ""}, m.version);
}

struct JobDetail {
  model::JobSpec spec;
  std::string uid;  ///< 16 hex digits.
  std::int64_t version = 0;
  std::string source_text;
  std::optional<WallTime> next_at;
  WallTime created_at{};
  WallTime updated_at{};
  std::string updated_by;
  std::int32_t running = 0;
  std::string description_of_schedule;
  std::int64_t misfire_window_ms = 0;  ///< The effective one.
};

DC_VISIT(JobDetail) {
  visit(Field{"spec", "definition"}, m.spec);
  visit(Field{"uid", "uid"}, m.uid);
  visit(Field{"version", "version"}, m.version);
  visit(Field{"source_text", "text as written"}, m.source_text);
  visit(Field{"next_at", "next slot"}, m.next_at);
  visit(Field{"created_at", "created"}, m.created_at);
  visit(Field{"updated_at", "updated"}, m.updated_at);
  visit(Field{"updated_by", "by"}, m.updated_by);
  visit(Field{"running", "live runs"}, m.running);
  visit(Field{"schedule_text", "schedule in words"}, m.description_of_schedule);
  visit(Field{"misfire_window_ms", "effective misfire window"}, m.misfire_window_ms);
}

struct ShowReply {
  std::vector<JobDetail> items;
};

DC_VISIT(ShowReply) {
  visit(Field{"items", ""}, m.items);
}

struct NextRequest {
  JobTargets targets;
  std::int64_t count = 5;
  std::optional<WallTime> from;
  std::optional<WallTime> to;
};

DC_VISIT(NextRequest) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"count", ""}, m.count);
  visit(Field{"from", ""}, m.from);
  visit(Field{"to", ""}, m.to);
}

struct NextItem {
  std::string job;
  WallTime at{};
  std::string local;  ///< With the zone's abbreviation.
};

DC_VISIT(NextItem) {
  visit(Field{"job", "job"}, m.job);
  visit(Field{"at", "instant"}, m.at);
  visit(Field{"local", "local time"}, m.local);
}

struct NextReply {
  std::vector<NextItem> items;
};

DC_VISIT(NextReply) {
  visit(Field{"items", ""}, m.items);
}

struct VersionItem {
  std::int64_t version = 0;
  WallTime at{};
  std::string by;
  std::string note;
  model::JobSpec spec;
};

DC_VISIT(VersionItem) {
  visit(Field{"version", "version"}, m.version);
  visit(Field{"at", "when"}, m.at);
  visit(Field{"by", "by"}, m.by);
  visit(Field{"note", "reason"}, m.note);
  visit(Field{"spec", "definition"}, m.spec);
}

struct VersionsReply {
  std::vector<VersionItem> items;
};

DC_VISIT(VersionsReply) {
  visit(Field{"items", ""}, m.items);
}

#undef DC_VISIT

}  // namespace distcron::wire
