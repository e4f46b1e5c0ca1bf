// SPDX-License-Identifier: Apache-2.0
// Nodes as tables and lines, shared by the commands that show some. Pure.
#pragma once

#include <string>
#include <vector>

#include "ctl/table.h"
#include "wire/node_messages.h"

namespace distcron::ctl {

/// Clears what is another number at each look: clocks, round trips, entries behind.
void forget_measures(std::vector<wire::NodeItem>& nodes);

[[nodiscard]] Table node_table(const std::vector<wire::NodeItem>& nodes);

/// "role=db, dc=fra"
[[nodiscard]] std::string labels_text(const model::TextMap& labels);

/// "0.3", one decimal.
[[nodiscard]] std::string fixed(double value);

}  // namespace distcron::ctl
