// SPDX-License-Identifier: Apache-2.0
// What follows from a JobSpec's fields (model/job_spec.h): schedules, windows, waits.
#include <algorithm>
#include <cmath>
#include <utility>

#include "model/job_spec.h"
#include "model/selector.h"

namespace distcron::model {

namespace {
constexpr Millis kWindowMin{10'000};
constexpr Millis kWindowMax{3'600'000};
constexpr Seconds kLongInterval{7'200};  // from here on half of it is above kWindowMax
}  // namespace

Result<std::vector<cron::Schedule>> compile_schedules(const JobSpec& spec, std::uint64_t uid) {
  std::vector<cron::Schedule> out;
  out.reserve(spec.schedule.size());
  const cron::ParseOptions options{.dialect = spec.dialect, .dst = spec.dst, .seed = uid};
  for (const std::string& text : spec.schedule) {
    auto schedule = cron::parse(text, options);
    if (!schedule) {
      return fail(std::move(schedule.error())
                      .within("job \"" + spec.name + "\": schedule: \"" + text + "\""));
    }
    out.push_back(*schedule);
  }
  return out;
}

std::string pinned_host(const JobSpec& spec) {
  if (spec.target != "one") return {};
  if (!spec.origin_host.empty() && (spec.managed || spec.on.empty())) return spec.origin_host;
  const auto selector = parse_selector(spec.on);
  if (!selector) return {};
  for (const SelectorTerm& term : selector->terms) {
    const bool is_name = term.key == "name" || term.key == "host";
    const bool is_glob = term.pattern.find_first_of("*?[\\") != std::string::npos;
    if (is_name && !term.is_negated && !is_glob) return term.pattern;
  }
  return {};
}

Millis effective_misfire_window(const JobSpec& spec, std::optional<Seconds> interval) {
  if (spec.misfire_window) return *spec.misfire_window;
  if (!interval || *interval >= kLongInterval) return kWindowMax;
  return std::clamp(std::chrono::duration_cast<Millis>(*interval) / 2, kWindowMin, kWindowMax);
}

Millis retry_wait(const JobSpec& spec, std::int32_t next_attempt, double random) {
  if (spec.retry_delay == Millis{0}) return Millis{0};  // 0 x infinity is no number
  const int growth = std::max(next_attempt - 2, 0);
  const double longest = static_cast<double>(spec.retry_max_delay.count());
  const double grown =
      static_cast<double>(spec.retry_delay.count()) * std::pow(spec.retry_factor, growth);
  const double wait = std::min(grown, longest);  // an infinite `grown` is capped as well
  const double spread =
      std::clamp(spec.retry_jitter * (1.0 - std::clamp(random, 0.0, 1.0)), 0.0, 1.0);
  return Millis{std::llround(std::max(wait * (1.0 - spread), 0.0))};
}

}  // namespace distcron::model
