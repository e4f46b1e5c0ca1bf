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
}

}  // namespace
}  // namespace distcron::ctl
