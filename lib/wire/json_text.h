// SPDX-License-Identifier: Apache-2.0
// to_json() of wire/json.h, for the files of this module that instantiate it.
#pragma once

#include <string>

#include "wire/json.h"
#include "wire/json_impl.h"

namespace distcron::wire {

template <class T>
std::string to_json(const T& value) {
  nlohmann::ordered_json json;
  to_json_value(json, value);
  return dump_json(json);
}

}  // namespace distcron::wire
