// SPDX-License-Identifier: Apache-2.0
// Where the log begins: compaction, what it needs, and files of the first format.
#include <filesystem>

#include "store/crc32c.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;

/// Entries `first` to `last`, of `term` 1, stored and applied; the state holds a job.
void fill(Store& store, std::int64_t first, std::int64_t last) {
  DurableBatch batch;
  for (std::int64_t i = first; i <= last; ++i)
    batch.entries.push_back(entry(i, "entry " + std::to_string(i)));
  CHECK(write(store, std::move(batch)).status.has_value());
  planner::Changes made = changes(last);
  made.jobs.push_back(job(1, "a"));
  CHECK(apply(store, std::move(made)).status.has_value());
}

Compacted compact(Store& store, std::int64_t index, LogConfig config = {}) {
  store.compact(index, std::move(config));
  return wait_for<Compacted>(store);
}

/// Bytes as of one entry's chain in the first format: index and term, both little-endian.
std::uint32_t old_crc(std::uint32_t before, std::int64_t index, std::int64_t term,
                      const std::string& bytes) {
  std::string head;
  for (const std::int64_t number : {index, term}) {
    for (int byte = 0; byte < 8; ++byte)
      head += static_cast<char>((number >> (8 * byte)) & 0xff);
  }
  return crc32c(crc32c(before, head), bytes);
}

/// A raft.db as the first format had it, with entries 8 and 9 after base 7.
void make_old_log(const std::string& path, bool has_entries) {
  const std::uint32_t first = old_crc(77, 8, 2, "eight");
  const std::uint32_t second = old_crc(first, 9, 3, "nine");
  std::string sql =
      "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE log(idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, crc INTEGER NOT NULL, "
      "bytes BLOB NOT NULL);"
      "CREATE TABLE journal(run_id INTEGER NOT NULL, attempt INTEGER NOT NULL, "
      "kind INTEGER NOT NULL, boot_id TEXT NOT NULL, bytes BLOB NOT NULL, "
      "PRIMARY KEY(run_id, attempt)) WITHOUT ROWID;"
      "PRAGMA application_id = 1145270886; PRAGMA user_version = 1;"
      "INSERT INTO meta VALUES('base_index', 7), ('base_term', 2), ('base_crc', 77), ('term', 5);"
      "INSERT INTO journal VALUES(4, 1, 0, 'boot', CAST('claim' AS BLOB));";
  if (has_entries) {
    sql += "INSERT INTO log VALUES(8, 2, " + std::to_string(first) +
           ", CAST('eight' AS BLOB)), (9, 3, " + std::to_string(second) +
           ", CAST('nine' AS BLOB));";
  }
  REQUIRE(sqlite(path, sql.c_str()).empty());
}

/// A directory with a state.db that ends at `index`, and nothing else.
void make_state(const std::string& dir, std::int64_t index) {
  open_store(dir).reset();
  for (const char* file : {"raft.db", "raft.db-wal"})
    fs::remove(dir + "/" + file);
  const std::string sql = "INSERT INTO meta VALUES('applied_index', " + std::to_string(index) + ")";
  REQUIRE(sqlite(dir + "/state.db", sql.c_str()).empty());
}

