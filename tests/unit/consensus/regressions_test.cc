// SPDX-License-Identifier: Apache-2.0
// What went wrong elsewhere, as schedules: figure 3.7 of the dissertation, the ten bugs that the
// libraft of Debian 12 (0.15.0) has, the bug of single-server changes of 2015.
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {
namespace {

Stored stored(Config config, HardState hard, std::vector<Entry> entries = {}) {
  return {hard, 0, 0, std::move(config), 0, std::move(entries), 0};
}

}  // namespace

// libraft 1: a follower answered a heartbeat with its own last index.
TEST_CASE("a heartbeat's answer does not claim a conflicting tail") {
  Net net;
  const Config config = voters({1, 2, 3});
  // 2 holds entries of term 2 that nobody else has; 1 leads term 3 and writes others there.
  net.add(1, stored(config, {2, 0}, {command(1, 1, "base")}));
  net.add(2,
          stored(config, {2, 0}, {command(1, 1, "base"), command(2, 2, "x"), command(3, 2, "y")}));
  net.add(3, stored(config, {2, 0}, {command(1, 1, "base")}));
  net.stop(2);
  net.elect(1);
  net.at(2).is_up = true;
  net.at(3).is_up = false;
  // 2 gets heartbeats only: nothing of what 1 writes.
  net.drops = [](const Message& m) { return m.to == 2 && !m.entries.empty(); };
  net.propose(1, "lost if acknowledged");
  net.pass(Millis(700));
  CHECK(net.raft(1).commit_index() == 2);  // its no-op, which 3 has
  CHECK(net.applied(1) == "base");
  for (const PeerView& peer : net.raft(1).peers()) {
    if (peer.id == 2) CHECK(peer.match <= 1);
  }
}

// libraft 2, and figure 3.7: an entry of an earlier term on a majority is not yet committed.
TEST_CASE("figure 3.7: entries of earlier terms are not committed by count") {
  Net net;
  const Config config = voters({1, 2, 3, 4, 5});
  const Entry base = command(1, 1, "base");
  const Entry x = command(2, 2, "x");
  const Entry y = command(2, 3, "y");
  // (a), (b): 1 led term 2 and put x on itself and 2; 5 led term 3 and has y.
  net.add(1, stored(config, {3, 0}, {base, x}));
  net.add(2, stored(config, {3, 0}, {base, x}));
  net.add(3, stored(config, {3, 0}, {base}));
  net.add(4, stored(config, {3, 0}, {base}));
  net.add(5, stored(config, {3, 0}, {base, y}));
  // (c): 1 leads term 4 and puts x on 3, but not its no-op.
  net.drops = [&](const Message& m) {
    if (m.to >= 4 || m.from >= 4) return true;
    const bool has_noop = !m.entries.empty() && m.entries.front().term == 4;
    return has_noop && (m.to == 2 || net.stored(3) == "base x");  // else 3 refuses it
  };
  for (const NodeId id : {1, 2, 3}) {
    net.at(id).settings.append_entries_max = 1;
    net.crash(id);
  }
  net.time_out(1);
  net.run();
  REQUIRE(net.raft(1).role() == Role::kLeader);
  net.pass(Millis(400));
  CHECK(net.stored(3) == "base x");
  CHECK(net.raft(1).commit_index() == 0);
  CHECK(net.applied(1).empty());
  // (d): 1 fails; 5 wins with 3 and 4 and overwrites x everywhere.
  net.stop(1);
  net.isolate({3, 4, 5});
  net.pass(Seconds(6));
  REQUIRE(net.leader() == 5);
  net.heal();
  net.crash(1);
  net.pass(Seconds(4));
  for (const NodeId id : {1, 2, 3, 4, 5}) {
    CHECK(net.applied(id) == "base y");
  }
}

TEST_CASE("figure 3.7 (e): with an entry of its own term on a majority the earlier one is safe") {
  Net net;
  const Config config = voters({1, 2, 3, 4, 5});
  const Entry base = command(1, 1, "base");
  net.add(1, stored(config, {3, 0}, {base, command(2, 2, "x")}));
  net.add(2, stored(config, {3, 0}, {base, command(2, 2, "x")}));
  net.add(3, stored(config, {3, 0}, {base}));
  net.add(4, stored(config, {3, 0}, {base}));
  net.add(5, stored(config, {3, 0}, {base, command(2, 3, "y")}));
  net.isolate({1, 2, 3});
  net.time_out(1);
  net.run();
  net.pass(Millis(300));
  CHECK(net.applied(1) == "base x");
  net.stop(1);
  net.heal();
  net.pass(Seconds(8));
  REQUIRE(net.leader() != 0);
  for (const NodeId id : {2, 3, 4, 5}) {
    CHECK(net.applied(id) == "base x");
  }
}

// libraft 3: elections rested on entries that were not persisted.
TEST_CASE("a candidate presents only what is durable") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(2).syncs = false;
  net.propose(1, "a");
  net.run();
  CHECK(net.raft(2).last_index() == 2);
  CHECK(net.raft(2).durable_index() == 1);
  net.stop(1);
  net.pass(Millis(1'050));
  net.time_out(2);
  for (const Message& m : net.wire) {
    if (m.kind == MessageKind::kPreVote) CHECK(m.prev_index == 1);
  }
  net.run();
  CHECK(net.raft(2).role() != Role::kLeader);  // 3 has a durable "a"
}

// Found by the search of tests/sim/exhaustive: an acknowledgement on its way to the disk, and a
// vote behind it for a log that lacks what is acknowledged.
TEST_CASE("a voter compares what it is still writing: it acknowledges that before it votes") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(3).syncs = false;
  net.isolate({1, 3});
  net.propose(1, "a");
  net.run();
  CHECK(net.raft(3).durable_index() == 1);
  Message m;
  m.kind = MessageKind::kVote;
  m.from = 2;
  m.to = 3;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = 2;
  m.prev_index = 1;
  m.prev_term = 1;
  m.force = true;
  net.step(3, Receive{m});
  net.sync(3);
  const auto replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].reject);
}

