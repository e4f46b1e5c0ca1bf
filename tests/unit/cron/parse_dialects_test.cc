// SPDX-License-Identifier: Apache-2.0
// What Debian cron, cronie and supercronic make of the same texts.
#include <doctest/doctest.h>

#include "support/cron_check.h"

namespace distcron::cron {

namespace {

enum class Of { kMinute, kHour, kDay, kMonth, kWeekday };

/// The values of one field, "refused" when the text is not accepted.
std::string values(std::string_view text, Of field, Dialect dialect, std::uint64_t seed = 1) {
  ParseOptions options;
  options.dialect = dialect;
  options.seed = seed;
  const auto schedule = parse(text, options);
  if (!schedule) return "refused";
  switch (field) {
    case Of::kMinute:
      return values_of(schedule->minutes);
    case Of::kHour:
      return values_of(schedule->hours);
    case Of::kDay:
      return values_of(schedule->days);
    case Of::kMonth:
      return values_of(schedule->months);
    case Of::kWeekday:
      return values_of(schedule->weekdays);
  }
  return "";
}

std::string text_with(Of field, std::string_view value) {
  std::string text;
  for (const Of at : {Of::kMinute, Of::kHour, Of::kDay, Of::kMonth, Of::kWeekday}) {
    text += (text.empty() ? "" : " ") + std::string(at == field ? value : "*");
  }
  return text;
}

constexpr const char* kRefused = "refused";
constexpr const char* kNone = "-";

}  // namespace

TEST_SUITE("cron") {
  TEST_CASE("debian, cronie and supercronic accept exactly what their daemons do") {
    struct Row {
      Of field;
      const char* value;
      const char* debian;
      const char* cronie;
      const char* supercronic;
    };

    const Row rows[] = {
        {Of::kMinute, "1/20", kRefused, kRefused, "1,21,41"},
        {Of::kMinute, "*/100", "0", "0", kRefused},
        {Of::kMinute, "*/60", "0", "0", kRefused},
        {Of::kMinute, "*/0", kRefused, kRefused, kRefused},
        {Of::kMinute, "60", kRefused, kRefused, kRefused},
        {Of::kDay, "0", kRefused, kRefused, kRefused},
        {Of::kMonth, "0", kRefused, kRefused, kRefused},
        {Of::kWeekday, "8", kRefused, kRefused, kRefused},
        {Of::kMinute, "5-64/30", kRefused, "5,35", kRefused},
        {Of::kMinute, "5-64", kRefused, kRefused, kRefused},
        {Of::kMinute, "50-10", kNone, kNone, kRefused},
        {Of::kMinute, "5-1", kNone, kNone, kRefused},
        {Of::kMinute, "50-10/2", kNone, kNone, kNone},
        {Of::kWeekday, "sat-sun", kNone, "0,6", kRefused},
        {Of::kWeekday, "6-0", kNone, "0,6", kRefused},
        {Of::kWeekday, "6-0/1", kNone, kNone, kNone},
        {Of::kWeekday, "5-1", kNone, kNone, kRefused},
        {Of::kWeekday, "5-7", "0,5,6", "0,5,6", kRefused},
        {Of::kWeekday, "fri-7", "0,5,6", "0,5,6", kRefused},
        {Of::kWeekday, "*/2", "0,2,4,6", "0,2,4,6", "0,2,4,6"},
        {Of::kWeekday, "05", "5", "5", "0"},
        {Of::kWeekday, "7", "0", "0", "0"},
        {Of::kMinute, "5;3", "5", kRefused, kRefused},
        {Of::kMinute, "1-5-7", "1,2,3,4,5", kRefused, kRefused},
        {Of::kHour, "*5", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23", kRefused,
         kRefused},
        {Of::kMinute, "~", kRefused, "random", kRefused},
        {Of::kMinute, "~10", kRefused, "random", kRefused},
        {Of::kMinute, "5~50/5", "5", kRefused, kRefused},
        {Of::kMinute, "10~5", "10", kRefused, kRefused},
        {Of::kWeekday, "5#3", "5", kRefused, kNone},
        {Of::kDay, "L", kRefused, kRefused, kNone},
        {Of::kDay, "15W", kRefused, kRefused, kNone},
        {Of::kDay, "LW", kRefused, kRefused, kNone},
        {Of::kWeekday, "5L", kRefused, kRefused, kNone},
        {Of::kWeekday, "?", kRefused, kRefused, "0,1,2,3,4,5,6"},
        {Of::kMinute, "1,,2", kRefused, kRefused, "1,2"},
        {Of::kMinute, "1,", kRefused, kRefused, "1"},
        {Of::kMinute, ",1", kRefused, kRefused, "1"},
        {Of::kMinute, "H", kRefused, kRefused, kRefused},
        {Of::kMinute, "08", "8", "8", "8"},
        {Of::kMinute, "09", "9", "9", "9"},
        {Of::kWeekday, "Monday", kRefused, kRefused, "1"},
        {Of::kWeekday, "MON-wed", "1,2,3", "1,2,3", "1,2,3"},
        {Of::kWeekday, "mon,FRI", "1,5", "1,5", "1,5"},
        {Of::kMonth, "January", kRefused, kRefused, "1"},
        {Of::kMonth, "jan-mar/2", "1,3", "1,3", "1,3"},
        {Of::kMinute, "jan", kRefused, kRefused, kRefused},
        {Of::kHour, "*/24", "0", "0", kRefused},
        {Of::kDay, "*/31", "1", "1", "1"},
        {Of::kMinute, "4294967296", "0", "0", kRefused},
    };
    for (const Row& row : rows) {
      CAPTURE(row.value);
      const std::string text = text_with(row.field, row.value);
      CAPTURE(text);
      CHECK(values(text, row.field, Dialect::kDebian) == row.debian);
      const std::string cronie = values(text, row.field, Dialect::kCronie);
      if (std::string_view(row.cronie) == "random") {
        CHECK(cronie.find_first_not_of("0123456789") == std::string::npos);
      } else {
        CHECK(cronie == row.cronie);
      }
      CHECK(values(text, row.field, Dialect::kSupercronic) == row.supercronic);
    }
  }

  TEST_CASE("cronie's random ranges stay within their bounds and depend on the seed only") {
    struct Row {
      const char* value;
      int first;
      int last;
    };

    for (const Row row :
         {Row{"5~10", 5, 10}, Row{"~", 0, 59}, Row{"~10", 0, 10}, Row{"5~", 5, 59}}) {
      CAPTURE(row.value);
      const std::string text = text_with(Of::kMinute, row.value);
      bool differs = false;
      for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const std::string value = values(text, Of::kMinute, Dialect::kCronie, seed);
        CHECK(value == values(text, Of::kMinute, Dialect::kCronie, seed));
        CHECK(std::stoi(value) >= row.first);
        CHECK(std::stoi(value) <= row.last);
        differs = differs || value != values(text, Of::kMinute, Dialect::kCronie, 0);
      }
      CHECK(differs);
    }
    CHECK(values("5~50/5 * * * *", Of::kMinute, Dialect::kCronie) == kRefused);
    CHECK(values("10~5 * * * *", Of::kMinute, Dialect::kCronie) == kRefused);
    CHECK(values("5~10 * * * *", Of::kMinute, Dialect::kDebian) == "5");
    CHECK(values("5~ * * * *", Of::kMinute, Dialect::kDebian) == "5");
  }