TEST_SUITE("store") {
  TEST_CASE("a compacted log begins after its base, with term and configuration") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      fill(*store, 1, 5000);
      const LogSize before = store->log_size();
      const Compacted done = compact(*store, 4000, {"the members", 17});
      CHECK(done.status.has_value());
      CHECK(done.base_index == 4000);
      CHECK(done.base_term == 1);
      CHECK(before.last_index - before.base_index == 5000);
      CHECK(store->log_size().base_index == 4000);
      CHECK(store->log_size().bytes == 10'000);
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    CHECK(loaded.base == LogStart{4000, 1, {"the members", 17}});
    CHECK(loaded.applied_index == 5000);
    CHECK(loaded.last_index == 5000);
    REQUIRE(loaded.entries.size() == 1000);
    CHECK(loaded.entries.front().bytes == "entry 4001");
    CHECK(loaded.unapplied().empty());
    CHECK_FALSE(loaded.is_restored);
  }

  TEST_CASE("rows before the base go, also those that an earlier process left") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      fill(*store, 1, 5000);
      CHECK(compact(*store, 5000).status.has_value());
      for (int i = 0; i < 8; ++i)
        CHECK(ask(*store, [](Reader& reader) { return reader.jobs(); }).size() == 1);
    }
    CHECK(sqlite(temp.file("db/raft.db"), "SELECT count(*) FROM log") == "0\n");
    sqlite(temp.file("db/raft.db"), "INSERT INTO log VALUES(17, 1, 0, x'00', 0)");
    {
      auto store = open_started(temp.file("db"));
      fill(*store, 5001, 5002);
      CHECK(ask(*store, [](Reader& reader) { return reader.jobs(); }).size() == 1);
    }

    CHECK(sqlite(temp.file("db/raft.db"), "SELECT idx FROM log") == "5001\n5002\n");
    CHECK_FALSE(load(*open_store(temp.file("db"))).is_restored);
  }

  TEST_CASE("the log loses only what a synced checkpoint of state.db contains") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    fill(*store, 1, 100);
    CHECK(compact(*store, 100).status.has_value());
    const std::string copy = temp.file("copy");
    copy_files(temp.file("db"), copy);
    fs::remove(copy + "/state.db-wal");
    fs::remove(copy + "/state.db-shm");

    const Loaded loaded = load(*open_store(copy));

    CHECK(loaded.applied_index == 100);
    CHECK(loaded.base.index == 100);
    CHECK(loaded.jobs.size() == 1);
  }

  TEST_CASE("entries that are not applied stay") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    fill(*store, 1, 10);
    CHECK(write(*store, {{entry(11), entry(12)}, {}, {}, 0}).status.has_value());

    const Compacted done = compact(*store, 11);

    REQUIRE_FALSE(done.status.has_value());
    CHECK(done.status.error().code == ErrorCode::kUnavailable);
    CHECK_FALSE(done.fatal);
    CHECK(done.base_index == 0);
    CHECK(store->log_size().base_index == 0);
  }

  TEST_CASE("a reader of state.db holds the log up until it goes") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    fill(*store, 1, 10);
    sqlite3* reader = nullptr;
    REQUIRE(sqlite3_open(temp.file("db/state.db").c_str(), &reader) == SQLITE_OK);
    REQUIRE(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM jobs", nullptr, nullptr, nullptr) ==
            SQLITE_OK);
    fill(*store, 11, 20);

    const Compacted held = compact(*store, 15);
    sqlite3_close(reader);
    const Compacted done = compact(*store, 15);

    REQUIRE_FALSE(held.status.has_value());
    CHECK(held.status.error().message.find("somebody reads") != std::string::npos);
    CHECK(held.base_index == 0);
    CHECK(done.status.has_value());
    CHECK(done.base_index == 15);
  }

  TEST_CASE("entries up to the base are skipped, those after it are stored") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      fill(*store, 1, 8);
      CHECK(write(*store, {{entry(9), entry(10)}, {}, {}, 0}).status.has_value());
      CHECK(compact(*store, 8).status.has_value());
      DurableBatch late;
      late.entries = {entry(7, "other"), entry(8, "other"), entry(9, "new", 2)};
      late.hard = HardState{2, 1};
      CHECK(write(*store, std::move(late)).status.has_value());
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    CHECK(loaded.hard == HardState{2, 1});
    REQUIRE(loaded.entries.size() == 1);
    CHECK(loaded.entries[0] == LogEntry{9, 2, "new", 0});
  }

  TEST_CASE("a raft.db of the first format is brought forward") {
    const test::TempDir temp;
    make_state(temp.file("db"), 8);
    make_old_log(temp.file("db/raft.db"), true);
    {
      auto store = open_store(temp.file("db"));
      const Loaded loaded = load(*store);
      CHECK(loaded.hard == HardState{5, 0});
      CHECK(loaded.base == LogStart{7, 2, {}});
      CHECK(loaded.entries == std::vector{LogEntry{8, 2, "eight"}, LogEntry{9, 3, "nine"}});
      CHECK(loaded.unapplied() == std::vector{LogEntry{9, 3, "nine"}});
      CHECK(loaded.journal.size() == 1);
      CHECK_FALSE(loaded.is_restored);
      store->start();
      CHECK(write(*store, {{{10, 5, "ten", 1}}, {}, {}, 0}).status.has_value());
    }

    CHECK(load(*open_store(temp.file("db"))).entries.back() == LogEntry{10, 5, "ten", 1});
    CHECK(sqlite(temp.file("db/raft.db"), "PRAGMA user_version") == "2\n");
  }

  TEST_CASE("an old raft.db without entries is still that of a restored backup") {
    const test::TempDir temp;
    make_state(temp.file("db"), 7);
    make_old_log(temp.file("db/raft.db"), false);

    CHECK(load(*open_store(temp.file("db"))).is_restored);
  }
}

}  // namespace
}  // namespace distcron::store
