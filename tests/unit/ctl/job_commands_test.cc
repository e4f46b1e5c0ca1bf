// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

wire::ChangeReply one_change(const std::string& name, const std::string& action) {
  wire::ChangeReply reply;
  wire::ChangeItem item;
  item.name = name;
  item.action = action;
  item.version = 1;
  item.next_at = wall_from_seconds(1'795'032'000);
  reply.items.push_back(item);
  return reply;
}

struct Fixture {
  FakeHost host;
  FakeAgent agent;

  Ran run(const std::vector<std::string>& args) { return run_line(host, agent, args); }

  /// The spec that `add` sends for these arguments.
  model::JobSpec added(const std::vector<std::string>& args) {
    agent.reply<wire::Op::kJobPut>(one_change("x", "created"));
    const Ran ran = run(args);
    CHECK_MESSAGE(ran.exit == 0, ran.err);
    const auto request = agent.request<wire::Op::kJobPut>(agent.asked().size() - 1);
    REQUIRE(request.puts.size() == 1);
    return request.puts.front().spec;
  }
};

TEST_SUITE("ctl") {
  TEST_CASE_FIXTURE(Fixture, "add hands argv behind -- on untouched") {
    const model::JobSpec spec =
        added({"add", "x", "--manual", "--", "-o", "json", "--", "a b", "", "[x,y]"});

    CHECK(spec.name == "x");
    CHECK(spec.schedule.empty());
    CHECK(spec.argv == model::TextList{"-o", "json", "--", "a b", "", "[x,y]"});
  }

  TEST_CASE_FIXTURE(Fixture, "add takes variables from files as they stand; --env wins") {
    host.files["a.env"] = "# of the backup\n\nA=1\r\nB=\"two words\" \n  C=x=y";
    host.files["b.env"] = "A=2\n";
    const model::JobSpec spec = added({"add", "x", "--manual", "--env-file", "a.env", "--env-file",
                                       "b.env", "--env", "C=mine", "--", "true"});

    CHECK(spec.env == model::TextMap{{"A", "2"}, {"B", "\"two words\" "}, {"C", "mine"}});
  }

  TEST_CASE_FIXTURE(Fixture, "a line of --env-file that is no variable is named") {
    host.files["a.env"] = "A=1\nexport\n";
    const Ran ran = run({"add", "x", "--manual", "--env-file", "a.env", "--", "true"});

    CHECK(ran.exit == 9);
    CHECK(ran.err.find("a.env:2: export is no variable") != std::string::npos);
    CHECK(agent.asked().empty());
  }

  TEST_CASE_FIXTURE(Fixture, "add sets the field of each flag") {
    host.files["job.sh"] = "#!/bin/sh\necho hi\n";
    const model::JobSpec spec = added({"add",
                                       "x",
                                       "--schedule",
                                       "0 1 * * *",
                                       "--schedule",
                                       "[a,b]",
                                       "--at",
                                       "2026-12-01 10:00",
                                       "--every",
                                       "90s",
                                       "--dialect",
                                       "debian",
                                       "--tz",
                                       "Europe/Berlin",
                                       "--script",
                                       "job.sh",
                                       "-u",
                                       "www-data",
                                       "--env",
                                       "A=1",
                                       "--env",
                                       "B=x=y",
                                       "--timeout",
                                       "90s",
                                       "--retry",
                                       "3",
                                       "--retry-delay",
                                       "5m",
                                       "--retry-max-delay=1h",
                                       "--memory",
                                       "2MiB",
                                       "--nice",
                                       "-5",
                                       "--mail-to",
                                       "",
                                       "--output-max-bytes",
                                       "1k",
                                       "--output-split",
                                       "--label",
                                       "team=db",
                                       "--ok-code",
                                       "0,3",
                                       "--concurrency",
                                       "queue",
                                       "--misfire",
                                       "all",
                                       "--umask",
                                       "027",
                                       "--disabled",
                                       "--allow-new-privs",
                                       "--description",
                                       "-dash first",
                                       "--on",
                                       "role=db",
                                       "--notify",
                                       "failed:mail:root",
                                       "--priority=90"});

    CHECK(spec.schedule ==
          model::TextList{"0 1 * * *", "[a,b]", "@at 2026-12-01T10:00", "@every 90s"});
    CHECK(spec.dialect == cron::Dialect::kDebian);
    CHECK(spec.tz == "Europe/Berlin");
    CHECK(spec.script == "#!/bin/sh\necho hi\n");
    CHECK(spec.user == "www-data");
    CHECK(spec.env == model::TextMap{{"A", "1"}, {"B", "x=y"}});
    CHECK(spec.timeout == Millis(90'000));
    CHECK(spec.retry_max == 3);
    CHECK(spec.retry_delay == Millis(300'000));
    CHECK(spec.retry_max_delay == Millis(3'600'000));
    CHECK(spec.limit_memory == model::Bytes{2 << 20});
    CHECK(spec.nice == -5);
    CHECK(spec.mail_to == "");
    CHECK(spec.output_max_bytes == model::Bytes{1024});
    CHECK(spec.output_split);
    CHECK(spec.labels == model::TextMap{{"team", "db"}});
    CHECK(spec.ok_codes == std::vector<std::int32_t>{0, 3});
    CHECK(spec.concurrency == model::Concurrency::kQueue);
    CHECK(spec.misfire == model::Misfire::kAll);
    CHECK(spec.umask == model::Mode{027});
    CHECK_FALSE(spec.enabled);
    CHECK_FALSE(spec.no_new_privs);
    CHECK(spec.description == "-dash first");
    CHECK(spec.on == "role=db");
    CHECK(spec.notify == model::TextList{"failed:mail:root"});
    CHECK(spec.priority == 90);
  }

  TEST_CASE_FIXTURE(Fixture, "add says what was made, and nothing with -q") {
    agent.reply<wire::Op::kJobPut>(one_change("x", "created"));
    agent.reply<wire::Op::kJobPut>(one_change("x", "created"));

    const Ran loud = run({"add", "x", "--schedule", "@daily", "--command", "true"});
    const Ran quiet = run({"add", "x", "--schedule", "@daily", "--command", "true", "-q"});

    CHECK(loud.err == "Added x (v1). Next run Wed 2026-11-18 20:00 UTC.\n");
    CHECK(loud.out.empty());
    CHECK(quiet.err.empty());
    CHECK(quiet.out.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "add --if-not-exists and --replace choose the mode") {
    agent.reply<wire::Op::kJobPut>(one_change("x", "unchanged"));
    agent.reply<wire::Op::kJobPut>(one_change("x", "updated"));

    CHECK(run({"add", "x", "--manual", "--command", "a", "--if-not-exists"}).exit == 0);
    CHECK(run({"add", "x", "--manual", "--command", "a", "--replace"}).exit == 0);

    const auto first = agent.request<wire::Op::kJobPut>(0);
    const auto second = agent.request<wire::Op::kJobPut>(1);
    CHECK(first.puts.front().mode == model::PutMode::kCreateIfMissing);
    CHECK(second.puts.front().mode == model::PutMode::kReplace);
    CHECK(first.puts.front().new_uid != 0);
  }

  TEST_CASE_FIXTURE(Fixture, "each error of the agent has its exit code and keeps its hint") {
    struct Row {
      ErrorCode code;
      int exit;
    };

    for (const Row& row :
         {Row{ErrorCode::kInvalid, 9}, Row{ErrorCode::kNotFound, 3}, Row{ErrorCode::kConflict, 5},
          Row{ErrorCode::kDenied, 4}, Row{ErrorCode::kUnavailable, 8}, Row{ErrorCode::kTimeout, 7},
          Row{ErrorCode::kCorrupt, 70}, Row{ErrorCode::kIo, 70}}) {
      CAPTURE(row.exit);
      agent.refuse(row.code, "no job named \"bakup\"", "did you mean: backup\nall: list");
      const Ran ran = run({"show", "bakup"});
      CHECK(ran.exit == row.exit);
      CHECK(ran.err.starts_with(
          "distcronctl: no job named \"bakup\"\n  did you mean: backup\n  all: list\n"));
    }
    agent.be_away();
    CHECK(run({"list"}).exit == 6);
  }

  TEST_CASE_FIXTURE(Fixture, "list prints a table, names, tab-separated text and JSON") {
    wire::JobList jobs;
    jobs.items.resize(1);
    jobs.items[0].name = "backup";
    jobs.items[0].enabled = true;
    jobs.items[0].schedules = {"@daily"};
    jobs.items[0].tz = "UTC";
    jobs.items[0].version = 2;
    for (int i = 0; i < 4; ++i)
      agent.reply<wire::Op::kJobList>(jobs);

    CHECK(run({"list", "b*", "--state", "failing", "--sort", "next"}).out ==
          "NAME    STATE      NEXT  SCHEDULE  RUNNING\n"
          "backup  never ran  -     @daily          0\n");
    CHECK(run({"ls", "-o", "name"}).out == "backup\n");
    CHECK(run({"list", "-o", "tsv", "--columns", "name,version"}).out ==
          "name\tversion\nbackup\t2\n");
    CHECK(
        run({"list", "--json"})
            .out.find(
                R"("name":"backup","enabled":true,"schedules":["@daily"],"tz":"UTC","version":2)") !=
        std::string::npos);
    const auto request = agent.request<wire::Op::kJobList>(0);
    CHECK(request.targets.names == model::TextList{"b*"});
    CHECK(request.state == "failing");
    CHECK(request.sort == "next");
  }

  TEST_CASE_FIXTURE(Fixture, "rm asks from two jobs on, and never without a terminal") {
    wire::JobList jobs;
    jobs.items.resize(2);
    agent.reply<wire::Op::kJobList>(jobs);
    CHECK(run({"rm", "old-*"}).exit == 2);

    host.is_interactive = true;
    host.answers = {"n"};
    agent.reply<wire::Op::kJobList>(jobs);
    CHECK(run({"rm", "old-*"}).exit == 0);
    CHECK(host.questions == std::vector<std::string>{"Remove 2 jobs? [y/N] "});

    agent.reply<wire::Op::kJobRemove>(one_change("a", "removed"));
    CHECK(run({"rm", "a"}).exit == 0);
    agent.reply<wire::Op::kJobRemove>(one_change("a", "removed"));
    CHECK(run({"remove", "old-*", "--yes", "--kill"}).exit == 0);
    CHECK(agent.request<wire::Op::kJobRemove>(3).kill);
  }

  TEST_CASE_FIXTURE(Fixture, "set changes fields of the version that it read") {
    wire::ShowReply shown;
    shown.items.resize(1);
    shown.items[0].spec.name = "x";
    shown.items[0].spec.command = "true";
    shown.items[0].spec.jitter = Millis(5'000);
    shown.items[0].version = 7;
    agent.reply<wire::Op::kJobShow>(shown);
    agent.reply<wire::Op::kJobPut>(one_change("x", "updated"));

    const Ran ran = run({"set", "x", "timeout=2h", "env.LANG=C", "--unset", "jitter"});

    CHECK_MESSAGE(ran.exit == 0, ran.err);
    const model::JobPut put = agent.request<wire::Op::kJobPut>(1).puts.front();
    CHECK(put.if_version == 7);
    CHECK(put.mode == model::PutMode::kUpdate);
    CHECK(put.spec.timeout == Millis(7'200'000));
    CHECK(put.spec.env == model::TextMap{{"LANG", "C"}});
    CHECK(put.spec.jitter == Millis(0));
  }

  TEST_CASE_FIXTURE(Fixture, "edit stores what the editor left, and asks again when it is wrong") {
    wire::ShowReply shown;
    shown.items.resize(1);
    shown.items[0].spec.name = "x";
    shown.items[0].spec.command = "true";
    shown.items[0].version = 3;
    agent.reply<wire::Op::kJobShow>(shown);
    agent.reply<wire::Op::kJobPut>(one_change("x", "updated"));
    host.variables["EDITOR"] = "ed";
    host.variables["XDG_RUNTIME_DIR"] = "/run/user/1";
    host.is_interactive = true;
    host.answers = {"y"};
    std::vector<std::string> seen;
    host.on_shell = [&](const std::string& command) {
      CHECK(command == "ed '/run/user/1/distcronctl/x.toml'");
      std::string& text = host.files["/run/user/1/distcronctl/x.toml"];
      seen.push_back(text);
      text = seen.size() == 1 ? "version = 1\n[job.x]\ncommand = \"false\"\nmisfire = \"never\"\n"
                              : text.substr(0, text.rfind("misfire"));
      return 0;
    };

    const Ran ran = run({"edit", "x"});

    CHECK_MESSAGE(ran.exit == 0, ran.err);
    REQUIRE(seen.size() == 2);
    CHECK(seen[1].starts_with("#! "));
    const model::JobPut put = agent.request<wire::Op::kJobPut>(1).puts.front();
    CHECK(put.spec.command == "false");
    CHECK(put.if_version == 3);
    CHECK(put.source_text == "version = 1\n[job.x]\ncommand = \"false\"\n");
    CHECK_FALSE(host.files.contains("/run/user/1/distcronctl/x.toml"));
  }

  TEST_CASE_FIXTURE(Fixture,
                    "edit without changes does nothing, and without a terminal keeps the text") {
    wire::ShowReply shown;
    shown.items.resize(1);
    shown.items[0].spec.name = "x";
    shown.items[0].spec.command = "true";
    agent.reply<wire::Op::kJobShow>(shown);
    host.variables["EDITOR"] = "ed";
    host.variables["XDG_RUNTIME_DIR"] = "/run/user/1";
    CHECK(run({"edit", "x"}).err == "no changes\n");

    agent.reply<wire::Op::kJobShow>(shown);
    host.on_shell = [&](const std::string&) {
      host.files["/run/user/1/distcronctl/x.toml"] = "junk";
      return 0;
    };
    const Ran ran = run({"edit", "x"});
    CHECK(ran.exit == 9);
    CHECK(ran.err.find("edits left in /run/user/1/distcronctl/x.toml") != std::string::npos);
    CHECK(host.files["/run/user/1/distcronctl/x.toml"] == "junk");
  }
}

}  // namespace
}  // namespace distcron::ctl
