// SPDX-License-Identifier: Apache-2.0
// Problem: one thing that is wrong in a text file, a flag or the environment, and how people see
// it: place, words, and the line with the spot marked. Plain values, pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace distcron::config {

struct Problem {
  std::string origin;        ///< File name, "--set" or "environment".
  std::uint32_t line = 0;    ///< From 1; 0: none.
  std::uint32_t column = 0;  ///< From 1, characters; 0: none.
  std::uint32_t width = 0;   ///< Characters to mark; 0: as 1.
  std::string text;          ///< Such as: misfire: unknown value "sometimes".
  std::string hint;          ///< Such as: one of: skip, once, all. May be empty.
  std::string source_line;   ///< The line of the file; may be empty.
};

/// "nightly.toml:12:13: misfire: unknown value ...", then the line with the spot marked by ^ and
/// the hint. Several lines, no newline at the end.
[[nodiscard]] std::string format_problem(const Problem& problem);

/// All of them, one after the other; the text of an Error.
[[nodiscard]] std::string format_problems(const std::vector<Problem>& problems);

/// kInvalid with all problems as message.
[[nodiscard]] tl::unexpected<Error> fail_problems(const std::vector<Problem>& problems);

/// Line `number` (from 1) of a text, without its line end; empty when there is none.
[[nodiscard]] std::string line_of(std::string_view text, std::uint32_t number);

}  // namespace distcron::config
