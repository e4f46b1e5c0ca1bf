// SPDX-License-Identifier: Apache-2.0
// Who votes and who leads, one step at a time.
#include "agent/membership.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace distcron::agent {
namespace {

using consensus::Member;
using consensus::MemberKind;

constexpr Micros kHour{3'600'000'000};
constexpr Micros kHeartbeat{100'000};

MemberFacts alive(consensus::NodeId id) {
  MemberFacts facts;
  facts.id = id;
  facts.is_alive = true;
  facts.alive_for = kHour;
  return facts;
}

/// A fleet of live members 1..count of which the first `voters` vote; 1 leads.
MembershipFacts fleet(consensus::NodeId count, consensus::NodeId voters) {
  MembershipFacts facts;
  facts.self = 1;
  facts.since_swap = kHour;
  for (consensus::NodeId id = 1; id <= count; ++id) {
    facts.members.push_back(alive(id));
    facts.config.members.push_back(
        Member{id, id <= voters ? MemberKind::kVoter : MemberKind::kLearner, 0});
  }
  return facts;
}

std::string text(const MembershipFacts& facts) {
  const MembershipStep step = next_membership_step(facts);
  if (const auto* add = std::get_if<AddMember>(&step)) {
    return "add " + std::to_string(add->member.id);
  }
  if (const auto* drop = std::get_if<DropMember>(&step)) return "drop " + std::to_string(drop->id);
  if (const auto* change = std::get_if<ChangeKind>(&step)) {
    const char* verb = change->member.kind == MemberKind::kLearner ? "demote " : "promote ";
    return verb + std::to_string(change->member.id);
  }
  return "nothing";
}

/// Carries steps out until there is none; the number of voters.
std::int64_t settle(MembershipFacts facts) {
  for (int i = 0; i < 100; ++i) {
    const MembershipStep step = next_membership_step(facts);
    auto& members = facts.config.members;
    if (const auto* add = std::get_if<AddMember>(&step)) {
      members.push_back(add->member);
    } else if (const auto* drop = std::get_if<DropMember>(&step)) {
      std::erase_if(members, [drop](const Member& one) { return one.id == drop->id; });
    } else if (const auto* change = std::get_if<ChangeKind>(&step)) {
      for (Member& one : members) {
        if (one.id == change->member.id) one = change->member;
      }
    } else {
      return std::count_if(members.begin(), members.end(),
                           [](const Member& one) { return one.kind != MemberKind::kLearner; });
    }
  }
  return -1;
}

TEST_SUITE("membership") {
  TEST_CASE("who may lead alone is dropped only after another one has got a vote") {
    MembershipFacts facts = fleet(3, 1);
    facts.members.erase(facts.members.begin());  // 1 was removed
    facts.members[0].is_standby = true;
    CHECK(text(facts) == "promote 3");
    facts.members[1].is_witness = true;  // may vote and not lead
    CHECK(text(facts) == "promote 2");   // rather than that nobody could ever lead again
    facts.members[0].is_alive = false;
    CHECK(text(facts) == "nothing");
    facts.members[0].is_alive = true;
    facts.config.members[1].kind = MemberKind::kVoter;
    CHECK(text(facts) == "drop 1");
  }

  TEST_CASE("a vote goes to one that may lead where no voter may") {
    MembershipFacts facts = fleet(7, 5);
    facts.since_swap = Micros(0);  // what is better, but not urgent, waits
    for (std::size_t i = 0; i < 5; ++i)
      facts.members[i].is_eligible = false;
    CHECK(text(facts) == "promote 6");
    facts.members[4].is_eligible = true;
    CHECK(text(facts) == "nothing");
    facts.members[4].is_alive = false;
    CHECK(text(facts) == "promote 6");
    facts.members[5].is_eligible = facts.members[6].is_eligible = false;
    CHECK(text(facts) == "nothing");
  }

  TEST_CASE("the number of voters follows the number of members") {
    for (const auto& row : std::vector<std::pair<consensus::NodeId, std::int64_t>>{
             {1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 5}, {6, 5}, {7, 5}, {30, 5}}) {
      const consensus::NodeId members = row.first;  // clang 14 captures no structured binding
      const std::int64_t voters = row.second;
      CAPTURE(members);
      CHECK(settle(fleet(members, 1)) == voters);
    }
    MembershipFacts many = fleet(9, 1);
    many.voters_setting = 7;
    CHECK(settle(many) == 7);
  }

  TEST_CASE("a new member joins as standby, and votes when it has caught up") {
    MembershipFacts facts = fleet(2, 1);
    facts.members.push_back(alive(3));
    CHECK(text(facts) == "add 3");
    facts.config.members.push_back(Member{3, MemberKind::kLearner, 0});
    facts.config.members[1].kind = MemberKind::kVoter;
    facts.members[2].lag = 1'000;
    CHECK(text(facts) == "nothing");
    facts.members[2].lag = 10;
    CHECK(text(facts) == "promote 3");
  }

  TEST_CASE("who left the state leaves the log") {
    MembershipFacts facts = fleet(3, 3);
    facts.members.erase(facts.members.begin() + 1);
    CHECK(text(facts) == "drop 2");
  }

  TEST_CASE("a voter that is dead for five minutes is replaced before it loses its vote") {
    MembershipFacts facts = fleet(4, 3);
    facts.members[2].is_alive = false;
    facts.members[2].silent_for = Micros(299'000'000);
    CHECK(text(facts) == "nothing");
    facts.members[2].silent_for = Micros(301'000'000);
    CHECK(text(facts) == "promote 4");
    facts.config.members[3].kind = MemberKind::kVoter;
    CHECK(text(facts) == "demote 3");
  }

  TEST_CASE("nobody loses a vote when the rest would be no live majority") {
    MembershipFacts facts = fleet(4, 4);
    facts.members[2].is_alive = false;
    facts.members[2].silent_for = kHour;
    facts.members[3].is_alive = false;
    facts.members[3].silent_for = kHour;
    // 1 and 2 live: without 4, two of three.
    CHECK(text(facts) == "demote 4");
    facts.members[1].is_alive = false;
    facts.members[1].silent_for = kHour;
    CHECK(text(facts) == "nothing");
  }

  TEST_CASE("a lower id takes over a vote after ten quiet minutes, once in five") {
    MembershipFacts facts = fleet(4, 4);
    facts.config.members[1].kind = MemberKind::kLearner;  // 1, 3, 4 vote
    facts.members[1].alive_for = Micros(599'000'000);
    CHECK(text(facts) == "nothing");
    facts.members[1].alive_for = Micros(601'000'000);
    CHECK(text(facts) == "promote 2");
    facts.since_swap = Micros(60'000'000);
    CHECK(text(facts) == "nothing");
  }

  TEST_CASE("standbys and draining members give their votes up; witnesses vote") {
    MembershipFacts facts = fleet(4, 3);
    facts.members[1].is_standby = true;
    CHECK(text(facts) == "promote 4");
    MembershipFacts drained = fleet(4, 3);
    drained.members[2].is_draining = true;
    CHECK(text(drained) == "promote 4");
    MembershipFacts witness = fleet(3, 2);
    witness.members[2].is_witness = true;
    const MembershipStep step = next_membership_step(witness);
    REQUIRE(std::holds_alternative<ChangeKind>(step));
    CHECK(std::get<ChangeKind>(step).member.kind == MemberKind::kWitness);
  }

  TEST_CASE("a voter becomes a witness and back, and a witness hands the role over") {
    MembershipFacts facts = fleet(3, 3);
    facts.members[2].is_witness = true;
    MembershipStep step = next_membership_step(facts);
    REQUIRE(std::holds_alternative<ChangeKind>(step));
    CHECK(std::get<ChangeKind>(step).member == Member{3, MemberKind::kWitness, 0});
    facts.config.members[2].kind = MemberKind::kWitness;
    CHECK(text(facts) == "nothing");
    facts.members[2].is_witness = false;
    step = next_membership_step(facts);
    REQUIRE(std::holds_alternative<ChangeKind>(step));
    CHECK(std::get<ChangeKind>(step).member == Member{3, MemberKind::kVoter, 0});

    facts.members[0].is_witness = true;
    facts.members[1].alive_for = Micros(0);
    CHECK(preferred_scheduler(facts, kHeartbeat) == 2);
  }

  TEST_CASE(
      "a scheduler that shall be a standby hands the role to one that shall not, and its vote "
      "goes") {
    MembershipFacts facts = fleet(4, 4);
    facts.members[0].is_standby = true;
    facts.members[1].is_standby = true;
    facts.members[2].alive_for = Micros(0);
    CHECK(preferred_scheduler(facts, kHeartbeat) == 3);
    facts.self = 3;
    CHECK(text(facts) == "demote 2");
    CHECK(preferred_scheduler(facts, kHeartbeat) == 0);
  }

  TEST_CASE("a witness gets a vote only where those that may lead are a quorum alone") {
    MembershipFacts two = fleet(2, 1);
    two.members[1].is_witness = true;
    CHECK(text(two) == "nothing");
    MembershipFacts three = fleet(3, 1);
    three.members[1].is_witness = true;
    CHECK(text(three) == "promote 3");
    three.config.members[2].kind = MemberKind::kVoter;
    CHECK(text(three) == "promote 2");
  }

  TEST_CASE("the lowest fit voter is preferred, once it has been up for its time") {
    MembershipFacts facts = fleet(3, 3);
    facts.self = 3;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 1);
    facts.members[0].alive_for = Micros(9'000'000);
    CHECK(preferred_scheduler(facts, kHeartbeat) == 2);
    facts.members[1].lag = 1'000;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 0);
    facts.members[1].lag = 0;
    facts.members[1].rank = 1;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 0);
    facts.self = 1;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 0);
  }

  TEST_CASE("a scheduler that is drained, not eligible or has a bad clock hands over at once") {
    MembershipFacts facts = fleet(3, 3);
    facts.members[1].alive_for = Micros(0);
    facts.members[0].is_draining = true;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 2);
    facts.members[0].is_draining = false;
    facts.members[0].is_clock_good = false;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 2);
    facts.members[1].is_witness = true;
    CHECK(preferred_scheduler(facts, kHeartbeat) == 3);
  }
}

}  // namespace
}  // namespace distcron::agent
