// SPDX-License-Identifier: Apache-2.0
// Lints of a crontab file: what its daemon really does with a line that means something else to
// its reader, and the way out. Codes L01-L30 are documented in docs; E01 and E02 are refusals and
// limits that none of them covers.
// Pure: facts about the host come in through LintContext. No thread rule.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cron/crontab.h"
#include "cron/crontab_files.h"

namespace distcron::cron {

enum class Severity : std::uint8_t {
  kError,    ///< The daemon refuses the line.
  kWarning,  ///< Accepted, but hardly what was meant, or the file is not read.
  kInfo,     ///< Worth knowing before a move.
};

/// "error", "warning" or "info".
[[nodiscard]] std::string_view name_of(Severity severity);

struct LintItem {
  std::string code;  ///< "L05", "E01"
  Severity severity = Severity::kWarning;
  int line = 0;         ///< From 1; 0: the file as a whole.
  int column = 0;       ///< From 1; 0: the line as a whole.
  std::string message;  ///< What the daemon does, and the way out. Never empty.
};

/// Facts about the host. What is unset is unknown, and nothing is reported for want of it.
struct LintContext {
  WallTime now{};                         ///< Where the look at coming clock changes begins.
  std::shared_ptr<const Zone> zone = {};  ///< The host's zone.
  std::function<bool(std::string_view)> user_exists = {};
  std::function<bool(std::string_view)> is_executable = {};  ///< Of an absolute path.
  std::string file_name = {};  ///< Name in /etc/cron.d; empty elsewhere.
  NameRule name_rule = NameRule::kClassic;
  std::optional<StatFacts> stat = {};
  std::optional<bool> has_mta = {};
  int same_minute_max = 10;  ///< L22: entries in one minute that are not worth a word.
};

/// All findings, by line and column; findings about the file as a whole come first.
[[nodiscard]] std::vector<LintItem> lint_crontab(const CrontabFile& file,
                                                 const LintContext& context);

/// Whether import refuses an accepted line with this finding (L01-L04): the daemon accepts it and
/// silently does something else than it says.
[[nodiscard]] bool is_silently_wrong(const LintItem& item);

}  // namespace distcron::cron
