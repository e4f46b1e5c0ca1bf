// SPDX-License-Identifier: Apache-2.0
// Inside of lint_crontab(): the groups of rules, each with its own file, and what they share.
// Not for use outside of lib/cron. Pure; no thread rule.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cron/lint.h"

namespace distcron::cron {

/// Where the rules write. One object lives for one lint_crontab().
struct LintSink {
  const CrontabFile& file;
  const LintContext& context;
  std::vector<LintItem> items = {};
  std::map<std::string, std::shared_ptr<const Zone>, std::less<>> zones = {};

  [[nodiscard]] Dialect dialect() const { return file.options.dialect; }

  /// The zone of this name, looked up once; null when there is none.
  std::shared_ptr<const Zone> zone_of(const std::string& name) {
    const auto [at, is_new] = zones.try_emplace(name);
    if (is_new) at->second = load_zone(name).value_or(nullptr);
    return at->second;
  }

  void add(std::string_view code, Severity severity, int line, int column, std::string message) {
    items.push_back({std::string(code), severity, line, column, std::move(message)});
  }

  void warn(std::string_view code, const CrontabLine& line, int column, std::string message) {
    add(code, Severity::kWarning, line.number, column, std::move(message));
  }

  void inform(std::string_view code, const CrontabLine& line, int column, std::string message) {
    add(code, Severity::kInfo, line.number, column, std::move(message));
  }
};

/// A blank-separated part of a line.
struct FieldText {
  std::string_view text;
  int column = 0;  ///< From 1.
};

/// The words of `text`, whose first byte is at `column`. Views into `text`.
[[nodiscard]] std::vector<FieldText> split_fields(std::string_view text, int column);

/// L01-L07, L28: the words of one schedule.
void lint_schedule(LintSink& sink, const CrontabLine& line);
/// L15: coming clock changes.
void lint_clock_changes(LintSink& sink, const CrontabLine& line);
/// L22: many entries in one minute.
void lint_same_minute(LintSink& sink);
/// L08, L09, L13, L16, L17, L23, L27, L30, E02: user and command of one entry.
void lint_command(LintSink& sink, const CrontabLine& line);
/// L10-L12, L14, L21, L25, L26, E02: assignments, all of a file.
void lint_assignments(LintSink& sink);
/// The code of a refused line.
void lint_refusal(LintSink& sink, const CrontabLine& line);

}  // namespace distcron::cron
