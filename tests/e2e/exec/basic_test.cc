// SPDX-License-Identifier: Apache-2.0
// One run at a time through real executor, stub and job: status, output, identity, refusals.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "e2e/exec/exec_host.h"
#include "process/proc_tree.h"

namespace distcron::e2e {
namespace {

using process::EndHow;
using process::RefuseReason;
using process::Stream;

struct Host : ExecHost {
  explicit Host(std::vector<std::string> args = {}) : ExecHost(std::move(args)) {
    start();
    connect();
  }
};

}  // namespace

TEST_SUITE("exec") {
  TEST_CASE("exit status, signal and times of a job reach the end record") {
    Host host;

    const EndRecord good = host.run(host.plan({"/bin/true"}));
    const EndRecord bad = host.run(host.plan({"false"}));
    const EndRecord killed = host.run(host.plan({"/bin/sh", "-c", "kill -SEGV $$"}));

    CHECK(good.how == EndHow::kExited);
    CHECK(good.exit_code == 0);
    CHECK(good.started_wall_us > 0);
    CHECK(good.ended_boot_us >= good.started_boot_us);
    CHECK(bad.exit_code == 1);
    CHECK(killed.how == EndHow::kSignaled);
    CHECK(killed.signal == SIGSEGV);
    CHECK_FALSE(killed.killed_by_request);
  }

  TEST_CASE("output arrives byte for byte, joined or split") {
    Host host;
    SpawnPlan split = host.plan({"/bin/sh", "-c", "printf 'a\\000b'; echo err >&2"});
    split.split_output = true;
    SpawnPlan joined = host.plan({"/bin/sh", "-c", "echo one; echo two >&2"});

    const EndRecord record = host.run(split);
    host.run(joined);

    CHECK(host.output(key_of(split)) == std::string("a\0b", 3));
    CHECK(host.output(key_of(split), Stream::kErr) == "err\n");
    CHECK(record.out.written == 3);
    CHECK(record.err.written == 4);
    CHECK(host.output(key_of(joined)) == "one\ntwo\n");
  }

  TEST_CASE("three mebibytes of output are kept whole within the limit") {
    Host host;
    SpawnPlan plan = host.plan({probe_path(), "bytes", "3145728"});
    plan.output_max_bytes = 3145728;
    SpawnPlan same = host.plan({probe_path(), "bytes", "3145728"});
    same.output_max_bytes = 64 << 20;

    const EndRecord record = host.run(plan);
    host.run(same);

    CHECK(record.out.written == 3145728);
    CHECK(record.out.cut() == 0);
    const std::string bytes = host.output(key_of(plan));
    CHECK(bytes.size() == 3145728);
    CHECK(bytes == host.output(key_of(same)));
  }

  TEST_CASE("beyond the limit head and tail are kept and the cut is counted") {
    Host host;
    SpawnPlan whole = host.plan({probe_path(), "bytes", "1000000"});
    SpawnPlan cut = host.plan({probe_path(), "bytes", "1000000"});
    cut.output_max_bytes = 100'000;

    host.run(whole);
    const EndRecord record = host.run(cut);

    const std::string all = host.output(key_of(whole));
    const auto head = host.files().read(key_of(cut), Stream::kOut, 0, 1 << 20);
    REQUIRE(head);
    CHECK(head->bytes == all.substr(0, 50'000));
    CHECK(head->dropped == 0);
    const auto tail = host.files().read(key_of(cut), Stream::kOut, head->next_offset, 1 << 20);
    REQUIRE(tail);
    CHECK(tail->at_end);
    CHECK(tail->dropped == record.out.cut());
    CHECK(tail->bytes == all.substr(all.size() - tail->bytes.size()));
    CHECK(record.out.written == 1'000'000);
    CHECK(record.out.kept <= 100'000);
    CHECK(record.out.kept >= 75'000);
  }

  TEST_CASE("a job sees descriptors 0, 1 and 2, default signals and only its environment") {
    Host host;
    const SpawnPlan fds = host.plan({probe_path(), "fds"});
    const SpawnPlan state = host.plan({probe_path(), "state"});
    SpawnPlan env = host.plan({"/usr/bin/env"});
    env.env = {"A=1", "PATH=/bin", "HOME=/h", "LOGNAME=l", "USER=u", "SHELL=/s"};

    host.run(fds);
    host.run(state);
    host.run(env);

    CHECK(host.output(key_of(fds)) == "0 1 2 \n");
    const std::string text = host.output(key_of(state));
    CHECK(text.find("odd_signals 0 nnp 1") != std::string::npos);
    CHECK(text.find("umask 022 nice 0") != std::string::npos);
    CHECK(text.find("session_leader 1") != std::string::npos);
    CHECK(text.find("core 0") != std::string::npos);
    CHECK(host.output(key_of(env)) == "A=1\nPATH=/bin\nHOME=/h\nLOGNAME=l\nUSER=u\nSHELL=/s\n");
  }

  TEST_CASE("umask, nice, limits, working directory and input are as the plan says") {
    Host host;
    SpawnPlan plan = host.plan({probe_path(), "state"});
    plan.umask = 077;
    plan.nice = 5;
    plan.cwd = "/usr";
    plan.limits = {{RLIMIT_NOFILE, 100, 200}};
    SpawnPlan text = host.plan({"cat"});
    text.stdin_data = std::string(200'000, 'x') + "end";
    SpawnPlan file = host.plan({"cat"});
    file.stdin_path = "/proc/sys/kernel/ostype";

    host.run(plan);
    host.run(text);
    host.run(file);

    const std::string state = host.output(key_of(plan));
    CHECK(state.find("umask 077 nice 5") != std::string::npos);
    CHECK(state.find("nofile 100 200") != std::string::npos);
    CHECK(state.find("cwd /usr\n") != std::string::npos);
    CHECK(host.output(key_of(text)) == text.stdin_data);
    CHECK(host.output(key_of(file)) == "Linux\n");
  }

  TEST_CASE("a script runs by its first line, with its arguments") {
    Host host;
    SpawnPlan shell = host.plan({"name", "a b", "c"});
    shell.script = "echo \"$1-$2\"\nexit 3\n";
    SpawnPlan other = host.plan({"name"});
    other.script = "#!/usr/bin/env python3\nprint('py')\n";

    const EndRecord record = host.run(shell);
    host.run(other);

    CHECK(record.exit_code == 3);
    CHECK(host.output(key_of(shell)) == "a b-c\n");
    CHECK(host.output(key_of(other)) == "py\n");
    CHECK(std::filesystem::is_empty(host.dir() + "/run/scripts"));
  }

  TEST_CASE("what cannot be set up is refused with its step, and nothing has run") {
    Host host;
    SpawnPlan no_program = host.plan({"/nonexistent/program"});
    SpawnPlan no_name = host.plan({"no-such-program-anywhere"});
    SpawnPlan no_dir = host.plan({"true"});
    no_dir.cwd = "/nonexistent";
    SpawnPlan no_user = host.plan({"true"});
    no_user.user = "no-such-user";
    SpawnPlan no_input = host.plan({"true"});
    no_input.stdin_path = "/nonexistent/input";
    SpawnPlan not_executable = host.plan({"/etc/passwd"});

    const auto program = host.refused(no_program);
    CHECK(program.reason == RefuseReason::kSetup);
    CHECK(program.step == "exec");
    CHECK(program.text == "setup_exec: No such file or directory");
    CHECK(host.refused(no_name).step == "exec");
    CHECK(host.refused(no_dir).step == "cwd");
    CHECK(host.refused(no_user).text == "setup_user: no such user or group");
    CHECK(host.refused(no_input).step == "stdin");
    CHECK(host.refused(not_executable).text == "setup_exec: Permission denied");
  }

  TEST_CASE("an attempt is started once, and the next attempt is another") {
    Host host;
    SpawnPlan plan = host.plan({"/bin/sh", "-c", "echo x"});
    host.run(plan);

    CHECK(host.refused(plan).reason == RefuseReason::kDuplicate);

    plan.attempt = 2;
    CHECK(host.run(plan).exit_code == 0);
    REQUIRE(host.client().ack({plan.run_id, 2}));
    CHECK(host.refused(plan).reason == RefuseReason::kDuplicate);
  }

  TEST_CASE("after start_by nothing is started") {
    Host host;
    SpawnPlan late = host.plan({"true"});
    late.start_by_boottime_us = process::boot_now_us() - 1;
    SpawnPlan early = host.plan({"true"});
    early.start_by_boottime_us = process::boot_now_us() + 5'000'000;

    CHECK(host.refused(late).reason == RefuseReason::kLate);
    CHECK(host.run(early).exit_code == 0);
  }

  TEST_CASE("a removed attempt leaves nothing on disk") {
    Host host;
    const SpawnPlan plan = host.plan({"/bin/echo", "x"});
    host.run(plan);

    REQUIRE(host.client().remove(key_of(plan)));
    REQUIRE(host.client().inventory());
    host.wait_for(
        [](const ExecEvent& e) { return std::holds_alternative<process::ExecInventoryDone>(e); });

    CHECK(std::filesystem::is_empty(host.dir() + "/state/out"));
    CHECK(host.files().list_runs()->empty());
  }
}

}  // namespace distcron::e2e
