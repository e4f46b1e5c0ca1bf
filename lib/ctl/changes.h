// SPDX-License-Identifier: Apache-2.0
// What changing commands share: job targets, questions, and the report of what was done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/client.h"
#include "ctl/flags.h"
#include "ctl/output.h"

namespace distcron::ctl {

/// Which jobs a bulk verb means.
struct TargetOptions {
  std::vector<std::string> names;
  std::string selector;
  bool all = false;
};

/// Adds JOB..., -l and --all. `min` is checked by make_targets().
void add_target_flags(Flags& flags, TargetOptions& options, std::string_view usage_text);

/// Reads names from standard input for "-"; exit code 2 when nothing is named and `needs_some`.
[[nodiscard]] Answer<wire::JobTargets> make_targets(const TargetOptions& options, Context& context,
                                                    bool needs_some);

/// Asks unless --yes; exit code 2 under --no-input or without a terminal. False: the answer is no.
[[nodiscard]] Answer<bool> confirm(Context& context, const std::string& question);

/// Prints a ChangeReply in the chosen form.
[[nodiscard]] Outcome print_changes(const wire::ChangeReply& reply, Context& context);

}  // namespace distcron::ctl
