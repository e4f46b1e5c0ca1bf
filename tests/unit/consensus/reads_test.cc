// SPDX-License-Identifier: Apache-2.0
// Linearizable reads: section 6.4.
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {

TEST_CASE("a read waits for a round of the quorum and gets the commit index of its begin") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.step(1, Read{5});
  CHECK(net.at(1).reads.empty());
  net.run();
  REQUIRE(net.at(1).reads.size() == 1);
  CHECK(net.at(1).reads[0].tag == 5);
  CHECK(net.at(1).reads[0].index == 2);
}

TEST_CASE("reads that come during a round share the next one") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  for (std::uint64_t tag = 1; tag <= 100; ++tag) {
    net.step(1, Read{tag});
  }
  CHECK(net.wire.size() == 2);
  std::size_t messages = 0;
  net.drops = [&](const Message&) {
    ++messages;
    return false;
  };
  net.run();
  CHECK(net.at(1).reads.size() == 100);
  CHECK(messages == 8);
}

TEST_CASE("a lone member reads at once") {
  Net net(voters({1}));
  net.elect(1);
  net.step(1, Read{5});
  REQUIRE(net.at(1).reads.size() == 1);
  CHECK(net.at(1).reads[0].index == 1);
}

TEST_CASE("a new leader reads only after an entry of its term is committed") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.stop(1);
  net.drops = [](const Message& m) { return m.kind == MessageKind::kAppendReply; };
  for (int i = 0; i < 400 && net.leader() == 0; ++i) {
    net.pass(Millis(10));
  }
  const NodeId leader = net.leader();
  REQUIRE(leader != 0);
  net.step(leader, Read{5});
  net.run();
  CHECK(net.at(leader).reads.empty());
  net.heal();
  net.pass(Millis(300));
  REQUIRE(net.at(leader).reads.size() == 1);
  CHECK(net.at(leader).reads[0].index >= 3);
}

TEST_CASE("a leader that was replaced without knowing answers no read") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(950));
  net.isolate({1});
  net.at(2).dice.value = 0;
  net.step(1, Read{5});
  net.run();
  CHECK(net.at(1).reads.empty());
  net.pass(Seconds(3));
  REQUIRE(net.leader() == 2);
  REQUIRE(net.at(1).reads.size() == 1);
  CHECK(net.at(1).reads[0].index == 0);
}

TEST_CASE("a lost round is made up by the next heartbeat") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(300));
  net.step(1, Read{5});
  net.wire.clear();
  net.pass(Millis(200));
  REQUIRE(net.at(1).reads.size() == 1);
  CHECK(net.at(1).reads[0].index == 1);
}

TEST_CASE("a follower asks the leader") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.step(3, Read{8});
  net.run();
  REQUIRE(net.at(3).reads.size() == 1);
  CHECK(net.at(3).reads[0].tag == 8);
  CHECK(net.at(3).reads[0].index == 2);
}

TEST_CASE("a follower's read fails without a leader, with a silent one, and with a new term") {
  Net net(voters({1, 2, 3}));
  net.step(3, Read{1});
  REQUIRE(net.at(3).reads.size() == 1);
  CHECK(net.at(3).reads[0].index == 0);
  net.elect(1);
  net.drops = [](const Message& m) { return m.kind == MessageKind::kReadIndex; };
  net.step(3, Read{2});
  net.pass(Millis(900));
  CHECK(net.at(3).reads.size() == 1);
  net.pass(Millis(200));
  REQUIRE(net.at(3).reads.size() == 2);
  CHECK(net.at(3).reads[1].index == 0);
  net.step(3, Read{3});
  net.step(1, Transfer{2});
  net.run();
  REQUIRE(net.at(3).reads.size() == 3);
  CHECK(net.at(3).reads[2].index == 0);
}

TEST_CASE("an answer to somebody's earlier question is not taken for this one's") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.step(3, Read{8});
  net.deliver();
  net.run();
  Message old;
  old.kind = MessageKind::kReadIndexReply;
  old.from = 1;
  old.to = 3;
  old.cluster = 7;
  old.incarnation = 1;
  old.term = 1;
  old.context = 12'345;
  old.commit = 1;
  net.step(3, Read{9});
  net.step(3, Receive{old});
  CHECK(net.at(3).reads.size() == 1);
  net.run();
  CHECK(net.at(3).reads.size() == 2);
}

TEST_CASE("one that does not lead says so to who asks it") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  Message ask;
  ask.kind = MessageKind::kReadIndex;
  ask.from = 3;
  ask.to = 2;
  ask.cluster = 7;
  ask.incarnation = 1;
  ask.term = 1;
  ask.context = 77;
  net.step(2, Receive{ask});
  const auto replies = net.take(MessageKind::kReadIndexReply);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].reject);
  CHECK(replies[0].context == 77);
}

}  // namespace distcron::consensus
