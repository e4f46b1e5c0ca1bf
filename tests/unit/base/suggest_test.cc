// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <doctest/doctest.h>

namespace distcron {

TEST_SUITE("base") {
  TEST_CASE("a swapped pair of letters is one edit") {
    CHECK(edit_distance("backup-bd", "backup-db") == 1);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
  }

  TEST_CASE("the nearest known names are suggested, nearest first, never the word itself") {
    const std::vector<std::string> known = {"enable", "disable", "list", "lint", "history"};

    CHECK(suggest("lits", known) == std::vector<std::string>{"list", "lint"});
    CHECK(suggest("frobnicate", known).empty());
    CHECK(suggest("list", known) == std::vector<std::string>{"lint"});
  }
}

}  // namespace distcron
