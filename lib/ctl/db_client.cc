// SPDX-License-Identifier: Apache-2.0
#include "ctl/db_client.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "cron/cron.h"
#include "ctl/host.h"
#include "model/glob.h"
#include "model/selector.h"
#include "store/reader.h"

namespace distcron::ctl {
namespace {

using StoredJobs = decltype(std::declval<store::Reader&>().jobs());
using StoredJob = StoredJobs::value_type::value_type;

std::string hex_uid(std::uint64_t uid) {
  std::string text(16, '0');
  for (std::size_t i = 16; i > 0; --i) {
    text[i - 1] = "0123456789abcdef"[uid & 15U];
    uid >>= 4U;
  }
  return text;
}

std::string reason_text(const model::Run& run) {
  if (run.reason == model::Reason::kSetup) {
    return "setup_" + run.detail.substr(0, run.detail.find(':'));
  }
  return std::string(model::name_of(run.reason));
}

wire::RunItem run_item(const model::Run& run) {
  wire::RunItem item;
  item.run_id = run.run_id;
  item.job = run.job;
  item.scheduled_at = run.scheduled_at;
  item.state = model::name_of(run.state);
  item.reason = reason_text(run);
  item.detail = run.detail;
  item.node = run.node;
  if (run.node_id != 0) item.node_id = run.node_id;
  if (run.attempt != 0) item.attempt = run.attempt;
  item.trigger = model::name_of(run.trigger);
  if (run.term != 0) item.term = run.term;
  item.dispatched_at = run.dispatched_at;
  item.started_at = run.started_at;
  item.ended_at = run.ended_at;
  item.exit_code = run.exit_code;
  item.signal = run.signal;
  if (run.started_at) {
    item.lateness_ms = std::chrono::floor<Millis>(*run.started_at - run.scheduled_at).count();
    item.output_bytes = run.output_bytes;
    item.output_truncated = run.output_truncated;
  }
  item.tail = run.tail;
  item.killed_by = run.kill_by;
  return item;
}

bool is_meant(const wire::JobTargets& targets, const model::JobSpec& spec) {
  if (!targets.selector.empty() && !model::matches(targets.selector, spec.name, spec.labels)) {
    return false;
  }
  if (targets.names.empty()) return true;
  return std::any_of(
      targets.names.begin(), targets.names.end(),
      [&spec](const std::string& pattern) { return model::glob_match(pattern, spec.name); });
}

/// As the agent's `list --state`, without what only an agent knows (running, overdue).
bool has_state(const wire::JobItem& item, const std::string& state) {
  if (state == "enabled") return item.enabled;
  if (state == "disabled") return !item.enabled;
  if (state == "failing") return item.failures > 0;
  if (state == "never-ran") return item.last_state.empty();
  return state.empty();
}

class DbClient final : public Client {
 public:
  DbClient(std::string path, const Host& host) : path_(std::move(path)), host_(host) {}

  Answer<std::string> call(wire::Op op, std::string body, Millis patience) override {
    static_cast<void>(patience);
    if (reader_ == nullptr) {
      DC_TRY(reader_, store::Reader::open_file(path_));
    }
    // A chain and no switch: this client answers few of the operations, and never more by itself.
    if (op == wire::Op::kJobList) return answer<wire::Op::kJobList>(body, &DbClient::list);
    if (op == wire::Op::kJobShow) return answer<wire::Op::kJobShow>(body, &DbClient::show);
    if (op == wire::Op::kJobNext) return answer<wire::Op::kJobNext>(body, &DbClient::next);
    if (op == wire::Op::kJobVersions) {
      return answer<wire::Op::kJobVersions>(body, &DbClient::versions);
    }
    if (op == wire::Op::kRunHistory) return answer<wire::Op::kRunHistory>(body, &DbClient::history);
    if (op == wire::Op::kRunWait) return answer<wire::Op::kRunWait>(body, &DbClient::wait);
    if (op == wire::Op::kEvents) return answer<wire::Op::kEvents>(body, &DbClient::events);
    return usage("this command needs an agent and cannot read --db",
                 "with --db: list, show, next, versions, history, events, export");
  }

  std::string request_id() const override { return ""; }

 private:
  template <wire::Op op>
  using Body = typename wire::OpTypes<op>::RequestBody;
  template <wire::Op op>
  using Reply = typename wire::OpTypes<op>::ReplyBody;

  template <wire::Op op>
  Answer<std::string> answer(const std::string& body,
                             Result<Reply<op>> (DbClient::*handler)(const Body<op>&)) {
    DC_TRY(const Body<op> request, wire::decode<Body<op>>(body));
    DC_TRY(const Reply<op> reply, (this->*handler)(request));
    return wire::encode(reply);
  }

  Result<std::vector<StoredJob>> jobs(const wire::JobTargets& targets) {
    DC_TRY(std::vector<StoredJob> all, reader_->jobs());
    std::erase_if(all, [&](const StoredJob& job) { return !is_meant(targets, *job.spec); });
    std::sort(all.begin(), all.end(),
              [](const StoredJob& a, const StoredJob& b) { return a.spec->name < b.spec->name; });
    for (const std::string& name : targets.names) {
      if (all.empty()) return fail(ErrorCode::kNotFound, "no job named \"" + name + "\"");
    }
    return all;
  }

