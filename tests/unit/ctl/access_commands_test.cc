// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

TEST_SUITE("ctl") {
  TEST_CASE("whoami says both roles of a host's own key") {
    FakeHost host;
    FakeAgent agent;
    wire::WhoamiReply reply;
    reply.name = "admin@web2";
    reply.role = "viewer";
    reply.host = "web2";
    reply.host_role = "admin";
    agent.reply<wire::Op::kWhoami>(reply);
    CHECK(run_line(host, agent, {"whoami"}).out ==
          "key    admin@web2\nrole   viewer\n       admin of jobs that can run only on web2\n");
    agent.reply<wire::Op::kWhoami>(reply);
    CHECK(run_line(host, agent, {"whoami", "-o", "json"})
              .out.find(R"("host":"web2","host_role":"admin")") != std::string::npos);

    wire::WhoamiReply plain;
    plain.name = "ann";
    plain.role = "editor";
    plain.run_as = {"www-data", "backup"};
    agent.reply<wire::Op::kWhoami>(plain);
    CHECK(run_line(host, agent, {"whoami"}).out ==
          "key    ann\nrole   editor\nusers  www-data, backup\n");
  }

  TEST_CASE("a public key may begin with a dash, and is no flag") {
    const std::string key = "-wbI/O#wmFa(}@5Jzt-!xxA<Rr3/GJ.([G.cpoEX";
    const std::vector<std::vector<std::string>> lines = {
        {"key", "add", "ci", key, "--role", "viewer"},
        {"key", "add", "--role=viewer", "ci", key},
        {"key", "add", "ci", "--role", "viewer", "--", key}};
    for (const auto& line : lines) {
      FakeHost host;
      FakeAgent agent;
      agent.reply<wire::Op::kKeyAdd>({});
      const Ran ran = run_line(host, agent, line);
      CHECK_MESSAGE(ran.exit == 0, ran.err);
      CHECK(agent.request<wire::Op::kKeyAdd>().key.name == "ci");
      CHECK(agent.request<wire::Op::kKeyAdd>().key.public_key == key);
    }
    const std::string server = "--endpoint=tcp://node12.example.com:8472";  // 40 such characters
    for (const bool is_whole : {true, false}) {
      FakeHost host;
      FakeAgent agent;
      agent.reply<wire::Op::kKeyAdd>({});
      std::vector<std::string> line{"key", "add", "ci", "--role", "viewer", server};
      if (is_whole) line.push_back(key);
      const Ran ran = run_line(host, agent, line);
      CHECK(ran.exit == (is_whole ? 0 : 2));
      CHECK(agent.asked().size() == (is_whole ? 1 : 0));
    }
    for (const std::string& other : {key + "x", "-" + key, std::string("-role")}) {
      FakeHost host;
      FakeAgent agent;
      const Ran ran = run_line(host, agent, {"key", "add", "ci", other, "--role", "viewer"});
      CHECK(ran.exit == 2);
      CHECK(ran.err.find("unknown flag \"" + other + "\" of key add") != std::string::npos);
      CHECK(agent.asked().empty());
    }
  }
}

}  // namespace
}  // namespace distcron::ctl
