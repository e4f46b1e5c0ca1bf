// SPDX-License-Identifier: Apache-2.0
#include "model/field_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <system_error>

namespace distcron::model {

namespace {

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, 64)) + '"';
}

template <class T>
Status parse_number(std::string_view text, T& value, std::string_view what) {
  T parsed{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error == std::errc::result_out_of_range) {
    return fail(ErrorCode::kInvalid, quoted(text) + " is out of range");
  }
  if (error != std::errc() || stop != end) {
    return fail(ErrorCode::kInvalid, quoted(text) + " is not " + std::string(what));
  }
  value = parsed;
  return {};
}

/// Moves the value of a Result into `value`.
template <class T>
Status assign(Result<T> parsed, T& value) {
  if (!parsed) return fail(std::move(parsed).error());
  value = std::move(*parsed);
  return {};
}

template <class E, std::size_t N>
std::vector<std::string> cron_names(const std::array<E, N>& values) {
  std::vector<std::string> out;
  for (const E value : values)
    out.emplace_back(cron::name_of(value));
  return out;
}

template <class E, std::size_t N>
Status parse_cron_enum(std::string_view text, const std::array<E, N>& values, E& value) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [text](E candidate) { return cron::name_of(candidate) == text; });
  if (found == values.end()) return unknown_name(text, cron_names(values));
  value = *found;
  return {};
}

}  // namespace

Status parse_value(std::string_view text, std::string& value) {
  value = text;
  return {};
}

Status parse_value(std::string_view text, bool& value) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (text == word) {
      value = true;
      return {};
    }
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (text == word) {
      value = false;
      return {};
    }
  }
  return fail_hint(ErrorCode::kInvalid, quoted(text) + " is neither true nor false",
                   "write true or false");
}

Status parse_value(std::string_view text, std::int32_t& value) {
  return parse_number(text, value, "a whole number");
}

Status parse_value(std::string_view text, std::int64_t& value) {
  return parse_number(text, value, "a whole number");
}

Status parse_value(std::string_view text, double& value) {
  double parsed = 0;
  DC_CHECK_OK(parse_number(text, parsed, "a number"));
  if (!std::isfinite(parsed)) return fail(ErrorCode::kInvalid, quoted(text) + " is not a number");
  value = parsed;
  return {};
}

Status parse_value(std::string_view text, Millis& value) {
  return assign(parse_duration(text), value);
}

Status parse_value(std::string_view text, Bytes& value) {
  return assign(parse_size(text), value);
}

Status parse_value(std::string_view text, Mode& value) {
  return assign(parse_mode(text), value);
}

Status parse_value(std::string_view text, cron::Dialect& value) {
  return parse_cron_enum(text, cron::kDialects, value);
}

Status parse_value(std::string_view text, cron::DstMode& value) {
  return parse_cron_enum(text, cron::kDstModes, value);
}

std::string format_value(const std::string& value) {
  return value;
}

std::string format_value(bool value) {
  return value ? "true" : "false";
}

std::string format_value(std::int32_t value) {
  return std::to_string(value);
}

std::string format_value(std::int64_t value) {
  return std::to_string(value);
}

std::string format_value(double value) {
  std::array<char, 32> out{};
  const auto [stop, error] = std::to_chars(out.data(), out.data() + out.size(), value);
  return error == std::errc() ? std::string(out.data(), stop) : std::to_string(value);
}

std::string format_value(Millis value) {
  return format_duration(value);
}

std::string format_value(Bytes value) {
  return format_size(value);
}

std::string format_value(Mode value) {
  return format_mode(value);
}

std::string format_value(cron::Dialect value) {
  return std::string(cron::name_of(value));
}

std::string format_value(cron::DstMode value) {
  return std::string(cron::name_of(value));
}

tl::unexpected<Error> unknown_name(std::string_view text, const std::vector<std::string>& names) {
  std::string hint = "one of:";
  for (const std::string& name : names) {
    if (name.empty()) continue;
    hint += hint.back() == ':' ? " " : ", ";
    hint += name;
  }
  return fail_hint(ErrorCode::kInvalid, "unknown value " + quoted(text), std::move(hint));
}

std::vector<std::string> names_of(cron::Dialect /*as*/) {
  return cron_names(cron::kDialects);
}

std::vector<std::string> names_of(cron::DstMode /*as*/) {
  return cron_names(cron::kDstModes);
}

}  // namespace distcron::model
