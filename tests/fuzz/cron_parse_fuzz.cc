// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as a schedule in any dialect. Beyond crashes it checks that slots
// strictly increase and that parse() is a pure function.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cron/cron.h"

namespace cron = distcron::cron;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_slots(const cron::Schedule& schedule) {
  const auto zone = cron::Zone::utc();
  auto at = distcron::wall_from_seconds(1'767'225'600);
  for (int i = 0; i < 3; ++i) {
    const auto slot = cron::next(schedule, at, *zone);
    if (!slot) return;
    require(*slot > at);
    require(cron::matches(schedule, *slot, *zone));
    at = *slot;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  cron::ParseOptions options;
  options.dialect = cron::kDialects[data[0] % cron::kDialects.size()];
  options.dst = cron::kDstModes[data[1] % cron::kDstModes.size()];
  options.seed = data[1];
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes to characters.
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto schedule = cron::parse(text, options);
  const auto prefix = cron::parse_prefix(text, options);
  if (prefix) require(prefix->consumed <= text.size());
  if (!schedule) return 0;
  require(*cron::parse(text, options) == *schedule);
  require(!cron::describe(*schedule).empty());
  check_slots(*schedule);
  return 0;
}
