// SPDX-License-Identifier: Apache-2.0
// Changes of members (chapter 4) and hand-over of leadership (3.10).
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {
namespace {

constexpr Member kFourth{4, MemberKind::kLearner, 0};

ErrorCode refusal(Net& net, NodeId id, Member member, bool removes = false) {
  net.at(id).refused.clear();
  net.change(id, member, removes);
  REQUIRE(net.at(id).refused.size() == 1);
  return net.at(id).refused[0].error.code;
}

}  // namespace

TEST_CASE("a member joins as standby, catches up, gets a vote, loses it, and goes") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.add(4, Stored{});
  net.change(1, kFourth);
  CHECK(net.raft(1).is_config_pending());
  net.run();
  CHECK_FALSE(net.raft(1).is_config_pending());
  net.pass(Seconds(3));
  CHECK(net.applied(4) == "a");
  CHECK(net.raft(4).config() == net.raft(1).config());
  net.change(1, {4, MemberKind::kVoter, 0});
  net.run();
  CHECK(net.raft(4).config().members[3].kind == MemberKind::kVoter);
  net.change(1, kFourth);
  net.run();
  net.change(1, kFourth, true);
  net.run();
  CHECK(net.raft(1).config() == voters({1, 2, 3}));
  CHECK(net.raft(1).peers().size() == 2);
}

TEST_CASE("a leader that votes alone knows whether it would lead on with a second voter") {
  Net net(voters({1}));
  net.elect(1);
  const Member second{2, MemberKind::kLearner, 0};
  net.add(2, Stored{});
  net.change(1, second);
  net.run();
  net.pass(Seconds(3));
  net.isolate({2});
  net.pass(Seconds(2));
  const Raft& raft = net.raft(1);
  CHECK(raft.is_scheduler());
  CHECK_FALSE(raft.holds_lease_with(2, net.now()));
  CHECK_FALSE(raft.holds_lease_with(9, net.now()));  // nobody

  net.heal();
  const MonoTime until = net.now() + Seconds(2);
  while (!raft.holds_lease_with(2, net.now() + Millis(800)) && net.now() < until)
    net.pass(Millis(10));
  REQUIRE(net.now() < until);
  const Term term = raft.term();
  net.change(1, {2, MemberKind::kVoter, 0});
  net.run();
  net.pass(Seconds(3));
  CHECK(raft.config() == voters({1, 2}));
  CHECK(raft.is_scheduler());
  CHECK(raft.term() == term);
}

TEST_CASE("a new voter and one that has not caught up are refused") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  CHECK(refusal(net, 1, {4, MemberKind::kVoter, 0}) == ErrorCode::kInvalid);
  CHECK(refusal(net, 1, {4, MemberKind::kWitness, 0}) == ErrorCode::kInvalid);
  net.change(1, kFourth);
  net.run();
  CHECK(refusal(net, 1, {4, MemberKind::kVoter, 0}) == ErrorCode::kUnavailable);
  net.add(4, Stored{});
  net.drops = [](const Message& m) { return m.to == 4 && !m.entries.empty(); };
  net.pass(Seconds(4));
  CHECK(refusal(net, 1, {4, MemberKind::kVoter, 0}) == ErrorCode::kUnavailable);
  net.heal();
  net.pass(Seconds(3));
  net.at(1).refused.clear();
  net.change(1, {4, MemberKind::kVoter, 0});
  CHECK(net.at(1).refused.empty());
}

TEST_CASE("changes that make no sense are refused") {
  Net net(voters({1, 2, 3}));
  CHECK(refusal(net, 2, kFourth) == ErrorCode::kUnavailable);
  net.elect(1);
  CHECK(refusal(net, 2, kFourth) == ErrorCode::kUnavailable);
  CHECK(refusal(net, 1, {9, MemberKind::kVoter, 0}, true) == ErrorCode::kNotFound);
  CHECK(refusal(net, 1, {2, MemberKind::kVoter, 0}) == ErrorCode::kConflict);
  CHECK(refusal(net, 1, {0, MemberKind::kLearner, 0}) == ErrorCode::kInvalid);
  Net lone(voters({1}));
  lone.elect(1);
  CHECK(refusal(lone, 1, {1, MemberKind::kVoter, 0}, true) == ErrorCode::kInvalid);
  CHECK(refusal(lone, 1, {1, MemberKind::kWitness, 0}) == ErrorCode::kInvalid);
}

