// SPDX-License-Identifier: Apache-2.0
#include "model/fleet.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace distcron::model {

namespace {

constexpr std::size_t kNodeNameBytesMax = 64;
constexpr std::size_t kLabelBytesMax = 255;
constexpr std::size_t kLabelsMax = 256;

bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

Status check_node_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kNodeNameBytesMax && name.front() != '-' &&
                    std::all_of(name.begin(), name.end(), is_name_char) &&
                    !std::all_of(name.begin(), name.end(), is_digit);
  if (good) return {};
  const std::string shown = has_control(name) ? "?" : std::string(name.substr(0, 64));
  return fail_hint(ErrorCode::kInvalid, "name \"" + shown + "\" is not allowed",
                   "names are letters, digits, '.', '_' and '-', up to 64 bytes, not only digits");
}

Status check_labels(const TextMap& labels) {
  if (labels.size() > kLabelsMax) {
    return fail(ErrorCode::kInvalid, "labels: more than " + std::to_string(kLabelsMax));
  }
  for (const auto& [key, value] : labels) {
    const bool is_key = !key.empty() && key.size() <= kLabelBytesMax && !has_control(key) &&
                        key.find_first_of("=!,& ") == std::string::npos;
    if (!is_key) {
      return fail(ErrorCode::kInvalid, "labels: \"" + (has_control(key) ? "?" : key.substr(0, 64)) +
                                           "\" is no name of a label");
    }
    if (value.size() > kLabelBytesMax || has_control(value)) {
      return fail(ErrorCode::kInvalid,
                  "labels: the value of \"" + key + "\" is too long or has control characters");
    }
  }
  return {};
}

}  // namespace distcron::model
