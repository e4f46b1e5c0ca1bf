// SPDX-License-Identifier: Apache-2.0
// "Did you mean": nearest names by Damerau-Levenshtein distance (optimal string alignment).
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace distcron {

/// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`, bytes.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// At most three of `known` within max(2, len/3) edits of `word`, nearest first.
[[nodiscard]] std::vector<std::string> suggest(std::string_view word,
                                               const std::vector<std::string>& known);

}  // namespace distcron
