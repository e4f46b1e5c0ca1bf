// SPDX-License-Identifier: Apache-2.0
// The closed lists of values that flags take, as texts. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/enums.h"

namespace distcron::ctl {

[[nodiscard]] std::vector<std::string> dialect_names();
/// The dialects of crontab files: debian, cronie, supercronic.
[[nodiscard]] std::vector<std::string> crontab_dialect_names();
[[nodiscard]] std::vector<std::string> dst_names();

template <model::NamedEnum E>
[[nodiscard]] std::vector<std::string> enum_names() {
  std::vector<std::string> names;
  for (const std::string_view name : model::EnumNames<E>::kNames) {
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

}  // namespace distcron::ctl
