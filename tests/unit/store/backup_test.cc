// SPDX-License-Identifier: Apache-2.0
#include "store/backup.h"

#include <filesystem>
#include <fstream>

#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;

/// A backup of a store that applied entries 1 to 3, the last one of term 6.
std::string make_backup(const test::TempDir& temp) {
  auto store = open_started(temp.file("source"));
  for (std::int64_t i = 1; i <= 3; ++i) {
    CHECK(write(*store, {{entry(i, "e", 2 * i)}, {}, {}, 0}).status.has_value());
    planner::Changes made = changes(i);
    made.jobs.push_back(job(i, "job-" + std::to_string(i)));
    made.cluster = planner::Cluster{"c", "0123", 7, "UTC"};
    CHECK(apply(*store, std::move(made)).status.has_value());
  }
  store->back_up(temp.file("backup.db"), 1);
  REQUIRE(wait_for<BackedUp>(*store).status.has_value());
  return temp.file("backup.db");
}

TEST_SUITE("store") {
  TEST_CASE("a backup says what it holds") {
    const test::TempDir temp;

    const auto facts = verify_backup(make_backup(temp));

    REQUIRE(facts.has_value());
    CHECK(facts->index == 3);
    CHECK(facts->term == 6);
    CHECK(facts->format == 2);
    CHECK(facts->incarnation == 7);
    CHECK(facts->cluster_name == "c");
    CHECK(facts->cluster_id == "0123");
  }

  TEST_CASE("a file that is no whole backup is refused") {
    const test::TempDir temp;
    const std::string backup = make_backup(temp);
    const auto refused = [&](const std::string& path) {
      const auto facts = verify_backup(path);
      const auto restored = restore_backup(path, temp.file("restored"));
      REQUIRE_FALSE(facts.has_value());
      REQUIRE_FALSE(restored.has_value());
      CHECK(facts.error().message.find(path) != std::string::npos);
      CHECK_FALSE(fs::exists(temp.file("restored/state.db")));
      return facts.error().code;
    };

    CHECK(refused(temp.file("missing.db")) == ErrorCode::kNotFound);
    std::ofstream(temp.file("empty.db")).flush();
    CHECK(refused(temp.file("empty.db")) == ErrorCode::kInvalid);
    std::ofstream(temp.file("text.db")) << std::string(9000, 'x');
    CHECK(refused(temp.file("text.db")) == ErrorCode::kCorrupt);
    sqlite(temp.file("other.db"), "CREATE TABLE t(a)");
    CHECK(refused(temp.file("other.db")) == ErrorCode::kCorrupt);
    fs::copy(backup, temp.file("cut.db"));
    fs::resize_file(temp.file("cut.db"), fs::file_size(backup) - 8192);
    CHECK(refused(temp.file("cut.db")) == ErrorCode::kCorrupt);
    fs::copy(backup, temp.file("newer.db"));
    sqlite(temp.file("newer.db"), "PRAGMA user_version = 99");
    CHECK(refused(temp.file("newer.db")) == ErrorCode::kInvalid);
    fs::copy(backup, temp.file("torn.db"));
    std::ofstream(temp.file("torn.db-wal")) << "x";
    CHECK(refused(temp.file("torn.db")) == ErrorCode::kInvalid);
  }

  TEST_CASE("a restored directory begins a new log with the backup") {
    const test::TempDir temp;
    const std::string backup = make_backup(temp);

    const auto restored = restore_backup(backup, temp.file("restored"));
    auto store = open_store(temp.file("restored"));
    const Loaded loaded = load(*store);
    store.reset();
    const bool is_still_restored = load(*open_store(temp.file("restored"))).is_restored;
    store = open_started(temp.file("restored"));
    CHECK(write(*store, {{entry(4, "e", 7)}, {}, {}, 0}).status.has_value());
    CHECK(apply(*store, changes(4)).status.has_value());
    store.reset();

    REQUIRE(restored.has_value());
    CHECK(restored->incarnation == 7);
    CHECK(loaded.is_restored);
    CHECK(loaded.jobs.size() == 3);
    CHECK(loaded.base == LogStart{3, 6, {}});
    CHECK(loaded.hard == HardState{6, 0});
    CHECK(loaded.last_index == 3);
    CHECK(is_still_restored);
    CHECK_FALSE(load(*open_store(temp.file("restored"))).is_restored);
    CHECK((fs::status(temp.file("restored/state.db")).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
  }

  TEST_CASE("a backup is never restored over databases or beside an agent") {
    const test::TempDir temp;
    const std::string backup = make_backup(temp);
    {
      const auto held = open_store(temp.file("held"));
      const auto restored = restore_backup(backup, temp.file("held"));
      REQUIRE_FALSE(restored.has_value());
      CHECK(restored.error().code == ErrorCode::kUnavailable);
    }

    const auto restored = restore_backup(backup, temp.file("held"));

    REQUIRE_FALSE(restored.has_value());
    CHECK(restored.error().code == ErrorCode::kConflict);
    CHECK(load(*open_store(temp.file("held"))).jobs.empty());
  }

  TEST_CASE("a state.db of the first format is brought forward") {
    const test::TempDir temp;
    open_store(temp.file("db")).reset();
    // As the first format had it.
    sqlite(temp.file("db/state.db"),
           "DROP VIEW v_nodes; DROP TABLE tokens; DROP TABLE nodes;"
           "CREATE TABLE nodes(id INTEGER PRIMARY KEY, name TEXT NOT NULL, boot_id TEXT NOT NULL, "
           "address TEXT NOT NULL, version TEXT NOT NULL, labels TEXT);"
           "INSERT INTO nodes VALUES(1, 'host-a', 'boot', 'tcp://a', '0.1', 'zone=a\n');"
           "ALTER TABLE access_keys DROP COLUMN host;"
           "ALTER TABLE runs DROP COLUMN shards; ALTER TABLE runs DROP COLUMN possible_overlap;"
           "ALTER TABLE attempts DROP COLUMN shards;"
           "ALTER TABLE attempts DROP COLUMN possible_overlap;"
           "INSERT INTO access_keys VALUES('ops', 'key', 'admin', NULL, '');"
           "PRAGMA user_version = 1");

    const Loaded loaded = load(*open_store(temp.file("db")));

    REQUIRE(loaded.nodes.size() == 1);
    CHECK(loaded.nodes[0].name == "host-a");
    CHECK(loaded.nodes[0].labels == model::TextMap{{"zone", "a"}});
    CHECK(loaded.nodes[0].state == model::NodeState::kActive);
    REQUIRE(loaded.keys.size() == 1);
    CHECK(loaded.keys[0].host.empty());
    CHECK(loaded.tokens.empty());
    CHECK(sqlite(temp.file("db/state.db"), "PRAGMA user_version") == "2\n");
    CHECK(sqlite(temp.file("db/state.db"), "SELECT name, state FROM v_nodes") == "host-a|active\n");
  }
}

}  // namespace
}  // namespace distcron::store
