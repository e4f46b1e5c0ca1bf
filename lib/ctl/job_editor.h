// SPDX-License-Identifier: Apache-2.0
// Storing one job, and the edit loop: text -> editor -> check -> store, until it fits or the user
// gives up; what was typed is never lost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ctl/client.h"
#include "model/job_spec.h"

namespace distcron::ctl {

/// A job on its way to the agent.
struct JobDraft {
  model::JobSpec spec;
  std::string source_text;              ///< The admin's own TOML; empty: made from the spec.
  std::optional<std::int64_t> version;  ///< The version it was made from; refused when it changed.
  model::PutMode mode = model::PutMode::kCreate;
};

/// A random number for the uid of a new job; never 0.
[[nodiscard]] std::uint64_t random_uid(Host& host);

[[nodiscard]] Answer<wire::ChangeReply> put_job(JobDraft draft, Context& context);

/// Opens the draft in the user's editor and stores the result.
[[nodiscard]] Outcome edit_job(JobDraft draft, Context& context);

/// The one job of this name; kNotFound otherwise.
[[nodiscard]] Answer<wire::JobDetail> fetch_job(const std::string& name, Context& context);

}  // namespace distcron::ctl
