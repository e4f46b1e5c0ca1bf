// SPDX-License-Identifier: Apache-2.0
// Replication and commitment: sections 3.5, 3.6, 10.2.1, and the limits.
#include <doctest/doctest.h>

#include "consensus/raft.h"
#include "unit/consensus/net.h"

namespace distcron::consensus {
namespace {

Message append(NodeId from, NodeId to, Term term, Index prev, Term prev_term,
               std::vector<Entry> entries = {}, Index commit = 0) {
  Message m;
  m.kind = MessageKind::kAppend;
  m.from = from;
  m.to = to;
  m.cluster = 7;
  m.incarnation = 1;
  m.term = term;
  m.prev_index = prev;
  m.prev_term = prev_term;
  m.entries = std::move(entries);
  m.commit = commit;
  return m;
}

Message only_reply(Net& net, NodeId id, Message m) {
  net.step(id, Receive{std::move(m)});
  auto replies = net.take(MessageKind::kAppendReply);
  REQUIRE(replies.size() == 1);
  return replies[0];
}

Stored stored(Config config, HardState hard, std::vector<Entry> entries = {}) {
  return {hard, 0, 0, std::move(config), 0, std::move(entries), 0};
}

}  // namespace

TEST_CASE("a proposal reaches every member at once, its commit too") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  const auto tag = net.propose(1, "a");
  REQUIRE(net.at(1).accepted.size() == 1);
  CHECK(net.at(1).accepted[0].tag == tag);
  CHECK(net.at(1).accepted[0].first == 2);
  CHECK(net.at(1).accepted[0].term == 1);
  net.run();
  for (const NodeId id : {1, 2, 3}) {
    CHECK(net.applied(id) == "a");
  }
}

TEST_CASE("commands of one proposal lie together, in order") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.step(1, Propose{9, {"a", "b", "c"}});
  CHECK(net.at(1).accepted[0].first == 2);
  CHECK(net.at(1).accepted[0].last == 4);
  net.run();
  CHECK(net.applied(3) == "a b c");
}

TEST_CASE("only a leader takes proposals") {
  Net net(voters({1, 2, 3}));
  net.propose(1, "a");
  net.elect(1);
  net.propose(2, "b");
  REQUIRE(net.at(1).refused.size() == 1);
  CHECK(net.at(1).refused[0].error.code == ErrorCode::kUnavailable);
  REQUIRE(net.at(2).refused.size() == 1);
  CHECK(net.at(2).refused[0].error.message == "this member is not the leader: member 1 is");
}

TEST_CASE("a follower acknowledges previous + n, whatever more it has") {
  Net net;
  net.add(1, stored(voters({1, 2, 3}), {2, 0},
                    {command(1, 1, "a"), command(2, 2, "x"), command(3, 2, "y")}));
  CHECK(only_reply(net, 1, append(2, 1, 3, 1, 1)).match == 1);
  CHECK(only_reply(net, 1, append(2, 1, 3, 0, 0, {command(1, 1, "a")})).match == 1);
  CHECK(net.raft(1).last_index() == 3);
}

TEST_CASE("an acknowledgement waits for the disk; a heartbeat's does not") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(2).syncs = false;
  net.propose(1, "a");
  net.step(2, Receive{net.take(MessageKind::kAppend)[0]});
  CHECK(net.take(MessageKind::kAppendReply).empty());
  CHECK(only_reply(net, 2, append(1, 2, 1, 1, 1)).match == 1);
  net.sync(2);
  const auto replies = net.take(MessageKind::kAppendReply);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].match == 2);
}

TEST_CASE("a leader counts itself only after its own fsync") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(1).syncs = false;
  net.stop(3);
  net.propose(1, "a");
  net.run();
  CHECK(net.stored(2) == "a");
  CHECK(net.raft(1).commit_index() == 1);
  net.sync(1);
  CHECK(net.raft(1).commit_index() == 2);
}

TEST_CASE("two followers commit without the leader's disk, which applies later") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.at(1).syncs = false;
  net.propose(1, "a");
  net.run();
  CHECK(net.raft(1).commit_index() == 2);
  CHECK(net.applied(1).empty());
  CHECK(net.applied(2) == "a");
  net.sync(1);
  CHECK(net.applied(1) == "a");
}

TEST_CASE("a commit index beyond what was checked is not believed") {
  Net net;
  net.add(1, stored(voters({1, 2, 3}), {2, 0}, {command(1, 1, "a"), command(2, 2, "x")}));
  net.step(1, Receive{append(2, 1, 3, 1, 1, {}, 2)});
  CHECK(net.raft(1).commit_index() == 1);
}

