// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_exec.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace distcron::sim {

using process::RefuseReason;
using process::RunKey;

/// The agent's end of a Line. Its destruction is the agent's death.
class FleetExecPort final : public process::ExecPort {
 public:
  FleetExecPort(FleetExec& exec, std::shared_ptr<FleetExec::Line> line)
      : exec_(exec), line_(std::move(line)) {}

  ~FleetExecPort() override {
    line_->is_agent_gone = true;
    line_->loses_rest = draw_chance(exec_.rng_, 50) && !line_->is_kept;
  }

  FleetExecPort(const FleetExecPort&) = delete;
  FleetExecPort& operator=(const FleetExecPort&) = delete;

  [[nodiscard]] int fd() const override { return -1; }

  [[nodiscard]] bool wants_write() const override { return false; }

  [[nodiscard]] Status spawn(const process::SpawnPlan& plan) override {
    // The executor does nothing else until it has forked and released.
    FleetTime busy = draw_between(exec_.rng_, 0, 20 * kMs);
    if (draw_chance(exec_.rng_, 4)) busy += draw_between(exec_.rng_, 0, 400 * kMs);
    if (exec_.stall_ > 0) {
      busy += std::exchange(exec_.stall_, 0);
      line_->is_kept = true;
      exec_.hooks_.on_stall();
    }
    line_->arrives_at = std::max(line_->arrives_at, exec_.agenda_.now()) + busy;
    return post([exec = &exec_, plan] { exec->spawn(plan); });
  }

  [[nodiscard]] Status kill(RunKey key, int signum, std::int64_t grace_ms) override {
    static_cast<void>(signum);
    return post([exec = &exec_, key, grace_ms] { exec->kill(key, grace_ms); });
  }

  [[nodiscard]] Status ack(RunKey key) override {
    return post([exec = &exec_, key] { exec->ack(key); });
  }

  [[nodiscard]] Status remove(RunKey key) override {
    return post([exec = &exec_, key] { exec->remove(key); });
  }

  [[nodiscard]] Status inventory() override {
    return post([exec = &exec_] { exec->inventory(); });
  }

  [[nodiscard]] Status ask_spool(std::int64_t question, const std::string& name) override {
    static_cast<void>(question);
    return fail(ErrorCode::kUnavailable, "no table of \"" + name + "\" in this world");
  }

  [[nodiscard]] Status flush() override {
    if (!line_->is_open) return fail(ErrorCode::kUnavailable, "the executor is gone");
    return {};
  }

  [[nodiscard]] Result<std::vector<process::ExecEvent>> read_events() override {
    DC_CHECK_OK(flush());
    std::vector<process::ExecEvent> out(std::make_move_iterator(line_->events.begin()),
                                        std::make_move_iterator(line_->events.end()));
    line_->events.clear();
    return out;
  }

 private:
  Status post(std::function<void()> what) {
    DC_CHECK_OK(flush());
    exec_.from_agent(line_, std::move(what));
    return {};
  }

  FleetExec& exec_;
  std::shared_ptr<FleetExec::Line> line_;
};

namespace {

class FleetFiles final : public process::RunFiles {
 public:
  explicit FleetFiles(const FleetExec& exec) : exec_(exec) {}

  [[nodiscard]] Result<process::EndRecord> load_end_record(RunKey key) const override {
    const auto found = exec_.records().find(key);
    if (found == exec_.records().end()) return fail(ErrorCode::kNotFound, "no end record");
    return found->second;
  }

  [[nodiscard]] Result<process::OutputChunk> read(RunKey key, process::Stream stream,
                                                  std::int64_t offset,
                                                  std::int64_t max) const override {
    static_cast<void>(key);
    static_cast<void>(stream);
    static_cast<void>(offset);
    static_cast<void>(max);
    return process::OutputChunk{};
  }

  [[nodiscard]] Result<process::OutputSize> size(RunKey key,
                                                 process::Stream stream) const override {
    static_cast<void>(key);
    static_cast<void>(stream);
    return process::OutputSize{};
  }

  [[nodiscard]] Result<std::vector<std::int64_t>> list_runs() const override {
    std::vector<std::int64_t> out;
    for (const auto& [key, record] : exec_.records())
      out.push_back(key.run_id);
    return out;
  }

  [[nodiscard]] Result<std::vector<std::int32_t>> list_attempts(
      std::int64_t run_id) const override {
    std::vector<std::int32_t> out;
    for (const auto& [key, record] : exec_.records()) {
      if (key.run_id == run_id) out.push_back(key.attempt);
    }
    return out;
  }

