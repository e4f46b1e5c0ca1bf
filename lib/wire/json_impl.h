// SPDX-License-Identifier: Apache-2.0
// to_json_value: the JSON form (wire/json.h) as a tree of nlohmann::json or ordered_json, for
// callers that put it into something larger. Slow to compile; not for headers.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "model/field_text.h"
#include "model/run.h"
#include "wire/shapes.h"

namespace distcron::wire {

/// Writes `value` over `out`.
template <class Json, class T>
void to_json_value(Json& out, const T& value);

/// Compact text; `indent` >= 0: one member a line. Never throws over bytes that are not UTF-8.
template <class Json>
[[nodiscard]] std::string dump_json(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

namespace detail {

/// Whether the member is left out of its object.
template <class Owner, class M>
bool is_absent(std::string_view key, const M& value) {
  if constexpr (kIsOption<M>) {
    return !value;
  } else if constexpr (std::is_same_v<M, std::string> || std::is_same_v<M, model::TextMap>) {
    return value.empty();
  } else if constexpr (kIsList<M>) {
    return std::is_same_v<Owner, model::JobSpec> && value.empty() && key != "schedule";
  } else if constexpr (std::is_same_v<M, model::Reason>) {
    return value == model::Reason::kNone;
  } else {
    return false;
  }
}

/// The object that holds the last part of `key`, which is cut off it.
template <class Json>
Json& nested(Json& root, std::string_view& key) {
  const auto dot = key.find('.');
  if (dot == std::string_view::npos) return root;
  const std::string_view table = key.substr(0, dot);
  key.remove_prefix(dot + 1);
  return nested(root[std::string(table)], key);
}

template <class Json>
void put_seconds(Json& out, Millis value) {
  if (value.count() % 1000 == 0) {
    out = value.count() / 1000;
  } else {
    out = static_cast<double>(value.count()) / 1000.0;
  }
}

template <class M>
inline constexpr bool kIsDuration =
    std::is_same_v<M, Millis> || std::is_same_v<M, std::optional<Millis>>;

template <class Json, class Owner, class M>
void put_member(Json& root, std::string_view key, const M& value) {
  if (is_absent<Owner>(key, value)) return;
  Json& object = nested(root, key);
  to_json_value(object[std::string(key)], value);
  if constexpr (kIsDuration<M>) object[std::string(key) + "_text"] = model::format_value(value);
}

}  // namespace detail

template <class Json, class T>
void to_json_value(Json& out, const T& value) {
  if constexpr (detail::kIsOption<T>) {
    if (value) to_json_value(out, *value);
  } else if constexpr (std::is_same_v<T, model::TextMap>) {
    out = Json::object();
    for (const auto& [key, text] : value)
      out[key] = text;
  } else if constexpr (detail::kIsList<T>) {
    out = Json::array();
    for (const auto& member : value)
      to_json_value(out.emplace_back(), member);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    out = value;
  } else if constexpr (std::is_same_v<T, WallTime>) {
    out = model::format_utc(value, 6);
  } else if constexpr (std::is_same_v<T, Millis>) {
    detail::put_seconds(out, value);
  } else if constexpr (std::is_same_v<T, model::Bytes>) {
    out = value.count;
  } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, model::Mode>) {
    out = model::format_value(value);
  } else {
    static_assert(detail::Visited<T>, "a member type that JSON does not know");
    out = Json::object();
    visit_fields(value, [&out](const model::Field& field, const auto& member) {
      detail::put_member<Json, T>(out, field.key, member);
    });
  }
}

}  // namespace distcron::wire
