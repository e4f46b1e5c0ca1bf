// SPDX-License-Identifier: Apache-2.0
#include "model/selector.h"

#include <doctest/doctest.h>

#include "model/notify_rule.h"

namespace distcron::model {

TEST_SUITE("model") {
  TEST_CASE("a selector holds when all its terms hold") {
    const TextMap labels = {{"role", "db"}, {"dc", "fra"}};

    struct Row {
      const char* selector;
      bool holds;
    };

    const Row rows[] = {{"", true},
                        {"  ", true},
                        {"web1", true},
                        {"web*", true},
                        {"web2", false},
                        {"name=web1", true},
                        {"name!=web1", false},
                        {"role=db", true},
                        {"role==db", true},
                        {"role = db", true},
                        {"role=db && dc!=test", true},
                        {"role=db,dc=fra", true},
                        {"role=db,dc=ams", false},
                        {"zone!=x", true},
                        {"zone=x", false},
                        {"zone=*", false},
                        {"role=d?", true},
                        {"role=[cd]b,web1", true},
                        {"role=db,", false},
                        {"=db", false}};

    for (const Row& row : rows) {
      CAPTURE(row.selector);
      CHECK(matches(row.selector, "web1", labels) == row.holds);
    }
  }

  TEST_CASE("a selector that does not parse names its term and the forms") {
    const auto parsed = parse_selector("role=db && =x");

    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message == "selector term \"=x\": lacks a label before the =");
    CHECK(parsed.error().hint.find("key=value") != std::string::npos);
  }

  TEST_CASE("the first term that fails is named for explain") {
    CHECK(first_mismatch("role=db && dc!=fra", "web1", {{"role", "db"}, {"dc", "fra"}}) ==
          "dc!=fra");
    CHECK(first_mismatch("role=db", "web1", {{"role", "db"}}).empty());
  }

  TEST_CASE("a notify rule survives its text form") {
    for (const char* text : {"failed:mail:root", "failed,missed,recovered:mail:dba@example.org",
                             "ok:exec:/usr/bin/logger -t x a:b"}) {
      CAPTURE(text);
      const auto rule = parse_notify_rule(text);
      REQUIRE(rule);
      CHECK(format_notify_rule(*rule) == text);
    }
  }

  TEST_CASE("a notify rule that does not fit says which part and what would") {
    struct Row {
      const char* text;
      const char* message;
    };

    const Row rows[] = {
        {"failed", "notify rule \"failed\": lacks its parts"},
        {"sometimes:mail:root", "notify rule \"sometimes:mail:root\": unknown word \"sometimes\""},
        {"failed:pager:root", "notify rule \"failed:pager:root\": unknown type \"pager\""},
        {"failed:mail:", "notify rule \"failed:mail:\": lacks a mail address"},
        {"failed:mail:a b", "notify rule \"failed:mail:a b\": lacks a mail address"},
        {"failed:mail:-oQ", "notify rule \"failed:mail:-oQ\": lacks a mail address"},
        {"failed:exec:", "notify rule \"failed:exec:\": lacks a command line"}};

    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto rule = parse_notify_rule(row.text);
      REQUIRE_FALSE(rule);
      CHECK(rule.error().message == row.message);
      CHECK_FALSE(rule.error().hint.empty());
    }
  }

  TEST_CASE("recovered means ok after a run that was not") {
    const NotifyRule rule = *parse_notify_rule("failed,recovered:mail:root");

    CHECK(applies(rule, RunState::kFailed, false));
    CHECK(applies(rule, RunState::kOk, true));
    CHECK_FALSE(applies(rule, RunState::kOk, false));
    CHECK_FALSE(applies(rule, RunState::kTimeout, true));
    CHECK_FALSE(applies(rule, RunState::kCancelled, true));
  }
}

}  // namespace distcron::model
