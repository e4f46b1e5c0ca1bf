// SPDX-License-Identifier: Apache-2.0
// Who a job runs as, the host's policy, and jobs from crontabs. Needs root for most.
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "e2e/exec/exec_host.h"

namespace distcron::e2e {
namespace {

using process::RefuseReason;

struct Host : ExecHost {
  explicit Host(std::vector<std::string> args = {}) : ExecHost(std::move(args)) {
    start();
    connect();
  }

  void write_policy(const std::string& text) {
    std::filesystem::create_directories(dir() + "/policy.d");
    std::ofstream(dir() + "/policy.d/10-test.toml") << text;
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("exec user") {
  TEST_CASE("a job of another user has that user's ids, groups and no capability") {
    if (geteuid() != 0) return;
    Host host;
    SpawnPlan plan = host.plan({probe_path(), "state"});
    plan.user = "nobody";
    SpawnPlan grouped = host.plan({probe_path(), "state"});
    grouped.user = "nobody";
    grouped.group = "daemon";
    SpawnPlan env = host.plan({"/usr/bin/env"});
    env.user = "daemon";

    host.run(plan);
    host.run(grouped);
    host.run(env);

    const std::string text = host.output(key_of(plan));
    CAPTURE(text);
    CHECK(has(text, "uid 65534 65534 65534 gid 65534 65534 65534 groups 65534\n"));
    CHECK(has(text,
              "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
              "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
              "CapAmb:\t0000000000000000\n"));
    CHECK(has(text, "nnp 1"));
    CHECK(has(host.output(key_of(grouped)), "gid 1 1 1 groups 65534\n"));
    const std::string names = host.output(key_of(env));
    CHECK(has(names, "HOME=/usr/sbin\n"));
    CHECK(has(names, "LOGNAME=daemon\n"));
    CHECK(has(names, "USER=daemon\n"));
    CHECK(has(names, "SHELL=/usr/sbin/nologin\n"));
  }

  TEST_CASE("the home is the working directory unless another is named; cron forgives its lack") {
    if (geteuid() != 0) return;
    Host host;
    SpawnPlan home = host.plan({"pwd"});
    home.user = "daemon";
    home.cwd.clear();
    SpawnPlan none = host.plan({"pwd"});
    none.user = "nobody";
    none.cwd.clear();
    SpawnPlan cron = none;
    cron.run_id = none.run_id + 100;
    cron.compat_cron = true;

    host.run(home);
    const process::ExecRefused refused = host.refused(none);
    host.run(cron);

    CHECK(host.output(key_of(home)) == "/usr/sbin\n");
    CHECK(refused.step == "cwd");
    CHECK(host.output(key_of(cron)) ==
          (access("/var/spool/cron", X_OK) == 0 ? "/var/spool/cron\n" : "/\n"));
  }

  TEST_CASE("jobs from crontabs get cron's environment and keep their capabilities") {
    if (geteuid() != 0) return;
    Host host;
    SpawnPlan env = host.plan({"/usr/bin/env"});
    env.user = "daemon";
    env.compat_cron = true;
    env.env = {"LOGNAME=faked", "X=1"};
    SpawnPlan cronie = host.plan({"/usr/bin/env"});
    cronie.user = "daemon";
    cronie.compat_cron = true;
    cronie.cronie_env = true;
    SpawnPlan state = host.plan({probe_path(), "state"});
    state.compat_cron = true;

    host.run(env);
    host.run(cronie);
    host.run(state);

    const std::string debian = host.output(key_of(env));
    CAPTURE(debian);
    CHECK(has(debian, "LOGNAME=daemon\n"));
    CHECK(has(debian, "X=1\n"));
    CHECK(has(debian, "SHELL=/bin/sh\n"));
    CHECK(has(debian, "HOME=/usr/sbin\n"));
    CHECK_FALSE(has(debian, "faked"));
    CHECK_FALSE(has(debian, "\nUSER="));
    CHECK(has(host.output(key_of(cronie)), "USER=daemon\n"));
    const std::string text = host.output(key_of(state));
    CAPTURE(text);
    CHECK(has(text, "nnp 0"));
    CHECK_FALSE(has(text, "CapEff:\t0000000000000000"));
  }

  TEST_CASE("another user's script runs from a private copy, or from memory when out of reach") {
    if (geteuid() != 0) return;
    Host host;
    SpawnPlan open = host.plan({"s"});
    open.user = "nobody";
    open.script = "#!/bin/sh\nid -u; echo \"$0\"\n";
    host.run(open);
    chmod((host.dir() + "/run").c_str(), 0700);
    SpawnPlan closed = host.plan({"s"});
    closed.user = "nobody";
    closed.script = open.script;

    host.run(closed);

    CHECK(has(host.output(key_of(open)), "65534\n" + host.dir() + "/run/scripts/"));
    CHECK(host.output(key_of(closed)) == "65534\n/proc/self/fd/3\n");
  }

  TEST_CASE("the policy of the host refuses users, commands, privileges and too many runs") {
    if (geteuid() != 0) return;
    Host host;
    const auto refused_text = [&](const SpawnPlan& plan) {
      const process::ExecRefused no = host.refused(plan);
      CHECK(no.reason == RefuseReason::kPolicy);
      return no.text;
    };
    SpawnPlan own = host.plan({"true"});
    own.user = "distcron";
    CHECK(refused_text(own) == "jobs never run as user 'distcron'");

    host.write_policy("[jobs]\ndeny_users = [\"nobody\"]\nallow_commands = [\"/bin/\"]\n");
    SpawnPlan nobody = host.plan({"/bin/true"});
    nobody.user = "nobody";
    CHECK(refused_text(nobody) == "this host's policy refuses user 'nobody'");
    CHECK(has(refused_text(host.plan({"/usr/bin/id"})), "does not allow command '/usr/bin/id'"));
    CHECK(has(refused_text(host.plan({"/bin/../usr/bin/id"})), "does not allow command"));
    CHECK(host.run(host.plan({"/bin/true"})).exit_code == 0);

    host.write_policy("[jobs]\ncreated_elsewhere = \"none\"\nmax_running = 1 # one\n");
    SpawnPlan foreign = host.plan({"true"});
    foreign.created_elsewhere = true;
    CHECK(has(refused_text(foreign), "created elsewhere"));
    SpawnPlan sleeper = host.plan({"sleep", "5"});
    REQUIRE(host.client().spawn(sleeper));
    CHECK(has(refused_text(host.plan({"true"})), "1 runs at a time"));
    REQUIRE(host.client().kill(key_of(sleeper), SIGKILL, 0));

    host.write_policy("[jobs]\nallow_user = [\"root\"]\n");
    CHECK(has(refused_text(host.plan({"true"})), "10-test.toml:2: unknown key 'allow_user'"));
    chmod((host.dir() + "/policy.d/10-test.toml").c_str(), 0666);
    CHECK(has(refused_text(host.plan({"true"})), "must belong to root and be writable by nobody"));
  }

  TEST_CASE("only root, the own user and the agent's user may connect") {
    if (geteuid() != 0) return;
    Host host({"--peer-uid", "1"});
    const auto try_as = [&](uid_t uid) {
      const pid_t child = fork();
      if (child == 0) {
        if (setresuid(uid, uid, uid) != 0) _exit(9);
        auto client = process::ExecClient::connect(host.dir() + "/exec.sock");
        if (!client) _exit(2);
        for (int i = 0; i < 500; ++i) {
          auto events = client->read_events();
          if (!events) _exit(3);
          if (!events->empty()) _exit(0);
          usleep(2000);
        }
        _exit(4);
      }
      int status = 0;
      waitpid(child, &status, 0);
      return WEXITSTATUS(status);
    };

    CHECK(try_as(1) == 0);
    CHECK(try_as(2) == 2);
    chmod((host.dir() + "/exec.sock").c_str(), 0777);
    CHECK(try_as(2) == 3);
  }

  TEST_CASE("an ordinary user runs jobs as itself and as nobody else") {
    if (geteuid() != 0) return;
    // The whole test again in a child that is user nobody.
    const pid_t child = fork();
    if (child == 0) {
      if (setgroups(0, nullptr) != 0 || setresgid(65534, 65534, 65534) != 0 ||
          setresuid(65534, 65534, 65534) != 0) {
        _exit(9);
      }
      int result = 0;
      try {
        Host host;
        const SpawnPlan self = host.plan({probe_path(), "state"});
        host.run(self);
        if (!has(host.output(key_of(self)), "uid 65534 65534 65534")) result = 1;
        SpawnPlan named = host.plan({"true"});
        named.user = "nobody";
        if (host.run(named).exit_code != 0) result = 2;
        SpawnPlan other = host.plan({"true"});
        other.user = "daemon";
        if (host.refused(other).step != "user") result = 3;
        SpawnPlan slow = host.plan({"sleep", "60"});
        slow.timeout_ms = 100;
        if (!host.run(slow).timed_out) result = 4;
        SpawnPlan script = host.plan({"s"});
        script.script = "exit 6";
        if (host.run(script).exit_code != 6) result = 5;
      } catch (const std::exception& e) {
        (void)!write(2, e.what(), strlen(e.what()));
        result = 8;
      }
      _exit(result);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace distcron::e2e