// libraft 4: commitment looked at the leader's last entry, so it stalled under steady load.
TEST_CASE("what a quorum has is committed while newer entries are under way") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  const auto first = net.take(MessageKind::kAppend);
  for (const Message& m : first) {
    net.step(m.to, Receive{m});
  }
  net.propose(1, "b");
  (void)net.take(MessageKind::kAppend);
  for (const Message& m : net.take(MessageKind::kAppendReply)) {
    net.step(1, Receive{m});
  }
  CHECK(net.raft(1).commit_index() == 2);
  CHECK(net.applied(1) == "a");
}

// libraft 5: an answer that was sent after the role had changed went to a garbage address.
TEST_CASE("answers and results that come after the role has changed do no harm") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  const auto appends = net.take(MessageKind::kAppend);
  for (const Message& m : appends) {
    net.step(m.to, Receive{m});
  }
  const auto replies = net.take(MessageKind::kAppendReply);
  net.isolate({1});
  net.at(1).syncs = false;
  net.propose(1, "b");
  net.pass(Millis(1'500));
  REQUIRE(net.raft(1).role() == Role::kFollower);
  for (const Message& m : replies) {
    net.step(1, Receive{m});
  }
  net.sync(1);
  net.step(1, ChunkRead{2, 1, 1, {}, 0, 0, 0, 0, {}});
  net.step(1, ChunkStored{1, 0, false});
  for (const Message& m : net.wire) {
    CHECK(m.to >= 1);
    CHECK(m.to <= 3);
  }
  CHECK(net.raft(1).role() == Role::kFollower);
}

// libraft 6: a configuration that was truncated, and one restored at start, stayed as committed.
TEST_CASE("several configurations after the last committed one are rolled back together") {
  Net net;
  const auto entry = [](Index index, Term term, Config config) {
    return Entry{index, term, EntryKind::kConfig, encode_config(config)};
  };
  net.add(1, stored(voters({1, 2, 3}), {3, 0},
                    {command(1, 1, "a"), entry(2, 2, voters({1, 2})), entry(3, 3, voters({1}))}));
  CHECK(net.raft(1).config() == voters({1}));
  CHECK(net.raft(1).is_config_pending());
  Message m;
  m.kind = MessageKind::kAppend;
  m.from = 2;
  m.to = 1;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = 4;
  m.prev_index = 1;
  m.prev_term = 1;
  m.entries = {{2, 4, EntryKind::kNoop, {}}};
  net.step(1, Receive{m});
  CHECK(net.raft(1).config() == voters({1, 2, 3}));
  CHECK_FALSE(net.raft(1).is_config_pending());
  CHECK(net.raft(1).last_index() == 2);
}

// libraft 7: a hand-over outlived its request.
TEST_CASE("a hand-over ends with the leadership and with its target's membership") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(200));
  net.isolate({1});
  net.step(1, Transfer{2});
  net.wire.clear();
  net.pass(Millis(1'500));
  CHECK(net.raft(1).transfer_target() == 0);
  CHECK(net.raft(1).role() == Role::kFollower);
  net.heal();
  net.pass(Seconds(3));
  REQUIRE(net.leader() == 2);
  CHECK(net.take(MessageKind::kTimeoutNow).empty());
}

// libraft 8: TimeoutNow was accepted while entries were unpersisted.
TEST_CASE("TimeoutNow is not accepted before everything is durable, and comes again") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(2).syncs = false;
  net.propose(1, "a");
  net.run();
  Message m;
  m.kind = MessageKind::kTimeoutNow;
  m.from = 1;
  m.to = 2;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = 1;
  net.step(2, Receive{m});
  CHECK(net.raft(2).role() == Role::kFollower);
  CHECK(net.raft(2).term() == 1);
  net.step(1, Transfer{2});
  net.run();
  CHECK(net.leader() == 1);
  net.at(2).syncs = true;
  net.sync(2);
  net.pass(Millis(200));
  CHECK(net.leader() == 2);
}

