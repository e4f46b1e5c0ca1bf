// SPDX-License-Identifier: Apache-2.0
// NotifyRule: who hears of which ends of a job's runs. Text form, as `--notify` takes it:
// WHEN[,WHEN...]:mail:ADDRESS or WHEN[,WHEN...]:exec:COMMAND LINE. Plain values, pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/enums.h"

namespace distcron::model {

/// The final states of a run, and kRecovered: ok after at least one run that was not.
enum class NotifyWhen : std::uint8_t {
  kFailed,
  kMissed,
  kUnknown,
  kOk,
  kRecovered,
  kTimeout,
  kKilled,
  kSkipped,
  kLost,
};

template <>
struct EnumNames<NotifyWhen> {
  static constexpr std::array<std::string_view, 9> kNames{
      "failed", "missed", "unknown", "ok", "recovered", "timeout", "killed", "skipped", "lost"};
};

enum class NotifyType : std::uint8_t { kMail, kExec };

template <>
struct EnumNames<NotifyType> {
  static constexpr std::array<std::string_view, 2> kNames{"mail", "exec"};
};

struct NotifyRule {
  std::vector<NotifyWhen> when;
  NotifyType type = NotifyType::kMail;
  std::string target;  ///< Mail address, or command line for /bin/sh -c.

  friend bool operator==(const NotifyRule&, const NotifyRule&) = default;
};

/// kInvalid names the part that does not fit, with the words that would.
[[nodiscard]] Result<NotifyRule> parse_notify_rule(std::string_view text);
[[nodiscard]] std::string format_notify_rule(const NotifyRule& rule);

/// Whether the rule speaks of a run that ended in `state`. `was_failing`: the job's run before it
/// ended in a state that is neither ok, skipped nor cancelled.
[[nodiscard]] bool applies(const NotifyRule& rule, RunState state, bool was_failing);

}  // namespace distcron::model
