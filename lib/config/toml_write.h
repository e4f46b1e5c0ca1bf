// SPDX-License-Identifier: Apache-2.0
// Values as TOML text, by the type of the member. Pure. TOML holds only UTF-8: other bytes are
// written as U+FFFD.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "model/field_text.h"
#include "model/job_spec.h"

namespace distcron::config {

/// "text" with escapes.
[[nodiscard]] std::string toml_quote(std::string_view text);

/// As toml_quote(), but a text of several lines becomes a ''' literal where it can be one.
[[nodiscard]] std::string toml_text(std::string_view text);

/// A key as it is, or quoted when it must be.
[[nodiscard]] std::string toml_key(std::string_view key);

[[nodiscard]] std::string toml_value(const std::string& value);
[[nodiscard]] std::string toml_value(const model::TextList& value);
[[nodiscard]] std::string toml_value(const std::vector<std::int32_t>& value);
/// Inline table.
[[nodiscard]] std::string toml_value(const model::TextMap& value);
/// Always with a decimal point or exponent.
[[nodiscard]] std::string toml_value(double value);

template <class M>
requires std::is_integral_v<M>

[[nodiscard]] std::string toml_value(M value) {
  return model::format_value(value);
}

/// Durations, sizes, modes and enums are texts.
template <class M>

requires(!std::is_integral_v<M>) [[nodiscard]] std::string toml_value(const M& value) {
  return toml_quote(model::format_value(value));
}

/// The value must be set.
template <class M>
[[nodiscard]] std::string toml_value(const std::optional<M>& value) {
  return toml_value(*value);
}

}  // namespace distcron::config
