// SPDX-License-Identifier: Apache-2.0
// Elections: the rules of section 3.4, 3.6.1, 4.2.3, 9.6 of the dissertation, one test each.
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {
namespace {

Message vote_request(NodeId from, NodeId to, Term term, Index last, Term last_term) {
  Message m;
  m.kind = MessageKind::kVote;
  m.from = from;
  m.to = to;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = term;
  m.prev_index = last;
  m.prev_term = last_term;
  return m;
}

Stored stored(Config config, HardState hard, std::vector<Entry> entries = {}) {
  return {hard, 0, 0, std::move(config), 0, std::move(entries), 0};
}

}  // namespace

TEST_CASE("a lone member leads at its first tick and commits what is durable") {
  Net net(voters({1}));
  net.at(1).syncs = false;
  CHECK(net.raft(1).next_tick() <= net.now());
  net.step(1, Tick{});
  CHECK(net.raft(1).role() == Role::kCandidate);
  net.sync(1, 1);
  CHECK(net.raft(1).role() == Role::kLeader);
  CHECK_FALSE(net.raft(1).is_scheduler());
  net.sync(1);
  CHECK(net.raft(1).is_scheduler());
  net.propose(1, "a");
  CHECK(net.at(1).waiting.size() == 1);
  CHECK(net.at(1).waiting.front().entries.size() == 1);
  CHECK(net.applied(1).empty());
  net.sync(1);
  CHECK(net.applied(1) == "a");
  CHECK(net.raft(1).next_tick() > net.now() + Seconds(60));
}

TEST_CASE("three members elect the first in the order of preference") {
  Net net(voters({1, 2, 3}));
  net.pass(Seconds(3));
  CHECK(net.leader() == 1);
  for (const NodeId id : {1, 2, 3}) {
    CHECK(net.raft(id).leader() == 1);
    CHECK(net.raft(id).commit_index() == 1);
    CHECK(net.raft(id).has_quorum());
  }
  CHECK(net.raft(1).is_scheduler());
  CHECK_FALSE(net.raft(2).is_scheduler());
}

TEST_CASE("the rank counts before the id") {
  Config config = voters({1, 2, 3});
  config.members[0].rank = 2;
  config.members[1].rank = 1;
  Net net(config);
  net.pass(Seconds(3));
  CHECK(net.leader() == 3);
}

TEST_CASE("the timeout is E, E/8 for each place, and a random part below E") {
  Net net(voters({1, 2, 3}));
  const MonoTime now = net.now();
  CHECK(net.raft(1).next_tick() - now == Millis(1'000));
  CHECK(net.raft(2).next_tick() - now == Millis(1'125));
  CHECK(net.raft(3).next_tick() - now == Millis(1'250));
  FixedDice dice;
  dice.value = 999'999;
  auto late = Raft::make({.self = 1}, stored(voters({1, 2}), {}), dice, now);
  REQUIRE(late);
  CHECK((*late)->next_tick() - now == Micros(1'999'999));
}

TEST_CASE("a member votes once a term, also after a restart") {
  Net net(voters({1, 2, 3}));
  net.step(1, Receive{vote_request(2, 1, 5, 0, 0)});
  auto replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(replies[0].reject);
  net.step(1, Receive{vote_request(3, 1, 5, 0, 0)});
  replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].reject);
  net.crash(1);
  net.step(1, Receive{vote_request(3, 1, 5, 0, 0)});
  net.step(1, Receive{vote_request(2, 1, 5, 0, 0)});
  replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 2);
  CHECK(replies[0].reject);
  CHECK_FALSE(replies[1].reject);
}

TEST_CASE("a vote waits for the disk and is lost with it") {
  Net net(voters({1, 2, 3}));
  net.at(1).syncs = false;
  net.step(1, Receive{vote_request(2, 1, 5, 0, 0)});
  CHECK(net.take(MessageKind::kVoteReply).empty());
  net.crash(1);
  CHECK(net.raft(1).term() == 0);
  net.step(1, Receive{vote_request(3, 1, 5, 0, 0)});
  net.sync(1);
  const auto replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(replies[0].reject);
}

TEST_CASE("a candidate asks and counts itself only when its own vote is durable") {
  Net net(voters({1, 2, 3}));
  net.at(1).syncs = false;
  net.time_out(1);
  net.run();
  CHECK(net.raft(1).role() == Role::kCandidate);
  CHECK(net.wire.empty());
  net.sync(1);
  CHECK(net.take(MessageKind::kVote).size() == 2);
}

TEST_CASE("a log decides about a vote by its last term, then by its length") {
  struct Row {
    Index last;
    Term last_term;
    bool wins;
  };

  for (const Row& row : {Row{2, 3, true}, Row{3, 3, true}, Row{1, 4, true}, Row{1, 3, false},
                         Row{9, 2, false}, Row{0, 0, false}}) {
    CAPTURE(row.last);
    CAPTURE(row.last_term);
    Net net;
    net.add(1, stored(voters({1, 2, 3}), {3, 0}, {command(1, 1, "a"), command(2, 3, "b")}));
    net.step(1, Receive{vote_request(2, 1, 5, row.last, row.last_term)});
    const auto replies = net.take(MessageKind::kVoteReply);
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].reject != row.wins);
  }
}

TEST_CASE("pre-vote: a member that was cut off comes back without a new term") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.isolate({3});
  net.pass(Seconds(20));
  CHECK(net.raft(3).term() == 1);
  CHECK(net.raft(3).role() == Role::kPreCandidate);
  CHECK_FALSE(net.raft(3).has_quorum());
  net.heal();
  net.pass(Seconds(2));
  CHECK(net.raft(1).role() == Role::kLeader);
  CHECK(net.raft(1).term() == 1);
  CHECK(net.raft(3).leader() == 1);
}

TEST_CASE("a pre-vote binds nobody and is no vote") {
  Net net(voters({1, 2, 3}));
  Message m = vote_request(2, 1, 5, 0, 0);
  m.kind = MessageKind::kPreVote;
  net.step(1, Receive{m});
  const auto replies = net.take(MessageKind::kPreVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(replies[0].reject);
  CHECK(replies[0].term == 5);
  CHECK(net.raft(1).term() == 0);
  CHECK(net.raft(1).vote() == 0);
  // As an answer it elects nobody: this member is a candidate of term 1 by then.
  net.isolate({1});
  net.time_out(1);
  net.wire.clear();
  Message granted = replies[0];
  granted.from = 2;
  granted.to = 1;
  granted.term = 1;
  net.step(1, Receive{granted});
  CHECK(net.raft(1).role() == Role::kCandidate);
  net.step(1, Receive{granted});
  CHECK(net.raft(1).role() == Role::kCandidate);
}

TEST_CASE("votes are ignored within the minimum timeout of a leader, but not those of a transfer") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(300));
  net.step(2, Receive{vote_request(3, 2, 9, 50, 8)});
  net.step(1, Receive{vote_request(3, 1, 9, 50, 8)});
  CHECK(net.take(MessageKind::kVoteReply).empty());
  CHECK(net.raft(1).role() == Role::kLeader);
  CHECK(net.raft(2).term() == 1);
  Message forced = vote_request(3, 2, 9, 50, 8);
  forced.force = true;
  net.step(2, Receive{forced});
  const auto replies = net.take(MessageKind::kVoteReply);
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(replies[0].reject);
}

