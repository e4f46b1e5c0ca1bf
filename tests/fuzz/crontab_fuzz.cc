// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes as a crontab file of each dialect and kind, and its lints.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cron/crontab.h"
#include "cron/crontab_command.h"
#include "cron/lint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace distcron::cron;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  static constexpr Dialect kFileDialects[] = {Dialect::kDebian, Dialect::kCronie,
                                              Dialect::kSupercronic};
  CrontabOptions options;
  options.dialect = kFileDialects[data[0] % 3U];
  options.kind = (data[0] & 4U) != 0 ? TableKind::kSystem : TableKind::kUser;
  options.owner_is_root = (data[0] & 8U) != 0;

  const CrontabFile file = parse_crontab(text, options);
  LintContext context;
  context.zone = Zone::utc();
  for (const LintItem& item : lint_crontab(file, context)) {
    if (item.message.empty()) std::abort();
  }
  for (const CrontabLine& line : file.lines) {
    if (line.kind == LineKind::kRefused && line.error.empty()) std::abort();
    if (line.kind != LineKind::kEntry) continue;
    if (!line.entry.env) std::abort();
    const CommandText parts{line.entry.command, line.entry.stdin_text};
    const auto written = join_command(parts, options.dialect);
    if (written && split_command(*written, options.dialect) != parts) std::abort();
  }
  return 0;
}
