// SPDX-License-Identifier: Apache-2.0
// A second, slow evaluator of schedules for tests: walks the UTC line minute by minute (second by
// second where seconds matter) with the date library, and applies the clock-change rules one by
// one. Shares no code with lib/cron. One thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <date/tz.h>

namespace distcron::slow {

enum class Dst { kVixie, kSkip, kBoth };

/// The fields as sets of allowed values.
struct Schedule {
  std::set<int> seconds{0};
  std::set<int> minutes;
  std::set<int> hours;
  std::set<int> days;
  std::set<int> months;
  std::set<int> weekdays;          ///< 0-6, 0 = Sunday.
  std::set<int> days_before_last;  ///< `L-n`.
  std::set<int> workdays_near;     ///< `nW`.
  std::set<int> last_weekdays;     ///< `dL`.
  std::set<int> nth_weekdays;      ///< `d#n` as n * 10 + d.
  bool last_workday = false;       ///< `LW`.
  bool day_star = false;
  bool weekday_star = false;
  bool minute_star = false;
  bool hour_star = false;
  Dst dst = Dst::kVixie;
};

/// Offsets of a zone: the library's table, and behind its end (to 2120) what glibc makes of the
/// POSIX rule. Sets the environment variable TZ while it is made.
class Zone {
 public:
  explicit Zone(const std::string& name);
  /// The stretch of constant offset around `at`.
  [[nodiscard]] const date::sys_info& info(date::sys_seconds at);

 private:
  const date::time_zone* table_ = nullptr;
  date::sys_seconds table_end_;
  std::vector<date::sys_info> by_rule_;
  date::sys_info last_;
};

/// First slot after `after` and at most at `until`.
[[nodiscard]] std::optional<date::sys_seconds> next(const Schedule& schedule,
                                                    date::sys_seconds after,
                                                    date::sys_seconds until, Zone& zone);

}  // namespace distcron::slow
