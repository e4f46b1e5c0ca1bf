// SPDX-License-Identifier: Apache-2.0
// Small JSON texts that no message type describes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace distcron::ctl {

/// A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string json_quote(std::string_view text);

/// Builds one JSON object in the order of the calls.
class JsonObject {
 public:
  JsonObject& add_text(std::string_view key, std::string_view text);
  /// `json` is a JSON value already.
  JsonObject& add_json(std::string_view key, std::string_view json);
  /// As add_text(), but nothing for an empty text.
  JsonObject& add_some(std::string_view key, std::string_view text);

  [[nodiscard]] std::string text() const { return "{" + inner_ + "}"; }

 private:
  std::string inner_;
};

/// "[a,b]" of JSON values.
[[nodiscard]] std::string json_array(const std::vector<std::string>& values);

}  // namespace distcron::ctl
