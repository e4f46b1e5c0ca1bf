// SPDX-License-Identifier: Apache-2.0
// How people name runs: 8123, JOB@latest, JOB@-2, JOB@2026-11-21T02:30. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ctl/client.h"

namespace distcron::ctl {

/// A text of digits only is a run id, a text without `@` a job: its newest run. Exit code 2 for
/// anything that is neither.
[[nodiscard]] Answer<wire::RunRef> parse_run_ref(std::string_view text, const Context& context);

/// Whether `text` names a job and no run of it.
[[nodiscard]] bool names_job_only(std::string_view text);

}  // namespace distcron::ctl
