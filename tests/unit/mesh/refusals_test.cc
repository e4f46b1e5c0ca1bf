// SPDX-License-Identifier: Apache-2.0
#include "mesh/refusals.h"

#include <chrono>
#include <set>

#include <doctest/doctest.h>

#include "mesh/zmq_io.h"

namespace distcron::mesh {
namespace {

MonoTime at(int seconds) {
  return MonoTime(std::chrono::seconds(seconds));
}

WallTime wall(int seconds) {
  return WallTime(std::chrono::seconds(seconds));
}

TEST_SUITE("mesh") {
  TEST_CASE("the first refusal of a reason is told at once, and names who it was") {
    Refusals refusals("mesh");
    CHECK(refusals.take_lines(at(0), wall(0)).empty());
    refusals.note(Refusal::kForgedSender, "from=127.0.0.9 node=2");

    const auto lines = refusals.take_lines(at(1), wall(77));

    REQUIRE(lines.size() == 1);
    CHECK(lines[0].text == "refused door=mesh reason=forged_sender from=127.0.0.9 node=2 count=1");
    CHECK(refusals.of(Refusal::kForgedSender).count == 1);
    CHECK(refusals.of(Refusal::kForgedSender).last_at == wall(77));
    CHECK(refusals.take_lines(at(2), wall(78)).empty());
  }

  TEST_CASE(
      "ten thousand refusals in a minute are a few lines, and none is left out of the count") {
    Refusals refusals("control");
    std::size_t lines = 0;
    std::string last;
    for (int i = 0; i < 10'000; ++i) {
      refusals.note(Refusal::kUnknownKey, "key=" + std::to_string(i));
      for (const RefusalLine& line : refusals.take_lines(at(i * 60 / 10'000), wall(i))) {
        ++lines;
        last = line.text;
      }
    }
    CHECK(lines == 6);
    // What came after the last line is told once its time has come.
    CHECK(refusals.take_lines(at(59), wall(1)).empty());
    const auto rest = refusals.take_lines(at(60), wall(2));

    REQUIRE(rest.size() == 1);
    CHECK(rest[0].text ==
          "refused door=control reason=unknown_key key=9999 count=10000 unlogged=1664");
    CHECK(refusals.of(Refusal::kUnknownKey).count == 10'000);
    CHECK(refusals.take_lines(at(1'000), wall(3)).empty());
  }

  TEST_CASE("one reason does not keep another one quiet") {
    Refusals refusals("mesh");
    refusals.note(Refusal::kUnknownKey, "a");
    CHECK(refusals.take_lines(at(1), wall(1)).size() == 1);
    refusals.note(Refusal::kUnknownKey, "b");
    refusals.note(Refusal::kMalformed, "c");

    const auto lines = refusals.take_lines(at(2), wall(2));

    REQUIRE(lines.size() == 1);
    CHECK(lines[0].reason == Refusal::kMalformed);
  }

  TEST_CASE("each reason has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kRefusalCount; ++i)
      names.insert(name_of(static_cast<Refusal>(i)));
    CHECK(names.size() == kRefusalCount);
    CHECK(names.count("") == 0);
    CHECK(name_of(Refusal::kForbidden) == "forbidden");
    CHECK(name_of(Refusal::kLeft) == "left");
  }

  TEST_CASE("who leaves by himself is counted, and no line is worth it") {
    Refusals refusals("mesh");
    refusals.note(Refusal::kLeft, "from=127.0.0.9:4711");
    CHECK(refusals.take_lines(at(1), wall(1)).empty());
    CHECK(refusals.of(Refusal::kLeft).count == 1);
    CHECK(refusals.of(Refusal::kLeft).last_at == wall(1));
  }

  TEST_CASE("addresses are written as people write them") {
    CHECK(plain_address("::ffff:10.0.0.7") == "10.0.0.7");
    CHECK(plain_address("10.0.0.7") == "10.0.0.7");
    CHECK(plain_address("2001:db8::1") == "2001:db8::1");
    CHECK(plain_address("localhost:1000:100:4711") == "uid:1000,pid:4711");
    CHECK(plain_address("::1") == "::1");
    CHECK(plain_address("") == "");
  }
}

}  // namespace
}  // namespace distcron::mesh
