// SPDX-License-Identifier: Apache-2.0
// --watch: a result that is shown again as often as it changes, until Ctrl-C. One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ctl/context.h"

namespace distcron::ctl {

inline constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

/// What one look at the agent found.
struct Sight {
  std::string facts;  ///< Equal facts are no change; without what is never twice the same.
  std::function<Outcome()> print;
};

/// Looks once a second and prints what has changed: on a terminal in the place of what was there,
/// else below it. Returns only what `look` or `print` failed with.
[[nodiscard]] Outcome watch_changes(Context& context, const std::function<Answer<Sight>()>& look);

}  // namespace distcron::ctl
