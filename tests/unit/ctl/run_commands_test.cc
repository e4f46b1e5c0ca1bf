// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

wire::ChangeReply started(std::int64_t run_id) {
  wire::ChangeReply reply;
  wire::ChangeItem item;
  item.name = "backup";
  item.action = "started";
  item.run_id = run_id;
  reply.items.push_back(item);
  return reply;
}

wire::WaitReply ended(const std::string& state, std::optional<std::int64_t> exit_code,
                      std::optional<std::int64_t> signal = std::nullopt) {
  wire::WaitReply reply;
  reply.done = true;
  reply.run.run_id = 8123;
  reply.run.job = "backup";
  reply.run.scheduled_at = kTestNow;
  reply.run.state = state;
  reply.run.exit_code = exit_code;
  reply.run.signal = signal;
  return reply;
}

/// One of three runs that a trigger made.
wire::WaitReply of_host(std::int64_t run_id, std::int64_t shard, const std::string& state,
                        std::optional<std::int64_t> exit_code) {
  wire::WaitReply reply = ended(state, exit_code);
  reply.run.run_id = run_id;
  reply.run.shard = shard;
  return reply;
}

wire::LogsReply piece(std::int32_t attempt, const std::string& bytes, std::int64_t next,
                      const std::string& state, bool end) {
  wire::LogsReply reply;
  reply.run_id = 8123;
  reply.attempt = attempt;
  reply.bytes = bytes;
  reply.next_offset = next;
  reply.state = state;
  reply.end = end;
  return reply;
}

struct Fixture {
  FakeHost host;
  FakeAgent agent;

  Ran run(const std::vector<std::string>& args) { return run_line(host, agent, args); }
};

/// The history, newest first: two hosts' runs of the trigger of run 8123, one of another trigger,
/// one of another instant, and an older run of a second host.
wire::RunList history_page() {
  wire::RunList page;
  for (const std::int64_t run_id : {8127, 8126, 8125, 8124, 8123, 8122}) {
    page.items.push_back(of_host(run_id, run_id - 8123, "running", {}).run);
  }
  page.items[0].trigger = "schedule";
  page.items[1].scheduled_at += Seconds(1);
  page.items[4].shard = 0;
  page.items[5].shard = 1;
  return page;
}