TEST_CASE("one change at a time, and none before the leader has committed an entry") {
  Net net(voters({1, 2, 3}));
  net.time_out(1);
  net.drops = [](const Message& m) { return m.kind == MessageKind::kAppend; };
  net.run();
  REQUIRE(net.raft(1).role() == Role::kLeader);
  CHECK(refusal(net, 1, kFourth) == ErrorCode::kUnavailable);
  net.heal();
  net.pass(Millis(300));
  net.change(1, kFourth);
  CHECK(refusal(net, 1, {2, MemberKind::kVoter, 0}, true) == ErrorCode::kConflict);
  net.run();
  net.at(1).refused.clear();
  net.change(1, {2, MemberKind::kVoter, 0}, true);
  CHECK(net.at(1).refused.empty());
}

TEST_CASE("a configuration counts as soon as it is in the log") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.stop(3);
  net.change(1, {3, MemberKind::kVoter, 0}, true);
  net.run();
  CHECK(net.raft(1).config() == voters({1, 2}));
  CHECK(net.raft(2).config() == voters({1, 2}));
  net.change(1, {2, MemberKind::kVoter, 0}, true);
  CHECK(net.raft(1).config() == voters({1}));
  CHECK_FALSE(net.raft(1).is_config_pending());  // its quorum is the leader alone
}

TEST_CASE("a truncated configuration is active no longer") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.isolate({1});
  net.change(1, {3, MemberKind::kVoter, 0}, true);
  CHECK(net.raft(1).config() == voters({1, 2}));
  net.pass(Seconds(4));
  REQUIRE(net.leader() == 2);
  net.propose(2, "b");
  net.heal();
  net.pass(Seconds(1));
  CHECK(net.raft(1).config() == voters({1, 2, 3}));
  CHECK_FALSE(net.raft(1).is_config_pending());
  CHECK(net.applied(1) == "b");
}

TEST_CASE("a configuration that is not known to be committed is rolled back after a restart too") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.isolate({1});
  net.change(1, {3, MemberKind::kVoter, 0}, true);
  net.crash(1);
  CHECK(net.raft(1).config() == voters({1, 2}));
  CHECK(net.raft(1).is_config_pending());
  net.pass(Seconds(4));
  REQUIRE(net.leader() == 2);
  net.heal();
  net.pass(Seconds(2));
  CHECK(net.raft(1).config() == voters({1, 2, 3}));
}

TEST_CASE("a leader that removes itself steps down when that is committed, and not before") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.drops = [](const Message& m) { return m.to == 3; };
  net.change(1, {1, MemberKind::kVoter, 0}, true);
  net.run();
  // Of the quorum, 2 and 3, only 2 has it: the leader does not count itself.
  CHECK(net.raft(1).role() == Role::kLeader);
  CHECK(net.raft(1).is_config_pending());
  net.heal();
  net.pass(Millis(300));
  CHECK(net.raft(1).role() == Role::kFollower);
  CHECK_FALSE(net.raft(1).is_config_pending());
  net.pass(Seconds(5));
  CHECK(net.leader() == 2);
  CHECK(net.raft(2).config() == voters({2, 3}));
  CHECK(net.raft(1).role() == Role::kFollower);
}

TEST_CASE("a member whose removal is not committed still campaigns: only its log can win") {
  Net net(voters({1, 2}));
  net.elect(1);
  net.isolate({1});
  net.change(1, {1, MemberKind::kVoter, 0}, true);
  net.crash(1);
  net.heal();
  net.pass(Seconds(6));
  CHECK(net.leader() == 2);
  CHECK(net.raft(2).config() == voters({2}));
  CHECK_FALSE(net.raft(2).is_config_pending());
}

