// SPDX-License-Identifier: Apache-2.0
#include "model/job_check.h"

#include <functional>
#include <limits>
#include <string>

#include <doctest/doctest.h>

namespace distcron::model {

namespace {

JobSpec good_job() {
  JobSpec spec;
  spec.name = "ops/backup-db.1";
  spec.schedule = {"30 2 * * *", "H 14 * * sun"};
  spec.tz = "Europe/Berlin";
  spec.command = "pg_dump orders";
  return spec;
}

}  // namespace

TEST_SUITE("model") {
  TEST_CASE("a plain job passes") {
    CHECK(validate(good_job()));
    CHECK(check_fields(good_job()).empty());
  }

  TEST_CASE("job names are [group/]name of a few characters") {
    for (const char* name : {"a", "ops/a", "A.b_c-9", "root-backup.sh-3f2a91c0", ".hidden"}) {
      CAPTURE(name);
      CHECK(check_job_name(name));
    }
    CHECK(check_job_name(std::string(200, 'x')));
    for (const char* name : {"", "a b", "a/b/c", "/a", "a/", "-a", "ops/-a", "..", "../a", "ops/..",
                             "a@1", "a\n", "b\xc3\xbc", "a*"}) {
      CAPTURE(name);
      const Status status = check_job_name(name);
      REQUIRE_FALSE(status);
      CHECK(status.error().code == ErrorCode::kInvalid);
      CHECK(status.error().hint.starts_with("names are [group/]name"));
    }
    CHECK_FALSE(check_job_name(std::string(201, 'x')));
  }

  TEST_CASE("each field that is out of its range is named") {
    struct Row {
      const char* field;
      std::function<void(JobSpec&)> spoil;
    };

    const Row rows[] = {
        {"name", [](JobSpec& s) { s.name = "a b"; }},
        {"schedule", [](JobSpec& s) { s.schedule = {"30 2 * *"}; }},
        {"schedule", [](JobSpec& s) { s.schedule.assign(257, "@daily"); }},
        {"schedule", [](JobSpec& s) { s.schedule = {std::string(5'000, '*')}; }},
        {"jitter", [](JobSpec& s) { s.jitter = Millis{-1}; }},
        {"command", [](JobSpec& s) { s.command.clear(); }},
        {"command", [](JobSpec& s) { s.argv = {"true"}; }},
        {"command", [](JobSpec& s) { s.command = std::string(131'072, 'x'); }},
        {"command", [](JobSpec& s) { s.command.push_back('\0'); }},
        {"argv",
         [](JobSpec& s) {
           s.command.clear();
           s.argv = {""};
         }},
        {"argv",
         [](JobSpec& s) {
           s.command.clear();
           s.argv.assign(5'000, "x");
         }},
        {"user", [](JobSpec& s) { s.user = "a:b"; }},
        {"group", [](JobSpec& s) { s.group = "-x"; }},
        {"cwd", [](JobSpec& s) { s.cwd = "tmp"; }},
        {"env",
         [](JobSpec& s) {
           s.env = {{"A=B", "x"}};
         }},
        {"env",
         [](JobSpec& s) {
           s.env = {{"", "x"}};
         }},
        {"stdin", [](JobSpec& s) { s.stdin_file = "x"; }},
        {"stdin",
         [](JobSpec& s) {
           s.stdin_file = "/x";
           s.stdin_text = "y";
         }},
        {"umask", [](JobSpec& s) { s.umask = Mode{01000}; }},
        {"on", [](JobSpec& s) { s.on = "=x"; }},
        {"timeout", [](JobSpec& s) { s.timeout = Millis{0}; }},
        {"kill_grace", [](JobSpec& s) { s.kill_grace = Millis{-1}; }},
        {"max_runtime", [](JobSpec& s) { s.max_runtime = Millis{0}; }},
        {"retry.max", [](JobSpec& s) { s.retry_max = 1'001; }},
        {"retry.delay", [](JobSpec& s) { s.retry_delay = Millis{-1}; }},
        {"retry.factor", [](JobSpec& s) { s.retry_factor = 0.5; }},
        {"retry.factor",
         [](JobSpec& s) { s.retry_factor = std::numeric_limits<double>::quiet_NaN(); }},
        {"retry.jitter", [](JobSpec& s) { s.retry_jitter = 1.1; }},
        {"misfire_window", [](JobSpec& s) { s.misfire_window = Millis{0}; }},
        {"catchup_max", [](JobSpec& s) { s.catchup_max = 0; }},
        {"priority", [](JobSpec& s) { s.priority = 101; }},
        {"ok_codes", [](JobSpec& s) { s.ok_codes = {}; }},
        {"ok_codes", [](JobSpec& s) { s.ok_codes = {256}; }},
        {"labels",
         [](JobSpec& s) {
           s.labels = {{"a=b", "c"}};
         }},
        {"notify", [](JobSpec& s) { s.notify = {"never:mail:root"}; }},
        {"limits.nice", [](JobSpec& s) { s.nice = 20; }},
        {"limits.nofile", [](JobSpec& s) { s.limit_nofile = 2; }},
        {"limits.memory", [](JobSpec& s) { s.limit_memory = Bytes{0}; }},
        {"output.max_bytes", [](JobSpec& s) { s.output_max_bytes = Bytes{-1}; }},
        {"output.keep_age", [](JobSpec& s) { s.output_keep_age = Millis{0}; }},
        {"mail.to", [](JobSpec& s) { s.mail_to = "a\nBcc: b"; }},
        {"mail.from", [](JobSpec& s) { s.mail_from = "a\rb"; }},
    };

    for (const Row& row : rows) {
      CAPTURE(row.field);
      JobSpec spec = good_job();
      row.spoil(spec);

      const auto problems = check_fields(spec);

      REQUIRE_FALSE(problems.empty());
      CHECK(problems.front().field == row.field);
      const Status status = validate(spec);
      REQUIRE_FALSE(status);
      CHECK(status.error().code == ErrorCode::kInvalid);
      CHECK(status.error().message.find(std::string(": ") + row.field + ": ") != std::string::npos);
    }
  }

  TEST_CASE("an unknown zone is refused, but not where the same answer must come everywhere") {
    JobSpec spec = good_job();
    spec.tz = "Europe/Berlln";

    const Status status = validate(spec);

    REQUIRE_FALSE(status);
    CHECK(status.error().message.starts_with("job \"ops/backup-db.1\": tz: "));
    CHECK(validate_without_zone(spec));
  }

  TEST_CASE("all problems of a job are found at once") {
    JobSpec spec = good_job();
    spec.priority = 1'000;
    spec.retry_max = -1;
    spec.on = "&&";

    CHECK(check_fields(spec).size() == 3);
  }

  TEST_CASE("the schedules of a job are compiled in their order") {
    const auto schedules = compile_schedules(good_job(), 42);

    REQUIRE(schedules);
    REQUIRE(schedules->size() == 2);
    CHECK((*schedules)[0].is_fixed_time());
    CHECK((*schedules)[1] == (*compile_schedules(good_job(), 42))[1]);

    JobSpec broken = good_job();
    broken.schedule.emplace_back("61 * * * *");
    const auto refused = compile_schedules(broken, 42);
    REQUIRE_FALSE(refused);
    CHECK(
        refused.error().message.starts_with("job \"ops/backup-db.1\": schedule: \"61 * * * *\": "));
  }

  TEST_CASE("the misfire window is half the interval, between 10 s and 1 h, unless set") {
    JobSpec spec = good_job();
    CHECK(effective_misfire_window(spec, Seconds{5}) == Millis{10'000});
    CHECK(effective_misfire_window(spec, Seconds{60}) == Millis{30'000});
    CHECK(effective_misfire_window(spec, Seconds{86'400}) == Millis{3'600'000});
    CHECK(effective_misfire_window(spec, Seconds::max()) == Millis{3'600'000});
    CHECK(effective_misfire_window(spec, std::nullopt) == Millis{3'600'000});
    spec.misfire_window = Millis{5};
    CHECK(effective_misfire_window(spec, Seconds{60}) == Millis{5});
  }

  TEST_CASE("the wait before a retry grows to its cap, and jitter only shortens it") {
    JobSpec spec = good_job();
    spec.retry_delay = Millis{60'000};
    spec.retry_factor = 2.0;
    spec.retry_max_delay = Millis{300'000};
    CHECK(retry_wait(spec, 2, 0.3) == Millis{60'000});
    CHECK(retry_wait(spec, 3, 0.3) == Millis{120'000});
    CHECK(retry_wait(spec, 4, 0.3) == Millis{240'000});
    CHECK(retry_wait(spec, 5, 0.3) == Millis{300'000});
    CHECK(retry_wait(spec, 1'000'000, 0.3) == Millis{300'000});

    spec.retry_jitter = 0.5;
    CHECK(retry_wait(spec, 2, 1.0) == Millis{60'000});
    CHECK(retry_wait(spec, 2, 0.0) == Millis{30'000});
    CHECK(retry_wait(spec, 2, 0.5) == Millis{45'000});

    spec.retry_delay = Millis{0};
    CHECK(retry_wait(spec, 1'000'000, 0.5) == Millis{0});
  }
}

}  // namespace distcron::model
