// SPDX-License-Identifier: Apache-2.0
// Pieces of reading jobs from TOML that more than one file needs. Internal to this module.
#pragma once

#include <toml++/toml.h>

#include "base/result.h"
#include "model/job_spec.h"

namespace distcron::config {

/// Adds the rules of one [[job.NAME.notify]] table, `when` and `to`, one per target.
[[nodiscard]] Status add_notify_rule(const toml::node& table, model::TextList& rules);

}  // namespace distcron::config
