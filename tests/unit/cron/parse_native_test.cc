// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include <doctest/doctest.h>

#include "support/cron_check.h"

namespace distcron::cron {

namespace {

using Texts = std::vector<std::string>;

Schedule native(std::string_view text, std::uint64_t seed = 0) {
  ParseOptions options;
  options.seed = seed;
  const auto schedule = parse(text, options);
  return schedule ? *schedule : Schedule{};
}

/// First slots in November 2026 (the 1st is a Sunday), as days.
std::string days_of(std::string_view text, int count) {
  std::string list;
  for (const std::string& slot : slots(text, *Zone::utc(), "2026-10-31T12:00:00Z", count)) {
    list += (list.empty() ? "" : " ") + slot.substr(5, 5);
  }
  return list;
}

}  // namespace

TEST_SUITE("cron") {
  TEST_CASE("native reads values, lists, ranges, steps and names") {
    CHECK(values_of(native("0,5,10-12 * * * *").minutes) == "0,5,10,11,12");
    CHECK(values_of(native("*/20 * * * *").minutes) == "0,20,40");
    CHECK(values_of(native("10-30/10 * * * *").minutes) == "10,20,30");
    CHECK(values_of(native("0 0 * jan,March,OCT *").months) == "1,3,10");
    CHECK(values_of(native("0 0 * * mon-Friday").weekdays) == "1,2,3,4,5");
    CHECK(values_of(native("0 0 * * 0").weekdays) == "0");
    CHECK(values_of(native("0 0 * * 7").weekdays) == "0");
    CHECK(values_of(native("0 0 * * */2").weekdays) == "0,2,4,6");
    CHECK(values_of(native("  5\t4 * * *  ").hours) == "4");
    CHECK(native("0 0 * * ?").weekdays == 0x7f);
  }

  TEST_CASE("native lets only the day of week wrap around") {
    CHECK(values_of(native("0 0 * * fri-mon").weekdays) == "0,1,5,6");
    CHECK(values_of(native("0 0 * * 6-0").weekdays) == "0,6");
    CHECK(values_of(native("0 0 * * 5-7").weekdays) == "0,5,6");
    CHECK(values_of(native("0 0 * * 7-2").weekdays) == "0,1,2");
    CHECK(values_of(native("0 0 * * fri-mon/2").weekdays) == "0,5");
    CHECK(error_of("50-10 * * * *", Dialect::kNative) ==
          "minute: the range 50-10 is reversed (column 1)");
    CHECK(error_of("0 22-2 * * *", Dialect::kNative) ==
          "hour: the range 22-2 is reversed (column 3)");
  }

  TEST_CASE("native refuses with field, column and reason") {
    struct Row {
      const char* text;
      const char* error;
    };

    for (const Row row : {
             Row{"61 * * * *", "minute: 61 is not in 0-59 (column 1)"},
             Row{"0 24 * * *", "hour: 24 is not in 0-23 (column 3)"},
             Row{"0 0 0 * *", "day of month: 0 is not in 1-31 (column 5)"},
             Row{"0 0 * 13 *", "month: 13 is not in 1-12 (column 7)"},
             Row{"0 0 * * 8", "day of week: 8 is not in 0-7 (column 9)"},
             Row{"*/60 * * * *", "minute: step 60 is beyond the range (column 3)"},
             Row{"*/0 * * * *", "minute: step 0 makes no progress (column 3)"},
             Row{"1,,2 * * * *", "minute: an empty member in the list (column 3)"},
             Row{"1, * * * *", "minute: a value is missing (column 3)"},
             Row{",1 * * * *", "minute: an empty member in the list (column 1)"},
             Row{"5;3 * * * *", "minute: unexpected \";\" (column 2)"},
             Row{"1-5-7 * * * *", "minute: unexpected \"-\" (column 4)"},
             Row{"*5 * * * *", "minute: unexpected \"5\" (column 2)"},
             Row{"1/20 * * * *", "minute: a step needs a range (column 2)"},
             Row{"? * * * *", "minute: \"?\" is for days only (column 1)"},
             Row{"0 0 * foo *", "month: cannot read \"foo\" (column 7)"},
             Row{"0 0 * * L", "day of week: \"L\" needs a day (column 9)"},
             Row{"0 0 * * 5#6", "day of week: 6 is not in 1-5 (column 11)"},
             Row{"* * * *", "expected 5 fields, found 4 (column 8)"},
             Row{"* * * * * *", "expected 5 fields, found 6 (column 11)"},
             Row{"0 0 30 2 *",
                 "day of month: no such day in the given months, this never fires (column 5)"},
             Row{"0 0 31 4,6,9,11 *",
                 "day of month: no such day in the given months, this never fires (column 5)"},
             Row{"", "the schedule is empty"},
         }) {
      CAPTURE(row.text);
      CHECK(error_of(row.text, Dialect::kNative) == row.error);
    }
  }

  TEST_CASE("a bad schedule comes with a way out") {
    const auto six = parse("0 0 0 * * *", {});
    REQUIRE_FALSE(six);
    CHECK(six.error().hint.find("dialect seconds") != std::string::npos);
    const auto macro = parse("@dayly", {});
    REQUIRE_FALSE(macro);
    CHECK(macro.error().hint == "did you mean @daily?");
    const auto reversed = parse("0 22-2 * * *", {});
    REQUIRE_FALSE(reversed);
    CHECK(reversed.error().hint == "write 22-23,0-2");
    const auto dialect = parse_dialect("quarz");
    REQUIRE_FALSE(dialect);
    CHECK(dialect.error().hint == "did you mean quartz?");
    CHECK(parse_dst_mode("skip"));
  }

  TEST_CASE("native has the special days") {
    CHECK(days_of("0 0 L * *", 2) == "11-30 12-31");
    CHECK(days_of("0 0 L-3 * *", 2) == "11-27 12-28");
    CHECK(days_of("0 0 LW * *", 2) == "11-30 12-31");
    CHECK(days_of("0 0 15W * *", 2) == "11-16 12-15");
    CHECK(days_of("0 0 1W * *", 2) == "11-02 12-01");
    CHECK(days_of("0 0 * * 5L", 2) == "11-27 12-25");
    CHECK(days_of("0 0 * * friL", 2) == "11-27 12-25");
    CHECK(days_of("0 0 * * 5#3", 2) == "11-20 12-18");
    CHECK(days_of("0 0 * * sun#1", 2) == "11-01 12-06");
    CHECK(days_of("0 0 1 * 5#3", 2) == "11-01 11-20");
  }

  TEST_CASE("the day rule: with a star both must match, without one is enough") {
    CHECK(days_of("0 0 13 * 5", 4) == "11-06 11-13 11-20 11-27");
    CHECK(days_of("0 0 14 * 5", 4) == "11-06 11-13 11-14 11-20");
    CHECK(days_of("0 0 */2 * 1", 3) == "11-09 11-23 12-07");
    CHECK(days_of("0 0 1,* * 1", 3) == "11-01 11-02 11-03");
  }

  TEST_CASE("H and ~ spread by the seed, within bounds, the same for the same seed") {
    bool differs = false;
    for (std::uint64_t seed = 1; seed < 200; ++seed) {
      const Schedule hourly = native("H * * * *", seed);
      CHECK(hourly == native("H * * * *", seed));
      differs = differs || hourly.minutes != native("H * * * *", 0).minutes;
      CHECK(std::has_single_bit(native("H(10-19) * * * *", seed).minutes));
      CHECK((native("H(10-19) * * * *", seed).minutes & ~(std::uint64_t{0x3ff} << 10U)) == 0);
      CHECK((native("5~9 * * * *", seed).minutes & ~(std::uint64_t{0x1f} << 5U)) == 0);
      CHECK(native("0 0 H 2 *", seed).kind == ScheduleKind::kFields);
      CHECK(native("0 0 ~ 2 *", seed).kind == ScheduleKind::kFields);
      const std::string quarters = values_of(native("H/15 * * * *", seed).minutes);
      CHECK(std::count(quarters.begin(), quarters.end(), ',') == 3);
      const Schedule daily = native("H H * * *", seed);
      CHECK(std::has_single_bit(daily.hours));
    }
    CHECK(differs);
    CHECK(error_of("H(20-10) * * * *", Dialect::kNative) != "");
    CHECK(error_of("H/60 * * * *", Dialect::kNative) != "");
    CHECK(error_of("10~5 * * * *", Dialect::kNative) != "");
    CHECK(error_of("5~50/5 * * * *", Dialect::kNative) != "");
  }

  TEST_CASE("seconds first: six fields in seconds, five in seconds5") {
    ParseOptions options;
    options.dialect = Dialect::kSeconds;
    CHECK(slots("*/20 30 2 * * *", *Zone::utc(), "2026-01-01", 3, options) ==
          Texts{"2026-01-01T02:30:00Z", "2026-01-01T02:30:20Z", "2026-01-01T02:30:40Z"});
    CHECK(slots("5/20 * * * * *", *Zone::utc(), "2026-01-01", 3, options) ==
          Texts{"2026-01-01T00:00:05Z", "2026-01-01T00:00:25Z", "2026-01-01T00:00:45Z"});
    CHECK(error_of("* * * * *", Dialect::kSeconds) != "");
    CHECK(error_of("@every 10s", Dialect::kSeconds) == "");
    options.dialect = Dialect::kSeconds5;
    CHECK(slots("15 30 2 1 *", *Zone::utc(), "2026-01-01T12:00:00Z", 1, options) ==
          Texts{"2026-02-01T02:30:15Z"});
    CHECK(error_of("* * * * * *", Dialect::kSeconds5) != "");
  }

  TEST_CASE("@every is aligned to 1970 and whole seconds") {
    CHECK(slots("@every 10s", *Zone::utc(), "2026-01-01T00:00:03Z", 2) ==
          Texts{"2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"});
    CHECK(native("@every 1h30m").interval() == Seconds(5400));
    CHECK(native("@every 1d2h").interval() == Seconds(93600));
    for (const char* text :
         {"@every", "@every 0s", "@every 500ms", "@every 5", "@every x", "@every 5y",
          "@every 99999999999999999999h", "@every 20000w", "@every -5s"}) {
      CAPTURE(text);
      CHECK(error_of(text, Dialect::kNative) != "");
    }
  }

  TEST_CASE("@at wants a real date; @reboot has no slots") {
    for (const char* text : {"@at", "@at 2026-02-30T10:00", "@at 2026-12-01T25:00", "@at tomorrow",
                             "@at 2026-12-01T10:00x", "@at 2026-12-01T10"}) {
      CAPTURE(text);
      CHECK(error_of(text, Dialect::kNative) != "");
    }
    CHECK(native("@reboot").kind == ScheduleKind::kReboot);
    CHECK(slots("@reboot", *Zone::utc(), "2026-01-01", 1) == Texts{});
    CHECK(never_fires(native("@reboot")));
  }

  TEST_CASE("a leap day on a given weekday is found 40 years ahead, and no further than 50") {
    CHECK(slots("0 0 29 2 *", *Zone::utc(), "2096-03-01", 1) == Texts{"2104-02-29T00:00:00Z"});
    // With a star both must match: a leap day that is a Monday, across 2100.
    CHECK(slots("0 0 29-29/1,* 2 1", *Zone::utc(), "2026-01-01", 1).size() == 1);
    CHECK(slots("@every 10s", *Zone::utc(), "9999-01-01", 1) == Texts{});
  }

  TEST_CASE("schedules in words") {
    CHECK(describe(native("30 2 * * 1-5")) == "at 02:30 on Monday to Friday");
    CHECK(describe(native("* * * * *")) == "every minute");
    CHECK(describe(native("*/5 * * * *")) == "every 5 minutes");
    CHECK(describe(native("@hourly")) == "every hour");
    CHECK(describe(native("7 * * * *")) == "at minute 7 of every hour");
    CHECK(describe(native("0 12 L jan *")) == "at 12:00 on the last day of the month in January");
    CHECK(describe(native("0 0 1,15 * 5")) == "at 00:00 on day 1 and 15 of the month or on Friday");
    CHECK(describe(native("@every 1h30m")) == "every 1h30m");
    CHECK(describe(native("@reboot")) == "once at each boot");
  }

  TEST_CASE("explain names the field that does not match") {
    const auto berlin = zone_of("Europe/Berlin");
    const auto failed = [&](const char* text, const char* at) {
      std::string names;
      for (const FieldCheck& check : explain_match(native(text), utc_time(at), *berlin)) {
        if (!check.ok) names += (names.empty() ? "" : ",") + check.field;
      }
      return names;
    };
    CHECK(failed("30 2 * * *", "2026-10-26T01:30:00Z") == "");
    CHECK(failed("31 2 * * *", "2026-10-26T01:30:00Z") == "minute");
    CHECK(failed("30 2 * * sun", "2026-10-26T01:30:00Z") == "day of week");
    CHECK(failed("30 2 26 * sun", "2026-10-26T01:30:00Z") == "");
    CHECK(failed("30 2 25 * tue", "2026-10-26T01:30:00Z") == "day of month,day of week");
    CHECK(failed("30 2 * * *", "2026-10-25T01:30:00Z") == "clock change");
    CHECK(failed("30 2 * * *", "2026-03-29T01:00:00Z") == "");
    CHECK(failed("@every 7m", "2026-03-29T01:00:00Z") == "schedule");
  }

  TEST_CASE("the typical interval is the smallest gap of the next slots") {
    const auto utc = Zone::utc();
    const WallTime from = utc_time("2026-01-01T00:00:00Z");
    CHECK(typical_interval(native("*/7 * * * *"), *utc, from) == Seconds(420));
    CHECK(typical_interval(native("30 2 * * *"), *utc, from) == Seconds(86400));
    CHECK(typical_interval(native("@every 90s"), *utc, from) == Seconds(90));
    CHECK_FALSE(typical_interval(native("@at 2026-12-01T10:00"), *utc, from));
    CHECK_FALSE(typical_interval(native("@reboot"), *utc, from));
  }
}

}  // namespace distcron::cron
