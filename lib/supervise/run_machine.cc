// SPDX-License-Identifier: Apache-2.0
#include "supervise/run_machine.h"

#include <algorithm>

namespace distcron::supervise {

namespace {
constexpr int kSigKill = 9;
constexpr int kSigTerm = 15;
}  // namespace

std::string_view name_of(RunState state) {
  switch (state) {
    case RunState::kStarting:
      return "starting";
    case RunState::kRunning:
      return "running";
    case RunState::kLingering:
      return "lingering";
    case RunState::kStopping:
      return "stopping";
    case RunState::kKilling:
      return "killing";
    case RunState::kDraining:
      return "draining";
    case RunState::kDone:
      return "done";
  }
  return "done";
}

bool RunMachine::is_alive() const {
  return state_ != RunState::kDraining && state_ != RunState::kDone;
}

Effects RunMachine::step(MonoTime now, const Event& event) {
  Effects out;
  if (std::holds_alternative<Released>(event)) {
    if (state_ == RunState::kStarting) {
      state_ = RunState::kRunning;
      if (limits_.timeout.count() > 0) out.add(ArmTimer{now + limits_.timeout});
    }
  } else if (std::holds_alternative<TimerFired>(event)) {
    on_timer(now, out);
  } else if (const auto* request = std::get_if<KillRequested>(&event)) {
    on_kill(now, *request, out);
  } else if (std::holds_alternative<MainExited>(event)) {
    if (is_alive()) on_main_exit(now, out);
  } else if (std::holds_alternative<TreeEmpty>(event)) {
    if (is_alive() && main_exited_) drain(now, out);
  } else {
    output_closed_ = true;
    if (state_ == RunState::kDraining) finish(false, out);
  }
  return out;
}

void RunMachine::on_timer(MonoTime now, Effects& out) {
  switch (state_) {
    case RunState::kStarting:
    case RunState::kDone:
      return;
    case RunState::kRunning:
      timed_out_ = true;
      state_ = RunState::kStopping;
      stop_at_ = now + limits_.kill_grace;
      out.add(SignalGroup{kSigTerm});
      out.add(ArmTimer{stop_at_});
      return;
    case RunState::kLingering:
      state_ = RunState::kStopping;
      stop_at_ = now + limits_.kill_grace;
      out.add(SignalTree{kSigTerm});
      out.add(ArmTimer{stop_at_});
      return;
    case RunState::kStopping:
      kill_all(now, out);
      return;
    case RunState::kKilling:
      if (now - killing_since_ >= kKillWait) {
        finish(true, out);
        return;
      }
      out.add(KillTree{});
      out.add(ArmTimer{now + kKillRepeat});
      return;
    case RunState::kDraining:
      finish(false, out);
      return;
  }
}

void RunMachine::on_kill(MonoTime now, const KillRequested& request, Effects& out) {
  if (!is_alive() || state_ == RunState::kKilling) return;
  const Micros grace = request.grace.count() < 0 ? limits_.kill_grace : request.grace;
  const bool was_stopping = state_ == RunState::kStopping;
  if (!timed_out_ && !main_exited_) killed_by_request_ = true;
  if (request.signum == kSigKill) {
    kill_all(now, out);
    return;
  }
  // A second request may shorten the grace, never lengthen it.
  stop_at_ = was_stopping ? std::min(stop_at_, now + grace) : now + grace;
  state_ = RunState::kStopping;
  if (main_exited_) {
    out.add(SignalTree{request.signum});
  } else {
    out.add(SignalGroup{request.signum});
  }
  out.add(ArmTimer{stop_at_});
}

void RunMachine::on_main_exit(MonoTime now, Effects& out) {
  main_exited_ = true;
  switch (state_) {
    case RunState::kStarting:
    case RunState::kRunning:
      if (limits_.leaves_orphans) {
        drain(now, out);
        return;
      }
      state_ = RunState::kLingering;
      out.add(ArmTimer{now + kLingerWait});
      return;
    case RunState::kStopping:
      // What did not sit in the main process's group has not been told yet.
      out.add(SignalTree{kSigTerm});
      return;
    case RunState::kLingering:
    case RunState::kKilling:
    case RunState::kDraining:
    case RunState::kDone:
      return;
  }
}

void RunMachine::kill_all(MonoTime now, Effects& out) {
  state_ = RunState::kKilling;
  killing_since_ = now;
  out.add(KillTree{});
  out.add(ArmTimer{now + kKillRepeat});
}

void RunMachine::drain(MonoTime now, Effects& out) {
  if (output_closed_) {
    finish(false, out);
    return;
  }
  state_ = RunState::kDraining;
  out.add(ArmTimer{now + kDrainWait});
}

void RunMachine::finish(bool kill_incomplete, Effects& out) {
  state_ = RunState::kDone;
  out.add(DisarmTimer{});
  out.add(Finish{kill_incomplete});
}

}  // namespace distcron::supervise