TEST_CASE("check-quorum: a leader that nobody answers steps down within one timeout") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(500));
  net.isolate({1});
  net.pass(Millis(1'010));
  CHECK(net.raft(1).role() == Role::kFollower);
  CHECK(net.raft(1).leader() == 0);
  net.pass(Seconds(3));
  CHECK(net.leader() == 2);
  net.heal();
  net.pass(Seconds(2));
  CHECK(net.leader() == 2);
  CHECK(net.raft(1).leader() == 2);
}

TEST_CASE("a paused leader is no scheduler when it wakes") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  CHECK(net.raft(1).is_scheduler());
  net.isolate({1});
  net.time_out(1);  // one heartbeat
  net.pass(Millis(980));
  net.step(1, AppliedTo{0});
  CHECK_FALSE(net.raft(1).is_scheduler());
}

TEST_CASE("an older leader learns the newer term and gives up") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.isolate({1});
  net.pass(Millis(900));
  net.heal();
  Message m = vote_request(2, 3, 4, 1, 1);
  m.force = true;
  net.step(3, Receive{m});
  net.run();
  net.pass(Seconds(3));
  CHECK(net.leader() != 0);
  CHECK(net.raft(net.leader()).term() > 4);
}

TEST_CASE("messages of another cluster, of an earlier life, or to somebody else have no effect") {
  Net net(voters({1, 2, 3}));
  Message m = vote_request(2, 1, 5, 0, 0);
  m.cluster = 8;
  net.step(1, Receive{m});
  m = vote_request(2, 1, 5, 0, 0);
  m.incarnation = 0;
  net.step(1, Receive{m});
  m = vote_request(2, 3, 5, 0, 0);
  net.step(1, Receive{m});
  CHECK(net.at(1).newer_incarnation == 0);
  m = vote_request(2, 1, 5, 0, 0);
  m.incarnation = 2;
  net.step(1, Receive{m});
  CHECK(net.wire.empty());
  CHECK(net.raft(1).term() == 0);
  CHECK(net.at(1).newer_incarnation == 2);
}

