// SPDX-License-Identifier: Apache-2.0
// Glob patterns over names: `*` any text (also `/` and `.`), `?` one byte, `[a-z]` and `[!a-z]`
// one byte of a set, `\x` the byte x. Not for paths. Pure; time is at most pattern x text.
#pragma once

#include <string_view>

namespace distcron::model {

/// Whether all of `text` fits `pattern`. A `[` without `]` stands for itself.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);

/// Whether `pattern` means more than its own text.
[[nodiscard]] bool is_glob(std::string_view pattern);

}  // namespace distcron::model