TEST_CASE("a removed member does not disturb the others") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.isolate({3});
  net.change(1, {3, MemberKind::kVoter, 0}, true);
  net.run();
  net.heal();
  net.pass(Seconds(20));
  CHECK(net.leader() == 1);
  CHECK(net.raft(1).term() == 1);
}

TEST_CASE("a voter becomes standby; a leader that does so steps down") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.change(1, {1, MemberKind::kLearner, 0});
  net.run();
  CHECK(net.raft(1).role() == Role::kFollower);
  net.pass(Seconds(5));
  CHECK(net.leader() == 2);
  net.propose(2, "a");
  net.run();
  CHECK(net.applied(1) == "a");
}

TEST_CASE("standbys do not count in the quorum") {
  Config config = voters({1, 2, 3, 4, 5});
  for (const std::size_t i : {2U, 3U, 4U}) {
    config.members[i].kind = MemberKind::kLearner;
  }
  Net net(config);
  net.elect(1);
  net.stop(2);
  net.propose(1, "a");
  net.run();
  CHECK(net.stored(5) == "a");
  CHECK(net.applied(1).empty());
  net.pass(Seconds(3));
  CHECK(net.leader() == 0);
}

TEST_CASE("a hand-over takes no timeout and loses nothing") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(300));
  const MonoTime before = net.now();
  net.propose(1, "a");
  net.step(1, Transfer{3});
  CHECK(net.raft(1).transfer_target() == 3);
  net.propose(1, "refused");
  CHECK(net.at(1).refused[0].error.code == ErrorCode::kUnavailable);
  net.run();
  CHECK(net.leader() == 3);
  CHECK(net.now() == before);
  CHECK(net.applied(3) == "a");
  CHECK(net.raft(1).transfer_target() == 0);
}

TEST_CASE("a hand-over waits until its target has the whole log") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(300));
  net.at(3).syncs = false;
  net.propose(1, "a");
  net.step(1, Transfer{3});
  CHECK(net.take(MessageKind::kTimeoutNow).empty());
  net.run();
  CHECK(net.leader() == 1);
  net.at(3).syncs = true;
  net.sync(3);
  net.run();
  CHECK(net.leader() == 3);
}

TEST_CASE("a lost TimeoutNow is repeated; a silent target costs one timeout at most") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(300));
  net.step(1, Transfer{2});
  CHECK(net.take(MessageKind::kTimeoutNow).size() == 1);
  net.pass(Millis(200));
  CHECK(net.leader() == 2);
  net.stop(3);
  net.step(2, Transfer{3});
  net.pass(Millis(900));
  net.propose(2, "no");
  CHECK(net.at(2).refused.size() == 1);
  net.pass(Millis(200));
  CHECK(net.raft(2).transfer_target() == 0);
  net.propose(2, "yes");
  net.run();
  CHECK(net.applied(1) == "yes");
}

TEST_CASE("without a name the first in the order that answers takes over") {
  Config config = voters({1, 2, 3, 4});
  config.members[0].rank = 9;
  config.members[1].rank = 5;
  config.members[2].kind = MemberKind::kWitness;
  Net net(config);
  net.elect(1);
  net.pass(Millis(300));
  net.step(1, Transfer{});
  net.run();
  CHECK(net.leader() == 4);
  net.stop(1);
  net.pass(Seconds(2));
  net.step(4, Transfer{});
  net.run();
  CHECK(net.leader() == 2);
}

TEST_CASE("a hand-over to nobody, to itself or to a standby is ignored") {
  Config config = voters({1, 2, 3});
  config.members[2].kind = MemberKind::kLearner;
  Net net(config);
  net.elect(1);
  for (const NodeId to : {1, 3, 9}) {
    net.step(1, Transfer{to});
    CHECK(net.raft(1).transfer_target() == 0);
  }
}

}  // namespace distcron::consensus