  TEST_CASE("the star bit is the first character in Debian and a whole member in supercronic") {
    const auto utc = Zone::utc();
    const auto days = [&](const char* text, Dialect dialect) {
      ParseOptions options;
      options.dialect = dialect;
      std::string list;
      for (const std::string& slot : slots(text, *utc, "2026-05-31T12:00:00Z", 6, options)) {
        list += (list.empty() ? "" : " ") + slot.substr(5, 5);
      }
      return list;
    };
    // Odd days that are Mondays; odd days plus Mondays.
    CHECK(days("0 0 */2 * 1", Dialect::kDebian) == "06-01 06-15 06-29 07-13 07-27 08-03");
    CHECK(days("0 0 */2 * 1", Dialect::kCronie) == "06-01 06-15 06-29 07-13 07-27 08-03");
    CHECK(days("0 0 */2 * 1", Dialect::kSupercronic) == "06-01 06-03 06-05 06-07 06-08 06-09");
    CHECK(days("0 0 1-31/2 * 1", Dialect::kDebian) == "06-01 06-03 06-05 06-07 06-08 06-09");
    // Every day; Mondays.
    CHECK(days("0 0 1,* * 1", Dialect::kDebian) == "06-01 06-02 06-03 06-04 06-05 06-06");
    CHECK(days("0 0 1,* * 1", Dialect::kSupercronic) == "06-01 06-08 06-15 06-22 06-29 07-06");
  }

