// SPDX-License-Identifier: Apache-2.0
#include "model/units.h"

#include <cstdint>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "support/seed.h"

namespace distcron::model {

namespace {
const WallTime kNow = wall_from_seconds(1'795'224'600);  // 2026-11-21T01:30:00Z
}

TEST_SUITE("model") {
  TEST_CASE("durations are read in the forms that people write") {
    struct Row {
      const char* text;
      std::int64_t ms;
    };

    const Row rows[] = {{"0", 0},
                        {"0s", 0},
                        {"90s", 90'000},
                        {"10m", 600'000},
                        {"1h30m", 5'400'000},
                        {"7d", 604'800'000},
                        {"250ms", 250},
                        {"1w", 604'800'000},
                        {"1.5s", 1'500},
                        {"0.25h", 900'000},
                        {"1m0s", 60'000},
                        {"36500d", 3'153'600'000'000}};

    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto parsed = parse_duration(row.text);
      REQUIRE(parsed);
      CHECK(parsed->count() == row.ms);
    }
  }

  TEST_CASE("a text that is no duration is refused with the forms") {
    for (const char* text : {"", "90", "s", "-5s", "5 s", "5x", "5s7", "1.0005s", "1..5s", ".5s",
                             "36501d", "99999999999999999999d", "1e3s", "5S"}) {
      CAPTURE(text);
      const auto parsed = parse_duration(text);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().message.starts_with("duration \""));
      CHECK(parsed.error().hint == "write such as 90s, 10m, 1h30m, 7d or 250ms");
    }
  }

  TEST_CASE("a duration is written in its shortest exact form and read back") {
    CHECK(format_duration(Millis{0}) == "0s");
    CHECK(format_duration(Millis{5'400'000}) == "1h30m");
    CHECK(format_duration(Millis{250}) == "250ms");
    CHECK(format_duration(Millis{604'800'000}) == "7d");
    CHECK(format_duration(Millis{61'001}) == "1m1s1ms");

    Rng rng(test::seed());
    for (int i = 0; i < 2'000; ++i) {
      const Millis value{static_cast<std::int64_t>(rng.below(3'153'600'000'000) >> rng.below(40))};
      CAPTURE(value.count());
      const auto back = parse_duration(format_duration(value));
      REQUIRE(back);
      CHECK(*back == value);
    }
  }

  TEST_CASE("sizes know powers of 1024 and of 1000") {
    struct Row {
      const char* text;
      std::int64_t bytes;
    };

    const Row rows[] = {{"512", 512},
                        {"0", 0},
                        {"10k", 10'240},
                        {"8MiB", 8LL << 20},
                        {"2GiB", 2LL << 30},
                        {"1MB", 1'000'000},
                        {"1.5KiB", 1'536},
                        {"1T", 1LL << 40},
                        {"7B", 7}};
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto parsed = parse_size(row.text);
      REQUIRE(parsed);
      CHECK(parsed->count == row.bytes);
      CHECK(*parse_size(format_size(*parsed)) == *parsed);
    }
    CHECK(format_size(Bytes{8LL << 20}) == "8MiB");
    CHECK(format_size(Bytes{1'500}) == "1500");
    for (const char* text : {"", "k", "-1", "1.5", "1XB", "9999999999T", "1 k"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_size(text));
    }
  }

  TEST_CASE("modes are octal") {
    CHECK(parse_mode("022")->bits == 022);
    CHECK(parse_mode("0077")->bits == 077);
    CHECK(parse_mode("22")->bits == 022);
    CHECK(format_mode(Mode{022}) == "0022");
    CHECK(format_mode(Mode{01777}) == "01777");
    CHECK_FALSE(parse_mode("0o22"));
    CHECK_FALSE(parse_mode("8"));
    CHECK_FALSE(parse_mode(""));
    CHECK_FALSE(parse_mode("77777"));
  }

  TEST_CASE("instants are written in UTC with the decimals that were asked for") {
    const WallTime at = kNow + Micros{1'234'567};
    CHECK(format_utc(kNow) == "2026-11-21T01:30:00Z");
    CHECK(format_utc(at, 0) == "2026-11-21T01:30:01Z");
    CHECK(format_utc(at, 3) == "2026-11-21T01:30:01.234Z");
    CHECK(format_utc(at, 6) == "2026-11-21T01:30:01.234567Z");
    CHECK(format_utc(wall_from_micros(-1), 6) == "1969-12-31T23:59:59.999999Z");
  }

  TEST_CASE("instants are read in the forms of the command line") {
    struct Row {
      const char* text;
      std::int64_t micros_from_now;
    };

    constexpr std::int64_t kHour = 3'600'000'000;
    const Row rows[] = {{"now", 0},
                        {"-2h", -2 * kHour},
                        {"+10m", 600'000'000},
                        {"2026-11-21T01:30:00Z", 0},
                        {"2026-11-21T01:30:00.25Z", 250'000},
                        {"2026-11-21T03:30:00.000001+01:00", kHour + 1},
                        {"2026-11-21 02:30", kHour},
                        {"2026-11-21 02:30:10", kHour + 10'000'000},
                        {"today", -kHour * 3 / 2},
                        {"yesterday", -kHour * 3 / 2 - 24 * kHour},
                        {"tomorrow", -kHour * 3 / 2 + 24 * kHour},
                        {"@1795224600", 0},
                        {"@1795224600.5", 500'000}};
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto parsed = parse_time(row.text, *cron::Zone::utc(), kNow);
      REQUIRE(parsed);
      CHECK((*parsed - kNow).count() == row.micros_from_now);
    }
  }

  TEST_CASE("a text that is no instant is refused with the forms") {
    for (const char* text : {"", "soon", "-", "-5", "@", "@x", "@99999999999999", "2026-13-01",
                             "2026-11-21 02:30.5", "2026-11-21T01:30:00.Z", "+99999999d"}) {
      CAPTURE(text);
      const auto parsed = parse_time(text, *cron::Zone::utc(), kNow);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().message.starts_with("time \""));
      CHECK(parsed.error().hint.find("yesterday") != std::string::npos);
    }
  }

  TEST_CASE("today begins at the zone's own midnight") {
    const auto zone = cron::load_zone("Europe/Berlin");
    REQUIRE(zone);

    CHECK(format_utc(*parse_time("today", **zone, kNow)) == "2026-11-20T23:00:00Z");
    CHECK(format_utc(*parse_time("2026-07-01 02:30", **zone, kNow)) == "2026-07-01T00:30:00Z");
  }
}

}  // namespace distcron::model