TEST_CASE("an old message does not truncate what came after it") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  const Message old = net.take(MessageKind::kAppend)[0];
  net.wire.push_back(old);
  net.run();
  net.propose(1, "b");
  net.run();
  CHECK(only_reply(net, old.to, old).match == 2);
  CHECK(net.stored(old.to) == "a b");
}

TEST_CASE("a conflicting tail is replaced") {
  Net net;
  net.add(1, stored(voters({1, 2, 3}), {2, 0},
                    {command(1, 1, "a"), command(2, 2, "x"), command(3, 2, "y")}));
  const Message reply = only_reply(net, 1, append(2, 1, 3, 1, 1, {command(2, 3, "b")}));
  CHECK_FALSE(reply.reject);
  CHECK(reply.match == 2);
  CHECK(net.stored(1) == "a b");
  CHECK(net.raft(1).last_index() == 2);
}

TEST_CASE("a message that contradicts a committed entry is reported and changes nothing") {
  Net net;
  Stored disk = stored(voters({1, 2, 3}), {2, 0}, {command(1, 1, "a")});
  disk.applied = 1;
  net.add(1, disk);
  net.step(1, Receive{append(2, 1, 3, 0, 0, {command(1, 3, "z")})});
  CHECK(net.take(MessageKind::kAppendReply).empty());
  REQUIRE(net.at(1).violations.size() == 1);
  CHECK(net.stored(1) == "a");
}

TEST_CASE("who is not the leader of the term says nothing that a leader says") {
  Net net(voters({1, 2, 3}));
  net.step(1, Receive{append(2, 1, 3, 0, 0)});
  const Ready second =
      net.raft(1).step(net.now(), Receive{append(3, 1, 3, 0, 0, {command(1, 3, "z")})});
  const Ready old =
      net.raft(1).step(net.now(), Receive{append(3, 1, 2, 0, 0, {command(1, 2, "z")})});

  CHECK(second.second_leader == 3);
  CHECK(old.old_leader == 3);
  CHECK(old.second_leader == 0);
  CHECK(second.violation.empty());
  CHECK(net.raft(1).leader() == 2);
  CHECK(net.raft(1).last_index() == 0);
}

TEST_CASE("a leader is not deposed by who says that it leads in the same term") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  const Term term = net.raft(1).term();
  const Ready second =
      net.raft(1).step(net.now(), Receive{append(3, 1, term, 0, 0, {command(1, term, "z")})});

  CHECK(second.second_leader == 3);
  CHECK(second.violation.empty());
  CHECK(net.raft(1).role() == Role::kLeader);
}

TEST_CASE("malformed entries are dropped whole") {
  Net net(voters({1, 2, 3}));
  const auto is_dropped = [&](Message m) {
    net.step(1, Receive{std::move(m)});
    return net.take(MessageKind::kAppendReply).empty() && net.raft(1).last_index() == 0;
  };
  CHECK(is_dropped(append(2, 1, 3, 0, 0, {command(2, 3, "gap")})));
  CHECK(is_dropped(append(2, 1, 3, 0, 0, {command(1, 4, "newer than its sender")})));
  CHECK(is_dropped(append(2, 1, 3, 0, 0, {command(1, 3, "a"), command(2, 2, "back")})));
  CHECK(is_dropped(append(2, 1, 3, 0, 0, {command(1, 0, "no term")})));
  CHECK(is_dropped(append(2, 1, 3, 0, 0, {{1, 3, EntryKind::kConfig, "no config"}})));
}

