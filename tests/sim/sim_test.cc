// SPDX-License-Identifier: Apache-2.0
// Tests of the simulator itself: what it finds is worth as much as this is right.
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "consensus/message.h"
#include "sim/disk.h"
#include "sim/machine.h"
#include "sim/mutants.h"
#include "sim/script.h"
#include "sim/shrink.h"
#include "sim/world.h"

namespace distcron::sim {
namespace {

using consensus::Entry;

constexpr SimTime kSecond = 1'000'000;

/// Every event of a world, one a line.
std::string history_of(const Script& script, std::uint64_t& hash) {
  std::string history;
  World world(script);
  world.trace().listener = [&](const Record& r) { history += format_record(r) + "\n"; };
  hash = world.run().hash;
  return history;
}

Entry entry_at(consensus::Index index, consensus::Term term) {
  Entry entry;
  entry.index = index;
  entry.term = term;
  entry.data = encode_command(Command{.client = 0, .seq = static_cast<std::uint64_t>(index)}, 0);
  return entry;
}

DiskWrite write_of(std::uint64_t tag, consensus::Index from, consensus::Index to,
                   consensus::Term term) {
  DiskWrite write;
  write.tag = tag;
  for (consensus::Index i = from; i <= to; ++i)
    write.entries.push_back(entry_at(i, term));
  return write;
}

/// A disk that fails the test when the simulator uses it wrongly.
struct CheckedDisk {
  explicit CheckedDisk(std::uint64_t seed) : disk(seed) {
    disk.on_replace = [this](consensus::Index from) { replaced_from = from; };
    disk.on_durable = [](const DiskWrite&) {};
    disk.on_error = [](const char* text) { FAIL(text); };
    disk.format(RaftDb{}, Machine{});
  }

  Disk disk;
  consensus::Index replaced_from = 0;
};

TEST_SUITE_BEGIN("sim");

TEST_CASE("a seed gives the same history, to the byte, each time") {
  for (const std::uint64_t seed : {3U, 7U, 11U}) {
    CAPTURE(seed);
    std::uint64_t first_hash = 0;
    std::uint64_t second_hash = 0;

    const std::string first = history_of(draw_script(seed, 3 * kSecond), first_hash);
    const std::string second = history_of(draw_script(seed, 3 * kSecond), second_hash);

    CHECK(first.size() > 1'000);
    CHECK(first == second);
    CHECK(first_hash == second_hash);
  }
}

TEST_CASE("a script is read back as it was printed") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    const Script script = draw_script(seed, 60 * kSecond);

    const auto read = parse_script(format_script(script));

    REQUIRE(read.has_value());
    CHECK(*read == script);
  }
}

TEST_CASE("a wrong line of a script is named") {
  CHECK(parse_script("seed 1\nat 1s crash 2 for 5ms\n").has_value());
  for (const char* const line : {"at 1s crash\n", "at 1 crash 2\n", "set voters\n", "set votes 3\n",
                                 "at 1s crash 2 for 5\n", "at 1s explode 2\n", "seed x\n"}) {
    CAPTURE(line);
    const auto script = parse_script(std::string("seed 1\n") + line);
    REQUIRE(!script.has_value());
    CHECK(script.error().message == "cannot read line 2 of the script");
  }
}

TEST_CASE("a crash keeps what is synced, and a prefix of what is not") {
  bool has_lost = false;
  bool has_kept = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CheckedDisk checked(seed);
    Disk& disk = checked.disk;
    disk.queue(write_of(1, 1, 3, 1));
    disk.begin_flush();
    disk.end_flush([](const DiskWrite&) {});
    disk.queue(write_of(2, 4, 5, 1));
    disk.begin_flush();
    disk.queue(write_of(3, 6, 9, 1));

    disk.crash(true);

    const consensus::Index last = disk.raft_db().last_index();
    CHECK(last >= 3);
    CHECK(last <= 9);
    has_lost = has_lost || last < 9;
    has_kept = has_kept || last > 3;
    CHECK(disk.unsynced() == 0);
  }
  CHECK(has_lost);
  CHECK(has_kept);
}

TEST_CASE("entries on disk are replaced from the first that differs") {
  CheckedDisk checked(1);
  checked.disk.queue(write_of(1, 1, 5, 1));
  checked.disk.queue(write_of(2, 3, 3, 2));
  checked.disk.begin_flush();

  checked.disk.end_flush([](const DiskWrite&) {});

  CHECK(checked.replaced_from == 3);
  CHECK(checked.disk.raft_db().last_index() == 3);
  CHECK(checked.disk.raft_db().term_at(3) == 2);
}

TEST_CASE("a snapshot of the state machine is read back whole, or not at all") {
  Machine machine;
  machine.config.members.push_back({.id = 4, .kind = consensus::MemberKind::kWitness, .rank = 2});
  REQUIRE(machine.apply(entry_at(1, 1)));
  const std::string bytes = machine.encode(100);

  Machine read;
  REQUIRE(Machine::decode(bytes, read));
  CHECK(read.digest == machine.digest);
  CHECK(read.config == machine.config);
  CHECK(read.clients[0].index == 1);

  std::string swapped = bytes;
  std::swap(swapped[bytes.size() - 1], swapped[bytes.size() - 2]);
  CHECK(!Machine::decode(swapped, read));
  CHECK(crc32c("123456789") == 0xe3069283U);  // RFC 3720's check value
}

TEST_CASE("a bug of the core is found, and its seed made smaller") {
  REQUIRE(set_mutant("two-votes"));
  bool is_found = false;
  for (std::uint64_t seed = 1; seed <= 200 && !is_found; ++seed) {
    const Script script = draw_script(seed, 10 * kSecond);
    const Outcome outcome = World(script).run();
    if (!outcome.violation) continue;
    is_found = true;
    CAPTURE(seed);

    const Shrunk small = shrink(script, 3'000'000);

    REQUIRE(small.outcome.violation.has_value());
    CHECK(small.outcome.violation->invariant == outcome.violation->invariant);
    CHECK(small.script.ops.size() <= script.ops.size());
    const auto again = parse_script(format_script(small.script));
    REQUIRE(again.has_value());
    CHECK(World(*again).run().hash == small.outcome.hash);
  }
  CHECK(is_found);
  REQUIRE(set_mutant(""));
}

TEST_SUITE_END();

}  // namespace
}  // namespace distcron::sim
