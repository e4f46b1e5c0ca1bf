// SPDX-License-Identifier: Apache-2.0
// The JSON form of model types and messages, which scripts read. A key with a dot is a member of a
// nested object; enums go by name, instants as RFC 3339 UTC with 6 decimals, durations as seconds
// with their text beside them under KEY_text, sizes as bytes, modes as octal text. What is unset
// or an empty text or map is absent; lists are there even when empty, but for those of a JobSpec.
// Bytes that are not UTF-8 become U+FFFD. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace distcron::wire {

/// On one line. Implemented for model::JobSpec, Run, std::vector<model::Fact> and every struct of
/// wire/messages.h and wire/run_messages.h; to build larger texts see wire/json_impl.h.
template <class T>
[[nodiscard]] std::string to_json(const T& value);

/// Reads what to_json() writes; durations and sizes may be texts such as "5m", a list of one its
/// member. Implemented for model::JobSpec. kInvalid names the key, or line and column, with the
/// nearest keys as hint where one is unknown. Checks forms, not values: see model::validate.
template <class T>
[[nodiscard]] Result<T> from_json(std::string_view text);

}  // namespace distcron::wire
