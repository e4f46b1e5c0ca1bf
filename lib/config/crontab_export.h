// SPDX-License-Identifier: Apache-2.0
// Jobs -> crontab text in the format of system tables (with a user field).
// What cron cannot express stands in comments, so that nothing is lost without a word.
// Pure; no thread rule.
#pragma once

#include <string>
#include <vector>

#include "cron/crontab_env.h"
#include "model/job_spec.h"

namespace distcron::config {

struct ExportOptions {
  cron::Dialect dialect = cron::Dialect::kDebian;  ///< kDebian or kCronie.
  std::string host_zone = "UTC";                   ///< Zone of the daemon that will read the text.
};

struct ExportResult {
  std::string text;                   ///< Ends with a newline.
  int written = 0;                    ///< Entries, one per schedule of a job.
  std::vector<std::string> left_out;  ///< "NAME: reason" of each job that is a comment only.
};

/// Jobs without assignments come first, since an assignment holds for all entries below it.
/// import_crontab() of the text gives the jobs back, but for their names and their origin, where
/// no comment says otherwise.
[[nodiscard]] ExportResult export_crontab(const std::vector<model::JobSpec>& jobs,
                                          const ExportOptions& options);

}  // namespace distcron::config