 private:
  const FleetExec& exec_;
};

}  // namespace

std::unique_ptr<const process::RunFiles> FleetExec::files() {
  return std::make_unique<FleetFiles>(*this);
}

// --- lives ---------------------------------------------------------------------------------------

void FleetExec::crash(FleetTime down_for) {
  if (!is_up_) return;
  is_up_ = false;
  const std::uint64_t life = ++life_;
  if (line_) line_->is_open = false;
  line_.reset();
  hooks_.wake();
  agenda_.after(down_for, [this, life] {
    if (life != life_) return;
    is_up_ = true;
    hooks_.wake();
  });
}

void FleetExec::lose_power() {
  is_up_ = false;
  ++life_;
  if (line_) line_->is_open = false;
  line_.reset();
  for (auto& [key, attempt] : attempts_) {
    if (attempt.state != State::kLive) continue;
    FleetProcess& process = processes_[attempt.process];
    process.ended_at = agenda_.now();
    hooks_.on_end(process);
  }
  attempts_.clear();
  // Nobody synced them.
  std::erase_if(records_, [this](const auto&) { return draw_chance(rng_, 30); });
}

void FleetExec::boot(std::int64_t number) {
  boot_ = number;
  is_up_ = true;
}

Result<std::unique_ptr<process::ExecPort>> FleetExec::connect() {
  if (!is_up_) return fail(ErrorCode::kUnavailable, "the simulated executor is not there");
  const std::shared_ptr<Line> old = std::exchange(line_, std::make_shared<Line>());
  if (old) old->is_open = false;
  if (old && old->arrives_at > agenda_.now()) {
    // Either it has read what the agent sent last, and does that first, or it never will.
    if (draw_chance(rng_, 50)) {
      line_->arrives_at = old->arrives_at;
      line_->answered_at = old->arrives_at;
    } else {
      old->loses_rest = true;
    }
  }
  process::ExecHello hello;
  hello.version = process::kExecVersion;
  hello.exec_pid = 2;
  hello.starts_per_s = 100;
  tell(hello);
  return std::make_unique<FleetExecPort>(*this, line_);
}

// --- messages ------------------------------------------------------------------------------------

void FleetExec::from_agent(const std::shared_ptr<Line>& line, std::function<void()> what) {
  line->arrives_at =
      std::max(line->arrives_at + 1, agenda_.now() + draw_between(rng_, 20, 2 * kMs));
  agenda_.at(line->arrives_at, [this, line, life = life_, what = std::move(what)] {
    if (life != life_ || line->loses_rest) return;
    what();
  });
}

void FleetExec::tell(process::ExecEvent event) {
  if (!line_) return;
  line_->answered_at =
      std::max(line_->answered_at + 1, agenda_.now() + draw_between(rng_, 20, 2 * kMs));
  auto shared = std::make_shared<process::ExecEvent>(std::move(event));
  agenda_.at(line_->answered_at, [this, line = line_, shared] {
    if (!line->is_open || line->is_agent_gone) return;
    line->events.push_back(std::move(*shared));
    hooks_.wake();
  });
}

// --- attempts ------------------------------------------------------------------------------------

void FleetExec::refuse(RunKey key, RefuseReason reason) {
  Attempt& attempt = attempts_[key];
  attempt.state = State::kRefused;
  attempt.refusal = reason;
  process::ExecRefused refused;
  refused.key = key;
  refused.reason = reason;
  refused.text = reason == RefuseReason::kSetup ? "setup_cwd: no such folder" : "simulated";
  tell(refused);
}

