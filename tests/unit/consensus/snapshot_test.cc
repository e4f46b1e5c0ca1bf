// SPDX-License-Identifier: Apache-2.0
// Snapshots and compaction: chapter 5.
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {
namespace {

/// Three members of which 3 was down while the others wrote `count` commands and compacted them.
void fall_behind(Net& net, int count) {
  net.elect(1);
  net.stop(3);
  for (int i = 0; i < count; ++i) {
    net.propose(1, std::string(1, static_cast<char>('a' + i)));
  }
  net.pass(Millis(300));
  net.compact(1);
}

Message chunk(Index index, Term term, std::uint64_t offset, std::string data, std::uint64_t size) {
  Message m;
  m.kind = MessageKind::kSnapshotChunk;
  m.from = 1;
  m.to = 2;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = 5;
  m.prev_index = index;
  m.prev_term = term;
  m.config = voters({1, 2, 3, 4});
  m.config_index = 1;
  m.offset = offset;
  m.size = size;
  m.data = std::move(data);
  return m;
}

}  // namespace

TEST_CASE("a member whose entries are gone gets a snapshot and then the log") {
  Net net;
  for (const NodeId id : {1, 2, 3}) {
    net.add(id, Stored{{}, 0, 0, voters({1, 2, 3}), 0, {}, 0},
            [](Settings& s) { s.chunk_bytes = 100; });
  }
  fall_behind(net, 5);
  CHECK(net.raft(1).first_index() == 7);
  net.propose(1, "z");
  net.crash(3);
  net.pass(Seconds(1));
  CHECK(net.applied(3) == "a b c d e z");
  CHECK(net.raft(3).first_index() == 7);
  CHECK(net.stored(3) == "z");
  CHECK(net.at(1).wanted.size() == 10);
  net.propose(1, "y");
  net.run();
  CHECK(net.applied(3) == "a b c d e z y");
}

TEST_CASE("a joiner behind the snapshot learns the members from it") {
  Net net(voters({1}));
  net.elect(1);
  net.propose(1, "a");
  net.change(1, {2, MemberKind::kLearner, 0});
  net.compact(1);
  net.add(2, Stored{});
  net.pass(Seconds(2));
  CHECK(net.raft(2).config() == net.raft(1).config());
  CHECK(net.applied(2) == "a");
  Index index = 0;
  CHECK(net.raft(2).config_at(net.raft(2).commit_index(), index).members.size() == 2);
  CHECK(index == 3);
}

TEST_CASE("a lost chunk is asked for again, a restarted receiver goes on where it was") {
  Net net;
  for (const NodeId id : {1, 2, 3}) {
    net.add(id, Stored{{}, 0, 0, voters({1, 2, 3}), 0, {}, 0},
            [](Settings& s) { s.chunk_bytes = 300; });
  }
  fall_behind(net, 5);
  net.crash(3);
  int chunks = 0;
  net.drops = [&](const Message& m) {
    return m.kind == MessageKind::kSnapshotChunk && ++chunks == 2;
  };
  net.pass(Millis(200));
  CHECK(net.at(3).incoming.size() == 300);
  net.crash(3);
  net.pass(Seconds(2));
  CHECK(net.applied(3) == "a b c d e");
  CHECK(chunks == 5);
}

TEST_CASE("a newer snapshot amid a transfer begins anew") {
  Net net;
  for (const NodeId id : {1, 2, 3}) {
    net.add(id, Stored{{}, 0, 0, voters({1, 2, 3}), 0, {}, 0},
            [](Settings& s) { s.chunk_bytes = 300; });
  }
  fall_behind(net, 5);
  net.crash(3);
  net.drops = [&](const Message& m) {
    return m.kind == MessageKind::kSnapshotChunk && m.offset == 600;
  };
  net.pass(Millis(250));
  net.propose(1, "f");
  net.run();
  net.compact(1);
  net.heal();
  net.pass(Seconds(2));
  CHECK(net.applied(3) == "a b c d e f");
  CHECK(net.raft(3).first_index() == 8);
}

TEST_CASE("an owner without a snapshot is asked again, not at once") {
  Net net(voters({1, 2, 3}));
  fall_behind(net, 3);
  net.at(1).answers_chunks = false;
  net.crash(3);
  net.pass(Seconds(1));
  REQUIRE(net.at(1).wanted.size() == 1);
  net.step(1, ChunkRead{3, 0, 0, {}, 0, 0, 0, 0, {}});
  net.pass(Millis(150));
  CHECK(net.at(1).wanted.size() == 1);
  net.pass(Millis(500));
  REQUIRE(net.at(1).wanted.size() == 2);
  net.give_chunk(1, net.at(1).wanted[1]);
  net.run();
  net.pass(Millis(300));
  CHECK(net.applied(3) == "a b c");
}

TEST_CASE("who has the snapshot's last entry keeps its log and needs no chunk") {
  Net net;
  net.add(2, Stored{{5, 0},
                    0,
                    0,
                    voters({1, 2, 3}),
                    0,
                    {command(1, 1, "a"), command(2, 4, "b"), command(3, 4, "c")},
                    0});
  net.step(2, Receive{chunk(2, 4, 0, "xy", 9)});
  const auto replies = net.take(MessageKind::kSnapshotReply);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].match == 2);
  CHECK(net.applied(2) == "a b");
  CHECK(net.raft(2).last_index() == 3);
  CHECK(net.at(2).incoming.empty());
}

