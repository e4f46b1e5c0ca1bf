// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <clocale>

#include <doctest/doctest.h>

namespace distcron::ctl {
namespace {

Table two_jobs() {
  Table table;
  table.columns = {{"name"},
                   {"runs", Align::kRight},
                   {"command", Align::kLeft, true},
                   {"user", Align::kLeft, false, true}};
  table.rows = {{"backup-db", "12", "/usr/local/bin/backup --all --verbose", "root"},
                {"a", "3", "true", "www"}};
  return table;
}

TEST_SUITE("ctl") {
  TEST_CASE("a table aligns columns, numbers to the right, and leaves wide columns out") {
    CHECK(format_table(two_jobs(), {}) ==
          "NAME       RUNS  COMMAND\n"
          "backup-db    12  /usr/local/bin/backup --all --verbose\n"
          "a             3  true\n");
  }

  TEST_CASE("a narrow screen cuts only flexible columns") {
    REQUIRE(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr);

    CHECK(format_table(two_jobs(), {.width = 32}) ==
          "NAME       RUNS  COMMAND\n"
          "backup-db    12  /usr/local/bin…\n"
          "a             3  true\n");
  }

  TEST_CASE("chosen columns come in the asked order, and unknown ones are refused") {
    Table table = two_jobs();

    REQUIRE(choose_columns(table, {"user", "name"}));

    CHECK(format_tsv(table, true) == "user\tname\nroot\tbackup-db\nwww\ta\n");
    const Status refused = choose_columns(table, {"usr"});
    REQUIRE(!refused);
    CHECK(refused.error().hint == "columns: user, name");
  }

  TEST_CASE("control characters in cells reach neither terminal nor tsv") {
    Table table;
    table.columns = {{"name"}};
    table.rows = {{"a\x1b[31m\tb\nc"}};

    CHECK(format_tsv(table, false) == "a [31m b c\n");
    CHECK(format_table(table, {.header = false}) == "a [31m b c\n");
  }
}

}  // namespace
}  // namespace distcron::ctl
