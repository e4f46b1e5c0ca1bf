// SPDX-License-Identifier: Apache-2.0
// The files of completions/, built into the program. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace distcron::ctl {

/// The script for "bash", "zsh" or "fish".
[[nodiscard]] std::optional<std::string_view> completion_script(std::string_view shell);

}  // namespace distcron::ctl