TEST_CASE("a snapshot replaces a log that contradicts it, to the end") {
  // 3 led term 1 and wrote for itself alone; 1 leads term 2.
  Net net;
  std::vector<Entry> other;
  for (Index i = 1; i <= 9; ++i) {
    other.push_back(command(i, 1, "x"));
  }
  for (const NodeId id : {1, 2}) {
    net.add(id, Stored{{1, 0}, 0, 0, voters({1, 2, 3}), 0, {other[0]}, 0});
  }
  net.add(3, Stored{{1, 0}, 0, 0, voters({1, 2, 3}), 0, other, 0});
  fall_behind(net, 3);
  net.crash(3);
  net.pass(Millis(500));
  CHECK(net.applied(3) == "x a b c");
  CHECK(net.raft(3).last_index() == 5);
  CHECK(net.at(3).disk.entries.empty());
  net.propose(1, "d");
  net.run();
  CHECK(net.applied(3) == "x a b c d");
}

TEST_CASE("a snapshot is acknowledged when it is installed; entries wait until then") {
  Net net(voters({1, 2, 3}));
  net.at(2).syncs = true;
  Raft& raft = net.raft(2);
  Ready ready = raft.step(net.now(), Receive{chunk(6, 4, 0, "xyz", 3)});
  REQUIRE(ready.chunk_received);
  REQUIRE(ready.hard);
  CHECK(ready.send.empty());
  CHECK(ready.send_when_durable.empty());
  (void)raft.step(net.now(), Durable{ready.tag});
  // The leader's entries up to 7 would fit, but the log is about to be replaced.
  Message m = chunk(0, 0, 0, {}, 0);
  m.kind = MessageKind::kAppend;
  m.config = {};
  m.entries = {command(1, 1, "a")};
  ready = raft.step(net.now(), Receive{m});
  REQUIRE(ready.send.size() == 1);
  CHECK(ready.send[0].match == 0);
  CHECK(ready.entries.empty());
  // Nor is a second copy of the chunk given out.
  ready = raft.step(net.now(), Receive{chunk(6, 4, 0, "xyz", 3)});
  CHECK_FALSE(ready.chunk_received);
  ready = raft.step(net.now(), ChunkStored{6, 3, true});
  REQUIRE(ready.send.size() == 1);
  CHECK(ready.send[0].kind == MessageKind::kSnapshotReply);
  CHECK(ready.send[0].match == 6);
  CHECK(raft.commit_index() == 6);
  CHECK(raft.last_index() == 6);
  CHECK(raft.term_at(6) == 4);
  CHECK(raft.config() == voters({1, 2, 3, 4}));
}

TEST_CASE("a last chunk that fails its check is not installed and the transfer begins anew") {
  Net net(voters({1, 2, 3}));
  Raft& raft = net.raft(2);
  Ready ready = raft.step(net.now(), Receive{chunk(6, 4, 0, "xyz", 3)});
  REQUIRE(ready.chunk_received);
  (void)raft.step(net.now(), Durable{ready.tag});
  ready = raft.step(net.now(), ChunkStored{6, 0, false});
  REQUIRE(ready.send.size() == 1);
  CHECK(ready.send[0].match == 0);
  CHECK(ready.send[0].offset == 0);
  CHECK(raft.commit_index() == 0);
  ready = raft.step(net.now(), Receive{chunk(6, 4, 0, "xyz", 3)});
  CHECK(ready.chunk_received);
}

TEST_CASE("chunks that cannot be are dropped") {
  Net net(voters({1, 2, 3}));
  Raft& raft = net.raft(2);
  CHECK_FALSE(raft.step(net.now(), Receive{chunk(6, 4, 2, "xyz", 4)}).chunk_received);
  CHECK_FALSE(raft.step(net.now(), Receive{chunk(6, 4, ~0ULL, "xyz", 4)}).chunk_received);
  CHECK_FALSE(raft.step(net.now(), Receive{chunk(6, 0, 0, "x", 4)}).chunk_received);
  CHECK_FALSE(raft.step(net.now(), Receive{chunk(0, 4, 0, "x", 4)}).chunk_received);
  CHECK(raft.commit_index() == 0);
}

TEST_CASE("only what is applied can be forgotten") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.step(1, Compact{99});
  CHECK(net.raft(1).first_index() == 2);
  net.run();
  net.step(1, Compact{99});
  CHECK(net.raft(1).first_index() == 3);
  CHECK(net.raft(1).term_at(2) == 1);
  CHECK(net.raft(1).term_at(1) == 0);
  net.propose(1, "b");
  net.run();
  CHECK(net.applied(3) == "a b");
}

}  // namespace distcron::consensus
