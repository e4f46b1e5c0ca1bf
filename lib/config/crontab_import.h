// SPDX-License-Identifier: Apache-2.0
// Crontab text -> jobs, line by line, with the meaning that its daemon gave it.
// Pure: facts about the host come in through the options. No thread rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cron/crontab.h"
#include "cron/lint.h"
#include "model/job_spec.h"

namespace distcron::config {

struct ImportOptions {
  cron::CrontabOptions table;     ///< Dialect, kind, known users.
  std::string table_user;         ///< User tables and supercronic: who the entries run as.
  std::string source;             ///< Path of the file, or "-"; kept as the jobs' origin.
  std::string host;               ///< Name of the host of origin: jobs stay there.
  std::string host_zone = "UTC";  ///< Zone of that host.
  bool as_is = false;             ///< Import lines with L01-L04 all the same.
  bool enable = false;  ///< Jobs are made disabled otherwise, while the daemon still runs.
};

enum class ImportStatus : std::uint8_t {
  kImported,
  kRefused,  ///< The daemon refuses the line, or accepts it and silently means something else.
  kIgnored,  ///< An entry that does nothing: its command is empty.
};

/// "imported", "refused" or "ignored".
[[nodiscard]] std::string_view name_of(ImportStatus status);

/// One entry line of the file. Blank lines, comments and good assignments have none.
struct ImportItem {
  int line = 0;
  ImportStatus status = ImportStatus::kRefused;
  std::string schedule;
  std::string tz;
  std::string user;
  std::string command;
  std::vector<cron::LintItem> lints;  ///< Of this line, by column.
  std::optional<model::JobSpec> job;  ///< kImported only.
};

struct ImportResult {
  std::vector<ImportItem> items;
  std::vector<cron::LintItem> file_lints;  ///< Of the file and of its assignments.
  bool daemon_ignored_file = false;
  std::string daemon_reason;  ///< In words, when it did.
  int imported = 0;
  int refused = 0;
};

/// Never fails as a whole. `context` as for lint_crontab(). A second call gives equal jobs.
[[nodiscard]] ImportResult import_crontab(std::string_view text, const ImportOptions& options,
                                          const cron::LintContext& context);

/// Name without the suffix that tells equal lines apart: source, first command word, 8 hex of
/// (user, schedule, command); the source is the table's user or the file's name.
[[nodiscard]] std::string imported_job_name(const cron::CrontabEntry& entry,
                                            const ImportOptions& options);

}  // namespace distcron::config
