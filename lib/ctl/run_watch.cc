// SPDX-License-Identifier: Apache-2.0
#include "ctl/run_watch.h"

#include <algorithm>
#include <utility>

#include "ctl/host.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/run_text.h"

namespace distcron::ctl {
namespace {

constexpr Millis kRetryPause{300};
constexpr std::int64_t kExitStatusNone = 255;

/// What is left of a wait; nullopt: it is over.
class Deadline {
 public:
  Deadline(Host& host, std::optional<Millis> timeout)
      : host_(host), end_(timeout ? std::optional(host.steady() + *timeout) : std::nullopt) {}

  [[nodiscard]] std::optional<Millis> next_poll() const {
    if (!end_) return kPollMax;
    const Millis left = *end_ - host_.steady();
    if (left.count() < 0) return std::nullopt;
    return std::min(left, kPollMax);
  }

  [[nodiscard]] bool is_over() const { return end_ && host_.steady() >= *end_; }

 private:
  Host& host_;
  std::optional<Millis> end_;
};

tl::unexpected<Failure> out_of_time(const std::string& what) {
  return tl::unexpected<Failure>(
      Failure(Error{ErrorCode::kTimeout, what + " is not done in time", 0, "it goes on by itself"},
              ExitCode::kTimeout));
}

}  // namespace

std::string detach_note(std::int64_t run_id) {
  const std::string id = std::to_string(run_id);
  return "run " + id + " continues; kill it with: distcronctl kill " + id;
}

Answer<wire::RunItem> wait_for_run(Context& context, const wire::RunRef& run,
                                   const std::string& until, std::optional<Millis> timeout) {
  const Deadline deadline(context.host, timeout);
  wire::WaitRequest request;
  request.run = run;
  request.until = until;
  for (;;) {
    const std::optional<Millis> poll = deadline.next_poll();
    request.wait_ms = poll ? poll->count() : 0;
    DC_TRY(wire::WaitReply reply,
           context.client.request<wire::Op::kRunWait>(request, Millis(request.wait_ms)));
    if (reply.done) return std::move(reply.run);
    request.run = wire::RunRef{};
    request.run.run_id = reply.run.run_id;
    if (!poll || deadline.is_over()) {
      return out_of_time("run " + std::to_string(reply.run.run_id) + " of " + reply.run.job);
    }
  }
}

Answer<std::string> stream_logs(Context& context, const LogPlan& plan,
                                const std::function<void(std::string_view)>& sink,
                                const std::function<void(std::int64_t)>& on_cut) {
  const Deadline deadline(context.host, plan.timeout);
  wire::LogsRequest request;
  request.run = plan.run;
  request.attempt = plan.attempt;
  request.stream = plan.stream;
  request.lines = plan.lines;
  request.offset = plan.lines > 0 ? -1 : 0;
  std::optional<DetachNote> note;
  std::int32_t ended_attempt = -1;  // Of which all output was shown while the run goes on.
  for (;;) {
    const std::optional<Millis> poll = deadline.next_poll();
    if (plan.follow && !poll) return out_of_time("the run");
    request.wait_ms = plan.follow && ended_attempt < 0 ? poll->count() : 0;
    DC_TRY(const wire::LogsReply reply,
           context.client.request<wire::Op::kRunLogs>(request, Millis(request.wait_ms)));
    if (!note && plan.follow) note.emplace(detach_note(reply.run_id));
    const bool is_final = is_final_state(reply.state);
    if (ended_attempt >= 0 && reply.attempt <= ended_attempt) {
      if (is_final) return reply.state;
      context.host.pause(kRetryPause);
      continue;
    }
    ended_attempt = -1;
    if (reply.dropped > 0) on_cut(reply.dropped);
    if (!reply.bytes.empty()) sink(reply.bytes);
    request.run = wire::RunRef{};
    request.run.run_id = reply.run_id;
    request.offset = reply.next_offset;
    // From now on of this attempt only: the offset means nothing in another one.
    if (reply.attempt > 0) request.attempt = reply.attempt;
    if (!plan.follow) {
      if (reply.bytes.empty()) return reply.state;
      continue;
    }
    if (!reply.end) {
      if (is_final && reply.bytes.empty()) return reply.state;
      continue;
    }
    if (is_final || plan.attempt != 0) return reply.state;
    ended_attempt = reply.attempt;
    request.attempt = 0;
    request.offset = 0;
  }
}

ExitCode job_exit_status(const wire::RunItem& run, Output& out) {
  if (run.signal) return static_cast<ExitCode>(128 + (*run.signal & 127));
  if (run.exit_code) return static_cast<ExitCode>(*run.exit_code & 255);
  out.problem(run_sentence(run) + "; it has no exit status");
  return static_cast<ExitCode>(kExitStatusNone);
}

}  // namespace distcron::ctl
