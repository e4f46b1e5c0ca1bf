// SPDX-License-Identifier: Apache-2.0
// Who the members are as the whole of a stored log says, applied or not. After a crash of the host
// the state may be behind the log, and cannot get on before the others are heard, of whom it may
// not know yet. Pure.
#pragma once

#include <vector>

#include "model/fleet.h"
#include "store/completion.h"

namespace distcron::agent {

/// Empty when everything in the log is applied. Entries that are not committed count too: nobody
/// is believed more for it than that he may speak.
[[nodiscard]] std::vector<model::Node> members_of_log(const store::Loaded& loaded);

/// All that the same log names, also those that are no members any more.
[[nodiscard]] std::vector<model::Node> nodes_of_log(const store::Loaded& loaded);

/// They name it as one that is no member any more.
[[nodiscard]] bool is_removed(const std::vector<model::Node>& nodes, std::int64_t node_id);

}  // namespace distcron::agent
