// SPDX-License-Identifier: Apache-2.0
#include "ctl/json_text.h"

#include <nlohmann/json.hpp>

namespace distcron::ctl {

std::string json_quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

JsonObject& JsonObject::add_json(std::string_view key, std::string_view json) {
  if (!inner_.empty()) inner_ += ',';
  inner_ += json_quote(key) + ":" + std::string(json);
  return *this;
}

JsonObject& JsonObject::add_text(std::string_view key, std::string_view text) {
  return add_json(key, json_quote(text));
}

JsonObject& JsonObject::add_some(std::string_view key, std::string_view text) {
  return text.empty() ? *this : add_text(key, text);
}

std::string json_array(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values)
    text += (text.empty() ? "" : ",") + value;
  return "[" + text + "]";
}

}  // namespace distcron::ctl