TEST_SUITE("ctl") {
  TEST_CASE_FIXTURE(Fixture, "run -q prints only the run's id") {
    agent.reply<wire::Op::kRunStart>(started(8123));

    const Ran ran =
        run({"run", "backup", "-q", "--param", "x", "--env", "A=1", "--force", "--", "--all"});

    CHECK(ran.exit == 0);
    CHECK(ran.out == "8123\n");
    CHECK(ran.err.empty());
    const auto request = agent.request<wire::Op::kRunStart>();
    CHECK(request.job == "backup");
    CHECK(request.param == "x");
    CHECK(request.env == model::TextMap{{"A", "1"}});
    CHECK(request.argv == model::TextList{"--all"});
    CHECK(request.force);
  }

  TEST_CASE_FIXTURE(Fixture, "run --wait exits 1 for a failed run, --exit-code with its status") {
    struct Row {
      wire::WaitReply reply;
      int plain;
      int passed;
    };

    const std::vector<Row> rows = {{ended("ok", 0), 0, 0},
                                   {ended("failed", 3), 1, 3},
                                   {ended("failed", 255), 1, 255},
                                   {ended("killed", std::nullopt, 9), 1, 137},
                                   {ended("timeout", std::nullopt, 15), 1, 143},
                                   {ended("skipped", std::nullopt), 1, 255}};
    for (const Row& row : rows) {
      CAPTURE(row.reply.run.state);
      agent.reply<wire::Op::kRunStart>(started(8123));
      agent.reply<wire::Op::kRunWait>(row.reply);
      agent.reply<wire::Op::kRunHistory>(wire::RunList{});
      CHECK(run({"run", "backup", "--wait"}).exit == row.plain);
      agent.reply<wire::Op::kRunStart>(started(8123));
      agent.reply<wire::Op::kRunWait>(row.reply);
      agent.reply<wire::Op::kRunHistory>(wire::RunList{});
      CHECK(run({"run", "backup", "--wait", "--exit-code"}).exit == row.passed);
    }
  }

  TEST_CASE_FIXTURE(Fixture,
                    "run --wait waits for all runs of its trigger; the worst one decides") {
    const auto begin = [this] {
      agent = FakeAgent();
      agent.reply<wire::Op::kRunStart>(started(8123));
      agent.reply<wire::Op::kRunWait>(of_host(8123, 0, "ok", 0));
      agent.reply<wire::Op::kRunHistory>(history_page());
      agent.reply<wire::Op::kRunWait>(of_host(8124, 1, "failed", 3));
      agent.reply<wire::Op::kRunWait>(of_host(8125, 2, "ok", 0));
    };
    begin();
    const Ran plain = run({"run", "backup", "-w"});
    CHECK(plain.exit == 1);
    CHECK(plain.out == "8123\n");
    CHECK(plain.err.find("run 8124 of backup: failed (exit 3)") != std::string::npos);
    CHECK(plain.err.find("run 8125 of backup: ok") != std::string::npos);
    CHECK(agent.request<wire::Op::kRunHistory>(2).jobs == model::TextList{"backup"});
    CHECK(agent.request<wire::Op::kRunHistory>(2).until == kTestNow);
    CHECK(agent.request<wire::Op::kRunWait>(3).run.run_id == 8124);
    CHECK(agent.request<wire::Op::kRunWait>(4).run.run_id == 8125);

    begin();
    CHECK(run({"run", "backup", "--wait", "--exit-code"}).exit == 3);

    begin();
    const Ran json = run({"run", "backup", "--wait", "-o", "json"});
    CHECK(json.exit == 1);
    CHECK(json.out.find(R"("kind":"RunList")") != std::string::npos);
    CHECK(json.out.find(R"("run_id":8125)") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "run --wait --timeout is for all runs together") {
    agent.reply<wire::Op::kRunStart>(started(8123));
    agent.reply<wire::Op::kRunWait>(of_host(8123, 0, "ok", 0));
    agent.reply<wire::Op::kRunHistory>(
        wire::RunList{{of_host(8123, 0, "ok", 0).run, of_host(8124, 1, "running", {}).run}, {}});
    wire::WaitReply alive = of_host(8124, 1, "running", {});
    alive.done = false;
    agent.reply<wire::Op::kRunWait>(alive);

    CHECK(run({"run", "backup", "--wait", "--timeout", "0s"}).exit == 7);
  }

  TEST_CASE_FIXTURE(Fixture, "run --follow shows the output of every attempt, each byte once") {
    agent.reply<wire::Op::kRunStart>(started(8123));
    agent.reply<wire::Op::kRunLogs>(piece(0, "", 0, "queued", false));
    agent.reply<wire::Op::kRunLogs>(piece(1, "one\n", 4, "running", false));
    agent.reply<wire::Op::kRunLogs>(piece(1, "two\n", 8, "queued", true));
    agent.reply<wire::Op::kRunLogs>(piece(1, "one\ntwo\n", 8, "queued", true));
    agent.reply<wire::Op::kRunLogs>(piece(2, "three\n", 6, "ok", true));
    agent.reply<wire::Op::kRunWait>(ended("ok", 0));
    agent.reply<wire::Op::kRunHistory>(wire::RunList{});

    const Ran ran = run({"run", "backup", "-f"});

    CHECK(ran.exit == 0);
    CHECK(ran.out == "one\ntwo\nthree\n");
    CHECK(agent.request<wire::Op::kRunLogs>(2).offset == 0);
    CHECK(agent.request<wire::Op::kRunLogs>(3).offset == 4);
    CHECK(agent.request<wire::Op::kRunLogs>(3).attempt == 1);
    CHECK(agent.request<wire::Op::kRunLogs>(4).attempt == 0);
    CHECK(agent.request<wire::Op::kRunLogs>(4).offset == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "wait gives up with 7 when its time is over, and the run goes on") {
    wire::WaitReply alive = ended("running", std::nullopt);
    alive.done = false;
    agent.reply<wire::Op::kRunWait>(alive);
    host.clock = Millis(1'000);
    CHECK(run({"wait", "8123", "--timeout", "0s"}).exit == 7);

    agent.reply<wire::Op::kRunWait>(alive);
    agent.reply<wire::Op::kRunWait>(ended("failed", 1));
    const Ran ran = run({"wait", "backup@-1", "--timeout", "10m"});
    CHECK(ran.exit == 1);
    CHECK(ran.err == "run 8123 of backup: failed (exit 1)\n");
    CHECK(agent.request<wire::Op::kRunWait>(1).run.back == 1);
    CHECK(agent.request<wire::Op::kRunWait>(2).run.run_id == 8123);
    CHECK(agent.asked()[1].patience == Millis(25'000));
  }

  TEST_CASE_FIXTURE(Fixture, "logs hands on the bytes unchanged until there are no more") {
    const std::string bytes("a\0\xff\x1b[0m\nb", 9);
    agent.reply<wire::Op::kRunLogs>(piece(1, bytes, 9, "running", false));
    agent.reply<wire::Op::kRunLogs>(piece(1, "", 9, "running", false));
    CHECK(run({"logs", "backup"}).out == bytes);

    agent.reply<wire::Op::kRunLogs>(piece(1, "", 0, "ok", true));
    CHECK(run({"logs", "8123", "-n", "5", "--stream", "err", "--attempt", "2"}).out.empty());
    const auto request = agent.request<wire::Op::kRunLogs>(2);
    CHECK(request.offset == -1);
    CHECK(request.lines == 5);
    CHECK(request.stream == "err");
    CHECK(request.attempt == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "logs --grep and --prefix work on whole lines") {
    agent.reply<wire::Op::kRunLogs>(piece(1, "an er", 5, "ok", false));
    agent.reply<wire::Op::kRunLogs>(piece(1, "ror\nfine\nlast err", 17, "ok", true));
    agent.reply<wire::Op::kRunLogs>(piece(1, "", 17, "ok", true));

    CHECK(run({"logs", "backup", "--grep", "err(or)?", "--prefix"}).out ==
          "backup: an error\nbackup: last err\n");
    CHECK(run({"logs", "backup", "--grep", "("}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "history asks for as many pages as the limit takes") {
    wire::RunList first = history_page();
    first.next = 8122;
    wire::RunList second;
    second.items.emplace_back();
    second.items.back().run_id = 7000;
    agent.reply<wire::Op::kRunHistory>(first);
    agent.reply<wire::Op::kRunHistory>(second);

    const Ran ran = run({"history", "--limit", "5000", "-o", "name"});

    CHECK(ran.exit == 0);
    CHECK(ran.out == "8127\n8126\n8125\n8124\n8123\n8122\n7000\n");
    CHECK(agent.request<wire::Op::kRunHistory>(0).limit == 1'000);
    CHECK(agent.request<wire::Op::kRunHistory>(1).before_run_id == 8122);
  }

  TEST_CASE_FIXTURE(Fixture, "history lists runs that did not happen with their reason") {
    wire::RunList runs;
    runs.items.push_back(ended("ok", 0).run);
    wire::RunItem missed = ended("missed", std::nullopt).run;
    missed.run_id = 8122;
    missed.reason = "too_late";
    runs.items.push_back(missed);
    runs.next = 8122;
    for (int i = 0; i < 3; ++i)
      agent.reply<wire::Op::kRunHistory>(runs);

    CHECK(run({"history", "--failed-first", "--limit", "2", "-o", "name"}).out == "8122\n8123\n");
    const Ran json = run({"ps", "backup", "--outcome", "ok,missed", "--limit", "2", "-o", "json"});
    CHECK(json.out.starts_with(R"({"apiVersion":"v1","kind":"RunList","items":[)"));
    CHECK(json.out.find(R"("state":"missed","reason":"too_late")") != std::string::npos);
    CHECK(json.out.ends_with("],\"next\":\"8122\"}\n"));
    CHECK(run({"history", "-o", "jsonl", "--limit", "2"}).out.find("apiVersion") ==
          std::string::npos);
    const auto request = agent.request<wire::Op::kRunHistory>(1);
    CHECK(request.active);
    CHECK(request.outcomes == model::TextList{"ok", "missed"});
    CHECK(run({"history", "--outcome", "fine"}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "kill JOB means all its runs, and JOB@latest one of them") {
    agent.reply<wire::Op::kRunKill>(started(8123));
    CHECK(run({"kill", "backup", "8000", "--signal", "INT", "--grace", "3s"}).exit == 0);
    const auto request = agent.request<wire::Op::kRunKill>(0);
    REQUIRE(request.runs.size() == 2);
    CHECK(request.runs[0].job == "backup");
    CHECK(request.runs[1].run_id == 8000);
    CHECK(request.signal == 2);
    CHECK(request.grace == Millis(3'000));

    agent.reply<wire::Op::kRunWait>(ended("running", std::nullopt));
    agent.reply<wire::Op::kRunKill>(started(8123));
    CHECK(run({"kill", "backup@latest"}).exit == 0);
    CHECK(agent.request<wire::Op::kRunKill>(2).runs[0].run_id == 8123);
    CHECK(run({"kill", "8123", "--signal", "BANG"}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster status --exit-code is 1 when something is wrong") {
    wire::StatusReply status;
    status.name = "prod";
    status.quorum = true;
    status.scheduler = wire::SchedulerItem{1, "web1"};
    status.nodes.resize(1);
    status.nodes[0].name = "web1";
    status.nodes[0].state = "alive";
    agent.reply<wire::Op::kClusterStatus>(status);
    status.warnings = {"the disk is almost full"};
    agent.reply<wire::Op::kClusterStatus>(status);
    agent.reply<wire::Op::kClusterStatus>(status);
    agent.be_away();

    CHECK(run({"status", "--exit-code"}).exit == 0);
    CHECK(run({"cluster", "status", "--exit-code"}).exit == 1);
    CHECK(run({"cluster", "status"}).exit == 0);
    CHECK(run({"cluster", "status", "--exit-code"}).exit == 6);
  }

  TEST_CASE_FIXTURE(Fixture, "an import reports each line, and a dry run needs no agent") {
    host.files["/etc/crontab"] = "30 2 * * * root /usr/bin/backup --all\n61 * * * * root junk\n";
    const std::vector<std::string> line = {"import",    "crontab", "/etc/crontab", "--system",
                                           "--dialect", "debian",  "--dry-run"};
    agent.be_away();
    const Ran text = run(line);
    CHECK(text.exit == 1);
    CHECK(text.out.find("[job.crontab-backup-") != std::string::npos);
    CHECK(text.err.find("/etc/crontab:2: refused") != std::string::npos);

    agent.be_away();
    std::vector<std::string> json_line = line;
    json_line.insert(json_line.end(), {"-o", "json"});
    const Ran json = run(json_line);
    CHECK(json.out.find(R"({"line":1,"status":"imported","job":"crontab-backup-)") !=
          std::string::npos);
    CHECK(json.out.find(R"({"line":2,"status":"refused",)") != std::string::npos);
    CHECK(json.out.find(R"("imported":1,"refused":1,"dry_run":true)") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "an import stores good jobs although the agent refuses another one") {
    host.files["c"] = "1 1 * * * one\n2 2 * * * two\n";
    wire::VersionReply version;
    version.node = "node-7";
    agent.reply<wire::Op::kVersion>(version);
    agent.refuse(ErrorCode::kDenied, "may not");
    agent.reply<wire::Op::kJobPut>(started(0));
    agent.refuse(ErrorCode::kDenied, "may not");

    const Ran ran = run({"import", "crontab", "c", "--dialect", "debian", "--prefix", "w/"});

    CHECK(ran.exit == 1);
    CHECK(ran.err.find("c:2: refused: may not") != std::string::npos);
    const auto put = agent.request<wire::Op::kJobPut>(2).puts.front();
    CHECK(put.mode == model::PutMode::kCreateIfMissing);
    CHECK(put.spec.name.starts_with("w/"));
    CHECK(put.spec.on == "host=node-7");
    CHECK(put.spec.enabled);
  }

  TEST_CASE_FIXTURE(Fixture, "jobs of a table that a living cron daemon reads too are disabled") {
    host.files["/etc/cron.d/c"] = "1 1 * * * root one\n";
    host.files["/run/crond.pid"] = "77\n";
    host.files["/proc/77/comm"] = "cron\n";
    const std::vector<std::string> line{"import",   "crontab",   "/etc/cron.d/c",
                                        "--system", "--dialect", "debian"};
    std::vector<std::string> enabling = line;
    enabling.emplace_back("--enable");
    for (int i = 0; i < 2; ++i) {
      agent.reply<wire::Op::kVersion>({});
      agent.reply<wire::Op::kJobPut>(started(0));
    }

    const Ran ran = run(line);
    static_cast<void>(run(enabling));

    CHECK(ran.err.find("a cron daemon runs them") != std::string::npos);
    CHECK_FALSE(agent.request<wire::Op::kJobPut>(1).puts.front().spec.enabled);
    CHECK(agent.request<wire::Op::kJobPut>(3).puts.front().spec.enabled);
  }

  TEST_CASE_FIXTURE(Fixture, "lint exits 1 for errors and names file, line and column") {
    host.files["/c"] = "61 * * * * junk\n";
    const Ran ran = run({"lint", "/c", "--dialect", "debian"});
    CHECK(ran.exit == 1);
    CHECK(ran.out.find("/c:1:1: error E01 minute: 61 is not in 0-59\n") != std::string::npos);
    CHECK(run({"lint", "/c"}).exit == 2);
    CHECK(run({"lint", "/d", "--dialect", "debian"}).exit == 3);
    host.files["j.toml"] = "version = 1\n[job.x]\ncommand = \"true\"\nmisfire = \"never\"\n";
    CHECK(run({"lint", "j.toml"}).out.starts_with("j.toml:4:11: error J01 "));
  }
}

}  // namespace
}  // namespace distcron::ctl
