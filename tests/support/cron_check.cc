// SPDX-License-Identifier: Apache-2.0
#include "support/cron_check.h"

#include <cstdio>
#include <cstdlib>

namespace distcron::cron {

std::shared_ptr<const Zone> zone_of(std::string_view name) {
  auto zone = load_zone(name);
  if (zone) return *zone;
  std::fputs(zone.error().message.c_str(), stderr);
  std::abort();
}

WallTime utc_time(std::string_view text) {
  const auto time = parse_local_time(text, *Zone::utc());
  if (time) return *time;
  std::fputs(time.error().message.c_str(), stderr);
  std::abort();
}

std::vector<std::string> slots(std::string_view expression, const Zone& zone,
                               std::string_view after, int count, const ParseOptions& options) {
  const auto schedule = parse(expression, options);
  if (!schedule) return {schedule.error().message};
  std::optional<WallTime> at = *parse_local_time(after, zone);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    at = next(*schedule, *at, zone);
    if (!at) break;
    texts.push_back(format_utc(*at));
  }
  return texts;
}

std::string error_of(std::string_view text, Dialect dialect) {
  ParseOptions options;
  options.dialect = dialect;
  const auto schedule = parse(text, options);
  return schedule ? "" : schedule.error().message;
}

std::string values_of(std::uint64_t bits) {
  std::string text;
  for (int value = 0; value < 64; ++value) {
    if ((bits >> value & 1U) == 0) continue;
    text += (text.empty() ? "" : ",") + std::to_string(value);
  }
  return text.empty() ? "-" : text;
}

}  // namespace distcron::cron
