// SPDX-License-Identifier: Apache-2.0
#include "ctl/parser.h"

#include <set>

#include <doctest/doctest.h>

#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

Ran run_offline(const std::vector<std::string>& args) {
  FakeHost host;
  FakeAgent agent;
  return run_line(host, agent, args);
}

TEST_SUITE("ctl") {
  TEST_CASE("every command has a summary, an example, and flags that do not clash") {
    Globals globals;
    Flags global_flags;
    add_global_flags(global_flags, globals);
    for (const CommandSpec& spec : all_commands()) {
      CAPTURE(spec.text.path);
      const Bound bound = spec.bind();
      std::set<std::string> seen;
      for (const Flag& flag : global_flags.all()) {
        CHECK(seen.insert("--" + flag.name).second);
        if (flag.letter != 0) CHECK(seen.insert(std::string("-") + flag.letter).second);
      }
      for (const Flag& flag : bound.flags.all()) {
        CAPTURE(flag.name);
        // The one name with two meanings: this host's tables, and times of this host.
        const bool may_clash = spec.text.path == "import crontab" && flag.name == "local";
        CHECK(seen.insert("--" + flag.name).second != may_clash);
        if (flag.letter != 0) CHECK(seen.insert(std::string("-") + flag.letter).second);
        CHECK_FALSE(flag.help.empty());
      }
      CHECK_FALSE(spec.text.summary.empty());
      if (!spec.is_hidden) CHECK_FALSE(spec.text.examples.empty());
    }
  }

  TEST_CASE("flags may stand before, between and behind the words of a command") {
    const std::vector<std::vector<std::string>> lines = {
        {"-o", "name", "next", "-n", "1", "--expr", "@daily", "--from", "2026-01-01T00:00:00Z"},
        {"next", "--expr=@daily", "-n1", "--from=2026-01-01T00:00:00Z", "-oname"},
        {"-n", "1", "next", "--from", "2026-01-01T00:00:00Z", "-o", "name", "--expr", "@daily"},
        {"job", "next", "--count=1", "--expr", "@daily", "--from", "2026-01-01", "--output", "name",
         "--tz", "UTC"}};
    for (const auto& line : lines) {
      CAPTURE(line.front());
      const Ran ran = run_offline(line);
      CHECK(ran.exit == 0);
      CHECK(ran.out == "2026-01-02T00:00:00Z\n");
    }
  }

  TEST_CASE("wrong usage exits 2 and suggests what was meant") {
    struct Row {
      std::vector<std::string> args;
      std::string says;
    };

    const std::vector<Row> rows = {
        {{"lsit"}, "did you mean: list"},
        {{"key", "lst"}, "did you mean: list"},
        {{"job", "rnu"}, "did you mean: run"},
        {{"job", "whoami"}, "unknown command \"job whoami\""},
        {{"key"}, "key: which command?"},
        {{"list", "--stat", "failing"}, "did you mean: --state"},
        {{"list", "--stat", "failing"}, "unknown flag \"--stat\" of list"},
        {{"history", "-l", "5"}, "did you mean: --limit"},
        {{"history", "-l", "5"}, "all flags: distcronctl help history"},
        {{"history", "--lim=5"}, "did you mean: --limit"},
        {{"node", "list", "--zzzzzzzz"}, "all flags: distcronctl help node list"},
        {{"cluster", "--zzzzzzzz"}, "all flags: distcronctl help cluster"},
        {{"--zzzzzzzz"}, "all flags: distcronctl help\n"},
        {{"list", "--state", "faling"}, "did you mean: failing"},
        {{"next", "--expr"}, "--expr needs a value: EXPR"},
        {{"next", "-n", "many"}, "--count: \"many\" is not a whole number"},
        {{"show"}, "which jobs?"},
        {{"rename", "a"}, "missing JOB NEW"},
        {{"rename", "a", "b", "c"}, "too many arguments"},
        {{"add", "x", "--timeout", "soon", "--manual", "--", "true"}, "--timeout: "},
        {{"add", "x", "--env", "NOPE", "--manual", "--", "true"}, "is not of the form K=V"},
        {{"add", "x", "--", "true"}, "when should x run?"},
        {{"add", "x", "--manual"}, "what should x run?"},
        {{"add", "x", "--manual", "--command", "a", "--", "b"}, "one of --command"},
        {{"logs", "a@b@c"}, "names no run"},
        {{"list", "-o", "yaml"}, "one of: table, wide"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.says);
      const Ran ran = run_offline(row.args);
      CHECK(ran.exit == 2);
      CHECK(ran.out.empty());
      CHECK_MESSAGE(ran.err.find(row.says) != std::string::npos, ran.err);
    }
  }

  TEST_CASE("errors are JSON on stderr with -o json, also when the line cannot be read") {
    CHECK(
        run_offline({"next", "--expr", "61 * * * *", "-o", "json"}).err ==
        "{\"error\":{\"code\":\"invalid\",\"message\":\"schedule \\\"61 * * * *\\\": minute: 61 is "
        "not in 0-59 (column 1)\",\"request_id\":\"feed\",\"exit\":9}}\n");
    const Ran ran = run_offline({"lsit", "-o", "json"});
    CHECK(ran.err.starts_with(R"({"error":{"code":"usage","message":"unknown command)"));
  }

  TEST_CASE("a line without a command shows the commands, and help ends well") {
    CHECK(run_offline({}).exit == 0);
    CHECK(run_offline({}).out.find("import crontab") != std::string::npos);
    CHECK(run_offline({"--version"}).out.starts_with("distcronctl "));
    for (const CommandSpec& spec : all_commands()) {
      CAPTURE(spec.text.path);
      std::vector<std::string> args{"help"};
      std::string word;
      for (const char c : std::string(spec.text.path) + " ") {
        if (c == ' ') {
          args.push_back(std::exchange(word, std::string()));
        } else {
          word += c;
        }
      }
      const Ran ran = run_offline(args);
      CHECK(ran.exit == 0);
      args.erase(args.begin());
      args.emplace_back("--help");
      CHECK(run_offline(args).out == ran.out);
    }
    for (const char* topic : {"schedule", "output", "exit-codes", "environment", "guarantees"}) {
      CHECK(run_offline({"help", topic}).exit == 0);
    }
    CHECK(run_offline({"help", "exit-coeds"}).exit == 2);
  }

  TEST_CASE("completion offers commands, flags, values and names, and never fails") {
    FakeHost host;
    FakeAgent agent;
    wire::JobList jobs;
    jobs.items.resize(2);
    jobs.items[0].name = "backup-db";
    jobs.items[1].name = "report";
    agent.reply<wire::Op::kJobList>(jobs);

    CHECK(run_line(host, agent, {"__complete", "--shell=bash", "--", "show", "ba"}).out ==
          "backup-db\tjob\n");
    // Without an agent the names of a minute ago are good enough.
    agent.be_away();
    CHECK(run_line(host, agent, {"__complete", "--shell=bash", "--", "show", "rep"}).out ==
          "report\tjob\n");
    CHECK(run_offline({"__complete", "--", "cluster", "sta"}).out ==
          "status\tshow nodes, scheduler and what is wrong\n");
    CHECK(run_offline({"__complete", "--", "list", "--state", "fa"}).out == "failing\n");
    CHECK(run_offline({"__complete", "--", "wait", "--time"}).out ==
          "--timeout\tgive up after this long, exit 7\n");
    CHECK(run_offline({"__complete", "--", "next", "--tz", "Europe/Berl"}).out ==
          "Europe/Berlin\n");
    CHECK(run_offline({"__complete", "--"}).out.find("add\t") != std::string::npos);
    CHECK(run_offline({"__complete"}).exit == 0);
  }
}

}  // namespace
}  // namespace distcron::ctl
