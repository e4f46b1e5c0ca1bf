// SPDX-License-Identifier: Apache-2.0
// Runs as text: tables, details, one-line results. Pure but for the zone of the output.
#pragma once

#include <string>
#include <vector>

#include "ctl/outcome.h"
#include "ctl/output.h"
#include "wire/operations.h"

namespace distcron::ctl {

/// Prints a list of runs in the chosen form.
[[nodiscard]] Outcome print_runs(const wire::RunList& runs, Output& out);

/// Prints all about one run.
void print_run(const wire::RunItem& run, Output& out);

/// "run 8123 of backup-db ended: failed, exit code 3 (on web1, 12.3s)".
[[nodiscard]] std::string run_sentence(const wire::RunItem& run);

/// "failed (exit 3)".
[[nodiscard]] std::string result_text(const wire::RunItem& run);

[[nodiscard]] bool is_final_state(std::string_view state);

}  // namespace distcron::ctl
