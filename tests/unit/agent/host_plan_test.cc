// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <doctest/doctest.h>

#include "agent/host.h"

namespace distcron::agent {

namespace {

HostFacts facts() {
  HostFacts out;
  out.node_name = "web1";
  out.is_root = true;
  return out;
}

model::Run run() {
  model::Run out;
  out.run_id = 7;
  out.attempt = 2;
  out.job = "backup";
  out.scheduled_at = wall_from_seconds(1'800'000'000);
  return out;
}

bool has(const process::SpawnPlan& plan, const std::string& variable) {
  return std::find(plan.env.begin(), plan.env.end(), variable) != plan.env.end();
}

}  // namespace

TEST_SUITE("agent") {
  TEST_CASE("a command goes to /bin/sh, of a crontab to the SHELL that it names") {
    model::JobSpec spec;
    spec.command = "echo a | cat";
    spec.env["SHELL"] = "/bin/bash";

    CHECK(make_plan(spec, run(), facts()).argv ==
          std::vector<std::string>{"/bin/sh", "-c", "echo a | cat"});
    spec.compat = model::Compat::kDebian;
    CHECK(make_plan(spec, run(), facts()).argv.front() == "/bin/bash");
  }

  TEST_CASE("every job learns its run from the environment, whatever it sets itself") {
    model::JobSpec spec;
    spec.argv = {"/bin/true"};
    spec.env["DISTCRON_RUN_ID"] = "forged";
    model::Run extra = run();
    extra.param = "x y";
    extra.extra_env["COLOUR"] = "red";

    const process::SpawnPlan plan = make_plan(spec, extra, facts());

    CHECK(has(plan, "DISTCRON_RUN_ID=7"));
    CHECK(has(plan, "DISTCRON_ATTEMPT=2"));
    CHECK(has(plan, "DISTCRON_JOB=backup"));
    CHECK(has(plan, "DISTCRON_NODE=web1"));
    CHECK(has(plan, "DISTCRON_SCHEDULED_EPOCH=1800000000"));
    CHECK(has(plan, "DISTCRON_SCHEDULED_AT=2027-01-15T08:00:00Z"));
    CHECK(has(plan, "DISTCRON_PARAM=x y"));
    CHECK(has(plan, "COLOUR=red"));

    extra.shard = 1;
    extra.shards = 3;
    const process::SpawnPlan sharded = make_plan(spec, extra, facts());
    CHECK(has(sharded, "DISTCRON_SHARD=1"));
    CHECK(has(sharded, "DISTCRON_SHARDS=3"));
  }

  TEST_CASE("a job keeps no more output than its host allows") {
    model::JobSpec spec;
    spec.argv = {"/bin/true"};
    spec.output_max_bytes.count = 1 << 20;
    HostFacts small = facts();
    small.output_bytes_max = 4096;

    CHECK(make_plan(spec, run(), small).output_max_bytes == 4096);
    CHECK(make_plan(spec, run(), facts()).output_max_bytes == 1 << 20);
  }

  TEST_CASE("an agent of an ordinary user starts all jobs as itself") {
    model::JobSpec spec;
    spec.argv = {"/bin/true"};
    spec.user = "alice";
    HostFacts own = facts();
    own.is_root = false;

    CHECK(make_plan(spec, run(), facts()).user == "alice");
    CHECK(make_plan(spec, run(), own).user.empty());
  }

  TEST_CASE("only jobs of Debian's cron and of cronie get a session of PAM") {
    model::JobSpec spec;
    spec.argv = {"/bin/true"};
    const auto wants_pam = [&spec](model::Compat compat) {
      spec.compat = compat;
      return make_plan(spec, run(), facts()).pam;
    };

    CHECK(wants_pam(model::Compat::kDebian));
    CHECK(wants_pam(model::Compat::kCronie));
    CHECK_FALSE(wants_pam(model::Compat::kSupercronic));
    CHECK_FALSE(wants_pam(model::Compat::kNative));
  }
}

}  // namespace distcron::agent
