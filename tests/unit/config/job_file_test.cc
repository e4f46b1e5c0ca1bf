// SPDX-License-Identifier: Apache-2.0
#include "config/job_file.h"

#include <string>

#include <doctest/doctest.h>

namespace distcron::config {

namespace {

constexpr const char* kNightly = R"(# Jobs of the database group.
version = 1

[defaults]                         # this file only
tz       = "Europe/Berlin"
user     = "backup"
labels   = { team = "dba" }

# The nightly dump.
# Ask dba before changing it.
[job.backup-db]
description = "Nightly dump of the orders database"
schedule    = ["30 2 * * *", "H 14 * * sun"]
jitter      = "5m"
on          = "role=db && dc!=test"
misfire_window = "2h"
timeout     = "90m"
ok_codes    = [0, 3]
limits      = { memory = "4GiB", nice = 10 }
env         = { PGHOST = "db1", PORT = 5432 }
labels      = { tier = "1" }
script      = '''
#!/bin/bash
pg_dump orders > "$DUMP"
'''
retry  = { max = 3, delay = "1m", factor = 2, max_delay = "15m", jitter = 0.2 }
output = { max_bytes = "2MiB", keep = { runs = 60 } }

[[job.backup-db.notify]]
when = ["failed", "missed", "recovered"]
to   = ["mail:dba@example.org", "exec:/usr/local/bin/page dba"]

# Keeps the cache small.
[job."ops/rotate-cache"]
every  = "6h"
argv   = ["/usr/bin/find", "/var/cache/app", "-mtime", "+2", "-delete"]

[[job.backup-db.notify]]
when = "unknown"
to   = "mail:root"

[job.once]
at = 2026-12-01T10:00:00
command = "true"
)";

/// The problems of one text, as people see them.
std::string problems_of(const std::string& text) {
  return format_problems(parse_job_file(text, "nightly.toml").problems);
}

std::string job(const std::string& lines) {
  return "[job.a]\ncommand = \"true\"\n" + lines;
}

}  // namespace

