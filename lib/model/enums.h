// SPDX-License-Identifier: Apache-2.0
// The closed lists of the product (CLI words, stored words, JSON words) and their names.
// An enumerator's number is stored and sent: append only, never renumber. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace distcron::model {

/// What happens when a slot comes due while an earlier run of the job is alive.
enum class Concurrency : std::uint8_t { kAllow, kForbid, kQueue, kReplace };
/// What happens to slots that could not be claimed in time.
enum class Misfire : std::uint8_t { kSkip, kOnce, kAll };
enum class Guarantee : std::uint8_t { kAtMostOnce, kAtLeastOnce };
/// What the host of a pinned job does with its slots while it has no majority of the cluster.
enum class OnNoQuorum : std::uint8_t { kSkip, kRunLocal };
/// Whose habits a job keeps: its environment, privileges and mail.
enum class Compat : std::uint8_t { kNative, kDebian, kCronie, kSupercronic };
/// What becomes of processes that outlive the job's first process.
enum class Orphans : std::uint8_t { kKill, kLeave };
/// Which of the hosts that may run a job takes a run.
enum class Route : std::uint8_t { kHash, kLeastLoaded, kRoundRobin, kOrdered };
/// Who may do what with a control key; each includes the ones before, kSelf stands apart.
enum class Role : std::uint8_t { kViewer, kOperator, kEditor, kAdmin, kSelf };

/// Alive: kQueued to kRunning; the rest are final and never change.
enum class RunState : std::uint8_t {
  kQueued,      ///< pending, or waiting for capacity, lock or retry
  kDispatched,  ///< claimed, handed over or accepted
  kRunning,     ///< started
  kOk,
  kFailed,
  kTimeout,
  kKilled,
  kCancelled,
  kSkipped,
  kMissed,
  kLost,
  kUnknown,
};

enum class Trigger : std::uint8_t {
  kSchedule,
  kManual,
  kApi,
  kRerun,
  kBackfill,
  kWorkflow,
  kReboot,
  kLocal,  ///< The schedule, by the host alone: it had no majority.
};

/// Why a slot did not run, or did not end by itself. kSetup carries the step in Run::detail and
/// is spelt setup_STEP.
enum class Reason : std::uint8_t {
  kNone,
  // skipped
  kOverlap,
  kPaused,
  kCalendar,
  kCalendarGap,
  kValidity,
  kDependency,
  // missed
  kNoMajority,
  kNoHost,
  kHostDown,
  kTooLate,
  kMisfireSkip,
  kSuperseded,
  kPolicy,
  kClock,
  kQueueFull,
  kSpawnFailed,
  kHostCrash,
  kSetup,
  // cancelled
  kEdited,
  kDisabled,
  kRemoved,
  kKilled,
  // killed
  kUser,
  kReplaced,
  kHostShutdown,
  // lost
  kHostRemoved,
  // unknown
  kHostUnreachable,
  kHostReboot,
  kAgentRestart,
  kSupervisorLost,
  kKillIncomplete,
  kRestored,
  // queued
  kCapacity,
  kRetry,
  kOverlapWait,
};

/// Specialised for each enum: `static constexpr std::array names` in enumerator order.
template <class E>
struct EnumNames;

template <>
struct EnumNames<Concurrency> {
  static constexpr std::array<std::string_view, 4> kNames{"allow", "forbid", "queue", "replace"};
};

template <>
struct EnumNames<Misfire> {
  static constexpr std::array<std::string_view, 3> kNames{"skip", "once", "all"};
};

template <>
struct EnumNames<Guarantee> {
  static constexpr std::array<std::string_view, 2> kNames{"at-most-once", "at-least-once"};
};

template <>
struct EnumNames<OnNoQuorum> {
  static constexpr std::array<std::string_view, 2> kNames{"skip", "run-local"};
};

template <>
struct EnumNames<Compat> {
  static constexpr std::array<std::string_view, 4> kNames{"native", "debian", "cronie",
                                                          "supercronic"};
};

template <>
struct EnumNames<Orphans> {
  static constexpr std::array<std::string_view, 2> kNames{"kill", "leave"};
};

template <>
struct EnumNames<Route> {
  static constexpr std::array<std::string_view, 4> kNames{"hash", "least-loaded", "round-robin",
                                                          "ordered"};
};

template <>
struct EnumNames<Role> {
  static constexpr std::array<std::string_view, 5> kNames{"viewer", "operator", "editor", "admin",
                                                          "self"};
};

template <>
struct EnumNames<RunState> {
  static constexpr std::array<std::string_view, 12> kNames{
      "queued", "dispatched", "running", "ok",     "failed", "timeout",
      "killed", "cancelled",  "skipped", "missed", "lost",   "unknown"};
};

template <>
struct EnumNames<Trigger> {
  static constexpr std::array<std::string_view, 8> kNames{
      "schedule", "manual", "api", "rerun", "backfill", "workflow", "reboot", "local"};
};

template <>
struct EnumNames<Reason> {
  static constexpr std::array<std::string_view, 36> kNames{"",
                                                           "overlap",
                                                           "paused",
                                                           "calendar",
                                                           "calendar_gap",
                                                           "validity",
                                                           "dependency",
                                                           "no_majority",
                                                           "no_host",
                                                           "host_down",
                                                           "too_late",
                                                           "misfire_skip",
                                                           "superseded",
                                                           "policy",
                                                           "clock",
                                                           "queue_full",
                                                           "spawn_failed",
                                                           "host_crash",
                                                           "setup",
                                                           "edited",
                                                           "disabled",
                                                           "removed",
                                                           "killed",
                                                           "user",
                                                           "replaced",
                                                           "host_shutdown",
                                                           "host_removed",
                                                           "host_unreachable",
                                                           "host_reboot",
                                                           "agent_restart",
                                                           "supervisor_lost",
                                                           "kill_incomplete",
                                                           "restored",
                                                           "capacity",
                                                           "retry",
                                                           "overlap_wait"};
};

static_assert(EnumNames<RunState>::kNames.size() ==
              static_cast<std::size_t>(RunState::kUnknown) + 1);
static_assert(EnumNames<Reason>::kNames.size() ==
              static_cast<std::size_t>(Reason::kOverlapWait) + 1);
static_assert(EnumNames<Trigger>::kNames.size() == static_cast<std::size_t>(Trigger::kLocal) + 1);

template <class E>
concept NamedEnum = requires {
  EnumNames<E>::kNames.size();
};

template <NamedEnum E>
[[nodiscard]] constexpr std::string_view name_of(E value) {
  return EnumNames<E>::kNames[static_cast<std::size_t>(value)];
}

template <NamedEnum E>
[[nodiscard]] constexpr std::optional<E> parse_enum(std::string_view text) {
  for (std::size_t i = 0; i < EnumNames<E>::kNames.size(); ++i) {
    if (EnumNames<E>::kNames[i] == text) return static_cast<E>(i);
  }
  return std::nullopt;
}

[[nodiscard]] constexpr bool is_final(RunState state) {
  return state >= RunState::kOk;
}

/// True when a process of the run was started.
[[nodiscard]] constexpr bool has_run(RunState state) {
  return state == RunState::kOk || state == RunState::kFailed || state == RunState::kTimeout ||
         state == RunState::kKilled;
}

}  // namespace distcron::model