// libraft 9: after a failed write a follower kept its entries in memory as if they were stored.
TEST_CASE("entries that could not be written are not acknowledged, and are written later") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.stop(3);
  net.at(2).syncs = false;
  net.propose(1, "a");
  net.run();
  net.at(2).waiting.clear();  // the write failed
  net.step(2, DiskFull{true});
  net.pass(Millis(500));
  CHECK(net.raft(1).commit_index() == 1);
  CHECK(net.stored(2).empty());
  net.at(2).syncs = true;
  net.step(2, DiskFull{false});
  CHECK(net.stored(2) == "a");
  net.pass(Millis(300));
  CHECK(net.applied(1) == "a");
}

// libraft 10: two leaders in one term were seen. Here: two candidates of a term, one vote each.
TEST_CASE("two candidates of one term cannot both win, whatever is lost and repeated") {
  Net net(voters({1, 2, 3}));
  net.time_out(1);
  net.time_out(2);
  while (!net.wire.empty()) {
    const Message m = net.wire.front();
    net.deliver();
    net.step(m.to, Receive{m});
  }
  // Net itself checks one leader a term.
  net.crash(3);
  net.pass(Seconds(4));
  CHECK(net.leader() != 0);
}

// raft-dev, July 2015: two leaders each began a change that the other did not know.
TEST_CASE("the bug of single-server changes: two quorums that do not meet") {
  Net net(voters({1, 2, 3, 4}));
  net.add(5, Stored{});
  net.elect(1);
  // 1 wants to add a fifth member, on its own disk and the new one's only.
  net.change(1, {5, MemberKind::kLearner, 0});
  net.pass(Seconds(4));
  net.isolate({1, 5});
  net.change(1, {5, MemberKind::kVoter, 0});
  net.run();
  REQUIRE(net.raft(5).config().members[4].kind == MemberKind::kVoter);
  // 2 leads and removes 1, known to 2 and 3: quorum of {2, 3, 4}.
  net.pass(Seconds(4));
  REQUIRE(net.leader() == 2);
  net.stop(4);
  net.change(2, {1, MemberKind::kVoter, 0}, true);
  net.run();
  CHECK(net.raft(2).commit_index() == net.raft(2).last_index());
  // 1 comes back with 5 and 4, which has an old log: three of its five, and must not win.
  net.isolate({1, 4, 5});
  net.crash(4);
  net.pass(Seconds(10));
  CHECK(net.raft(1).role() != Role::kLeader);
  CHECK(net.raft(5).role() != Role::kLeader);
}

}  // namespace distcron::consensus
