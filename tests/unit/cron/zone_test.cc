// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <ctime>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "cron/posix_rule.h"
#include "support/cron_check.h"

namespace distcron::cron {

namespace {

std::int64_t libc_offset(std::int64_t at) {
  const std::time_t time = at;
  std::tm local{};
  ::localtime_r(&time, &local);
  return local.tm_gmtoff;
}

}  // namespace

TEST_SUITE("cron") {
  TEST_CASE("offsets equal those of the C library in all zones, also after 2037") {
    Rng rng(7);
    const auto names = zone_names();
    CHECK(names.size() > 400);
    for (const std::string& name : names) {
      CAPTURE(name);
      const auto zone = zone_of(name);
      ::setenv("TZ", name.c_str(), 1);
      ::tzset();
      int wrong = 0;
      for (int i = 0; i < 40; ++i) {
        const auto at = static_cast<std::int64_t>(rng.below(std::uint64_t{180} * 31'556'952));
        if (zone->local_offset(wall_from_seconds(at)).count() != libc_offset(at)) ++wrong;
      }
      for (const ZoneSegment& segment : zone->segments()) {
        if (segment.begin < 0 || segment.jump == 0) continue;
        if (libc_offset(segment.begin) != segment.offset) ++wrong;
        if (libc_offset(segment.begin - 1) != segment.offset - segment.jump) ++wrong;
      }
      CHECK(wrong == 0);
    }
    ::unsetenv("TZ");
    ::tzset();
  }

  TEST_CASE("an unknown zone is named, with the nearest one") {
    const auto zone = load_zone("Europe/Berln");
    REQUIRE_FALSE(zone);
    CHECK(zone.error().code == ErrorCode::kInvalid);
    CHECK(zone.error().message == "unknown time zone \"Europe/Berln\"");
    CHECK(zone.error().hint == "did you mean Europe/Berlin?");
    for (const char* name :
         {"", "localtime", "../etc/passwd", "CET\n", "europe/berlin", "/usr/share/zoneinfo/UTC"}) {
      CAPTURE(name);
      CHECK_FALSE(load_zone(name));
    }
  }

  TEST_CASE("a cache gives one zone for one name") {
    ZoneCache cache;
    const auto first = cache.find("Europe/Berlin");
    const auto again = cache.find("Europe/Berlin");
    REQUIRE(first);
    REQUIRE(again);
    CHECK(first->get() == again->get());
    CHECK_FALSE(cache.find("Nowhere/Land"));
    CHECK(cache.find("UTC")->get() == Zone::utc().get());
  }

  TEST_CASE("local time texts carry the abbreviation") {
    const auto berlin = zone_of("Europe/Berlin");
    CHECK(format_local(utc_time("2026-11-21T01:30:00Z"), *berlin) == "2026-11-21 02:30:00 CET");
    CHECK(format_local(utc_time("2026-07-01T00:00:00Z"), *berlin) == "2026-07-01 02:00:00 CEST");
    CHECK(format_local(utc_time("2090-07-01T00:00:00Z"), *berlin) == "2090-07-01 02:00:00 CEST");
    CHECK(format_utc(wall_from_micros(-1)) == "1969-12-31T23:59:59Z");
  }

  TEST_CASE("local time texts are read, also in gaps and repeats") {
    const auto berlin = zone_of("Europe/Berlin");
    const auto read = [&](const char* text) {
      const auto time = parse_local_time(text, *berlin);
      return time ? format_utc(*time) : std::string("refused");
    };
    CHECK(read("2026-11-21 02:30") == "2026-11-21T01:30:00Z");
    CHECK(read("2026-11-21T02:30:15") == "2026-11-21T01:30:15Z");
    CHECK(read("2026-11-21") == "2026-11-20T23:00:00Z");
    CHECK(read("2026-11-21T02:30Z") == "2026-11-21T02:30:00Z");
    CHECK(read("2026-11-21T02:30+0530") == "2026-11-20T21:00:00Z");
    CHECK(read("2026-03-29 02:30") == "2026-03-29T01:00:00Z");
    CHECK(read("2026-10-25 02:30") == "2026-10-25T00:30:00Z");
    for (const char* text : {"", "2026", "2026-13-01", "2026-02-29", "2026-11-21 24:00",
                             "2026-11-21 02:30:60", "2026-11-21 02:30 ", "2026-11-21x02:30"}) {
      CAPTURE(text);
      CHECK(read(text) == "refused");
    }
  }

  TEST_CASE("POSIX rules of every form are read") {
    const auto changes = expand_posix_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2040, 2040);
    REQUIRE(changes.size() == 2);
    CHECK(format_utc(wall_from_seconds(changes[0].at)) == "2040-03-25T01:00:00Z");
    CHECK(changes[0].abbreviation == "-01");
    CHECK(format_utc(wall_from_seconds(changes[1].at)) == "2040-10-28T01:00:00Z");
    CHECK(expand_posix_rule("EST5EDT,J60/2,300/2", 2040, 2041).size() == 4);
    CHECK(expand_posix_rule("<+0530>-5:30", 2040, 2050).size() == 1);
    for (const char* rule :
         {"", "X", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
          "CET-1CEST,M3.5.0,M10.5.0x", "<CET-1", "CET-999"}) {
      CAPTURE(rule);
      CHECK(expand_posix_rule(rule, 2040, 2041).empty());
    }
  }

  TEST_CASE("UTC needs no database and the database has a version") {
    CHECK(Zone::utc()->name() == "UTC");
    CHECK(Zone::utc()->segments().size() == 1);
    CHECK(tzdata_version() != "unknown");
    CHECK(tzdata_version().substr(0, 2) == "20");
  }

  TEST_CASE("the host's zone is TZ when it is set") {
    ::setenv("TZ", ":Asia/Tokyo", 1);
    CHECK(host_zone_name() == "Asia/Tokyo");
    ::setenv("TZ", "/usr/share/zoneinfo/Europe/Paris", 1);
    CHECK(host_zone_name() == "Europe/Paris");
    ::setenv("TZ", "Etc/UTC", 1);
    CHECK(host_zone_name() == "UTC");
    ::unsetenv("TZ");
    CHECK(load_zone(host_zone_name()));
  }
}

}  // namespace distcron::cron