TEST_SUITE("config") {
  TEST_CASE("a job file with defaults, short forms and notify tables is read in its order") {
    const JobFile file = parse_job_file(kNightly, "nightly.toml");

    CHECK(format_problems(file.problems) == "");
    REQUIRE(file.jobs.size() == 3);
    const model::JobSpec& backup = file.jobs[0].spec;
    CHECK(backup.name == "backup-db");
    CHECK(backup.tz == "Europe/Berlin");
    CHECK(backup.user == "backup");
    CHECK(backup.schedule == model::TextList{"30 2 * * *", "H 14 * * sun"});
    CHECK(backup.labels == model::TextMap{{"team", "dba"}, {"tier", "1"}});
    CHECK(backup.env == model::TextMap{{"PGHOST", "db1"}, {"PORT", "5432"}});
    CHECK(backup.timeout == Millis{5'400'000});
    CHECK(backup.limit_memory == model::Bytes{4LL << 30});
    CHECK(backup.nice == 10);
    CHECK(backup.retry_max == 3);
    CHECK(backup.retry_factor == 2.0);
    CHECK(backup.output_keep_runs == 60);
    CHECK(backup.script == "#!/bin/bash\npg_dump orders > \"$DUMP\"\n");
    CHECK(backup.notify == model::TextList{"failed,missed,recovered:mail:dba@example.org",
                                           "failed,missed,recovered:exec:/usr/local/bin/page dba",
                                           "unknown:mail:root"});
    CHECK(file.jobs[1].spec.name == "ops/rotate-cache");
    CHECK(file.jobs[1].spec.schedule == model::TextList{"@every 6h"});
    CHECK(file.jobs[1].spec.argv.size() == 5);
    CHECK(file.jobs[2].spec.schedule == model::TextList{"@at 2026-12-01T10:00:00"});
  }

  TEST_CASE("each job keeps its own part of the text, comments and defaults included") {
    const JobFile file = parse_job_file(kNightly, "nightly.toml");
    REQUIRE(file.jobs.size() == 3);

    const std::string& cache = file.jobs[1].source_text;
    CHECK(cache.starts_with("# Jobs of the database group.\nversion = 1\n\n[defaults] "));
    CHECK(cache.find("# Keeps the cache small.\n[job.\"ops/rotate-cache\"]\n") !=
          std::string::npos);
    CHECK(cache.find("backup-db") == std::string::npos);
    CHECK(cache.find("Ask dba") == std::string::npos);
    const std::string& backup = file.jobs[0].source_text;
    CHECK(backup.find("# Ask dba before changing it.\n[job.backup-db]\n") != std::string::npos);
    CHECK(backup.find("to   = \"mail:root\"") != std::string::npos);
    for (const JobFileEntry& entry : file.jobs) {
      const JobFile alone = parse_job_file(entry.source_text, "alone.toml");
      REQUIRE(alone.jobs.size() == 1);
      CHECK(alone.jobs[0].spec == entry.spec);
      CHECK(alone.jobs[0].source_text == entry.source_text);
    }
  }

  TEST_CASE("jobs that cannot be cut out of their file have no source text") {
    const JobFile file = parse_job_file(
        "job = { a = { command = 'true' }, b = { command = 'false' } }\n", "inline.toml");

    CHECK(file.problems.empty());
    REQUIRE(file.jobs.size() == 2);
    CHECK(file.jobs[0].source_text == "");
  }

  TEST_CASE("a job's own command takes the place of one in the defaults") {
    const JobFile file = parse_job_file(
        "[defaults]\ncommand = 'true'\n[job.a]\nargv = ['/bin/ls']\n[job.b]\n", "x.toml");

    CHECK(file.problems.empty());
    CHECK(file.jobs[0].spec.command == "");
    CHECK(file.jobs[1].spec.command == "true");
  }

  TEST_CASE("an unknown value is shown in its line with what would fit") {
    CHECK(problems_of(job("misfire   = \"sometimes\"\n")) ==
          "nightly.toml:3:13: misfire: unknown value \"sometimes\"\n"
          "    3 | misfire   = \"sometimes\"\n"
          "      |             ^^^^^^^^^^^ one of: skip, once, all");
  }

  TEST_CASE("problems name file, line, column, key and way out") {
    struct Row {
      const char* lines;
      const char* problem;
      const char* hint;
    };

    const Row rows[] = {
        {"tiemout = \"5s\"", "nightly.toml:3:1: tiemout: unknown key", "did you mean: timeout"},
        {"retry = { mx = 1 }", "nightly.toml:3:11: retry.mx: unknown key",
         "did you mean: retry.max"},
        {"retry = 3", "nightly.toml:3:9: retry: is not a table", ""},
        {"timeout = 90", "nightly.toml:3:11: timeout: is not a duration", "write such as \"90s\""},
        {"timeout = \"90\"", "nightly.toml:3:11: timeout: duration \"90\" lacks a unit",
         "write such as 90s"},
        {"timeout = \"0s\"", "nightly.toml:3:11: timeout: 0s is shorter than 1ms", ""},
        {"umask = 22", "nightly.toml:3:9: umask: is not a mode", "octal digits in quotes"},
        {"priority = 101", "nightly.toml:3:12: priority: 101 is not between 0 and 100", ""},
        {"priority = 3000000000", "nightly.toml:3:12: priority: 3000000000 is out of range", ""},
        {"enabled = \"yes\"", "nightly.toml:3:11: enabled: is not true or false", ""},
        {"argv = \"x\"", "nightly.toml:3:8: argv: is not a list", "or use command"},
        {"script = \"x\"", "nightly.toml:2:11: command: more than one thing to run", ""},
        {"schedule = \"61 * * * *\"", "nightly.toml:3:12: schedule: \"61 * * * *\": ", ""},
        {"tz = \"Mars/Olympus\"", "nightly.toml:3:6: tz: ", ""},
        {"name = \"b\"", "nightly.toml:3:1: name: stands in [job.NAME]", "leave this line out"},
        {"notify = \"never:mail:a\"", "nightly.toml:3:10: notify: notify rule", "one of: failed"},
        {"[[job.a.notify]]\nwhen = \"failed\"", "notify: lacks when or to", ""},
        {"[[job.a.notify]]\nwen = \"failed\"", "notify: wen: unknown key", "when and to"},
        {"x = ", "nightly.toml:3:", ""},
        {"[workflow.x]", "nightly.toml:3:", ""},
        {"[job.\"a b\"]\ncommand=\"x\"", "job \"a b\": name: has a character",
         "names are [group/]"}};

    for (const Row& row : rows) {
      CAPTURE(row.lines);
      const std::string text = problems_of(job(row.lines));
      CAPTURE(text);
      CHECK(text.find(row.problem) != std::string::npos);
      CHECK(text.find(row.hint) != std::string::npos);
    }
    CHECK(problems_of("version = 2").starts_with("nightly.toml:1:11: version: is not one"));
    CHECK(problems_of("[jobs.a]").find("did you mean: job") != std::string::npos);
    CHECK(problems_of("job = 1").find("job: is not a table") != std::string::npos);
  }

  TEST_CASE("all problems of a file are found, in its order") {
    const JobFile file = parse_job_file(
        "[job.b]\ncommand = 'x'\nmisfire = 'x'\n[job.a]\nargv = 1\npriority = 'x'\n", "x.toml");

    REQUIRE(file.problems.size() == 3);
    CHECK(file.problems[0].line == 3);
    CHECK(file.problems[1].line == 5);
    CHECK(file.problems[2].line == 6);
    const Error error = fail_problems(file.problems).value();
    CHECK(error.code == ErrorCode::kInvalid);
    CHECK(error.message.find("\nx.toml:6:12: priority: ") != std::string::npos);
  }

  TEST_CASE("set takes TOML of the field's type, else plain text") {
    model::JobSpec spec;
    spec.command = "true";
    const auto set = [&spec](const char* key, const char* text) {
      const Status status = set_field(spec, key, text);
      CAPTURE(key);
      CHECK(status);
    };

    set("timeout", "90s");
    CHECK(spec.timeout == Millis{90'000});
    set("timeout", "\"2m\"");
    CHECK(spec.timeout == Millis{120'000});
    set("enabled", "no");
    CHECK_FALSE(spec.enabled);
    set("retry.max", "3");
    CHECK(spec.retry_max == 3);
    set("description", "a, b = \"c\"");
    CHECK(spec.description == "a, b = \"c\"");
    set("description", "123");
    CHECK(spec.description == "123");
    set("schedule", "0,30 2 * * *");
    CHECK(spec.schedule == model::TextList{"0,30 2 * * *"});
    set("schedule", "[\"@daily\", \"@hourly\"]");
    CHECK(spec.schedule == model::TextList{"@daily", "@hourly"});
    set("every", "6h");
    CHECK(spec.schedule == model::TextList{"@every 6h"});
    set("ok_codes", "0,3");
    CHECK(spec.ok_codes == std::vector<std::int32_t>{0, 3});
    set("labels", "a=1,b=2");
    set("labels", "c=3");
    set("labels.d", "x=y,z");
    CHECK(spec.labels == model::TextMap{{"c", "3"}, {"d", "x=y,z"}});
    set("argv", "[\"/bin/ls\", \"-l\"]");
    CHECK(spec.argv == model::TextList{"/bin/ls", "-l"});
    CHECK(spec.command == "");
    set("mail.to", "");
    CHECK(spec.mail_to == "");
    set("umask", "027");
    CHECK(spec.umask == model::Mode{027});
  }

  TEST_CASE("a set that does not fit names the key and changes nothing") {
    model::JobSpec spec;
    spec.command = "true";
    const model::JobSpec before = spec;

    struct Row {
      const char* key;
      const char* text;
      const char* message;
    };

    const Row rows[] = {{"tiemout", "5s", "tiemout: unknown key"},
                        {"name", "b", "name: cannot be set"},
                        {"misfire", "never", "misfire: unknown value \"never\""},
                        {"argv", "/bin/ls", "argv: is not a list"},
                        {"priority", "1.5", "priority: \"1.5\" is not a whole number"},
                        {"labels", "a", "labels: is not a table"},
                        {"ok_codes", "0,x", "ok_codes: \"x\" is not a whole number"}};
    for (const Row& row : rows) {
      CAPTURE(row.key);
      const Status status = set_field(spec, row.key, row.text);
      REQUIRE_FALSE(status);
      CHECK(status.error().message == row.message);
      CHECK(spec == before);
    }
  }

  TEST_CASE("unset goes back to the default") {
    model::JobSpec spec;
    spec.timeout = Millis{1};
    spec.retry_max = 3;
    spec.env = {{"A", "1"}, {"B", "2"}};
    spec.schedule = {"@daily"};

    CHECK(unset_field(spec, "timeout"));
    CHECK(unset_field(spec, "retry.max"));
    CHECK(unset_field(spec, "env.A"));
    CHECK(unset_field(spec, "every"));

    model::JobSpec expected;
    expected.env = {{"B", "2"}};
    CHECK(spec == expected);
    CHECK_FALSE(unset_field(spec, "tiemout"));
    CHECK_FALSE(unset_field(spec, "name"));
    CHECK(field_keys().size() > 40);
  }
}

}  // namespace distcron::config
