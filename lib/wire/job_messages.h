// SPDX-License-Identifier: Apache-2.0
// Requests and replies that read jobs. As wire/messages.h.
#pragma once

#include "wire/messages.h"

namespace distcron::wire {

struct ListRequest {
  JobTargets targets;  ///< Empty: all.
  std::string state;   ///< enabled disabled running failing overdue never-ran; empty: any.
  std::string user;
  std::string node;
  std::string sort = "name";  ///< name next last failures
  std::int64_t limit = 0;     ///< 0: no limit.
  std::int64_t offset = 0;    ///< Skips so many: JobList::next of the page before.
};

DC_VISIT(ListRequest, m) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"state", ""}, m.state);
  visit(Field{"user", ""}, m.user);
  visit(Field{"node", ""}, m.node);
  visit(Field{"sort", ""}, m.sort);
  visit(Field{"limit", ""}, m.limit);
  visit(Field{"offset", ""}, m.offset);
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

DC_VISIT(JobItem, m) {
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
  std::optional<std::int64_t> next;  ///< Offset of the next page.
};

DC_VISIT(JobList, m) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"next", ""}, m.next);
}

struct ShowRequest {
  JobTargets targets;
  std::optional<std::int64_t> version;
  std::int64_t offset = 0;  ///< Skips so many: ShowReply::next of the page before.
};

DC_VISIT(ShowRequest, m) {
  visit(Field{"targets", ""}, m.targets);
  visit(Field{"version", ""}, m.version);
  visit(Field{"offset", ""}, m.offset);
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

DC_VISIT(JobDetail, m) {
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
  std::optional<std::int64_t> next;  ///< Offset of the next page.
};

DC_VISIT(ShowReply, m) {
  visit(Field{"items", ""}, m.items);
  visit(Field{"next", ""}, m.next);
}

struct NextRequest {
  JobTargets targets;
  std::int64_t count = 5;
  std::optional<WallTime> from;
  std::optional<WallTime> to;
};

DC_VISIT(NextRequest, m) {
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

DC_VISIT(NextItem, m) {
  visit(Field{"job", "job"}, m.job);
  visit(Field{"at", "instant"}, m.at);
  visit(Field{"local", "local time"}, m.local);
}

struct NextReply {
  std::vector<NextItem> items;
};

DC_VISIT(NextReply, m) {
  visit(Field{"items", ""}, m.items);
}

struct VersionItem {
  std::int64_t version = 0;
  WallTime at{};
  std::string by;
  std::string note;
  model::JobSpec spec;
};

DC_VISIT(VersionItem, m) {
  visit(Field{"version", "version"}, m.version);
  visit(Field{"at", "when"}, m.at);
  visit(Field{"by", "by"}, m.by);
  visit(Field{"note", "reason"}, m.note);
  visit(Field{"spec", "definition"}, m.spec);
}

struct VersionsReply {
  std::vector<VersionItem> items;
};

DC_VISIT(VersionsReply, m) {
  visit(Field{"items", ""}, m.items);
}

}  // namespace distcron::wire
