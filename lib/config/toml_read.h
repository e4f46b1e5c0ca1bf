// SPDX-License-Identifier: Apache-2.0
// TOML nodes -> members, by the type of the member. For the files of this module; includes toml++.
// Pure. The exceptions of toml++ end in parse_toml().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "base/result.h"
#include "config/problem.h"
#include "model/field_text.h"

namespace distcron::config {

/// Longest text that is read.
inline constexpr std::size_t kTomlBytesMax = std::size_t{16} << 20U;

/// The root table; nullopt with `problem` filled (without origin) when the text is no TOML.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Problem& problem);

/// A problem at a node or key of the text.
[[nodiscard]] Problem problem_at(const toml::source_region& where, std::string_view source,
                                 std::string text, std::string hint);

// Each reads one node. kInvalid says what is wrong, without the key.
[[nodiscard]] Status read_node(const toml::node& node, std::string& value);
[[nodiscard]] Status read_node(const toml::node& node, bool& value);
[[nodiscard]] Status read_node(const toml::node& node, std::int32_t& value);
[[nodiscard]] Status read_node(const toml::node& node, std::int64_t& value);
[[nodiscard]] Status read_node(const toml::node& node, double& value);
[[nodiscard]] Status read_node(const toml::node& node, Millis& value);
[[nodiscard]] Status read_node(const toml::node& node, model::Bytes& value);
[[nodiscard]] Status read_node(const toml::node& node, model::Mode& value);
/// A list, or one text for a list of one.
[[nodiscard]] Status read_node(const toml::node& node, model::TextList& value);
[[nodiscard]] Status read_node(const toml::node& node, std::vector<std::int32_t>& value);
/// Adds the members of the table to the map.
[[nodiscard]] Status read_node(const toml::node& node, model::TextMap& value);

template <class E>
requires std::is_enum_v<E>

[[nodiscard]] Status read_node(const toml::node& node, E& value) {
  std::string text;
  DC_CHECK_OK(read_node(node, text));
  return model::parse_value(text, value);
}

template <class T>
[[nodiscard]] Status read_node(const toml::node& node, std::optional<T>& value) {
  T read{};
  DC_CHECK_OK(read_node(node, read));
  value = std::move(read);
  return {};
}

/// Reads `text` as TOML value into `value` where it is one of the member's type, else with
/// `read_plain` as plain text.
template <class M>
[[nodiscard]] Status read_toml_or_plain(
    std::string_view text, M& value,
    const std::function<Status(std::string_view, M&)>& read_plain) {
  Problem unused;
  const std::optional<toml::table> root = parse_toml("v = " + std::string(text), unused);
  if (root && root->size() == 1) {
    const toml::node* const node = root->get("v");
    M read = value;
    if (node != nullptr && read_node(*node, read)) {
      value = std::move(read);
      return {};
    }
  }
  return read_plain(text, value);
}

// Plain texts of lists and maps: members by comma, pairs as k=v. An empty text is empty.
[[nodiscard]] Status read_plain_list(std::string_view text, model::TextList& value);
[[nodiscard]] Status read_plain_list(std::string_view text, std::vector<std::int32_t>& value);
[[nodiscard]] Status read_plain_map(std::string_view text, model::TextMap& value);

/// Whether a field of this key lies below `table`.
[[nodiscard]] bool lies_below(std::string_view key, std::string_view table);

}  // namespace distcron::config
