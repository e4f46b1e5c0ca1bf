// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include "store/crc32c.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;

DurableBatch batch(std::vector<LogEntry> entries) {
  DurableBatch made;
  made.entries = std::move(entries);
  return made;
}

TEST_SUITE("store") {
  TEST_CASE("the checksum is CRC-32C") {
    CHECK(crc32c(0, "123456789") == 0xe3069283U);
    CHECK(crc32c(0, std::string(32, '\0')) == 0x8a9136aaU);
    CHECK(crc32c(crc32c(0, "12345"), "6789") == 0xe3069283U);
  }

  TEST_CASE("what was acknowledged is there after reopening") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      DurableBatch first = batch({entry(1, "one"), entry(2, std::string(100'000, 'x'), 2)});
      first.journal.push_back({7, 1, JournalKind::kAccepted, "boot", "claim"});
      first.journal.push_back({8, 1, JournalKind::kTombstone, "boot", ""});
      first.tag = 42;
      const Durable done = write(*store, std::move(first));
      CHECK(done.status.has_value());
      CHECK(done.tag == 42);
      DurableBatch second;
      second.journal.push_back({7, 1, JournalKind::kEnded, "boot", "report"});
      second.dropped.push_back({8, 1});
      CHECK(write(*store, std::move(second)).status.has_value());
    }

    auto store = open_store(temp.file("db"));
    const Loaded loaded = load(*store);

    REQUIRE(loaded.entries.size() == 2);
    CHECK(loaded.entries[0].bytes == "one");
    CHECK(loaded.entries[1].bytes.size() == 100'000);
    CHECK(loaded.entries[1].term == 2);
    CHECK(loaded.unapplied() == loaded.entries);
    CHECK(loaded.last_index == 2);
    CHECK_FALSE(loaded.is_restored);
    REQUIRE(loaded.journal.size() == 1);
    CHECK(loaded.journal[0].kind == JournalKind::kEnded);
    CHECK(loaded.journal[0].bytes == "report");
    CHECK((fs::status(temp.file("db/raft.db")).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK((fs::status(temp.file("db")).permissions() & fs::perms::all) == fs::perms::owner_all);
  }

  TEST_CASE("term and vote are kept, before the start and with a batch") {
    const test::TempDir temp;
    REQUIRE(open_store(temp.file("db"))->save_hard_state({9, 2}).has_value());
    CHECK(load(*open_store(temp.file("db"))).hard == HardState{9, 2});
    {
      auto store = open_started(temp.file("db"));
      DurableBatch vote;
      vote.hard = HardState{11, 3};
      store->post(std::move(vote));
      DurableBatch later = batch({entry(1, "e", 11)});
      later.hard = HardState{12, 0};
      store->post(std::move(later));
      CHECK(take(*store, 2).size() == 2);
    }

    CHECK(load(*open_store(temp.file("db"))).hard == HardState{12, 0});
  }

  TEST_CASE("a batch that is refused leaves term and vote as they are") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      DurableBatch gap = batch({entry(5)});
      gap.hard = HardState{4, 4};
      CHECK_FALSE(write(*store, std::move(gap)).status.has_value());
    }

    CHECK(load(*open_store(temp.file("db"))).hard == HardState{});
  }

  TEST_CASE("the kind of an entry is kept and guarded by its checksum") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      CHECK(write(*store, batch({{1, 1, "", 1}, {2, 1, "config", 2}})).status.has_value());
    }
    const Loaded loaded = load(*open_store(temp.file("db")));
    sqlite(temp.file("db/raft.db"), "UPDATE log SET kind = 0 WHERE idx = 2");

    const auto damaged = Store::open(temp.file("db"));

    REQUIRE(loaded.entries.size() == 2);
    CHECK(loaded.entries[0].kind == 1);
    CHECK(loaded.entries[1] == LogEntry{2, 1, "config", 2});
    REQUIRE_FALSE(damaged.has_value());
    CHECK(damaged.error().code == ErrorCode::kCorrupt);
    CHECK(damaged.error().hint.find("new node id") != std::string::npos);
  }

  TEST_CASE("batches that wait are committed together and each is answered") {
    const test::TempDir temp;
    auto store = open_store(temp.file("db"));
    for (std::int64_t i = 1; i <= 100; ++i) {
      DurableBatch one = batch({entry(i)});
      one.tag = static_cast<std::uint64_t>(i);
      store->post(std::move(one));
    }

    store->start();
    const std::vector<Completion> done = take(*store, 100);

    REQUIRE(done.size() == 100);
    for (std::size_t i = 0; i < done.size(); ++i) {
      CHECK(std::get<Durable>(done[i]).tag == i + 1);
      CHECK(std::get<Durable>(done[i]).status.has_value());
    }
  }

  TEST_CASE("a batch that leaves a gap is refused alone") {
    const test::TempDir temp;
    auto store = open_store(temp.file("db"));
    store->post(batch({entry(1)}));
    store->post(batch({entry(3)}));
    store->post(batch({entry(2)}));

    store->start();
    const std::vector<Completion> done = take(*store, 3);

    REQUIRE(done.size() == 3);
    CHECK(std::get<Durable>(done[0]).status.has_value());
    REQUIRE_FALSE(std::get<Durable>(done[1]).status.has_value());
    CHECK(std::get<Durable>(done[1]).status.error().code == ErrorCode::kInvalid);
    CHECK_FALSE(std::get<Durable>(done[1]).fatal);
    CHECK(std::get<Durable>(done[2]).status.has_value());
  }

  TEST_CASE("an entry that exists is replaced, and those after it go") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      CHECK(write(*store, batch({entry(1), entry(2, "old"), entry(3)})).status.has_value());
      CHECK(write(*store, batch({entry(2, "new", 5)})).status.has_value());
      CHECK(write(*store, batch({entry(3, "after", 5)})).status.has_value());
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    REQUIRE(loaded.entries.size() == 3);
    CHECK(loaded.entries[1].bytes == "new");
    CHECK(loaded.entries[2].bytes == "after");
  }

  TEST_CASE("a changed byte of the log is found and named") {
    struct Damage {
      const char* sql;
      const char* where;
    };

    for (const Damage& damage :
         {Damage{"UPDATE log SET bytes = x'00' WHERE idx = 2", "entry 2 does not match"},
          Damage{"UPDATE log SET term = 0 WHERE idx = 3", "entry 3 does not match"},
          Damage{"DELETE FROM log WHERE idx = 2", "entry 2 is missing"}}) {
      CAPTURE(damage.sql);
      const test::TempDir temp;
      {
        auto store = open_started(temp.file("db"));
        CHECK(write(*store, batch({entry(1), entry(2), entry(3)})).status.has_value());
      }
      sqlite(temp.file("db/raft.db"), damage.sql);

      const auto store = Store::open(temp.file("db"));

      REQUIRE_FALSE(store.has_value());
      CHECK(store.error().code == ErrorCode::kCorrupt);
      CHECK(store.error().message.find(temp.file("db/raft.db")) != std::string::npos);
      CHECK(store.error().message.find(damage.where) != std::string::npos);
      CHECK_FALSE(store.error().hint.empty());
    }
  }

  TEST_CASE("a torn end of the write-ahead log costs only what it held") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    for (std::int64_t i = 1; i <= 5; ++i) {
      CHECK(write(*store, batch({entry(i, std::string(5000, 'x'))})).status.has_value());
    }
    const auto size = fs::file_size(temp.file("db/raft.db-wal"));
    std::int64_t before = 6;
    for (const std::uintmax_t cut :
         {std::uintmax_t{0}, std::uintmax_t{1}, size / 3, size / 2, size - 10, size}) {
      CAPTURE(cut);
      const std::string copy = temp.file("cut" + std::to_string(cut));
      copy_files(temp.file("db"), copy);
      fs::resize_file(copy + "/raft.db-wal", size - cut);

      auto opened = open_store(copy);
      const Loaded loaded = load(*opened);

      CHECK(loaded.last_index == static_cast<std::int64_t>(loaded.entries.size()));
      CHECK(loaded.last_index < before);
      before = loaded.last_index + 1;
    }
  }

  TEST_CASE("a second agent on the directory is told who holds it") {
    const test::TempDir temp;
    const auto first = open_store(temp.file("db"));

    const auto second = Store::open(temp.file("db"));

    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::kUnavailable);
    CHECK(second.error().message.find("another agent (pid " + std::to_string(::getpid())) == 0);
  }

  TEST_CASE("a directory where others may write is refused") {
    const test::TempDir temp;
    fs::create_directory(temp.file("db"));
    fs::permissions(temp.file("db"), fs::perms::all);

    const auto store = Store::open(temp.file("db"));

    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().code == ErrorCode::kDenied);
  }

  TEST_CASE("a file of a newer format is refused, and so is a foreign one") {
    for (const char* name : {"raft.db", "state.db"}) {
      CAPTURE(name);
      const test::TempDir temp;
      open_store(temp.file("db")).reset();
      const std::string file = temp.file("db/") + name;
      sqlite(file, "PRAGMA user_version = 99");

      const auto newer = Store::open(temp.file("db"));
      sqlite(file, "PRAGMA application_id = 77");
      const auto foreign = Store::open(temp.file("db"));

      REQUIRE_FALSE(newer.has_value());
      CHECK(newer.error().code == ErrorCode::kInvalid);
      CHECK(newer.error().message.find("newer DistCron (format 99") != std::string::npos);
      REQUIRE_FALSE(foreign.has_value());
      CHECK(foreign.error().code == ErrorCode::kCorrupt);
    }
  }

  TEST_CASE("a state.db that comes alone is a restored backup") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      CHECK(write(*store, batch({entry(1), entry(2)})).status.has_value());
      planner::Changes made = changes(2);
      made.jobs.push_back(job(1, "a"));
      made.runs.push_back(run(1, made.jobs[0], at(0)));
      CHECK(apply(*store, std::move(made)).status.has_value());
    }
    fs::remove(temp.file("db/raft.db"));
    fs::remove(temp.file("db/raft.db-wal"));

    auto store = open_store(temp.file("db"));
    const Loaded loaded = load(*store);
    store->start();
    CHECK(write(*store, batch({entry(3)})).status.has_value());
    store.reset();

    CHECK(loaded.is_restored);
    CHECK(loaded.last_index == 2);
    CHECK(loaded.hard == HardState{3, 0});
    CHECK(loaded.base == LogStart{2, 3, {}});
    CHECK(loaded.entries.empty());
    CHECK_FALSE(load(*open_store(temp.file("db"))).is_restored);
  }

  TEST_CASE("a log that ends before the state is refused") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      CHECK(write(*store, batch({entry(1)})).status.has_value());
      CHECK(apply(*store, changes(5)).status.has_value());
    }

    const auto store = Store::open(temp.file("db"));

    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().code == ErrorCode::kCorrupt);
    CHECK(store.error().message.find("state.db ends at entry 5") != std::string::npos);
  }
}

}  // namespace
}  // namespace distcron::store
