// SPDX-License-Identifier: Apache-2.0
// One test per clock-change rule of the documentation (explanation of DST).
#include <doctest/doctest.h>

#include "support/cron_check.h"

namespace distcron::cron {

namespace {

using Texts = std::vector<std::string>;

ParseOptions with(DstMode mode) {
  ParseOptions options;
  options.dst = mode;
  return options;
}

/// A zone of +01:00 that at 2026-06-01T00:00Z changes by `jump` seconds.
Zone jumping_zone(std::int32_t jump) {
  const std::int64_t at = epoch_seconds(utc_time("2026-06-01T00:00:00Z"));
  return Zone("Test/Jump", {{0, 3600, "AAA"}, {at, 3600 + jump, "BBB"}});
}

}  // namespace

TEST_SUITE("cron") {
  TEST_CASE("a fixed-time job whose time falls into a gap runs once, right after the gap") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("30 2 * * *", *berlin, "2026-03-28 12:00", 2) ==
          Texts{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"});
    const auto new_york = zone_of("America/New_York");
    CHECK(slots("30 2 * * *", *new_york, "2025-03-08 12:00", 2) ==
          Texts{"2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"});
  }

  TEST_CASE("many slots in one gap make one run, with all intended times recorded") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("0,15,30 2 * * *", *berlin, "2026-03-28 12:00", 2) ==
          Texts{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"});
    const auto schedule = parse("0,15,30 2 * * *", {});
    REQUIRE(schedule);
    const auto info = slot_info(*schedule, utc_time("2026-03-29T01:00:00Z"), *berlin);
    REQUIRE(info);
    CHECK(info->gap_catch_up);
    CHECK(info->intended_local ==
          Texts{"2026-03-29 02:00:00", "2026-03-29 02:15:00", "2026-03-29 02:30:00"});
  }

  TEST_CASE("a run after a gap that meets a regular slot is one slot") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("0 2,3 * * *", *berlin, "2026-03-28 12:00", 2) ==
          Texts{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"});
    const auto schedule = parse("0 2,3 * * *", {});
    const auto info = slot_info(*schedule, utc_time("2026-03-29T01:00:00Z"), *berlin);
    REQUIRE(info);
    CHECK(info->gap_catch_up);
    CHECK(info->intended_local == Texts{"2026-03-29 02:00:00"});
  }

  TEST_CASE("a wildcard job does not run for times in a gap") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("*/15 2 * * *", *berlin, "2026-03-28 12:00", 1) == Texts{"2026-03-30T00:00:00Z"});
    CHECK(slots("30 * * * *", *berlin, "2026-03-29 01:00", 3) ==
          Texts{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"});
  }

  TEST_CASE("of a repeated time a fixed-time job runs in the first pass only") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("30 2 * * *", *berlin, "2026-10-24 12:00", 2) ==
          Texts{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"});
    const auto schedule = parse("30 2 * * *", {});
    CHECK(matches(*schedule, utc_time("2026-10-25T00:30:00Z"), *berlin));
    CHECK_FALSE(matches(*schedule, utc_time("2026-10-25T01:30:00Z"), *berlin));
  }

  TEST_CASE("a wildcard job runs in both passes of a repeated hour") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("30 * * * *", *berlin, "2026-10-25T00:00:00Z", 3) ==
          Texts{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"});
    CHECK(slots("@hourly", *berlin, "2026-10-25T00:00:00Z", 2) ==
          Texts{"2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"});
  }

  TEST_CASE("a rare wildcard job is found in the second pass when asked within the first") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("*/20 2 25 10 *", *berlin, "2026-10-25T00:45:00Z", 4) ==
          Texts{"2026-10-25T01:00:00Z", "2026-10-25T01:20:00Z", "2026-10-25T01:40:00Z",
                "2027-10-25T00:00:00Z"});
  }

  TEST_CASE("a field that begins with * makes a wildcard job, one that ends with it does not") {
    struct Row {
      const char* text;
      bool fixed;
    };

    for (const Row row :
         {Row{"*/5 2 * * *", false}, Row{"0 */2 * * *", false}, Row{"*,5 2 * * *", false},
          Row{"5,* 2 * * *", true}, Row{"0-59 2 * * *", true}, Row{"0 0-23 * * *", true},
          Row{"H H * * *", true}, Row{"~ 2 * * *", true}, Row{"@daily", true}, Row{"@weekly", true},
          Row{"@monthly", true}, Row{"@yearly", true}, Row{"@hourly", false}}) {
      CAPTURE(row.text);
      const auto schedule = parse(row.text, {});
      REQUIRE(schedule);
      CHECK(schedule->is_fixed_time() == row.fixed);
    }
  }

  TEST_CASE("a gap of three hours or more is not made up for") {
    const Zone three = jumping_zone(3 * 3600);
    const Zone less = jumping_zone(3 * 3600 - 1);
    CHECK(slots("30 2 * * *", three, "2026-05-31T12:00:00Z", 1) == Texts{"2026-06-01T22:30:00Z"});
    CHECK(slots("30 2 * * *", less, "2026-05-31T12:00:00Z", 1) == Texts{"2026-06-01T00:00:00Z"});
  }

  TEST_CASE("a repeat of more than three hours counts as new time") {
    const Zone three = jumping_zone(-3 * 3600);
    const Zone more = jumping_zone(-3 * 3600 - 1);
    CHECK(slots("30 0 * * *", three, "2026-05-31T12:00:00Z", 2) ==
          Texts{"2026-05-31T23:30:00Z", "2026-06-02T02:30:00Z"});
    CHECK(slots("30 0 * * *", more, "2026-05-31T12:00:00Z", 2) ==
          Texts{"2026-05-31T23:30:00Z", "2026-06-01T02:30:01Z"});
  }

  TEST_CASE("the day that Samoa left out is lost, not made up for") {
    const auto apia = zone_of("Pacific/Apia");
    CHECK(slots("0 12 * * *", *apia, "2011-12-28 12:30", 3) ==
          Texts{"2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"});
    CHECK(slots("0 12 30 12 *", *apia, "2011-12-01 00:00", 1) == Texts{"2012-12-29T22:00:00Z"});
  }

  TEST_CASE("times lost in a change of calendar are listed") {
    const auto apia = zone_of("Pacific/Apia");
    const auto gaps = [&](const char* text) {
      const auto schedule = parse(text, {});
      return calendar_gaps(*schedule, utc_time("2011-12-01T00:00:00Z"),
                           utc_time("2012-01-31T00:00:00Z"), *apia);
    };
    REQUIRE(gaps("0 6,12 * * *").size() == 1);
    CHECK(gaps("0 6,12 * * *")[0].at == utc_time("2011-12-30T10:00:00Z"));
    CHECK(gaps("0 6,12 * * *")[0].skipped_local ==
          Texts{"2011-12-30 06:00:00", "2011-12-30 12:00:00"});
    CHECK(gaps("*/5 * * * *").empty());
    CHECK(gaps("0 6 1 * *").empty());
    CHECK(gaps("@every 1h").empty());
  }

  TEST_CASE("Casey's changes of three hours: no catch-up forwards, first pass only backwards") {
    const auto casey = zone_of("Antarctica/Casey");
    int forwards = 0;
    int backwards = 0;
    for (const ZoneSegment& segment : casey->segments()) {
      if (segment.begin < 0) continue;
      const auto at = wall_from_seconds(segment.begin);
      const auto schedule = parse("0-59 0-23 * * *", {});
      REQUIRE(schedule);
      if (segment.jump == 3 * 3600) {
        ++forwards;
        const auto info = slot_info(*schedule, at, *casey);
        REQUIRE(info);
        CHECK_FALSE(info->gap_catch_up);
      }
      if (segment.jump == -3 * 3600) {
        ++backwards;
        CHECK(next(*schedule, at - Seconds(1), *casey) == at + Seconds(3 * 3600));
      }
    }
    CHECK(forwards + backwards > 0);
  }

  TEST_CASE("a half-hour change works like an hour's") {
    const auto lord_howe = zone_of("Australia/Lord_Howe");
    // 2026-10-04 02:00 -> 02:30; 2026-04-05 02:00 -> 01:30.
    CHECK(slots("15 2 * * *", *lord_howe, "2026-10-03 12:00", 2) ==
          Texts{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"});
    CHECK(slots("45 1 * * *", *lord_howe, "2026-04-04 12:00", 2) ==
          Texts{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"});
    CHECK(slots("45 * * * *", *lord_howe, "2026-04-04T14:00:00Z", 3) ==
          Texts{"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"});
  }

  TEST_CASE("@daily runs every day where the clock jumps at midnight") {
    const auto sao_paulo = zone_of("America/Sao_Paulo");  // 2018-11-04 00:00 -> 01:00
    CHECK(slots("@daily", *sao_paulo, "2018-11-03 12:00", 2) ==
          Texts{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"});
    const auto cairo = zone_of("Africa/Cairo");  // 2026-04-24 00:00 -> 01:00
    CHECK(slots("@daily", *cairo, "2026-04-23 12:00", 2) ==
          Texts{"2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"});
    // 2026-10-30 00:00 -> 23:00 of the 29th: midnight of the 30th comes once.
    CHECK(slots("@daily", *cairo, "2026-10-29 12:00", 2) ==
          Texts{"2026-10-29T22:00:00Z", "2026-10-30T22:00:00Z"});
    CHECK(slots("30 23 * * *", *cairo, "2026-10-29 12:00", 2) ==
          Texts{"2026-10-29T20:30:00Z", "2026-10-30T21:30:00Z"});
  }

  TEST_CASE("the rules apply to changes of standard time too") {
    const auto kathmandu = zone_of("Asia/Kathmandu");  // 1986-01-01 00:00 -> 00:15
    CHECK(slots("5 0 * * *", *kathmandu, "1985-12-31 12:00", 2) ==
          Texts{"1985-12-31T18:30:00Z", "1986-01-01T18:20:00Z"});
    const auto moscow = zone_of("Europe/Moscow");  // 2014-10-26 02:00 -> 01:00, for good
    CHECK(slots("30 1 * * *", *moscow, "2014-10-25 12:00", 2) ==
          Texts{"2014-10-25T21:30:00Z", "2014-10-26T22:30:00Z"});
  }

  TEST_CASE("mode skip leaves out gaps and second passes for every job") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("30 2 * * *", *berlin, "2026-03-28 12:00", 1, with(DstMode::kSkip)) ==
          Texts{"2026-03-30T00:30:00Z"});
    CHECK(slots("30 2 * * *", *berlin, "2026-10-24 12:00", 2, with(DstMode::kSkip)) ==
          Texts{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"});
    CHECK(slots("30 * * * *", *berlin, "2026-10-25T00:00:00Z", 2, with(DstMode::kSkip)) ==
          Texts{"2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"});
  }

  TEST_CASE("mode both leaves out gaps and fires in both passes") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("30 2 * * *", *berlin, "2026-03-28 12:00", 1, with(DstMode::kBoth)) ==
          Texts{"2026-03-30T00:30:00Z"});
    CHECK(slots("30 2 * * *", *berlin, "2026-10-24 12:00", 3, with(DstMode::kBoth)) ==
          Texts{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"});
  }

  TEST_CASE("intervals count elapsed time and know no clock change") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("@every 45m", *berlin, "2026-03-29T00:00:00Z", 3) ==
          Texts{"2026-03-29T00:45:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:15:00Z"});
    CHECK(slots("@every 1h30m", *berlin, "2026-10-25T00:00:00Z", 2) ==
          Texts{"2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"});
  }

  TEST_CASE("@at is once: after the gap that skips it, in the first pass of a repeat") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(slots("@at 2026-03-29T02:30", *berlin, "2026-01-01", 2) == Texts{"2026-03-29T01:00:00Z"});
    CHECK(slots("@at 2026-10-25T02:30", *berlin, "2026-01-01", 2) == Texts{"2026-10-25T00:30:00Z"});
    CHECK(slots("@at 2026-12-01T10:00Z", *berlin, "2026-01-01", 2) ==
          Texts{"2026-12-01T10:00:00Z"});
    CHECK(slots("@at 2026-12-01 10:00:05+05:30", *berlin, "2026-01-01", 1) ==
          Texts{"2026-12-01T04:30:05Z"});
    CHECK(slots("@at 2026-03-29T02:30", *berlin, "2026-01-01", 1, with(DstMode::kSkip)) == Texts{});
    CHECK(slots("@at 2026-12-01T10:00", *berlin, "2026-12-01 10:00", 1) == Texts{});
  }

  TEST_CASE("slots of a year are the same in one piece or in many") {
    const auto berlin = zone_of("Europe/Berlin");
    const WallTime end = utc_time("2027-01-01T00:00:00Z");
    for (const char* text : {"*/7 1-3 * * *", "30 2 * * *", "0 0-23 * * sun", "@hourly"}) {
      CAPTURE(text);
      const auto schedule = parse(text, {});
      REQUIRE(schedule);
      std::vector<WallTime> whole;
      for (auto at = next(*schedule, utc_time("2026-01-01T00:00:00Z"), *berlin); at && *at <= end;
           at = next(*schedule, *at, *berlin)) {
        CHECK((whole.empty() || whole.back() < *at));
        whole.push_back(*at);
      }
      std::vector<WallTime> pieces;
      for (WallTime from = utc_time("2026-01-01T00:00:00Z"); from < end; from += Seconds(4111)) {
        const WallTime to = std::min(end, from + Seconds(4111));
        for (auto at = next(*schedule, from, *berlin); at && *at <= to;
             at = next(*schedule, *at, *berlin)) {
          pieces.push_back(*at);
        }
      }
      CHECK(whole == pieces);
    }
  }
}

}  // namespace distcron::cron
