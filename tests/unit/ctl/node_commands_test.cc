// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <doctest/doctest.h>

#include "store/crc32c.h"
#include "unit/ctl/fakes.h"

namespace distcron::ctl {
namespace {

wire::NodeItem node(std::int64_t id, const std::string& name, const std::string& role = "voter") {
  wire::NodeItem item;
  item.id = id;
  item.name = name;
  item.state = "alive";
  item.role = role;
  item.version = "0.1.0";
  item.address = "tcp://10.0.0.1:8472";
  item.labels = {{"role", id == 1 ? "db" : "web"}};
  return item;
}

wire::StatusReply status(int voters) {
  wire::StatusReply reply;
  reply.name = "prod";
  reply.quorum = true;
  reply.scheduler = wire::SchedulerItem{1, "web1"};
  reply.nodes = {node(1, "web1"), node(2, "web2", voters > 1 ? "voter" : "standby")};
  return reply;
}

wire::ChangeReply changed(const std::string& name, const std::string& action) {
  wire::ChangeReply reply;
  reply.items.emplace_back();
  reply.items[0].name = name;
  reply.items[0].action = action;
  return reply;
}

wire::NodeShowReply shown(std::int64_t running) {
  wire::NodeShowReply reply;
  reply.item = node(2, "web2");
  reply.item.running = running;
  reply.node.id = 2;
  reply.node.name = "web2";
  return reply;
}

struct Fixture {
  FakeHost host;
  FakeAgent agent;

