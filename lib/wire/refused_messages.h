// SPDX-License-Identifier: Apache-2.0
// What the doors of an agent have refused, as a part of a reply. As wire/messages.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/messages.h"

namespace distcron::wire {

/// What a door of an agent has refused for one reason.
struct RefusedItem {
  std::string door;    ///< mesh or control
  std::string reason;  ///< mesh::name_of(Refusal)
  std::int64_t count = 0;
  WallTime last_at{};
  std::string last;  ///< key=value words: who, where, why.
};

DC_VISIT(RefusedItem, m) {
  visit(Field{"door", ""}, m.door);
  visit(Field{"reason", ""}, m.reason);
  visit(Field{"count", ""}, m.count);
  visit(Field{"last_at", ""}, m.last_at);
  visit(Field{"last", ""}, m.last);
}

struct RefusedReport {
  WallTime since{};  ///< Start of the agent.
  std::vector<RefusedItem> items;
};

DC_VISIT(RefusedReport, m) {
  visit(Field{"since", ""}, m.since);
  visit(Field{"items", ""}, m.items);
}

}  // namespace distcron::wire
