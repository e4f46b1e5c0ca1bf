// SPDX-License-Identifier: Apache-2.0
// Ranges and forms of settings, after all layers. Internal to this module. Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/load_settings.h"

namespace distcron::config {

/// Adds a problem for each value that does not fit, placed at its origin.
void check_settings(LoadedSettings& loaded);

/// Adds a problem of a key's value, placed at the key's origin.
void add_setting_problem(LoadedSettings& loaded, std::string_view key, std::string text,
                         std::string hint);

}  // namespace distcron::config
