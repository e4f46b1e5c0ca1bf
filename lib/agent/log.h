// SPDX-License-Identifier: Apache-2.0
// The agent's own log: one line an event, "TIME level component text key=value ...", or one JSON
// object. Where it goes is decided once at start. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/settings.h"

namespace distcron::agent {

/// Before the first line. Under systemd `auto` is the journal.
void open_log(const config::Settings::Log& settings);
void set_log_level(config::LogLevel level);

void log_info(std::string_view component, const std::string& text);
void log_warning(std::string_view component, const std::string& text);
void log_error(std::string_view component, const std::string& text);

}  // namespace distcron::agent
