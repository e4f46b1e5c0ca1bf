// SPDX-License-Identifier: Apache-2.0
// What clients are told of their changes. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "planner/state.h"
#include "wire/messages.h"

namespace distcron::agent {

/// What a client is told whose change is in the log but not yet confirmed.
[[nodiscard]] Error unconfirmed_change(const std::string& why);

/// The answer to a changing request, the same for the first try and for a repeated request id.
[[nodiscard]] wire::ChangeReply reply_of(const planner::Applied& applied,
                                         const planner::State& state, WallTime now);

}  // namespace distcron::agent
