// SPDX-License-Identifier: Apache-2.0
// Bits as words, for describe() and explain_match(). For this module only. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "cron/parse_fields.h"

namespace distcron::cron {

/// "1, 3 to 5 and 9"; months and weekdays by name; "nothing" without bits.
[[nodiscard]] std::string list_of(Field field, std::uint64_t bits);

/// "30", "Monday", "January".
[[nodiscard]] std::string value_text(Field field, int value);

/// All bits that the field can have (weekday: 0-6).
[[nodiscard]] std::uint64_t all_bits(Field field);

/// The L, W and # forms of a schedule: "the last day", "the 3rd Friday"; empty without them.
[[nodiscard]] std::string special_days_text(const Schedule& schedule);
[[nodiscard]] std::string special_weekdays_text(const Schedule& schedule);

/// "1h30m" of seconds.
[[nodiscard]] std::string interval_text(std::int64_t seconds);

/// `a` and `b` with `separator` between them when neither is empty.
[[nodiscard]] std::string joined(std::string a, std::string_view separator, std::string_view b);

}  // namespace distcron::cron