  TEST_CASE("six and seven fields are years and seconds to supercronic, a command to the others") {
    ParseOptions options;
    options.dialect = Dialect::kSupercronic;
    const auto year = parse_prefix("0 0 * * * 2030 x", options);
    REQUIRE(year);
    CHECK(year->consumed == 15);
    CHECK_FALSE(year->schedule.allows_year(2029));
    CHECK(year->schedule.allows_year(2030));
    const auto seconds = parse_prefix("5 0 0 * * * 2030 x", options);
    REQUIRE(seconds);
    CHECK(seconds->schedule.seconds == 1U << 5U);
    options.dialect = Dialect::kDebian;
    const auto command = parse_prefix("0 0 * * * 2030 x", options);
    REQUIRE(command);
    CHECK(command->consumed == 10);
    CHECK(error_of("0 0 * * * 2030", Dialect::kDebian) == "");
    CHECK(error_of("* * * * * * cmd", Dialect::kDebian) != "");
  }

  TEST_CASE("macros: each daemon knows its own") {
    for (const char* name : {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"}) {
      CAPTURE(name);
      for (const Dialect dialect : {Dialect::kNative, Dialect::kDebian, Dialect::kCronie,
                                    Dialect::kSupercronic, Dialect::kCronexpr}) {
        CHECK(error_of(name, dialect) == "");
      }
      CHECK(error_of(name, Dialect::kQuartz) != "");
    }
    for (const char* name : {"@midnight", "@reboot"}) {
      CAPTURE(name);
      CHECK(error_of(name, Dialect::kDebian) == "");
      CHECK(error_of(name, Dialect::kCronie) == "");
      CHECK(error_of(name, Dialect::kNative) == "");
      CHECK(error_of(name, Dialect::kSupercronic) != "");
    }
    for (const char* name : {"@Daily", "@every 5m", "@at 2026-12-01", "@"}) {
      CAPTURE(name);
      CHECK(error_of(name, Dialect::kDebian) != "");
      CHECK(error_of(name, Dialect::kCronie) != "");
      CHECK(error_of(name, Dialect::kSupercronic) != "");
    }
  }

  TEST_CASE("parse_prefix says where the command begins") {
    struct Row {
      const char* line;
      Dialect dialect;
      std::size_t consumed;
    };

    for (const Row row :
         {Row{"* * * * * cmd", Dialect::kDebian, 10},
          Row{"*\t*  *\t* *  \tcmd x", Dialect::kCronie, 13},
          Row{"@daily  cmd", Dialect::kDebian, 8}, Row{"@daily\tcmd", Dialect::kSupercronic, 7},
          Row{"* * * * *", Dialect::kDebian, 9},
          Row{"*/5 * * * *  run it", Dialect::kSupercronic, 13}}) {
      CAPTURE(row.line);
      ParseOptions options;
      options.dialect = row.dialect;
      const auto prefix = parse_prefix(row.line, options);
      REQUIRE(prefix);
      CHECK(prefix->consumed == row.consumed);
    }
    ParseOptions supercronic;
    supercronic.dialect = Dialect::kSupercronic;
    CHECK_FALSE(parse_prefix("* * * * *", supercronic));
    CHECK_FALSE(parse_prefix("@daily", supercronic));
    CHECK_FALSE(parse_prefix("* * * * * cmd", {}));
  }

  TEST_CASE("cronexpr: five fields, with a year, with seconds and a year") {
    CHECK(error_of("0 0 1 1 *", Dialect::kCronexpr) == "");
    CHECK(error_of("0 0 1 1 * 2030", Dialect::kCronexpr) == "");
    CHECK(error_of("0 0 0 1 1 * 2030-2032", Dialect::kCronexpr) == "");
    CHECK(error_of("0 0 1 1", Dialect::kCronexpr) != "");
    CHECK(error_of("0 0 0 1 1 * 2030 x", Dialect::kCronexpr) != "");
    CHECK(error_of("0 0 1 1 * 1969", Dialect::kCronexpr) != "");
    CHECK(error_of("0 0 L,15W * 5L,5#2", Dialect::kCronexpr) == "");
    ParseOptions options;
    options.dialect = Dialect::kCronexpr;
    CHECK(slots("30 5 4 3 2 * 2030", *Zone::utc(), "2026-01-01", 2, options) ==
          std::vector<std::string>{"2030-02-03T04:05:30Z"});
    CHECK(slots("0 12 1 1 * 2027,2029", *Zone::utc(), "2026-01-01", 3, options) ==
          std::vector<std::string>{"2027-01-01T12:00:00Z", "2029-01-01T12:00:00Z"});
  }

  TEST_CASE("quartz: Sunday is 1, one day field is ?, the year is optional") {
    ParseOptions options;
    options.dialect = Dialect::kQuartz;
    const auto first = [&](const char* text) {
      const auto list = slots(text, *Zone::utc(), "2026-11-01T00:00:00Z", 1, options);
      return list.empty() ? std::string("none") : list.front();
    };
    CHECK(first("0 0 12 * * ?") == "2026-11-01T12:00:00Z");
    CHECK(first("0 0 12 ? * 2") == "2026-11-02T12:00:00Z");
    CHECK(first("0 0 12 ? * SAT") == "2026-11-07T12:00:00Z");
    CHECK(first("0 0 12 ? * 6#3") == "2026-11-20T12:00:00Z");
    CHECK(first("0 0 12 ? * 6L") == "2026-11-27T12:00:00Z");
    CHECK(first("0 0 12 ? * L") == "2026-11-07T12:00:00Z");
    CHECK(first("0 0 12 L-2 * ?") == "2026-11-28T12:00:00Z");
    CHECK(first("0 0 12 LW * ?") == "2026-11-30T12:00:00Z");
    CHECK(first("0 0 12 15W * ?") == "2026-11-16T12:00:00Z");
    CHECK(first("0 0/20 22-2 * * ?") == "2026-11-01T00:20:00Z");
    CHECK(first("0 15 10 1 1 ? 2030") == "2030-01-01T10:15:00Z");
    CHECK(first("0 15 10 1 1 ? 2020") == "none");
    CHECK(error_of("0 0 12 * * *", Dialect::kQuartz) != "");
    CHECK(error_of("0 0 12 ? * ?", Dialect::kQuartz) != "");
    CHECK(error_of("0 0 12 1 * MON", Dialect::kQuartz) != "");
    CHECK(error_of("0 0 12 ? * 0", Dialect::kQuartz) != "");
    CHECK(error_of("0 12 * * ?", Dialect::kQuartz) != "");
    CHECK(error_of("0 0 H * * ?", Dialect::kQuartz) != "");
  }
}

}  // namespace distcron::cron
