// SPDX-License-Identifier: Apache-2.0
// The grammars and clock-change rules that a schedule may be written for, and their names.
// Plain values without thread rule. A new dialect is one row here and one field parser.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace distcron::cron {

/// Whose grammar a text is read with.
enum class Dialect : std::uint8_t {
  kNative,       ///< Five fields, Debian's day rule, specials, macros, @every, @at.
  kSeconds,      ///< Six fields, seconds first; otherwise native.
  kSeconds5,     ///< Five fields: second minute hour day month; otherwise native.
  kDebian,       ///< Exactly what Debian cron 3.0pl1-162 accepts.
  kCronie,       ///< Exactly what cronie 1.7.2 accepts.
  kSupercronic,  ///< Exactly what supercronic 0.2.48 accepts.
  kQuartz,       ///< Six or seven fields, second ... [year], days of the week 1-7 = SUN-SAT.
  kCronexpr,     ///< gorhill/cronexpr: 5 fields, 6 = with year, 7 = second ... year.
};
inline constexpr std::array kDialects = {Dialect::kNative, Dialect::kSeconds, Dialect::kSeconds5,
                                         Dialect::kDebian, Dialect::kCronie,  Dialect::kSupercronic,
                                         Dialect::kQuartz, Dialect::kCronexpr};

/// What happens to local times that a clock change skips or repeats.
enum class DstMode : std::uint8_t {
  kVixie,  ///< Fixed-time jobs: one run after a short gap, first pass of a repeat. Others: as is.
  kSkip,   ///< Times in the gap are skipped; of repeated times only the first pass counts.
  kBoth,   ///< Times in the gap are skipped; repeated times fire in both passes.
};
inline constexpr std::array kDstModes = {DstMode::kVixie, DstMode::kSkip, DstMode::kBoth};

[[nodiscard]] std::string_view name_of(Dialect dialect);
[[nodiscard]] std::string_view name_of(DstMode mode);

/// kInvalid with the nearest names as hint for anything but the exact names.
[[nodiscard]] Result<Dialect> parse_dialect(std::string_view name);
[[nodiscard]] Result<DstMode> parse_dst_mode(std::string_view name);

}  // namespace distcron::cron
