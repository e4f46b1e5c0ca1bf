// SPDX-License-Identifier: Apache-2.0
// Lists, maps and facts as text columns that people can read: one item a line; newline, tab and
// backslash inside an item are escaped as in C. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/run.h"

namespace distcron::store {

[[nodiscard]] std::string format_lines(const model::TextList& items);
/// Lines `KEY=VALUE`; keys contain no `=`.
[[nodiscard]] std::string format_lines(const model::TextMap& items);
/// Lines `ok|no TAB check TAB text`.
[[nodiscard]] std::string format_lines(const std::vector<model::Fact>& facts);

void parse_lines(std::string_view text, model::TextList& items);
void parse_lines(std::string_view text, model::TextMap& items);
void parse_lines(std::string_view text, std::vector<model::Fact>& facts);

}  // namespace distcron::store