void FleetExec::spawn(const process::SpawnPlan& plan) {
  const RunKey key{plan.run_id, plan.attempt};
  if (attempts_.contains(key)) {
    process::ExecRefused refused;
    refused.key = key;
    refused.reason = RefuseReason::kDuplicate;
    tell(refused);
    return;
  }
  if (draw_chance(rng_, habits.refuse_percent)) return refuse(key, RefuseReason::kSpawnFailed);
  const agent::Now now = hooks_.clock();
  const std::int64_t late_at = plan.start_by_boottime_us;
  if (late_at > 0 && now.mono.time_since_epoch().count() > late_at) {
    return refuse(key, RefuseReason::kLate);
  }
  Attempt& attempt = attempts_[key];
  attempt.grace_ms = plan.kill_grace_ms;
  attempt.started.key = key;
  attempt.started.stub_pid = static_cast<std::int32_t>(1000 + processes_.size());
  attempt.started.wall_us = epoch_micros(now.wall);
  attempt.started.boot_us = now.mono.time_since_epoch().count();
  tell(attempt.started);
  if (draw_chance(rng_, habits.setup_percent)) return refuse(key, RefuseReason::kSetup);

  attempt.state = State::kLive;
  attempt.process = processes_.size();
  FleetProcess process;
  process.key = key;
  process.host = host_;
  process.boot = boot_;
  process.started_at = agenda_.now();
  processes_.push_back(process);
  hooks_.on_start(process);
  FleetTime span = draw_between(rng_, 1 * kMs, habits.run_max);
  if (draw_chance(rng_, habits.long_percent)) span *= 5;
  if (next_span_ > 0) span = std::exchange(next_span_, 0);
  const bool is_good = !draw_chance(rng_, habits.fail_percent);
  const int exit_code = is_good ? 0 : static_cast<int>(draw_between(rng_, 1, 3));
  const FleetTime timeout = plan.timeout_ms * kMs;
  if (timeout > 0 && span > timeout) {
    attempt.timed_out = true;
    return end_at(key, agenda_.now() + timeout, 0, SIGTERM);
  }
  end_at(key, agenda_.now() + span, exit_code, 0);
}

void FleetExec::end_at(RunKey key, FleetTime when, int exit_code, int signal) {
  const std::uint64_t number = ++attempts_[key].end_number;
  agenda_.at(when, [this, key, boot = boot_, number, exit_code, signal] {
    const auto found = attempts_.find(key);
    if (boot != boot_ || found == attempts_.end()) return;
    if (found->second.state != State::kLive || found->second.end_number != number) return;
    end(key, exit_code, signal);
  });
}

void FleetExec::end(RunKey key, int exit_code, int signal) {
  Attempt& attempt = attempts_[key];
  attempt.state = State::kEnded;
  FleetProcess& process = processes_[attempt.process];
  process.ended_at = agenda_.now();
  if (!draw_chance(rng_, habits.lost_percent)) {
    const agent::Now now = hooks_.clock();
    process::EndRecord record;
    record.run_id = key.run_id;
    record.attempt = key.attempt;
    record.how = signal == 0 ? process::EndHow::kExited : process::EndHow::kSignaled;
    record.exit_code = exit_code;
    record.signal = signal;
    record.timed_out = attempt.timed_out && !attempt.killed;
    record.killed_by_request = attempt.killed;
    record.started_wall_us = attempt.started.wall_us;
    record.started_boot_us = attempt.started.boot_us;
    record.ended_wall_us = epoch_micros(now.wall);
    record.ended_boot_us = now.mono.time_since_epoch().count();
    process.record = record;
    records_[key] = record;
  }
  hooks_.on_end(process);
  if (is_up_) tell(process::ExecEnded{key, process.record.has_value()});
}

void FleetExec::kill(RunKey key, std::int64_t grace_ms) {
  const auto found = attempts_.find(key);
  if (found == attempts_.end() || found->second.state != State::kLive) return;
  Attempt& attempt = found->second;
  if (attempt.killed) return;
  attempt.killed = true;
  const FleetTime grace = (grace_ms < 0 ? attempt.grace_ms : grace_ms) * kMs;
  end_at(key, agenda_.now() + draw_between(rng_, 1 * kMs, std::max(grace, 2 * kMs)), 0, SIGTERM);
}

void FleetExec::ack(RunKey key) {
  const auto found = attempts_.find(key);
  if (found == attempts_.end() || found->second.state == State::kLive) return;
  found->second.is_acked = true;
}

void FleetExec::remove(RunKey key) {
  const auto found = attempts_.find(key);
  if (found != attempts_.end() && found->second.state == State::kLive) return;
  ack(key);
  records_.erase(key);
}

void FleetExec::inventory() {
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.is_acked) continue;
    switch (attempt.state) {
      case State::kLive:
        tell(process::ExecRunning{attempt.started});
        break;
      case State::kEnded:
        tell(process::ExecEnded{key, processes_[attempt.process].record.has_value()});
        break;
      case State::kRefused: {
        process::ExecRefused refused;
        refused.key = key;
        refused.reason = attempt.refusal;
        tell(refused);
        break;
      }
    }
  }
  tell(process::ExecInventoryDone{});
}

}  // namespace distcron::sim
