// SPDX-License-Identifier: Apache-2.0
// What a search over all schedules must find nothing in, and, with a bug seeded, something.
// DISTCRON_SEARCH_STATES: how many states each search may see (default 60000).
#include "sim/exhaustive/search.h"

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <utility>

#include <doctest/doctest.h>

namespace distcron::search {

using namespace distcron::consensus;

namespace {

std::size_t states_max() {
  const char* const text = std::getenv("DISTCRON_SEARCH_STATES");
  return text == nullptr ? 60'000 : std::strtoull(text, nullptr, 10);
}

Config voters(std::initializer_list<NodeId> ids) {
  Config config;
  for (const NodeId id : ids) {
    config.members.push_back({id, MemberKind::kVoter, 0});
  }
  return config;
}

/// A disk whose entries have these terms.
Stored disk(const Config& config, Term term, std::initializer_list<Term> terms) {
  Stored stored;
  stored.hard.term = term;
  stored.base_config = config;
  for (const Term one : terms) {
    const Index index = static_cast<Index>(stored.entries.size()) + 1;
    stored.entries.push_back(
        {index, one, EntryKind::kCommand, std::to_string(one) + std::to_string(index)});
  }
  return stored;
}

Setup three(bool disks_wait) {
  const Config config = voters({1, 2, 3});
  Setup setup;
  for (const NodeId id : {1, 2, 3}) {
    setup.members[id] = disk(config, 0, {});
  }
  setup.disks_wait = disks_wait;
  setup.states_max = states_max();
  return setup;
}

/// Figure 3.7 with three members, before the leader of term 4.
Setup figure() {
  Setup setup = three(false);
  const Config config = voters({1, 2, 3});
  setup.members[1] = disk(config, 3, {1, 2});
  setup.members[2] = disk(config, 3, {1});
  setup.members[3] = disk(config, 3, {1, 3});
  setup.budget = {.timeouts = 2, .proposals = 0};
  setup.candidates = {1, 3};
  return setup;
}

/// Logs that disagree, each way.
Setup tails() {
  Setup setup = three(false);
  const Config config = voters({1, 2, 3});
  setup.members[1] = disk(config, 3, {1, 3});
  setup.members[2] = disk(config, 3, {1, 2, 2});
  setup.members[3] = disk(config, 3, {1});
  setup.budget = {.timeouts = 1, .proposals = 1, .heartbeats = 1};
  setup.candidates = {1, 2};
  return setup;
}

Setup slow_disks() {
  Setup setup = three(true);
  setup.budget = {.timeouts = 2, .proposals = 1, .crashes = 1};
  return setup;
}

ChangeMember removal(NodeId id) {
  return {1, {id, MemberKind::kVoter, 0}, true};
}

/// One that has missed everything comes back.
Setup stranger() {
  Setup setup = three(false);
  const Config config = voters({1, 2, 3});
  setup.members[1] = disk(config, 3, {1});
  setup.members[2] = disk(config, 3, {1});
  setup.members[3] = disk(config, 4, {});
  setup.budget = {.timeouts = 2, .proposals = 0};
  setup.candidates = {1, 3};
  return setup;
}

/// The bug of 2015: 1 led term 2 and has begun to remove 2, which nobody else knows; whoever leads
/// next removes 1.
Setup changes() {
  const Config config = voters({1, 2, 3, 4});
  Setup setup;
  for (const NodeId id : {1, 2, 3, 4}) {
    setup.members[id] = disk(config, 2, {1});
  }
  setup.members[1].hard.term = 3;
  setup.members[1].entries.push_back({2, 2, EntryKind::kConfig, encode_config(voters({1, 3, 4}))});
  setup.budget = {.timeouts = 2, .proposals = 0, .changes = {removal(1)}};
  setup.candidates = {1, 2};
  setup.states_max = states_max();
  return setup;
}

/// A leader removes all the others.
Setup shrinking() {
  const Config config = voters({1, 2, 3});
  Setup setup;
  for (const NodeId id : {1, 2, 3}) {
    setup.members[id] = disk(config, 1, {1});
  }
  setup.members[2].hard.term = 2;
  setup.budget = {.timeouts = 2, .proposals = 0, .changes = {removal(3), removal(2)}};
  setup.candidates = {1, 2};
  setup.states_max = states_max();
  return setup;
}

/// Of two members the leader removes itself.
Setup leaving() {
  const Config config = voters({1, 2});
  Setup setup;
  for (const NodeId id : {1, 2}) {
    setup.members[id] = disk(config, 1, {1});
  }
  setup.budget = {.timeouts = 3, .proposals = 1, .crashes = 1, .changes = {removal(1)}};
  setup.disks_wait = true;
  setup.states_max = states_max();
  return setup;
}

Setup twice() {
  Setup setup = three(false);
  setup.budget = {.timeouts = 1, .proposals = 1, .duplicates = 1};
  return setup;
}

Setup hand_over() {
  Setup setup = three(false);
  setup.budget = {.timeouts = 1, .proposals = 1, .transfers = 1};
  return setup;
}

void finds_nothing(const char* name, const Setup& setup) {
  const Outcome outcome = search(setup);
  std::printf("%s: %zu states, %zu steps deep%s\n", name, outcome.states, outcome.depth,
              outcome.is_exhausted ? ", all" : "");
  for (const std::string& step : outcome.trace) {
    MESSAGE(step);
  }
  CHECK_MESSAGE(!outcome.violation, outcome.violation.value_or(""));
  CHECK(outcome.states > 1'000);
}

void finds(const char* mutant, Setup setup) {
  setup.mutant = mutant;
  setup.states_max = 400'000;
  const Outcome outcome = search(setup);
  std::printf("%s: %s after %zu states, by %zu steps\n", mutant,
              outcome.violation.value_or("nothing").c_str(), outcome.states, outcome.trace.size());
  CHECK_MESSAGE(outcome.violation.has_value(), mutant);
}

}  // namespace

TEST_CASE("elections and entries: every schedule of three members is safe") {
  Setup setup = three(false);
  setup.budget = {.timeouts = 2, .proposals = 1};
  finds_nothing("elections", setup);
}

TEST_CASE("disks that take their time and crashes: every schedule is safe") {
  finds_nothing("disks", slow_disks());
}

TEST_CASE("messages that come twice: every schedule is safe") {
  finds_nothing("duplicates", twice());
}

TEST_CASE("figure 3.7: every schedule is safe") {
  finds_nothing("figure 3.7", figure());
}

TEST_CASE("logs that disagree: every schedule is safe") {
  finds_nothing("tails", tails());
}

TEST_CASE("one that missed everything: every schedule is safe") {
  finds_nothing("stranger", stranger());
}

TEST_CASE("changes of members by two leaders: every schedule is safe") {
  finds_nothing("changes", changes());
}

TEST_CASE("a leader that removes the others: every schedule is safe") {
  finds_nothing("shrinking", shrinking());
}

TEST_CASE("a leader that removes itself: every schedule is safe") {
  finds_nothing("leaving", leaving());
}

TEST_CASE("hand-overs: every schedule is safe") {
  finds_nothing("hand-over", hand_over());
}

TEST_CASE("the search finds the bugs that are seeded") {
  finds("two-votes", three(false));
  finds("quorum-half", three(false));
  finds("vote-any-log", stranger());
  finds("prev-unchecked", tails());
  finds("conflict-kept", tails());
  finds("ack-whole-log", tails());
  finds("commit-old-term", figure());
  finds("reject-sets-match", tails());
  finds("heartbeat-commit", tails());
  finds("vote-not-fsynced", slow_disks());
  finds("ack-before-fsync", slow_disks());
  finds("count-before-fsync", slow_disks());
  finds("election-undurable", slow_disks());
  finds("vote-durable-log", slow_disks());
  finds("truncate-matching", twice());
  finds("config-before-commit", changes());
  finds("two-changes", shrinking());
  finds("removed-leader-counts", leaving());
}

}  // namespace distcron::search
