// SPDX-License-Identifier: Apache-2.0
// Help texts made from the table of commands, and the topics of `help`. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/commands.h"

namespace distcron::ctl {

/// What `distcronctl` alone prints: the most used commands in groups.
[[nodiscard]] std::string short_help();
/// All commands, with the global options.
[[nodiscard]] std::string full_help();
/// Purpose, usage, examples, flags of one command.
[[nodiscard]] std::string command_help(const CommandSpec& spec);
/// "usage: distcronctl ..." of one command.
[[nodiscard]] std::string usage_line(const CommandSpec& spec);
/// Commands of a group such as "key"; empty when there is none.
[[nodiscard]] std::string group_help(std::string_view group);

[[nodiscard]] std::vector<std::string> help_topics();
[[nodiscard]] std::optional<std::string> topic_help(std::string_view topic);

/// The table as JSON, for the man page test.
[[nodiscard]] std::string spec_json();

}  // namespace distcron::ctl