  std::optional<WallTime> next_at(const StoredJob& job, WallTime after) {
    if (!job.spec->enabled) return std::nullopt;
    const auto zone = zones_.find(job.spec->tz.empty() ? "UTC" : job.spec->tz);
    const auto schedules = model::compile_schedules(*job.spec, job.uid);
    if (!zone || !schedules) return std::nullopt;
    std::optional<WallTime> soonest;
    for (const cron::Schedule& schedule : *schedules) {
      const std::optional<WallTime> due = cron::next(schedule, after, **zone);
      if (due && (!soonest || *due < *soonest)) soonest = due;
    }
    return soonest;
  }

  Result<wire::JobList> list(const wire::ListRequest& request) {
    DC_TRY(const std::vector<StoredJob> found, jobs(request.targets));
    wire::JobList reply;
    for (const StoredJob& job : found) {
      wire::JobItem item;
      item.name = job.spec->name;
      item.enabled = job.spec->enabled;
      item.schedules = job.spec->schedule;
      item.tz = job.spec->tz;
      item.version = job.version;
      item.next_at = next_at(job, host_.now());
      item.user = job.spec->user;
      item.description = job.spec->description;
      if (job.last_state != model::RunState::kQueued) {
        item.last_state = model::name_of(job.last_state);
        item.last_at = job.last_ended_at;
      }
      item.failures = job.failures;
      item.labels = job.spec->labels;
      item.managed = job.spec->managed;
      item.origin = job.spec->origin_source;
      item.disabled_until = job.disabled_until;
      if (!has_state(item, request.state)) continue;
      if (!request.user.empty() && request.user != item.user) continue;
      reply.items.push_back(std::move(item));
    }
    return reply;
  }

  Result<wire::ShowReply> show(const wire::ShowRequest& request) {
    DC_TRY(const std::vector<StoredJob> found, jobs(request.targets));
    wire::ShowReply reply;
    for (const StoredJob& job : found) {
      wire::JobDetail item;
      item.spec = *job.spec;
      item.uid = hex_uid(job.uid);
      item.version = job.version;
      item.source_text = job.source_text;
      item.next_at = next_at(job, host_.now());
      item.created_at = job.created_at;
      item.updated_at = job.updated_at;
      item.updated_by = job.updated_by;
      reply.items.push_back(std::move(item));
    }
    return reply;
  }

  Result<wire::NextReply> next(const wire::NextRequest& request) {
    DC_TRY(const std::vector<StoredJob> found, jobs(request.targets));
    wire::NextReply reply;
    for (const StoredJob& job : found) {
      WallTime at = request.from.value_or(host_.now());
      for (std::int64_t i = 0; i < request.count; ++i) {
        const std::optional<WallTime> due = next_at(job, at);
        if (!due || (request.to && *due > *request.to)) break;
        reply.items.push_back({job.spec->name, *due, ""});
        at = *due;
      }
    }
    std::stable_sort(reply.items.begin(), reply.items.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    if (request.targets.all && std::cmp_greater(reply.items.size(), request.count)) {
      reply.items.resize(static_cast<std::size_t>(request.count));
    }
    return reply;
  }

  Result<wire::VersionsReply> versions(const wire::NameRequest& request) {
    wire::JobTargets target;
    target.names = {request.name};
    DC_TRY(const std::vector<StoredJob> found, jobs(target));
    wire::VersionsReply reply;
    DC_TRY(const auto rows, reader_->job_versions(found.front().uid));
    for (const auto& row : rows) {
      reply.items.push_back({row.version, row.at, row.by, row.note, row.spec});
    }
    return reply;
  }

  Result<wire::RunList> history(const wire::HistoryRequest& request) {
    store::RunFilter filter;
    filter.jobs = request.jobs;
    filter.since = request.since;
    filter.until = request.until;
    filter.node = request.node;
    filter.reason = model::parse_enum<model::Reason>(request.reason);
    filter.all_attempts = request.attempts;
    filter.before_run_id = request.before_run_id;
    filter.limit = request.limit;
    for (const std::string& outcome : request.outcomes) {
      if (const auto state = model::parse_enum<model::RunState>(outcome)) {
        filter.states.push_back(*state);
      }
    }
    if (request.active) {
      filter.states = {model::RunState::kQueued, model::RunState::kDispatched,
                       model::RunState::kRunning};
    }
    DC_TRY(const std::vector<model::Run> rows, reader_->runs(filter));
    wire::RunList reply;
    for (const model::Run& row : rows)
      reply.items.push_back(run_item(row));
    return reply;
  }

  Result<wire::WaitReply> wait(const wire::WaitRequest& request) {
    std::optional<model::Run> run;
    if (request.run.run_id != 0) {
      DC_TRY(run, reader_->run(request.run.run_id));
    } else {
      DC_TRY(run, reader_->newest_run(request.run.job, request.run.back));
    }
    if (!run) return fail(ErrorCode::kNotFound, "no such run");
    return wire::WaitReply{model::is_final(run->state), run_item(*run)};
  }

  Result<wire::EventList> events(const wire::EventsRequest& request) {
    DC_TRY(const auto rows, reader_->events(request.since, request.limit));
    wire::EventList reply;
    for (const auto& row : rows) {
      reply.items.push_back({row.at, row.type, row.actor, row.object, row.text});
    }
    return reply;
  }

  std::string path_;
  const Host& host_;
  std::unique_ptr<store::Reader> reader_;
  cron::ZoneCache zones_;
};

}  // namespace

std::unique_ptr<Client> make_db_client(std::string path, const Host& host) {
  return std::make_unique<DbClient>(std::move(path), host);
}

}  // namespace distcron::ctl
