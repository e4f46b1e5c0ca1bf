// SPDX-License-Identifier: Apache-2.0
// From words of a command line to a command whose options are set. The only user of CLI11 is
// parser.cc. No thread rule; keeps nothing.
#pragma once

#include <string>
#include <vector>

#include "ctl/commands.h"

namespace distcron::ctl {

struct ParsedLine {
  const CommandSpec* command = nullptr;  ///< nullptr: none was named.
  Bound bound;
  std::string group;  ///< Set, with `command` null, when only a group such as "key" was named.
};

/// Finds the command and sets its options and `globals`. Flags may stand anywhere before `--`.
/// Fails with exit code 2, with suggestions, for unknown commands, flags and values. With --help
/// or --version, missing words are no failure.
[[nodiscard]] Answer<ParsedLine> parse_line(const std::vector<std::string>& args, Globals& globals);

}  // namespace distcron::ctl