TEST_CASE(
    "a member without a configuration, a standby, a witness and a drained one never campaign") {
  Config config = voters({1, 2, 3, 4});
  config.members[1].kind = MemberKind::kLearner;
  config.members[2].kind = MemberKind::kWitness;
  Net net(config);
  net.step(4, MayLead{false});
  net.add(5, Stored{});
  net.stop(1);
  net.pass(Seconds(20));
  for (const NodeId id : {2, 3, 4, 5}) {
    CHECK(net.raft(id).role() == Role::kFollower);
    CHECK(net.raft(id).term() == 0);
  }
  net.step(4, MayLead{true});
  net.crash(1);
  net.pass(Seconds(5));
  CHECK(net.leader() == 4);
}

TEST_CASE("a witness votes and stores the log, and takes no hand-over") {
  Config config = voters({1, 2, 3});
  config.members[2].kind = MemberKind::kWitness;
  Net net(config);
  net.elect(1);
  net.stop(2);
  net.propose(1, "a");
  net.run();
  CHECK(net.applied(1) == "a");
  CHECK(net.stored(3) == "a");
  net.step(1, Transfer{3});
  CHECK(net.raft(1).transfer_target() == 0);
}

TEST_CASE("a stored log that contradicts itself is refused") {
  FixedDice dice;
  const Config config = voters({1});
  const auto code = [&](Stored bad) {
    auto made = Raft::make({.self = 1}, std::move(bad), dice, MonoTime{});
    REQUIRE_FALSE(made);
    return made.error().code;
  };
  CHECK(code(stored(config, {1, 0}, {command(2, 1, "gap")})) == ErrorCode::kCorrupt);
  CHECK(code(stored(config, {2, 0}, {command(1, 2, "a"), command(2, 1, "back")})) ==
        ErrorCode::kCorrupt);
  CHECK(code(stored(config, {1, 0}, {command(1, 2, "term")})) == ErrorCode::kCorrupt);
  CHECK(code(stored(config, {1, 0}, {{1, 1, EntryKind::kConfig, "x"}})) == ErrorCode::kCorrupt);
  Stored ahead = stored(config, {1, 0}, {command(1, 1, "a")});
  ahead.applied = 2;
  CHECK(code(ahead) == ErrorCode::kCorrupt);
}

TEST_CASE("what is applied is committed at the start and not given out again") {
  Net net;
  Stored disk = stored(voters({1}), {1, 1}, {command(1, 1, "a"), command(2, 1, "b")});
  disk.applied = 1;
  net.add(1, disk).applied = {command(1, 1, "a")};
  CHECK(net.raft(1).commit_index() == 1);
  net.pass(Millis(10));
  CHECK(net.applied(1) == "a b");
}

}  // namespace distcron::consensus
