// SPDX-License-Identifier: Apache-2.0
#include "model/target.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace distcron::model {

namespace {
constexpr std::int64_t kHostsMax = 10'000;
constexpr std::int64_t kWhole = 100;
}  // namespace

Result<Target> parse_target(std::string_view text) {
  if (text.empty() || text == "one") return Target{};
  if (text == "all") return Target{Target::Kind::kAll, 0};
  std::string_view digits = text;
  const bool is_percent = digits.ends_with('%');
  if (is_percent) digits.remove_suffix(1);
  std::int64_t amount = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, amount);
  const std::int64_t most = is_percent ? kWhole : kHostsMax;
  if (error != std::errc{} || stop != end || amount < 1 || amount > most) {
    return fail_hint(ErrorCode::kInvalid,
                     "\"" + std::string(text.substr(0, 64)) + "\" is no target",
                     "one of: one, all, a number of hosts, a share such as 25%");
  }
  return Target{is_percent ? Target::Kind::kPercent : Target::Kind::kCount, amount};
}

std::int64_t target_count(const Target& target, std::int64_t hosts) {
  switch (target.kind) {
    case Target::Kind::kOne:
      return std::min<std::int64_t>(1, hosts);
    case Target::Kind::kAll:
      return hosts;
    case Target::Kind::kCount:
      return std::min(target.amount, hosts);
    case Target::Kind::kPercent:
      return (hosts * target.amount + kWhole - 1) / kWhole;
  }
  return 0;
}

}  // namespace distcron::model
