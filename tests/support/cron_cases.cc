// SPDX-License-Identifier: Apache-2.0
#include "support/cron_cases.h"

#include <array>

namespace distcron::slow {

namespace {

constexpr int kSlotsPerCase = 3;
constexpr std::int64_t kFirst = 0;                        // 1970
constexpr std::int64_t kLast = std::int64_t{4102444800};  // 2100

struct Range {
  int min;
  int max;
};

/// One field as text and set. `density`: percent of plain `*`.
std::string random_field(Rng& rng, Range range, std::uint64_t density, std::set<int>& values) {
  const auto draw = [&](int min, int max) {
    return min + static_cast<int>(rng.below(static_cast<std::uint64_t>(max - min + 1)));
  };
  const auto fill = [&](int first, int last, int step) {
    for (int value = first; value <= last; value += step)
      values.insert(value);
  };
  if (rng.below(100) < density) {
    fill(range.min, range.max, 1);
    return "*";
  }
  std::string text;
  do {
    if (!text.empty()) text += ',';
    const int first = draw(range.min, range.max);
    switch (rng.below(4)) {
      case 0: {
        const int step = draw(1, range.max - range.min);
        fill(range.min, range.max, step);
        text += "*/" + std::to_string(step);
        break;
      }
      case 1: {
        const int last = draw(first, range.max);
        fill(first, last, 1);
        text += std::to_string(first) + "-" + std::to_string(last);
        break;
      }
      case 2: {
        const int last = draw(first, range.max);
        const int step = last > first ? draw(1, last - first) : 1;
        if (last > first) {
          fill(first, last, step);
          text += std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(step);
          break;
        }
        [[fallthrough]];
      }
      default:
        values.insert(first);
        text += std::to_string(first);
        break;
    }
  } while (rng.below(100) < 30);
  return text;
}

std::string random_days(Rng& rng, Schedule& schedule) {
  if (rng.below(10) != 0) return random_field(rng, {1, 31}, 60, schedule.days);
  const int day = 1 + static_cast<int>(rng.below(31));
  switch (rng.below(4)) {
    case 0:
      schedule.days_before_last.insert(0);
      return "L";
    case 1:
      schedule.days_before_last.insert(day % 10);
      return "L-" + std::to_string(day % 10);
    case 2:
      schedule.last_workday = true;
      return "LW";
    default:
      schedule.workdays_near.insert(day);
      return std::to_string(day) + "W";
  }
}

std::string random_weekdays(Rng& rng, Schedule& schedule) {
  constexpr std::array kNames = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  const int first = static_cast<int>(rng.below(7));
  const int last = static_cast<int>(rng.below(7));
  switch (rng.below(12)) {
    case 0: {
      for (int day = first;; day = (day + 1) % 7) {
        schedule.weekdays.insert(day);
        if (day == last) break;
      }
      return std::string(kNames.at(static_cast<std::size_t>(first))) + "-" +
             kNames.at(static_cast<std::size_t>(last));
    }
    case 1:
      schedule.last_weekdays.insert(first);
      return std::to_string(first) + "L";
    case 2:
      schedule.nth_weekdays.insert((1 + last % 5) * 10 + first);
      return std::to_string(first) + "#" + std::to_string(1 + last % 5);
    default:
      return random_field(rng, {0, 6}, 65, schedule.weekdays);
  }
}

date::sys_seconds instant(std::int64_t at) {
  return date::sys_seconds(std::chrono::seconds(at));
}

/// An instant of 1970-2100, three times out of four within a day of a clock change.
std::int64_t random_instant(Rng& rng, const cron::Zone& zone, bool& near_change) {
  const auto spread = [&rng](std::uint64_t width) {
    return static_cast<std::int64_t>(rng.below(width));
  };
  const std::size_t first = zone.segment_of(kFirst) + 1;
  const std::size_t last = zone.segment_of(kLast);
  near_change = first <= last && rng.below(4) != 0;
  if (!near_change) return kFirst + spread(kLast - kFirst);
  const std::size_t index = first + rng.below(last - first + 1);
  return zone.segments()[index].begin - 86400 + spread(std::uint64_t{2} * 86400);
}

std::string describe_case(const Case& one, const std::string& zone, std::int64_t after) {
  return "dialect=" + std::string(name_of(one.options.dialect)) +
         " dst=" + std::string(name_of(one.options.dst)) + " zone=" + zone + " expr=\"" + one.text +
         "\" after=" + cron::format_utc(wall_from_seconds(after));
}

/// Compares a chain of slots; "" when both agree.
std::string compare_one(const Case& one, const cron::Zone& zone, Zone& slow_zone,
                        std::int64_t after, std::uint64_t& slots) {
  const Result<cron::Schedule> parsed = cron::parse(one.text, one.options);
  if (!parsed) {
    const bool never = parsed.error().message.find("never fires") != std::string::npos;
    return never ? "" : describe_case(one, zone.name(), after) + ": " + parsed.error().message;
  }
  const bool by_second = one.options.dialect == cron::Dialect::kSeconds;
  for (int i = 0; i < kSlotsPerCase; ++i) {
    const std::int64_t until = after + (by_second ? std::int64_t{7200} : std::int64_t{86400} * 45);
    const auto slow = next(one.schedule, instant(after), instant(until), slow_zone);
    const auto fast = cron::next(*parsed, wall_from_seconds(after), zone);
    const bool same = slow ? fast && epoch_seconds(*fast) == slow->time_since_epoch().count()
                           : !fast || epoch_seconds(*fast) > until;
    if (!same) {
      const std::string slow_text =
          slow ? cron::format_utc(wall_from_seconds(slow->time_since_epoch().count())) : "none";
      return describe_case(one, zone.name(), after) + ": slow " + slow_text + ", fast " +
             (fast ? cron::format_utc(*fast) : "none");
    }
    if (!slow) break;
    ++slots;
    after = slow->time_since_epoch().count();
  }
  return "";
}

}  // namespace

Case random_case(Rng& rng) {
  Case one;
  Schedule& schedule = one.schedule;
  const bool by_second = rng.below(8) == 0;
  one.options.dialect = by_second ? cron::Dialect::kSeconds : cron::Dialect::kNative;
  constexpr std::array kModes = {cron::DstMode::kVixie, cron::DstMode::kVixie, cron::DstMode::kSkip,
                                 cron::DstMode::kBoth};
  one.options.dst = kModes.at(rng.below(kModes.size()));
  schedule.dst = one.options.dst == cron::DstMode::kVixie  ? Dst::kVixie
                 : one.options.dst == cron::DstMode::kSkip ? Dst::kSkip
                                                           : Dst::kBoth;
  std::string text;
  if (by_second) {
    schedule.seconds.clear();
    text = random_field(rng, {0, 59}, 10, schedule.seconds) + " ";
  }
  const std::string minute = random_field(rng, {0, 59}, 15, schedule.minutes);
  const std::string hour = random_field(rng, {0, 23}, 30, schedule.hours);
  const std::string day = random_days(rng, schedule);
  const std::string month = random_field(rng, {1, 12}, 80, schedule.months);
  const std::string weekday = random_weekdays(rng, schedule);
  schedule.minute_star = minute.front() == '*';
  schedule.hour_star = hour.front() == '*';
  schedule.day_star = day.front() == '*';
  schedule.weekday_star = weekday.front() == '*';
  one.text = text + minute + " " + hour + " " + day + " " + month + " " + weekday;
  return one;
}

Outcome compare(std::uint64_t seed, std::uint64_t count) {
  Rng rng(seed);
  Outcome outcome;
  const std::vector<std::string> names = cron::zone_names();
  if (names.empty()) outcome.failure = "no tz database on this host";
  for (std::size_t i = 0; i < names.size() && outcome.failure.empty(); ++i) {
    const auto zone = cron::load_zone(names[i]);
    if (!zone) {
      outcome.failure = zone.error().message;
      break;
    }
    Zone slow_zone(names[i]);
    const std::uint64_t share = count * (i + 1) / names.size() - count * i / names.size();
    for (std::uint64_t k = 0; k < share && outcome.failure.empty(); ++k) {
      const Case one = random_case(rng);
      bool near_change = false;
      const std::int64_t after = random_instant(rng, **zone, near_change);
      outcome.failure = compare_one(one, **zone, slow_zone, after, outcome.slots);
      ++outcome.cases;
      if (near_change) ++outcome.near_change;
    }
  }
  return outcome;
}

}  // namespace distcron::slow
