// SPDX-License-Identifier: Apache-2.0
#include "agent/output_log.h"

#include <string>

#include <doctest/doctest.h>

namespace distcron::agent {
namespace {

TEST_SUITE("agent") {
  TEST_CASE("a line for the system log is whole, short and without control characters") {
    std::string text = "first\nleft\tright\x1b[0m\nlast";
    CHECK(take_log_line(text, false) == "first");
    CHECK(take_log_line(text, false) == "left right [0m");
    CHECK(take_log_line(text, false).empty());
    CHECK(text == "last");
    CHECK(take_log_line(text, true) == "last");
    CHECK(text.empty());
  }

  TEST_CASE("a line that is too long becomes several") {
    std::string text = std::string(2'500, 'x') + "\nnext";
    CHECK(take_log_line(text, false).size() == 1'000);
    CHECK(take_log_line(text, false).size() == 1'000);
    CHECK(take_log_line(text, false).size() == 500);
    CHECK(text == "next");
  }

  TEST_CASE("an empty line is taken") {
    std::string text = "\n\nend";
    CHECK(take_log_line(text, false).empty());
    CHECK(text == "\nend");
  }
}

}  // namespace
}  // namespace distcron::agent
