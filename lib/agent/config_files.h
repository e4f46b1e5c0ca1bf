// SPDX-License-Identifier: Apache-2.0
// Reads the layers of configuration from the host: files, environment, command line.
#pragma once

#include <string>

#include "agent/daemon.h"
#include "config/load_settings.h"

namespace distcron::agent {

/// Resolved settings of this host, with all problems. `ephemeral_dir`, when not empty, is the
/// storage of an ephemeral agent, which reads no file.
[[nodiscard]] config::LoadedSettings read_config(const DaemonArguments& arguments,
                                                 const std::string& ephemeral_dir);

/// All problems, as the administrator reads them.
[[nodiscard]] std::string problem_texts(const config::LoadedSettings& loaded);

}  // namespace distcron::agent
