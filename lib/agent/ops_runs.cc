// SPDX-License-Identifier: Apache-2.0
// Operations on runs: start, kill, history, wait.
#include <algorithm>
#include <utility>

#include "agent/operations.h"
#include "model/glob.h"

namespace distcron::agent {

namespace {

constexpr Millis kRunPollMax{30'000};
constexpr Millis kAskAgain{100};

/// The next page begins below the last run: of that one all attempts stand here, or none.
void keep_whole_runs(std::vector<model::Run>& page) {
  const std::int64_t last = page.back().run_id;
  const auto first = std::find_if(page.begin(), page.end(),
                                  [last](const model::Run& run) { return run.run_id == last; });
  if (first != page.begin()) page.erase(first, page.end());
}

Error no_such_run(const wire::RunRef& ref) {
  if (ref.run_id > 0) {
    return Error{ErrorCode::kNotFound, "no run has the id " + std::to_string(ref.run_id), 0,
                 "all runs: distcronctl history"};
  }
  return Error{ErrorCode::kNotFound, "job \"" + ref.job + "\" has no such run", 0,
               "its runs: distcronctl history " + ref.job};
}

std::string reason_text(const model::Run& run) {
  if (run.reason == model::Reason::kSetup) {
    return "setup_" + run.detail.substr(0, run.detail.find(':'));
  }
  return std::string(model::name_of(run.reason));
}

}  // namespace

wire::RunItem run_item(const model::Run& run) {
  wire::RunItem item;
  item.run_id = run.run_id;
  item.job = run.job;
  item.scheduled_at = run.scheduled_at;
  item.state = model::name_of(run.state);
  item.reason = reason_text(run);
  item.detail = run.detail;
  item.node = run.node;
  if (run.node_id > 0) item.node_id = run.node_id;
  if (run.attempt > 0) item.attempt = run.attempt;
  item.shard = run.shard;
  item.trigger = model::name_of(run.trigger);
  if (run.term > 0) item.term = run.term;
  item.dispatched_at = run.dispatched_at;
  item.started_at = run.started_at;
  item.ended_at = run.ended_at;
  if (run.exit_code) item.exit_code = *run.exit_code;
  if (run.signal) item.signal = *run.signal;
  if (run.started_at) {
    item.lateness_ms = std::chrono::floor<Millis>(*run.started_at - run.scheduled_at).count();
    item.output_bytes = run.output_bytes;
    item.output_truncated = run.output_truncated;
  }
  if (run.pid > 0 && run.state == model::RunState::kRunning) item.pid = run.pid;
  item.tail = run.tail;
  item.killed_by = run.kill_by;
  if (run.ended_at && run.started_at) {
    item.cpu_seconds = static_cast<double>(run.cpu_user_us + run.cpu_sys_us) / 1e6;
    item.maxrss_kb = run.maxrss_kb;
  }
  return item;
}

void Operations::run_start(const Call& call, const wire::RunRequest& request) {
  const auto job = resolve_one(call.caller(), request.job);
  if (!job) {
    call.refuse(job.error());
    return;
  }
  const bool gives_program = !request.env.empty() || !request.argv.empty();
  if (gives_program && call.caller().role == model::Role::kOperator) {
    call.refuse(Error{ErrorCode::kDenied,
                      "key \"" + call.caller().name +
                          "\" may run jobs, not change their arguments or environment",
                      0, "an editor may"});
    return;
  }
  model::TriggerRun command;
  command.job = request.job;
  command.trigger = model::Trigger::kManual;
  command.scheduled_at = request.scheduled_at;
  command.param = request.param;
  command.env = request.env;
  command.argv = request.argv;
  command.force = request.force;
  submit(call, std::move(command));
}

void Operations::run_rerun(const Call& call, const wire::RerunRequest& request) {
  const bool failed_only = request.failed_only;
  with_run(call, request.run, [this, failed_only](const Call& asked, const model::Run& run) {
    if (failed_only && run.state == model::RunState::kOk) {
      asked.refuse(Error{ErrorCode::kConflict,
                         "run " + std::to_string(run.run_id) + " ended ok; --failed leaves it", 0,
                         "without --failed it is run again"});
      return;
    }
    model::TriggerRun command;
    command.job = run.job;
    command.trigger = model::Trigger::kRerun;
    command.param = run.param;
    command.env = run.extra_env;
    command.argv = run.extra_argv;
    submit(asked, std::move(command));
  });
}

void Operations::with_run(const Call& call, const wire::RunRef& ref, Found found) {
  const planner::Job* job = ref.job.empty() ? nullptr : state_.find_job(ref.job);
  const std::uint64_t uid = job != nullptr ? job->uid : 0;
  const bool known_name = ref.job.empty() || job != nullptr;
  store_.query(
      [this, call, ref, uid, known_name, found](store::Reader& reader) -> std::function<void()> {
        Result<std::optional<model::Run>> run = std::optional<model::Run>();
        if (ref.run_id > 0) {
          run = reader.run(ref.run_id);
        } else if (ref.at) {
          run = reader.run_at(uid, *ref.at);
        } else {
          run = reader.newest_run(ref.job, ref.back);
        }
        return [this, call, ref, known_name, found, run = std::move(run)]() {
          if (!run) {
            call.refuse(run.error());
            return;
          }
          if (!run->has_value()) {
            call.refuse(known_name ? no_such_run(ref) : no_such_job(ref.job));
            return;
          }
          const model::Run* live = state_.find_live_run((*run)->run_id);
          if (live == nullptr && !model::is_final((*run)->state)) {
            // It ended between the read and now: its final row stands further back in the queue.
            with_run(call, ref, found);
            return;
          }
          const model::Run& latest = live != nullptr ? *live : **run;
          const planner::Job* owner = state_.find_job(latest.job_uid);
          const bool allowed = owner != nullptr ? may_touch(call.caller(), *owner->spec)
                                                : call.caller().role != model::Role::kSelf;
          if (!allowed) {
            call.refuse(no_such_run(ref));
            return;
          }
          found(call, latest);
        };
      });
}

void Operations::run_kill(const Call& call, const wire::KillRequest& request) {
  std::vector<std::int64_t> ids;
  std::vector<wire::RunRef> stored;
  for (const wire::RunRef& ref : request.runs) {
    if (ref.run_id > 0 && state_.find_live_run(ref.run_id) == nullptr) {
      stored.push_back(ref);
    } else if (ref.run_id > 0) {
      const planner::Job* job = state_.find_job(state_.find_live_run(ref.run_id)->job_uid);
      if (job != nullptr && !may_touch(call.caller(), *job->spec)) {
        call.refuse(no_such_run(ref));
        return;
      }
      ids.push_back(ref.run_id);
    } else {
      const auto job = resolve_one(call.caller(), ref.job);
      if (!job) {
        call.refuse(job.error());
        return;
      }
      for (const model::Run* run : state_.live_runs_of((*job)->uid))
        ids.push_back(run->run_id);
    }
  }
  if (stored.empty()) {
    kill_now(call, request, ids);
    return;
  }
  // Not alive: say whether it never was, or has ended.
  with_run(call, stored[0], [](const Call& asked, const model::Run& run) {
    asked.refuse(Error{ErrorCode::kConflict,
                       "run " + std::to_string(run.run_id) +
                           " has ended already: " + std::string(model::name_of(run.state)),
                       0,
                       {}});
  });
}

void Operations::kill_now(const Call& call, const wire::KillRequest& request,
                          const std::vector<std::int64_t>& ids) {
  if (ids.empty()) {
    call.answer(wire::ChangeReply{});
    return;
  }
  model::KillRuns command;
  command.run_ids = ids;
  command.signal = request.signal;
  command.grace = request.grace;
  submit(call, std::move(command));
}

void Operations::run_history(const Call& call, const wire::HistoryRequest& request) {
  store::RunFilter filter;
  for (const std::string& name : request.jobs)
    filter.jobs.push_back(name);
  filter.since = request.since;
  filter.until = request.until;
  filter.node = request.node;
  filter.all_attempts = request.attempts;
  filter.before_run_id = request.before_run_id;
  filter.limit = std::clamp<std::int64_t>(request.limit, 1, wire::kRunListMax);
  if (request.active) {
    filter.states = {model::RunState::kQueued, model::RunState::kDispatched,
                     model::RunState::kRunning};
  }
  for (const std::string& outcome : request.outcomes) {
    const auto state = model::parse_enum<model::RunState>(outcome);
    if (!state) {
      call.refuse(Error{ErrorCode::kInvalid, "unknown outcome \"" + outcome + "\"", 0,
                        "one of: ok, failed, timeout, killed, cancelled, skipped, missed, lost, "
                        "unknown, queued, dispatched, running"});
      return;
    }
    filter.states.push_back(*state);
  }
  if (!request.reason.empty()) {
    const bool setup = request.reason.rfind("setup_", 0) == 0;
    filter.reason =
        setup ? model::Reason::kSetup : model::parse_enum<model::Reason>(request.reason);
    if (!filter.reason) {
      call.refuse(Error{ErrorCode::kInvalid, "unknown reason \"" + request.reason + "\"", 0,
                        "reasons: distcronctl help guarantees"});
      return;
    }
  }
  const std::vector<std::string> asked = request.jobs;
  store_.query([this, call, filter, asked](store::Reader& reader) -> std::function<void()> {
    auto runs = reader.runs(filter);
    return [this, call, filter, asked, runs = std::move(runs)]() {
      if (!runs) {
        call.refuse(runs.error());
        return;
      }
      if (runs->empty() && asked.size() == 1 && !model::is_glob(asked[0]) &&
          state_.find_job(asked[0]) == nullptr) {
        call.refuse(no_such_job(asked[0]));
        return;
      }
      std::vector<model::Run> page = *runs;
      const bool is_cut = static_cast<std::int64_t>(page.size()) == filter.limit;
      if (is_cut && filter.all_attempts) keep_whole_runs(page);
      answer_history(call, page, is_cut);
    };
  });
}

/// A host that is silent from here may well be in touch with the scheduler, who knows better.
void Operations::answer_history(const Call& call, const std::vector<model::Run>& runs,
                                bool is_cut) {
  wire::RunList out;
  bool is_any_suspect = false;
  for (const model::Run& run : runs) {
    const planner::Job* job = state_.find_job(run.job_uid);
    const bool allowed = job != nullptr ? may_touch(call.caller(), *job->spec)
                                        : call.caller().role != model::Role::kSelf;
    if (!allowed) continue;
    out.items.push_back(item_of(run));
    is_any_suspect = is_any_suspect || out.items.back().suspect.has_value();
  }
  if (is_cut) out.next = runs.back().run_id;
  if (!is_any_suspect || call.request().stale) return call.answer(out);
  ask_scheduler(call, [call, out](const wire::Reply* theirs) {
    if (theirs != nullptr) return call.answer_as(*theirs);
    call.answer(out);
  });
}

// --- waiting
// ---------------------------------------------------------------------------------------

void Operations::run_wait(const Call& call, const wire::WaitRequest& request) {
  with_run(call, request.run, [this, request](const Call& asked, const model::Run& run) {
    const bool started = run.started_at.has_value() || model::is_final(run.state);
    const bool done = request.until == "started" ? started : model::is_final(run.state);
    if (done || request.wait_ms <= 0 || wait_polls_.size() >= kPollsMax) {
      asked.answer(wire::WaitReply{done, item_of(run)});
      return;
    }
    // It ended while its row was read: nobody will call, so the client soon asks again.
    const bool has_just_ended = state_.find_live_run(run.run_id) == nullptr;
    const Millis wait = std::min(Millis(request.wait_ms), has_just_ended ? kAskAgain : kRunPollMax);
    wait_polls_.push_back(WaitPoll{asked, request, run.run_id, now_.mono + wait});
  });
}

void Operations::on_final(const model::Run& run) {
  for (auto poll = wait_polls_.begin(); poll != wait_polls_.end();) {
    if (poll->run_id != run.run_id) {
      ++poll;
      continue;
    }
    poll->call.answer(wire::WaitReply{true, run_item(run)});
    poll = wait_polls_.erase(poll);
  }
  for (LogPoll& poll : log_polls_) {
    if (poll.run.run_id == run.run_id) poll.run = run;
  }
}

void Operations::on_timer(const Now& now) {
  now_ = now;
  for (auto poll = wait_polls_.begin(); poll != wait_polls_.end();) {
    const model::Run* run = state_.find_live_run(poll->run_id);
    const bool started = run != nullptr && run->started_at.has_value();
    const bool done = poll->request.until == "started" && started;
    if (!done && now.mono < poll->until) {
      ++poll;
      continue;
    }
    wire::WaitReply reply;
    reply.done = done;
    if (run != nullptr) reply.run = item_of(*run);
    poll->call.answer(reply);
    poll = wait_polls_.erase(poll);
  }
  for (auto poll = log_polls_.begin(); poll != log_polls_.end();) {
    if (const model::Run* live = state_.find_live_run(poll->run.run_id)) poll->run = *live;
    const bool last_chance = now.mono >= poll->until;
    if (try_logs(poll->call, poll->request, poll->run, last_chance)) {
      poll = log_polls_.erase(poll);
    } else {
      ++poll;
    }
  }
}

std::optional<MonoTime> Operations::next_timer() const {
  constexpr Millis kLogPause{100};   // how soon new output is seen by a follower
  constexpr Millis kStartPause{20};  // how soon a start is seen by a waiter
  std::optional<MonoTime> next;
  const auto sooner = [&next](MonoTime at) {
    if (!next || at < *next) next = at;
  };
  if (!log_polls_.empty()) sooner(now_.mono + kLogPause);
  for (const WaitPoll& poll : wait_polls_) {
    sooner(poll.until);
    if (poll.request.until == "started") sooner(now_.mono + kStartPause);
  }
  return next;
}

}  // namespace distcron::agent
