// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "config/job_file.h"
#include "config/toml_write.h"
#include "support/seed.h"

namespace distcron::config {

namespace {

/// A text of characters that are hard on TOML.
std::string hard_text(Rng& rng) {
  static const std::vector<std::string> kParts = {"a",
                                                  "Z",
                                                  "\n",
                                                  "\t",
                                                  "\"",
                                                  "'",
                                                  "''",
                                                  "'''",
                                                  "\\",
                                                  "#",
                                                  " ",
                                                  "=",
                                                  "[",
                                                  "]",
                                                  "\x01",
                                                  "\x7f",
                                                  "\r",
                                                  "\xc3\xa4",
                                                  "\xf0\x9f\x95\x92",
                                                  "\\u0041",
                                                  "%"};
  std::string out;
  for (std::uint64_t i = rng.below(12); i > 0; --i)
    out += kParts[rng.below(kParts.size())];
  return out;
}

/// A job that is valid, with many fields set.
model::JobSpec random_job(Rng& rng) {
  model::JobSpec spec;
  spec.name = "g/job." + std::to_string(rng.below(1'000));
  spec.description = hard_text(rng);
  spec.enabled = rng.below(2) == 0;
  for (std::uint64_t i = rng.below(3); i > 0; --i)
    spec.schedule.emplace_back("0,30 2 * * *");
  switch (rng.below(3)) {
    case 0:
      spec.command = "x" + hard_text(rng);
      break;
    case 1:
      spec.argv = {"/bin/x", hard_text(rng), ""};
      break;
    default:
      spec.script = "#!/bin/sh\n" + hard_text(rng);
      break;
  }
  for (std::uint64_t i = rng.below(3); i > 0; --i)
    spec.env["K" + hard_text(rng) + "k"] = hard_text(rng);
  if (spec.env.contains("K=k")) spec.env.clear();
  spec.stdin_text = hard_text(rng);
  spec.labels = {{"team", "dba"}, {"a.b", "c"}};
  if (rng.below(2) == 0) spec.timeout = Millis{1 + static_cast<std::int64_t>(rng.below(1U << 30U))};
  if (rng.below(2) == 0) spec.umask = model::Mode{static_cast<std::int32_t>(rng.below(01000))};
  if (rng.below(2) == 0) spec.mail_to = rng.below(2) == 0 ? "" : "root";
  spec.retry_factor = 1.0 + static_cast<double>(rng.below(1'000)) / 128.0;
  spec.retry_jitter = static_cast<double>(rng.below(100)) / 100.0;
  spec.output_max_bytes = model::Bytes{static_cast<std::int64_t>(rng.below(1ULL << 40U))};
  spec.misfire = static_cast<model::Misfire>(rng.below(3));
  spec.dst = static_cast<cron::DstMode>(rng.below(3));
  spec.ok_codes = {0, static_cast<std::int32_t>(rng.below(256))};
  if (rng.below(2) == 0) spec.notify = {"failed,missed:mail:root", "ok:exec:x y"};
  return spec;
}

}  // namespace

TEST_SUITE("config") {
  TEST_CASE("a job comes back from its TOML as it was, resolved or not") {
    Rng rng(test::seed());
    for (int i = 0; i < 400; ++i) {
      model::JobSpec spec = random_job(rng);
      for (auto entry = spec.env.begin(); entry != spec.env.end();) {
        entry =
            entry->first.find('=') == std::string::npos ? std::next(entry) : spec.env.erase(entry);
      }
      for (const bool resolved : {false, true}) {
        const std::string text = format_job_toml(spec, resolved);
        CAPTURE(text);
        const JobFile file = parse_job_file(text, "x.toml");
        REQUIRE(format_problems(file.problems) == "");
        REQUIRE(file.jobs.size() == 1);
        CHECK(file.jobs[0].spec == spec);
      }
    }
  }

  TEST_CASE("the canonical text has no defaults and keeps scripts readable") {
    model::JobSpec spec;
    spec.name = "ops/a";
    spec.schedule = {"30 2 * * *"};
    spec.script = "#!/bin/sh\necho \"$HOME\" \\\n";
    spec.retry_max = 2;
    spec.env = {{"PATH", "/bin"}, {"a b", "c"}};

    CHECK(format_job_toml(spec) ==
          "version = 1\n"
          "\n"
          "[job.\"ops/a\"]\n"
          "schedule = \"30 2 * * *\"\n"
          "script = '''\n"
          "#!/bin/sh\n"
          "echo \"$HOME\" \\\n"
          "'''\n"
          "env.PATH = \"/bin\"\n"
          "env.\"a b\" = \"c\"\n"
          "retry.max = 2\n");
    const std::string resolved = format_job_toml(spec, true);
    CHECK(resolved.find("misfire = \"once\"\n") != std::string::npos);
    CHECK(resolved.find("retry.factor = 2.0\n") != std::string::npos);
    CHECK(resolved.find("timeout") == std::string::npos);
    CHECK(resolved.find("cwd") == std::string::npos);
  }

  TEST_CASE("several jobs make one file") {
    model::JobSpec a;
    a.name = "a";
    a.command = "true";
    model::JobSpec b = a;
    b.name = "b";

    const JobFile file = parse_job_file(format_jobs_toml({a, b}), "x.toml");

    REQUIRE(file.jobs.size() == 2);
    CHECK(file.jobs[0].spec == a);
    CHECK(file.jobs[1].spec == b);
    CHECK(format_jobs_toml({}) == "version = 1\n");
  }

  TEST_CASE("bytes that are not UTF-8 become replacement characters") {
    CHECK(toml_quote("a\xff\xc3") == "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(toml_quote("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(toml_quote("\xc0\xaf") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(toml_text("a\n\xff") == "'''\na\n\xef\xbf\xbd'''");
  }
}

}  // namespace distcron::config
