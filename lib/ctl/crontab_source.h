// SPDX-License-Identifier: Apache-2.0
// Crontab files of this host for import and lint: their text, how their daemon reads them, and the
// facts that lints look at.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cron/crontab_files.h"
#include "cron/lint.h"
#include "ctl/client.h"
#include "ctl/flags.h"
#include "ctl/output.h"

namespace distcron::ctl {

struct SourceOptions {
  std::vector<std::string> files;
  bool system = false;
  std::string user;
  std::string dialect;
};

/// Adds --system, --user and --dialect.
void add_source_flags(Flags& flags, SourceOptions& options);

struct CrontabSource {
  std::string path;  ///< "-" for standard input.
  std::string text;
  std::string user;  ///< Of user tables.
  cron::CrontabOptions table;
};

/// The dialect of --dialect, else of the daemon that is installed here; exit code 2 when there is
/// none.
[[nodiscard]] Answer<cron::Dialect> find_dialect(const std::string& name, const Host& host);

/// Reads the files that the options name.
[[nodiscard]] Answer<std::vector<CrontabSource>> read_sources(const SourceOptions& options,
                                                              Context& context);
/// /etc/crontab, /etc/cron.d and the spool of this host, as far as they can be read.
[[nodiscard]] Answer<std::vector<CrontabSource>> read_local_sources(const std::string& dialect,
                                                                    Context& context);

/// Facts about this host; it must outlive the result.
[[nodiscard]] cron::LintContext lint_facts(const CrontabSource& source, Context& context);

/// "FILE:LINE:COL: severity CODE message".
[[nodiscard]] std::string lint_line(const std::string& path, const cron::LintItem& item);
[[nodiscard]] std::string lint_json(const std::string& path, const cron::LintItem& item);

}  // namespace distcron::ctl
