// SPDX-License-Identifier: Apache-2.0
// Life of one attempt, from release to the last byte of output. Pure: it is told what happened and
// when, and answers with effects that the stub performs in order. No allocation, so that the stub
// stays tiny. Diagram: run_machine.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace distcron::supervise {

/// Time for leftovers of a finished job to end by themselves before they get SIGTERM.
inline constexpr Micros kLingerWait = Millis(200);
/// Output is read this long after the last process is gone.
inline constexpr Micros kDrainWait = Seconds(2);
/// Pause between two rounds of killing.
inline constexpr Micros kKillRepeat = Millis(50);
/// After this long of killing, what is left has won.
inline constexpr Micros kKillWait = Seconds(10);

struct Limits {
  Micros timeout{0};  ///< Release to SIGTERM; 0: none.
  Micros kill_grace = Seconds(10);
  bool leaves_orphans = false;
};

enum class RunState : std::uint8_t {
  kStarting,  ///< The child waits for its release.
  kRunning,
  kLingering,  ///< The main process has ended, others of the job have not.
  kStopping,   ///< Signalled; the grace runs.
  kKilling,    ///< SIGKILL to all, again and again.
  kDraining,   ///< No process left; the pipe may still hold bytes.
  kDone,
};
inline constexpr int kRunStateCount = 7;
[[nodiscard]] std::string_view name_of(RunState state);

struct Released {};

struct TimerFired {};

struct KillRequested {
  int signum = 15;
  Micros grace{-1};  ///< Negative: the limit's own.
};

struct MainExited {};

struct TreeEmpty {};  ///< No process of the job is left. Only after MainExited.

struct OutputClosed {};  ///< All pipes are at their end.

using Event =
    std::variant<Released, TimerFired, KillRequested, MainExited, TreeEmpty, OutputClosed>;

/// A machine has one timer; arming replaces it.
struct ArmTimer {
  MonoTime at;
};

struct DisarmTimer {};

struct SignalGroup {  ///< To the process group of the main process.
  int signum;
};

struct SignalTree {  ///< To each process of the job.
  int signum;
};

struct KillTree {};

struct Finish {
  bool kill_incomplete;
};

using Effect = std::variant<ArmTimer, DisarmTimer, SignalGroup, SignalTree, KillTree, Finish>;

/// At most four effects of one step, in order.
class Effects {
 public:
  void add(Effect effect) { items_[count_++] = effect; }

  [[nodiscard]] std::size_t size() const { return count_; }

  [[nodiscard]] const Effect& operator[](std::size_t i) const { return items_[i]; }

  [[nodiscard]] const Effect* begin() const { return items_.data(); }

  [[nodiscard]] const Effect* end() const { return items_.data() + count_; }

 private:
  std::array<Effect, 4> items_{};
  std::size_t count_ = 0;
};

class RunMachine {
 public:
  explicit RunMachine(Limits limits) : limits_(limits) {}

  [[nodiscard]] Effects step(MonoTime now, const Event& event);

  [[nodiscard]] RunState state() const { return state_; }

  /// The timeout, not a request, began the stop.
  [[nodiscard]] bool timed_out() const { return timed_out_; }

  /// A request began the stop.
  [[nodiscard]] bool killed_by_request() const { return killed_by_request_; }

 private:
  void on_timer(MonoTime now, Effects& out);
  void on_kill(MonoTime now, const KillRequested& request, Effects& out);
  void on_main_exit(MonoTime now, Effects& out);
  void kill_all(MonoTime now, Effects& out);
  void drain(MonoTime now, Effects& out);
  void finish(bool kill_incomplete, Effects& out);
  [[nodiscard]] bool is_alive() const;

  Limits limits_;
  RunState state_ = RunState::kStarting;
  MonoTime stop_at_{};  ///< End of the grace, while stopping.
  MonoTime killing_since_{};
  bool main_exited_ = false;
  bool output_closed_ = false;
  bool timed_out_ = false;
  bool killed_by_request_ = false;
};

}  // namespace distcron::supervise
