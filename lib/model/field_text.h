// SPDX-License-Identifier: Apache-2.0
// Text of single field values, by the member's type: what a flag, `set KEY=VALUE`, TOML and JSON
// share. Lists and maps are left to the callers, whose separators differ. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cron/dialect.h"
#include "model/enums.h"
#include "model/job_spec.h"
#include "model/units.h"

namespace distcron::model {

// Each reads all of `text`. kInvalid says what is wrong with the value, its hint what would do;
// neither names the field. The value is left alone on errors.
[[nodiscard]] Status parse_value(std::string_view text, std::string& value);
/// true, yes, on, 1; false, no, off, 0.
[[nodiscard]] Status parse_value(std::string_view text, bool& value);
[[nodiscard]] Status parse_value(std::string_view text, std::int32_t& value);
[[nodiscard]] Status parse_value(std::string_view text, std::int64_t& value);
[[nodiscard]] Status parse_value(std::string_view text, double& value);
[[nodiscard]] Status parse_value(std::string_view text, Millis& value);
[[nodiscard]] Status parse_value(std::string_view text, Bytes& value);
[[nodiscard]] Status parse_value(std::string_view text, Mode& value);
[[nodiscard]] Status parse_value(std::string_view text, cron::Dialect& value);
[[nodiscard]] Status parse_value(std::string_view text, cron::DstMode& value);

[[nodiscard]] std::string format_value(const std::string& value);
[[nodiscard]] std::string format_value(bool value);
[[nodiscard]] std::string format_value(std::int32_t value);
[[nodiscard]] std::string format_value(std::int64_t value);
/// Shortest text that reads back to the same number.
[[nodiscard]] std::string format_value(double value);
[[nodiscard]] std::string format_value(Millis value);
[[nodiscard]] std::string format_value(Bytes value);
[[nodiscard]] std::string format_value(Mode value);
[[nodiscard]] std::string format_value(cron::Dialect value);
[[nodiscard]] std::string format_value(cron::DstMode value);

/// "unknown value "x"" with all names as hint.
[[nodiscard]] tl::unexpected<Error> unknown_name(std::string_view text,
                                                 const std::vector<std::string>& names);

// The words of a closed list, in order; `as` only picks the type.
template <NamedEnum E>
[[nodiscard]] std::vector<std::string> names_of(E /*as*/) {
  return {EnumNames<E>::kNames.begin(), EnumNames<E>::kNames.end()};
}

[[nodiscard]] std::vector<std::string> names_of(cron::Dialect as);
[[nodiscard]] std::vector<std::string> names_of(cron::DstMode as);

template <NamedEnum E>
[[nodiscard]] Status parse_value(std::string_view text, E& value) {
  const std::optional<E> parsed = parse_enum<E>(text);
  if (!parsed) return unknown_name(text, names_of(E{}));
  value = *parsed;
  return {};
}

template <NamedEnum E>
[[nodiscard]] std::string format_value(E value) {
  return std::string(name_of(value));
}

template <class T>
[[nodiscard]] Status parse_value(std::string_view text, std::optional<T>& value) {
  T parsed{};
  DC_CHECK_OK(parse_value(text, parsed));
  value = std::move(parsed);
  return {};
}

/// Empty for an unset value.
template <class T>
[[nodiscard]] std::string format_value(const std::optional<T>& value) {
  return value ? format_value(*value) : std::string();
}

/// Whether a member of type T is one text, for if constexpr: not a list and not a map.
template <class T>
inline constexpr bool kIsScalar = !std::is_same_v<T, TextList> && !std::is_same_v<T, TextMap> &&
                                  !std::is_same_v<T, std::vector<std::int32_t>>;

}  // namespace distcron::model
