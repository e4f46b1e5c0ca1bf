// SPDX-License-Identifier: Apache-2.0
#include "model/glob.h"

#include <string>

#include <doctest/doctest.h>

namespace distcron::model {

TEST_SUITE("model") {
  TEST_CASE("a glob matches the whole text and nothing less") {
    struct Row {
      const char* pattern;
      const char* text;
      bool fits;
    };

    const Row rows[] = {{"", "", true},
                        {"", "a", false},
                        {"*", "", true},
                        {"*", "a/b.c", true},
                        {"a*", "a", true},
                        {"a*c", "abbc", true},
                        {"a*c", "abcb", false},
                        {"*ab*ab*", "xabab", true},
                        {"?", "", false},
                        {"?", "x", true},
                        {"??", "x", false},
                        {"[a-c]x", "bx", true},
                        {"[a-c]x", "dx", false},
                        {"[!a-c]x", "dx", true},
                        {"[^a-c]x", "ax", false},
                        {"[]]", "]", true},
                        {"[a-]", "-", true},
                        {"[ab", "[ab", true},
                        {"\\*", "*", true},
                        {"\\*", "a", false},
                        {"\\", "\\", true},
                        {"db?-[0-9]*", "db1-7x", true},
                        {"backup-*", "restore-db", false}};

    for (const Row& row : rows) {
      CAPTURE(row.pattern);
      CAPTURE(row.text);
      CHECK(glob_match(row.pattern, row.text) == row.fits);
    }
  }

  TEST_CASE("a pattern of many stars against a long text is answered at once") {
    std::string pattern;
    for (int i = 0; i < 50; ++i)
      pattern += "*a";
    pattern += "*b";

    CHECK_FALSE(glob_match(pattern, std::string(5'000, 'a')));
  }

  TEST_CASE("a text without special characters is no glob") {
    CHECK_FALSE(is_glob("backup-db"));
    CHECK(is_glob("backup-*"));
    CHECK(is_glob("db[12]"));
  }
}

}  // namespace distcron::model
