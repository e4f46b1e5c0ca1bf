// SPDX-License-Identifier: Apache-2.0
#include "cron/dialect.h"

#include <string>
#include <vector>

#include "base/suggest.h"

namespace distcron::cron {

std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kNative:
      return "native";
    case Dialect::kSeconds:
      return "seconds";
    case Dialect::kSeconds5:
      return "seconds5";
    case Dialect::kDebian:
      return "debian";
    case Dialect::kCronie:
      return "cronie";
    case Dialect::kSupercronic:
      return "supercronic";
    case Dialect::kQuartz:
      return "quartz";
    case Dialect::kCronexpr:
      return "cronexpr";
  }
  return "unknown";
}

std::string_view name_of(DstMode mode) {
  switch (mode) {
    case DstMode::kVixie:
      return "vixie";
    case DstMode::kSkip:
      return "skip";
    case DstMode::kBoth:
      return "both";
  }
  return "unknown";
}

namespace {

template <class Values>
auto parse_name(std::string_view name, std::string_view what, const Values& values)
    -> Result<typename Values::value_type> {
  std::vector<std::string> known;
  std::string all;
  for (const auto value : values) {
    if (name == name_of(value)) return value;
    known.emplace_back(name_of(value));
    all += (all.empty() ? "" : ", ") + known.back();
  }
  const auto near = suggest(name, known);
  return fail_hint(ErrorCode::kInvalid,
                   "unknown " + std::string(what) + " \"" + std::string(name) + "\"",
                   near.empty() ? "one of " + all : "did you mean " + near.front() + "?");
}

}  // namespace

Result<Dialect> parse_dialect(std::string_view name) {
  return parse_name(name, "dialect", kDialects);
}

Result<DstMode> parse_dst_mode(std::string_view name) {
  return parse_name(name, "clock-change mode", kDstModes);
}

}  // namespace distcron::cron
