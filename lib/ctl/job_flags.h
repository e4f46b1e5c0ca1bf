// SPDX-License-Identifier: Apache-2.0
// Flags of job fields, made from model::visit_fields, and the fields as texts for people.
// Pure; the spec must outlive the flags.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ctl/flags.h"
#include "model/job_spec.h"

namespace distcron::ctl {

/// Adds one flag per field that people set, such as --retry for retry.max. Name, argv and script
/// are left to the caller. Each flag carries its field's key.
void add_job_flags(Flags& flags, model::JobSpec& spec);

/// Fields and their values as texts, lists joined by ", ": those that differ from the default, or
/// all that have a value.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> field_texts(
    const model::JobSpec& spec, bool with_defaults);

}  // namespace distcron::ctl