TEST_CASE("the hint of a refusal skips a whole term at a time") {
  // The logs of figure 3.6: terms 1 1 1 4 4 5 5 6 6 6 lead.
  const auto log = [](std::initializer_list<Term> terms) {
    std::vector<Entry> entries;
    for (const Term term : terms) {
      entries.push_back(command(static_cast<Index>(entries.size()) + 1, term, "x"));
    }
    return entries;
  };

  struct Row {
    std::initializer_list<Term> terms;
    std::size_t rejects_max;
  };

  for (const Row& row :
       {Row{{1, 1, 1, 4, 4, 5, 5, 6, 6}, 1}, Row{{1, 1, 1, 4}, 1},
        Row{{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, 0}, Row{{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, 0},
        Row{{1, 1, 1, 4, 4, 4, 4}, 2}, Row{{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}, 2}}) {
    Net net;
    const Config config = voters({1, 2, 3});
    net.add(1, stored(config, {8, 0}, log({1, 1, 1, 4, 4, 5, 5, 6, 6, 6})));
    net.add(2, stored(config, {8, 0}, log(row.terms)));
    net.add(3, stored(config, {8, 0}, {}));
    net.stop(2);
    net.elect(1);
    net.wire.clear();
    net.at(2).is_up = true;
    std::size_t rejects = 0;
    net.drops = [&](const Message& m) {
      rejects += m.reject && m.kind == MessageKind::kAppendReply && m.from == 2 ? 1U : 0U;
      return false;
    };
    net.pass(Millis(500));
    CHECK(rejects <= row.rejects_max + 1);  // and one of what was lost while it was down
    CHECK(net.at(2).disk.entries == net.at(1).disk.entries);
    CHECK(net.raft(2).commit_index() == 11);
  }
}

TEST_CASE("messages hold at most so many bytes and entries, but always one") {
  Net net;
  const auto small = [](Settings& s) {
    s.append_bytes_max = 200;
    s.append_entries_max = 3;
  };
  for (const NodeId id : {1, 2}) {
    net.add(id, stored(voters({1, 2}), {}), small);
  }
  net.elect(1);
  net.step(1, Propose{1,
                      {"a", "b", "c", "d", std::string(500, 'e'), std::string(150, 'f'),
                       std::string(150, 'g')}});
  std::vector<std::size_t> counts;
  for (const Message& m : net.wire) {
    if (m.kind == MessageKind::kAppend && !m.entries.empty()) counts.push_back(m.entries.size());
  }
  CHECK(counts == std::vector<std::size_t>{3, 1, 1, 1, 1});
  net.run();
  CHECK(net.raft(2).commit_index() == net.raft(1).last_index());
}

TEST_CASE("the window bounds what is under way to a member, by messages and by bytes") {
  for (const bool by_bytes : {false, true}) {
    Net net;
    const auto narrow = [&](Settings& s) {
      s.append_entries_max = 1;
      s.inflight_messages_max = by_bytes ? 1'000 : 4;
      s.inflight_bytes_max = by_bytes ? 4 * 17 : 1'000'000;
    };
    for (const NodeId id : {1, 2}) {
      net.add(id, stored(voters({1, 2}), {}), narrow);
    }
    net.elect(1);
    for (int i = 0; i < 20; ++i) {
      net.propose(1, "x");
    }
    CHECK(net.wire.size() == 4);
    net.run();
    CHECK(net.raft(2).commit_index() == 21);
  }
}

TEST_CASE("too much that is uncommitted, and too large a command, are refused") {
  Net net;
  const auto small = [](Settings& s) {
    s.uncommitted_bytes_max = 100;
    s.command_bytes_max = 150;
  };
  for (const NodeId id : {1, 2}) {
    net.add(id, stored(voters({1, 2}), {}), small);
  }
  net.elect(1);
  const auto code_of = [&](std::size_t size) -> std::optional<ErrorCode> {
    net.at(1).refused.clear();
    net.propose(1, std::string(size, 'x'));
    if (net.at(1).refused.empty()) return std::nullopt;
    return net.at(1).refused[0].error.code;
  };
  CHECK(code_of(151) == ErrorCode::kInvalid);
  CHECK_FALSE(code_of(150));  // alone it may be larger than the limit
  CHECK(code_of(1) == ErrorCode::kUnavailable);
  net.run();
  CHECK_FALSE(code_of(30));
  CHECK_FALSE(code_of(30));
  CHECK(code_of(30) == ErrorCode::kUnavailable);
  net.step(1, Propose{5, {}});
  CHECK(net.at(1).refused.back().error.code == ErrorCode::kInvalid);
}

TEST_CASE("lost entries are sent again") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.propose(1, "b");
  net.wire.clear();
  net.propose(1, "c");
  net.wire.clear();
  net.pass(Millis(600));
  CHECK(net.applied(2) == "a b c");
  CHECK(net.applied(3) == "a b c");
}

TEST_CASE("a slow disk is not taken for loss") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Millis(200));
  net.at(2).syncs = false;
  std::size_t sent = 0;
  net.drops = [&](const Message& m) {
    if (m.to == 2 && !m.entries.empty()) ++sent;
    return false;
  };
  net.propose(1, "a");
  net.pass(Seconds(2));
  CHECK(sent == 1);
  CHECK(net.raft(1).role() == Role::kLeader);
  for (const PeerView& peer : net.raft(1).peers()) {
    CHECK(peer.is_recent);
  }
  net.sync(2);
  net.run();
  CHECK(net.applied(2) == "a");
}

