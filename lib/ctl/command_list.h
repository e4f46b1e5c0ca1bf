// SPDX-License-Identifier: Apache-2.0
// One maker per command, each defined in the file <noun>_<verb>.cc of its name; commands.cc lists
// them.
#pragma once

#include "ctl/commands.h"

namespace distcron::ctl {

[[nodiscard]] CommandSpec job_next_command();
[[nodiscard]] CommandSpec version_show_command();
[[nodiscard]] CommandSpec help_show_command();
[[nodiscard]] CommandSpec spec_show_command();

}  // namespace distcron::ctl
