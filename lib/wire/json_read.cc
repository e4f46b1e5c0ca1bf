// SPDX-License-Identifier: Apache-2.0
// JSON to JobSpec (wire/json.h).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/suggest.h"
#include "model/field_text.h"
#include "wire/codec.h"
#include "wire/json.h"
#include "wire/shapes.h"

namespace distcron::wire {

namespace {

using Json = nlohmann::json;
using model::JobSpec;
using model::TextMap;

Status wrong(std::string_view what) {
  return fail(ErrorCode::kInvalid, "is not " + std::string(what));
}

template <class M>
Status read_text(const Json& json, M& value, std::string_view what) {
  if (!json.is_string()) return wrong(what);
  return model::parse_value(json.get_ref<const std::string&>(), value);
}

template <class M>
Status read_integer(const Json& json, M& value, std::string_view what) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) return wrong(what);
  if (!json.is_number_integer()) return wrong(what);
  const auto wide = json.get<std::int64_t>();
  value = static_cast<M>(wide);
  if (static_cast<std::int64_t>(value) != wide) return wrong("in the range of such a number");
  return {};
}

Status read_value(const Json& json, std::string& value) {
  return read_text(json, value, "a text");
}

Status read_value(const Json& json, bool& value) {
  if (!json.is_boolean()) return wrong("true or false");
  value = json.get<bool>();
  return {};
}

Status read_value(const Json& json, std::int32_t& value) {
  return read_integer(json, value, "a whole number");
}

Status read_value(const Json& json, std::int64_t& value) {
  return read_integer(json, value, "a whole number");
}

Status read_value(const Json& json, double& value) {
  if (!json.is_number()) return wrong("a number");
  value = json.get<double>();
  return {};
}

Status read_value(const Json& json, Millis& value) {
  constexpr double kSecondsMax = 36'500.0 * 86'400.0;
  if (!json.is_number()) return read_text(json, value, "a number of seconds or a text such as 5m");
  const double seconds = json.get<double>();
  if (!(seconds >= 0.0 && seconds <= kSecondsMax)) return wrong("between 0 s and 100 years");
  value = Millis{std::llround(seconds * 1000.0)};
  return {};
}

Status read_value(const Json& json, model::Bytes& value) {
  if (!json.is_number()) return read_text(json, value, "a number of bytes or a text such as 8MiB");
  return read_integer(json, value.count, "a whole number of bytes");
}

Status read_value(const Json& json, model::Mode& value) {
  return read_text(json, value, "an octal text such as \"022\"");
}

template <class E>

requires std::is_enum_v<E> Status read_value(const Json& json, E& value) {
  return read_text(json, value, "a text");
}

template <class T>
Status read_value(const Json& json, std::optional<T>& value) {
  return read_value(json, value.emplace());
}

template <class T>
Status read_value(const Json& json, std::vector<T>& value) {
  value.clear();
  if (!json.is_array()) return read_value(json, value.emplace_back());
  for (const Json& member : json)
    DC_CHECK_OK(read_value(member, value.emplace_back()));
  return {};
}

Status read_value(const Json& json, TextMap& value) {
  if (!json.is_object()) return wrong("an object of texts");
  value.clear();
  for (const auto& [key, member] : json.items())
    DC_CHECK_OK(read_value(member, value[key]));
  return {};
}

/// The keys of all fields, for suggestions.
std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  const JobSpec spec;
  model::visit_fields(spec, [&keys](const model::Field& field, const auto& /*member*/) {
    keys.emplace_back(field.key);
  });
  return keys;
}

Status unknown_key(const std::string& key) {
  const std::vector<std::string> near = suggest(key, known_keys());
  return fail_hint(ErrorCode::kInvalid, key + ": unknown key",
                   near.empty() ? std::string() : "did you mean: " + near.front());
}

/// Reads one field by its full key; false when there is none of that name.
Result<bool> read_field(JobSpec& spec, const std::string& key, const Json& json) {
  bool is_known = false;
  Status status;
  model::visit_fields(spec, [&](const model::Field& field, auto& member) {
    if (field.key != key) return;
    is_known = true;
    if (!json.is_null()) status = read_value(json, member);
  });
  if (!status) return fail(std::move(status.error()).within(key));
  return is_known;
}

/// What to_json() adds for people: KEY_text beside a duration.
bool is_comment(const std::string& key, const std::vector<std::string>& keys) {
  constexpr std::string_view kSuffix = "_text";
  if (!key.ends_with(kSuffix)) return false;
  const std::string base = key.substr(0, key.size() - kSuffix.size());
  return std::find(keys.begin(), keys.end(), base) != keys.end();
}

Status read_object(JobSpec& spec, const Json& json, const std::string& prefix) {
  const std::vector<std::string> keys = known_keys();
  for (const auto& [name, value] : json.items()) {
    const std::string key = prefix + name;
    DC_TRY(const bool is_known, read_field(spec, key, value));
    if (is_known || is_comment(key, keys)) continue;
    const bool is_table = std::any_of(keys.begin(), keys.end(), [&key](const std::string& known) {
      return known.starts_with(key + '.');
    });
    if (!is_table) return unknown_key(key);
    if (!value.is_object()) return fail(ErrorCode::kInvalid, key + ": is not an object");
    DC_CHECK_OK(read_object(spec, value, key + '.'));
  }
  return {};
}

}  // namespace

template <>
Result<JobSpec> from_json(std::string_view text) {
  if (text.size() > kMessageBytesMax) {
    return fail(ErrorCode::kInvalid, "cannot read JSON: it is longer than 4 MiB");
  }
  JobSpec spec;
  try {
    const Json json = Json::parse(text);
    if (!json.is_object()) return fail(ErrorCode::kInvalid, "cannot read job: not a JSON object");
    Status status = read_object(spec, json, {});
    if (!status) return fail(std::move(status.error()).within("cannot read job"));
  } catch (const nlohmann::json::exception& error) {
    std::string_view what = error.what();
    const auto end = what.find("] ");  // the library's own name of the error
    if (end != std::string_view::npos) what.remove_prefix(end + 2);
    return fail(ErrorCode::kInvalid, "cannot read JSON: " + std::string(what));
  }
  return spec;
}

}  // namespace distcron::wire