TEST_CASE("at rest nothing is written, and a heartbeat costs a message and its answer") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.pass(Seconds(1));
  const std::vector<Entry> disk = net.at(2).disk.entries;
  std::size_t messages = 0;
  net.drops = [&](const Message&) {
    ++messages;
    return false;
  };
  net.at(1).syncs = net.at(2).syncs = net.at(3).syncs = false;
  net.pass(Seconds(10));
  CHECK(messages == 4 * 100);
  CHECK(net.at(2).waiting.empty());
  CHECK(net.at(2).disk.entries == disk);
}

TEST_CASE("messages may come in any order, twice, or not at all") {
  const std::uint64_t seed = 20'240'817;
  std::uint64_t state = seed;
  const auto random = [&](std::uint64_t below) {
    state = state * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    return (state >> 33U) % below;
  };
  Net net(voters({1, 2, 3}));
  net.elect(1);
  for (int i = 0; i < 200; ++i) {
    net.propose(1, std::to_string(i));
    for (int k = 0; k < 8 && !net.wire.empty(); ++k) {
      std::swap(net.wire.front(), net.wire[random(net.wire.size())]);
      if (random(5) == 0) net.wire.push_back(net.wire.front());
      if (random(5) == 0) net.wire.pop_front();
      if (!net.wire.empty()) net.deliver();
    }
  }
  net.run();
  net.pass(Seconds(2));
  CHECK(net.raft(1).commit_index() == 201);
  CHECK(net.applied(2) == net.applied(1));
  CHECK(net.applied(3) == net.applied(1));
}

TEST_CASE("a full disk: the leader steps down, nobody accepts or votes, then it goes on") {
  Net net(voters({1, 2, 3}));
  net.elect(1);
  net.propose(1, "a");
  net.run();
  net.at(1).syncs = false;
  net.propose(1, "b");
  net.run();  // the others have it
  net.at(1).waiting.clear();
  net.step(1, DiskFull{true});
  CHECK(net.raft(1).role() == Role::kFollower);
  CHECK(net.raft(1).durable_index() == 2);
  net.propose(1, "no");
  CHECK(net.at(1).refused.size() == 1);
  net.pass(Seconds(4));
  CHECK(net.leader() == 2);
  CHECK(net.at(1).waiting.empty());
  net.propose(2, "c");
  net.run();
  CHECK(net.applied(2) == "a b c");
  CHECK(net.applied(1) == "a");
  CHECK(net.raft(1).durable_index() == 2);
  net.at(1).syncs = true;
  net.step(1, DiskFull{false});
  net.pass(Seconds(2));
  CHECK(net.leader() == 2);
  CHECK(net.applied(1) == "a b c");
}

TEST_CASE("a full disk does not disturb a leader that its member still hears") {
  Net net(voters({1, 2}));
  net.elect(1);
  net.step(2, DiskFull{true});
  net.pass(Seconds(5));
  CHECK(net.raft(1).role() == Role::kLeader);
  net.propose(1, "a");
  net.pass(Seconds(1));
  CHECK(net.applied(1).empty());
  net.step(2, DiskFull{false});
  net.pass(Seconds(1));
  CHECK(net.applied(2) == "a");
}

TEST_CASE("a lone member with a full disk goes on by itself when there is room") {
  Net net(voters({1}));
  net.elect(1);
  net.at(1).syncs = false;
  net.propose(1, "a");
  net.at(1).waiting.clear();
  net.step(1, DiskFull{true});
  CHECK(net.raft(1).last_index() == 1);
  net.pass(Seconds(5));
  CHECK(net.raft(1).role() == Role::kFollower);
  net.at(1).syncs = true;
  net.step(1, DiskFull{false});
  net.pass(Millis(50));
  CHECK(net.raft(1).role() == Role::kLeader);
  CHECK(net.applied(1).empty());  // nobody else can have it, so it was refused for good
}

TEST_CASE("standbys hear seldom and get entries at once") {
  Config config = voters({1, 2});
  config.members[1].kind = MemberKind::kLearner;
  Net net(config);
  net.elect(1);
  net.pass(Seconds(2));
  std::size_t messages = 0;
  net.drops = [&](const Message& m) {
    messages += m.to == 2 ? 1U : 0U;
    return false;
  };
  net.pass(Seconds(10));
  CHECK(messages >= 9);
  CHECK(messages <= 11);
  CHECK(net.raft(2).leader() == 1);
  net.propose(1, "a");
  net.run();
  CHECK(net.applied(2) == "a");
}

}  // namespace distcron::consensus
