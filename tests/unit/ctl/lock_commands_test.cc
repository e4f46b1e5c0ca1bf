// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

wire::LockList locks() {
  wire::LockList list;
  list.items.emplace_back();
  wire::LockItem& item = list.items.back();
  item.name = "backup";
  item.run_id = 8123;
  item.state = "running";
  item.node = "web2";
  item.node_id = 2;
  item.attempt = 1;
  item.suspect = true;
  return list;
}

struct Fixture {
  FakeHost host;
  FakeAgent agent;

  Ran run(const std::vector<std::string>& args) { return run_line(host, agent, args); }
};

TEST_SUITE("ctl") {
  TEST_CASE_FIXTURE(Fixture, "lock list marks runs whose host is silent") {
    agent.reply<wire::Op::kLockList>(locks());

    const Ran ran = run({"lock", "list"});

    CHECK(ran.out.find("running (host silent)") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "lock show asks for one job, and has the facts as JSON") {
    agent.reply<wire::Op::kLockList>(locks());

    const Ran json = run({"lock", "show", "backup", "-o", "json"});

    CHECK(json.out.find(R"("kind":"LockList")") != std::string::npos);
    CHECK(json.out.find(R"("suspect":true)") != std::string::npos);
    CHECK(agent.request<wire::Op::kLockList>().name == "backup");
  }

  TEST_CASE_FIXTURE(Fixture, "lock release asks first, and says which run it frees") {
    wire::ChangeReply reply;
    reply.items.emplace_back();
    reply.items[0].name = "backup";
    reply.items[0].action = "released";
    reply.items[0].run_id = 8123;
    agent.reply<wire::Op::kLockRelease>(reply);

    const Ran unasked = run({"lock", "release", "backup"});
    const Ran ran = run({"lock", "release", "backup", "--yes", "--force"});

    CHECK(unasked.exit == 2);
    CHECK(ran.exit == 0);
    CHECK(ran.err.find("Released backup. Run 8123.") != std::string::npos);
    CHECK(agent.request<wire::Op::kLockRelease>().force);
  }
}

}  // namespace
}  // namespace distcron::ctl
