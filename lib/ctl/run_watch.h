// SPDX-License-Identifier: Apache-2.0
// Waiting for runs and following their output by long polls. Ctrl-C detaches: the run goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/client.h"

namespace distcron::ctl {

/// Longest single poll; the agent allows 30 s.
inline constexpr Millis kPollMax{25'000};

/// Waits until the run has come as far as `until` (finished or started). Exit code 7 after
/// `timeout`; unset: no limit.
[[nodiscard]] Answer<wire::RunItem> wait_for_run(Context& context, const wire::RunRef& run,
                                                 const std::string& until,
                                                 std::optional<Millis> timeout);

struct LogPlan {
  wire::RunRef run;
  std::int32_t attempt = 0;
  std::string stream = "out";
  std::int64_t lines = 0;  ///< Only the last lines; 0: all.
  bool follow = false;
  std::optional<Millis> timeout;  ///< Of following.
};

/// Hands the output of a run to `sink` piece by piece, through its retries when following. The
/// state that the run had at the end. Bytes that were cut are reported to `on_cut`.
[[nodiscard]] Answer<std::string> stream_logs(Context& context, const LogPlan& plan,
                                              const std::function<void(std::string_view)>& sink,
                                              const std::function<void(std::int64_t)>& on_cut);

/// What Ctrl-C says while a run is waited for.
[[nodiscard]] std::string detach_note(std::int64_t run_id);

/// The exit status of `run --wait --exit-code`: the job's own, 128+n by signal, 255 when there is
/// none, with a line on stderr.
[[nodiscard]] ExitCode job_exit_status(const wire::RunItem& run, Output& out);

}  // namespace distcron::ctl