  Ran run(const std::vector<std::string>& args) { return run_line(host, agent, args); }
};

TEST_SUITE("ctl") {
  TEST_CASE_FIXTURE(Fixture, "node show tells what the host has refused, once it can be asked") {
    wire::NodeShowReply reply = shown(0);
    agent.reply<wire::Op::kNodeShow>(reply);
    reply.refused = wire::RefusedReport{};
    agent.reply<wire::Op::kNodeShow>(reply);
    reply.refused->items = {{"mesh", "unknown_key", 12, WallTime{}, "from=10.0.0.9 key=K"}};
    agent.reply<wire::Op::kNodeShow>(reply);
    agent.reply<wire::Op::kNodeShow>(reply);

    const Ran silent = run({"node", "show", "web2"});
    const Ran quiet = run({"node", "show", "web2"});
    const Ran busy = run({"node", "show", "web2"});
    const Ran json = run({"node", "show", "web2", "-o", "json"});

    CHECK(silent.out.find("refused") == std::string::npos);
    CHECK(quiet.out.find("refused     nothing since") != std::string::npos);
    CHECK(busy.out.find("12 unknown_key at the mesh door, last") != std::string::npos);
    CHECK(busy.out.find("from=10.0.0.9 key=K") != std::string::npos);
    CHECK(json.out.find(R"("reason":"unknown_key")") != std::string::npos);
    CHECK(json.out.find(R"("count":12)") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "node list -l shows the nodes that a selector fits") {
    agent.reply<wire::Op::kNodeList>(wire::NodeList{{node(1, "web1"), node(2, "web2")}});

    const Ran ran = run({"node", "list", "-l", "role=web", "-o", "name"});

    CHECK(ran.exit == 0);
    CHECK(ran.out == "web2\n");
  }

  TEST_CASE_FIXTURE(Fixture,
                    "node list --watch prints a document for each change, not for clocks") {
    wire::NodeItem measured = node(1, "web1");
    measured.clock_offset_ms = 0.7;
    measured.rtt_ms = 1.5;
    measured.link = "lossy";
    measured.lag_entries = 2;
    wire::NodeItem silent = measured;
    silent.state = "suspect";
    for (const wire::NodeItem& item : {node(1, "web1"), measured, silent, silent}) {
      agent.reply<wire::Op::kNodeList>(wire::NodeList{{item}});
    }
    agent.be_away();

    const Ran ran = run({"node", "list", "--watch", "-o", "jsonl"});

    CHECK(ran.exit == 6);
    CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 2);
    CHECK(ran.out.find(R"("kind":"NodeList","items":[{"id":1)") != std::string::npos);
    CHECK(ran.out.find("suspect") > ran.out.find('\n'));
    CHECK(host.clock == Millis(4'000));
  }

  TEST_CASE_FIXTURE(Fixture, "cluster status --watch shows the whole status again") {
    wire::StatusReply second = status(2);
    second.scheduler = wire::SchedulerItem{2, "web2"};
    for (const wire::StatusReply& reply : {status(2), status(2), second})
      agent.reply<wire::Op::kClusterStatus>(reply);
    agent.be_away();

    const Ran ran = run({"cluster", "status", "--watch"});

    CHECK(ran.exit == 6);
    CHECK(ran.out.find("scheduler  web1") < ran.out.find("scheduler  web2"));
    CHECK(ran.out.rfind("cluster    prod") != ran.out.find("cluster    prod"));
    CHECK(ran.out.find("scheduler  web1") == ran.out.rfind("scheduler  web1"));
    CHECK(run({"cluster", "status", "--watch", "--exit-code"}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "node list -o json has the keys of cluster status") {
    wire::NodeItem item = node(1, "web1");
    item.link = "ok";
    agent.reply<wire::Op::kNodeList>(wire::NodeList{{item}});

    const Ran ran = run({"node", "list", "-o", "json"});

    CHECK(ran.out.find(R"("kind":"NodeList")") != std::string::npos);
    for (const char* key : {"id", "name", "state", "role", "address", "version", "running",
                            "lag_entries", "clock_offset_ms", "rtt_ms", "link"}) {
      CHECK(ran.out.find('"' + std::string(key) + "\":") != std::string::npos);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "node label takes K=V and K-, and refuses other words") {
    agent.reply<wire::Op::kNodeSet>(changed("web2", "updated"));

    const Ran ran = run({"node", "label", "web2", "role=web", "dc-", "a-b=c-"});
    const Ran bad = run({"node", "label", "web2", "role"});

    CHECK(ran.exit == 0);
    const auto request = agent.request<wire::Op::kNodeSet>();
    CHECK(request.put_labels == model::TextMap{{"role", "web"}, {"a-b", "c-"}});
    CHECK(request.drop_labels == model::TextList{"dc"});
    CHECK(bad.exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "node set knows role, eligible and rank") {
    agent.reply<wire::Op::kNodeSet>(changed("web2", "updated"));

    const Ran ran = run({"node", "set", "web2", "role=witness", "eligible=false", "rank=-3"});

    CHECK(ran.exit == 0);
    const auto request = agent.request<wire::Op::kNodeSet>();
    CHECK(request.kind == model::MemberKind::kWitness);
    CHECK(request.eligible == false);
    CHECK(request.rank == -3);
    CHECK(run({"node", "set", "web2", "role=boss"}).exit == 2);
    CHECK(run({"node", "set", "web2", "eligible=1"}).exit == 2);
    CHECK(run({"node", "set", "web2", "color=red"}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "node drain --wait goes on until nothing runs there") {
    agent.reply<wire::Op::kNodeDrain>(changed("web2", "draining"));
    agent.reply<wire::Op::kNodeShow>(shown(2));
    agent.reply<wire::Op::kNodeShow>(shown(0));

    const Ran ran = run({"node", "drain", "web2", "--wait"});

    CHECK(ran.exit == 0);
    CHECK(agent.asked().size() == 3);
    CHECK(ran.err.find("2 runs are still alive on web2") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "node drain --timeout exits 7, with --kill it ends the runs") {
    agent.reply<wire::Op::kNodeDrain>(changed("web2", "draining"));
    agent.reply<wire::Op::kNodeShow>(shown(1));
    agent.reply<wire::Op::kNodeShow>(shown(1));
    CHECK(run({"node", "drain", "web2", "--timeout", "500ms"}).exit == 7);

    agent.reply<wire::Op::kNodeDrain>(changed("web2", "unchanged"));
    agent.reply<wire::Op::kNodeShow>(shown(1));
    agent.reply<wire::Op::kNodeShow>(shown(1));
    agent.reply<wire::Op::kNodeDrain>(changed("web2", "draining"));
    CHECK(run({"node", "drain", "web2", "--timeout", "500ms", "--kill"}).exit == 0);
    CHECK(agent.request<wire::Op::kNodeDrain>(6).kill);
  }

  TEST_CASE_FIXTURE(Fixture, "node remove asks, and for the last voter wants the cluster's name") {
    agent.reply<wire::Op::kClusterStatus>(status(2));
    CHECK(run({"node", "remove", "web2"}).exit == 2);
    agent.reply<wire::Op::kClusterStatus>(status(2));
    agent.reply<wire::Op::kNodeRemove>(changed("web2", "removed"));
    CHECK(run({"node", "remove", "web2", "--yes"}).exit == 0);

    agent.reply<wire::Op::kClusterStatus>(status(1));
    const Ran yes = run({"node", "remove", "web1", "--yes"});
    CHECK(yes.exit == 2);
    CHECK(yes.err.find("--confirm NAME") != std::string::npos);
    agent.reply<wire::Op::kClusterStatus>(status(1));
    CHECK(run({"node", "remove", "web1", "--confirm", "test"}).exit == 2);
    agent.reply<wire::Op::kClusterStatus>(status(1));
    agent.reply<wire::Op::kNodeRemove>(changed("web1", "removed"));
    CHECK(run({"node", "remove", "web1", "--confirm", "prod"}).exit == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "node leave drains the asked node, waits, and takes it out") {
    wire::VersionReply self;
    self.node = "web2";
    self.node_id = 2;
    agent.reply<wire::Op::kVersion>(self);
    agent.reply<wire::Op::kNodeDrain>(changed("web2", "draining"));
    agent.reply<wire::Op::kNodeShow>(shown(0));
    agent.reply<wire::Op::kNodeRemove>(changed("web2", "left"));

    const Ran ran = run({"node", "leave", "--yes"});

    CHECK(ran.exit == 0);
    CHECK(agent.request<wire::Op::kNodeDrain>(1).node == "web2");
    CHECK(agent.request<wire::Op::kNodeRemove>(3).node.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "node join-token -o name prints one line and nothing else") {
    wire::JoinTokenReply reply;
    reply.token = "dc1-token";
    reply.expires_at = kTestNow;
    agent.reply<wire::Op::kNodeJoinToken>(reply);

    const Ran ran =
        run({"node", "join-token", "-o", "name", "--ttl", "2h", "--uses", "3", "--role", "admin"});

    CHECK(ran.out == "dc1-token\n");
    CHECK(ran.err.empty());
    const auto request = agent.request<wire::Op::kNodeJoinToken>();
    CHECK(request.ttl == Millis{7'200'000});
    CHECK(request.uses == 3);
    CHECK(request.role == model::Role::kAdmin);
  }

  TEST_CASE_FIXTURE(Fixture, "node join hands over token, id, name and labels") {
    wire::NodeJoinReply reply;
    reply.node_id = 7;
    reply.cluster = "prod";
    agent.reply<wire::Op::kNodeJoin>(reply);

    const Ran ran = run({"node", "join", "T", "--id", "7", "--name", "db7", "--label", "a=b"});

    CHECK(ran.exit == 0);
    CHECK(ran.err.find("Joined cluster prod as node 7.") != std::string::npos);
    const auto request = agent.request<wire::Op::kNodeJoin>();
    CHECK(request.token == "T");
    CHECK(request.id == 7);
    CHECK(request.labels == model::TextMap{{"a", "b"}});
  }

  TEST_CASE_FIXTURE(Fixture, "node ping exits 1 when a node is silent") {
    wire::NodePingReply reply;
    reply.name = "web1";
    reply.rtt_ms = 0.31;
    agent.reply<wire::Op::kNodePing>(reply);
    agent.refuse(ErrorCode::kTimeout, "no answer from web2 within 2s");

    const Ran ran = run({"node", "ping", "web1", "web2"});

    CHECK(ran.exit == 1);
    CHECK(ran.out == "web1: 0.3 ms\n");
    CHECK(ran.err.find("web2: no answer") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster pause and resume say what they did") {
    agent.reply<wire::Op::kClusterPause>(changed("", "paused"));
    const Ran paused = run({"cluster", "pause", "--until", "+2h", "--utc"});
    agent.reply<wire::Op::kClusterResume>(changed("", "resumed"));
    const Ran resumed = run({"cluster", "resume"});

    CHECK(agent.request<wire::Op::kClusterPause>().until == kTestNow + std::chrono::hours{2});
    INFO(paused.err);
    CHECK(paused.err.find("Paused until Wed 2026-11-18 13:06:40") != std::string::npos);
    CHECK(resumed.err.find("Resumed.") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster status shows a pause") {
    wire::StatusReply reply = status(2);
    reply.paused = true;
    agent.reply<wire::Op::kClusterStatus>(reply);
    const Ran ran = run({"cluster", "status"});

    CHECK(ran.out.find("paused     until somebody resumes") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster init names a cluster of one node only") {
    wire::StatusReply alone = status(1);
    alone.nodes.pop_back();
    agent.reply<wire::Op::kClusterStatus>(alone);
    agent.reply<wire::Op::kClusterInit>(wire::ChangeReply{});
    const Ran single =
        run({"cluster", "init", "--name", "test", "--single", "--advertise", "10.0.0.1"});
    CHECK(single.exit == 0);
    CHECK(single.err.find("No other host may join") != std::string::npos);
    CHECK(agent.request<wire::Op::kClusterInit>(1).name == "test");
    CHECK(agent.request<wire::Op::kClusterInit>(1).advertise == "10.0.0.1");
    CHECK(agent.request<wire::Op::kClusterInit>(1).single);

    wire::NodeShowReply found = shown(0);
    found.node.mesh_addresses = {"tcp://127.0.0.1:8471"};
    agent = FakeAgent();
    agent.reply<wire::Op::kClusterStatus>(alone);
    agent.reply<wire::Op::kNodeShow>(found);
    const Ran closed = run({"cluster", "init"});
    CHECK(closed.exit == 0);
    CHECK(closed.err.find("cannot reach it") != std::string::npos);
    CHECK(closed.err.find("mesh.listen") != std::string::npos);
    found.node.mesh_addresses.emplace_back("tcp://10.0.0.1:8471");
    agent.reply<wire::Op::kClusterStatus>(alone);
    agent.reply<wire::Op::kNodeShow>(found);
    CHECK(run({"cluster", "init"}).err.find("reach it at tcp://10.0.0.1:8471.") !=
          std::string::npos);

    agent = FakeAgent();

    agent.reply<wire::Op::kClusterStatus>(status(2));
    CHECK(run({"cluster", "init", "--name", "test"}).exit == 5);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster force-quorum needs the cluster's name, not --yes") {
    agent.reply<wire::Op::kClusterStatus>(status(2));
    CHECK(run({"cluster", "force-quorum", "--yes"}).exit == 2);
    agent.reply<wire::Op::kClusterStatus>(status(2));
    agent.reply<wire::Op::kClusterForceQuorum>(changed("prod", "updated"));
    CHECK(run({"cluster", "force-quorum", "--confirm", "prod"}).exit == 0);
    CHECK(agent.request<wire::Op::kClusterForceQuorum>(2).confirm == "prod");
    host.is_interactive = true;
    host.answers = {"nonsense"};
    agent.reply<wire::Op::kClusterStatus>(status(2));
    CHECK(run({"cluster", "force-quorum"}).exit == 2);
    REQUIRE(host.questions.size() == 1);
    CHECK(host.questions[0].find("go on scheduling beside this one") != std::string::npos);
    CHECK(host.questions[0].find("empty their storage") != std::string::npos);
    const std::string help = run({"help", "cluster", "force-quorum"}).out;
    CHECK(help.find("scheduling") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster upgrade --check exits 1 when no agent may be stopped") {
    wire::UpgradeReply reply;
    reply.why = "node web2 is dead";
    agent.reply<wire::Op::kClusterUpgrade>(reply);

    const Ran ran = run({"cluster", "upgrade", "--check"});

    CHECK(ran.exit == 1);
    CHECK(ran.err.find("Not now: node web2 is dead.") != std::string::npos);
    CHECK(run({"cluster", "upgrade"}).exit == 2);
  }

  TEST_CASE_FIXTURE(Fixture, "cluster backup puts the pieces together and checks their sum") {
    const std::string whole = "first-second";
    wire::BackupReply first;
    first.id = "b1";
    first.size = static_cast<std::int64_t>(whole.size());
    first.crc = store::crc32c(0, whole);
    first.bytes = whole.substr(0, 6);
    wire::BackupReply second = first;
    second.offset = 6;
    second.bytes = whole.substr(6);
    agent.reply<wire::Op::kClusterBackup>(first);
    agent.reply<wire::Op::kClusterBackup>(second);
    CHECK(run({"cluster", "backup", "/tmp/x.db"}).exit == 0);
    CHECK(host.files.at("/tmp/x.db") == whole);
    CHECK(agent.request<wire::Op::kClusterBackup>(1).id == "b1");
    CHECK(agent.request<wire::Op::kClusterBackup>(1).offset == 6);

    second.bytes = "sEcond";
    agent.reply<wire::Op::kClusterBackup>(first);
    agent.reply<wire::Op::kClusterBackup>(second);
    const Ran bad = run({"cluster", "backup", "-"});
    CHECK(bad.exit == 70);
    CHECK(bad.out.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "cluster events --type keeps what its glob fits") {
    wire::EventList list;
    list.items.push_back({kTestNow, "node.joined", "admin", "web2", ""});
    list.items.push_back({kTestNow, "job.created", "admin", "a", ""});
    agent.reply<wire::Op::kEvents>(list);

    CHECK(run({"cluster", "events", "--type", "node.*", "-o", "name"}).out == "node.joined\n");
  }
}

}  // namespace
}  // namespace distcron::ctl
