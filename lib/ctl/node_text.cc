// SPDX-License-Identifier: Apache-2.0
#include "ctl/node_text.h"

namespace distcron::ctl {

std::string fixed(double value) {
  const std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 2);
}

std::string labels_text(const model::TextMap& labels) {
  std::string text;
  for (const auto& [key, value] : labels)
    text += (text.empty() ? "" : ", ") + key + "=" + value;
  return text;
}

void forget_measures(std::vector<wire::NodeItem>& nodes) {
  for (wire::NodeItem& node : nodes) {
    node.lag_entries = 0;
    node.clock_offset_ms = 0;
    node.rtt_ms = 0;
    node.link.clear();
  }
}

Table node_table(const std::vector<wire::NodeItem>& nodes) {
  Table table;
  table.columns = {{"id", Align::kRight},
                   {"name"},
                   {"state"},
                   {"role"},
                   {"running", Align::kRight},
                   {"version"},
                   {"labels", Align::kLeft, true, true},
                   {"address", Align::kLeft, false, true},
                   {"lag", Align::kRight, false, true},
                   {"clock_ms", Align::kRight, false, true},
                   {"rtt_ms", Align::kRight, false, true}};
  for (const wire::NodeItem& node : nodes) {
    table.rows.push_back({std::to_string(node.id), node.name, node.state, node.role,
                          std::to_string(node.running), node.version, labels_text(node.labels),
                          node.address, std::to_string(node.lag_entries),
                          fixed(node.clock_offset_ms), fixed(node.rtt_ms)});
  }
  return table;
}

}  // namespace distcron::ctl
