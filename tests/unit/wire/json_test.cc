// SPDX-License-Identifier: Apache-2.0
#include "wire/json.h"

#include <string>

#include <doctest/doctest.h>

#include "support/random_fill.h"
#include "support/seed.h"
#include "wire/json_impl.h"
#include "wire/operations.h"

namespace distcron::wire {

TEST_SUITE("wire") {
  TEST_CASE("a run in JSON has what scripts need and nothing that is unset") {
    RunItem item;
    item.run_id = 8'123;
    item.job = "backup-db";
    item.scheduled_at = wall_from_micros(1'795'224'600'000'001);
    item.state = "ok";
    item.exit_code = 0;
    item.output_truncated = false;

    CHECK(to_json(item) ==
          R"({"run_id":8123,"job":"backup-db","scheduled_at":"2026-11-21T01:30:00.000001Z",)"
          R"("state":"ok","exit_code":0,"output_truncated":false})");
  }

  TEST_CASE("zeros, false and empty lists of a job item are there") {
    JobItem item;
    item.name = "a";
    CHECK(to_json(item) == R"({"name":"a","enabled":false,"schedules":[],"version":0,"running":0,)"
                           R"("failures":0,"managed":false})");
    CHECK(to_json(JobList{}) == R"({"items":[]})");
  }

  TEST_CASE("a scheduler that is unknown is absent") {
    StatusReply status;
    CHECK(to_json(status).find("scheduler") == std::string::npos);
    status.scheduler = SchedulerItem{3, "web1"};
    CHECK(to_json(status).find(R"("scheduler":{"id":3,"name":"web1"})") != std::string::npos);
  }

  TEST_CASE("keys with a dot are nested, durations have their text beside them") {
    model::JobSpec spec;
    spec.name = "a";
    spec.command = "true";
    spec.retry_max = 2;
    spec.timeout = Millis{90'000};
    spec.retry_delay = Millis{1'500};
    spec.umask = model::Mode{022};
    nlohmann::json json;

    to_json_value(json, spec);

    CHECK(json["timeout"] == 90);
    CHECK(json["timeout_text"] == "1m30s");
    CHECK(json["retry"]["max"] == 2);
    CHECK(json["retry"]["delay"] == 1.5);
    CHECK(json["retry"]["delay_text"] == "1s500ms");
    CHECK(json["output"]["max_bytes"] == 8 << 20);
    CHECK(json["umask"] == "0022");
    CHECK(json["concurrency"] == "forbid");
    CHECK(json["dialect"] == "native");
    CHECK(json["schedule"] == nlohmann::json::array());
    CHECK_FALSE(json.contains("argv"));
    CHECK_FALSE(json.contains("env"));
    CHECK_FALSE(json["mail"].contains("to"));
    CHECK_FALSE(json.contains("misfire_window"));
  }

  TEST_CASE("bytes that are not UTF-8 become replacement characters") {
    model::Run run;
    run.tail = "a\xff\x80z";
    CHECK(to_json(run).find("\"tail\":\"a\xef\xbf\xbd\xef\xbf\xbdz\"") != std::string::npos);
  }

  TEST_CASE("a job comes back from its JSON as it was") {
    Rng rng(test::seed());
    for (int i = 0; i < 300; ++i) {
      model::JobSpec spec;
      test::RandomFill(rng).fill(spec);
      // JSON has no bytes that are not UTF-8 and no place for an empty text.
      model::visit_fields(spec, [&rng](const model::Field&, auto& member) {
        using Member = std::remove_cvref_t<decltype(member)>;
        const std::string word = "w\"\n" + std::to_string(rng.below(1'000));
        if constexpr (std::is_same_v<Member, std::string>) member = word;
        if constexpr (std::is_same_v<Member, model::TextList>) member = {word, "", "b"};
        if constexpr (std::is_same_v<Member, model::TextMap>) member = {{word, ""}, {"b", word}};
        if constexpr (std::is_same_v<Member, std::optional<std::string>>) member = word;
        if constexpr (std::is_same_v<Member, std::vector<std::int32_t>>) member = {1, 2};
      });

      const auto back = from_json<model::JobSpec>(to_json(spec));

      REQUIRE(back);
      CHECK(*back == spec);
    }
  }

  TEST_CASE("texts for durations and sizes, and a list of one without brackets, are read") {
    const auto spec = from_json<model::JobSpec>(
        R"({"name":"a","schedule":"@daily","timeout":"5m","retry":{"delay":0.25},)"
        R"("output":{"max_bytes":"1MiB"},"max_runtime":null,"env":{"A":"b"},"ok_codes":[0,3]})");

    REQUIRE(spec);
    CHECK(spec->schedule == model::TextList{"@daily"});
    CHECK(spec->timeout == Millis{300'000});
    CHECK(spec->retry_delay == Millis{250});
    CHECK(spec->output_max_bytes == model::Bytes{1 << 20});
    CHECK_FALSE(spec->max_runtime);
    CHECK(spec->ok_codes == std::vector<std::int32_t>{0, 3});
  }

  TEST_CASE("JSON that does not fit is refused by key or place") {
    struct Row {
      const char* text;
      const char* message;
      const char* hint;
    };

    const Row rows[] = {
        {"{", "cannot read JSON: parse error at line 1, column 2", ""},
        {"[]", "cannot read job: not a JSON object", ""},
        {R"({"tiemout":1})", "cannot read job: tiemout: unknown key", "did you mean: timeout"},
        {R"({"retry":{"mx":1}})", "cannot read job: retry.mx: unknown key",
         "did you mean: retry.max"},
        {R"({"retry":1})", "cannot read job: retry: is not an object", ""},
        {R"({"timeout":-1})", "cannot read job: timeout: is not between", ""},
        {R"({"timeout":[]})", "cannot read job: timeout: is not a number of seconds", ""},
        {R"({"priority":1.5})", "cannot read job: priority: is not a whole number", ""},
        {R"({"priority":99999999999})", "cannot read job: priority: is not in the range", ""},
        {R"({"enabled":"yes"})", "cannot read job: enabled: is not true or false", ""},
        {R"({"misfire":"sometimes"})", "cannot read job: misfire: unknown value \"sometimes\"",
         "one of: skip, once, all"},
        {R"({"env":{"A":1}})", "cannot read job: env: is not a text", ""},
        {R"({"umask":22})", "cannot read job: umask: is not an octal text", ""}};
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto spec = from_json<model::JobSpec>(row.text);
      REQUIRE_FALSE(spec);
      CHECK(spec.error().message.starts_with(row.message));
      CHECK(spec.error().hint == row.hint);
    }
    CHECK_FALSE(from_json<model::JobSpec>(std::string(1'000'000, '[')));
    CHECK_FALSE(from_json<model::JobSpec>("{\"a\":\"\xff\"}"));
  }
}

}  // namespace distcron::wire
