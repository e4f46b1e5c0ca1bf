// SPDX-License-Identifier: Apache-2.0
// Copies of state.db: made beside writes, read in pieces, installed in another directory.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/crc32c.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Entry `index` with a job of that number, of `term`.
void add(Store& store, std::int64_t index, std::int64_t term = 1) {
  CHECK(write(store, {{entry(index, "e", term)}, {}, {}, 0}).status.has_value());
  planner::Changes made = changes(index);
  made.jobs.push_back(job(index, "job-" + std::to_string(index)));
  CHECK(apply(store, std::move(made)).status.has_value());
}

StateCopy snapshot(Store& store) {
  store.make_snapshot();
  SnapshotMade made = wait_for<SnapshotMade>(store);
  const std::string error = made.status ? "" : made.status.error().message;
  CAPTURE(error);
  REQUIRE(made.status.has_value());
  return made.copy;
}

/// All of a snapshot, in pieces of `step` bytes.
std::vector<SnapshotPiece> pieces(const StateCopy& copy, std::size_t step) {
  const std::string bytes = content(copy.path);
  std::vector<SnapshotPiece> all;
  for (std::size_t offset = 0; offset < bytes.size(); offset += step) {
    SnapshotPiece piece;
    piece.start = LogStart{copy.index, copy.term, {"members", 2}};
    piece.size = copy.size;
    piece.crc = copy.crc;
    piece.offset = offset;
    piece.bytes = bytes.substr(offset, step);
    all.push_back(std::move(piece));
  }
  return all;
}

PieceStored install(Store& store, SnapshotPiece piece) {
  store.install(std::move(piece));
  return wait_for<PieceStored>(store);
}

/// Installs all pieces; what was loaded after the last one.
Loaded install_all(Store& store, const std::vector<SnapshotPiece>& all) {
  for (const SnapshotPiece& piece : all)
    store.install(piece);
  SnapshotInstalled installed = wait_for<SnapshotInstalled>(store);
  REQUIRE(installed.loaded != nullptr);
  return std::move(*installed.loaded);
}

/// A snapshot of entries 1 to 3, of terms 1 to 3.
StateCopy source(const test::TempDir& temp, std::unique_ptr<Store>& store) {
  store = open_started(temp.file("source"));
  for (std::int64_t i = 1; i <= 3; ++i)
    add(*store, i, i);
  return snapshot(*store);
}

TEST_SUITE("store") {
  TEST_CASE("a snapshot holds the state as of its index, whatever is written meanwhile") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    add(*store, 1);
    add(*store, 2, 7);

    store->make_snapshot();
    for (std::int64_t i = 3; i <= 40; ++i) {
      planner::Changes made = changes(i);
      made.jobs.push_back(job(i, "job-" + std::to_string(i)));
      store->post(DurableBatch{{entry(i, "e", 7)}, {}, {}, 0});
      store->post(std::move(made));
    }
    const SnapshotMade made = wait_for<SnapshotMade>(*store);

    REQUIRE(made.status.has_value());
    CHECK(made.copy.index == 2);
    CHECK(made.copy.term == 7);
    CHECK(made.copy.path == temp.file("db/snapshot-2.db"));
    CHECK(made.copy.size == fs::file_size(made.copy.path));
    CHECK(made.copy.crc == crc32c(0, content(made.copy.path)));
    CHECK(sqlite(made.copy.path, "PRAGMA integrity_check") == "ok\n");
    CHECK(sqlite(made.copy.path, "SELECT count(*) FROM jobs") == "2\n");
    CHECK(sqlite(made.copy.path, "PRAGMA journal_mode") == "delete\n");
    CHECK((fs::status(made.copy.path).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK_FALSE(fs::exists(made.copy.path + "-wal"));
    CHECK_FALSE(fs::exists(made.copy.path + ".part"));
  }

  TEST_CASE("two snapshots are kept, until the next open") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    for (std::int64_t i = 1; i <= 3; ++i) {
      add(*store, i);
      CHECK(snapshot(*store).index == i);
      CHECK(snapshot(*store).index == i);
    }
    CHECK_FALSE(fs::exists(temp.file("db/snapshot-1.db")));
    CHECK(fs::exists(temp.file("db/snapshot-2.db")));
    CHECK(fs::exists(temp.file("db/snapshot-3.db")));

    store.reset();
    open_store(temp.file("db")).reset();

    CHECK_FALSE(fs::exists(temp.file("db/snapshot-2.db")));
    CHECK_FALSE(fs::exists(temp.file("db/snapshot-3.db")));
  }

  TEST_CASE("a snapshot is read in pieces, and one that is gone is not found") {
    const test::TempDir temp;
    std::unique_ptr<Store> store;
    const StateCopy copy = source(temp, store);
    std::string all;
    while (true) {
      store->read_snapshot(copy.index, all.size(), 10'000, 5);
      const SnapshotRead read = wait_for<SnapshotRead>(*store);
      CHECK(read.status.has_value());
      CHECK(read.tag == 5);
      CHECK(read.offset == all.size());
      all += read.bytes;
      if (read.bytes.size() < 10'000) break;
    }
    store->read_snapshot(99, 0, 10, 6);
    const SnapshotRead gone = wait_for<SnapshotRead>(*store);

    CHECK(all == content(copy.path));
    REQUIRE_FALSE(gone.status.has_value());
    CHECK(gone.status.error().code == ErrorCode::kNotFound);
  }

  TEST_CASE("an installed snapshot replaces state and log, and leaves journal and votes") {
    const test::TempDir temp;
    std::unique_ptr<Store> from;
    const StateCopy copy = source(temp, from);
    {
      auto store = open_started(temp.file("db"));
      add(*store, 1);
      DurableBatch more;
      more.entries = {entry(2, "old"), entry(3, "old"), entry(4, "old")};
      more.journal.push_back({7, 1, JournalKind::kAccepted, "boot", "claim"});
      more.hard = HardState{9, 3};
      CHECK(write(*store, std::move(more)).status.has_value());
      const Loaded loaded = install_all(*store, pieces(copy, 10'000));
      CHECK(loaded.applied_index == 3);
      CHECK(loaded.jobs.size() == 3);
      CHECK(loaded.base == LogStart{3, 3, {"members", 2}});
      CHECK(loaded.entries.empty());
      CHECK(loaded.journal.size() == 1);
      CHECK(loaded.hard == HardState{9, 3});
      CHECK_FALSE(loaded.is_restored);
      CHECK(store->log_size().base_index == 3);
      CHECK(ask(*store, [](Reader& reader) { return reader.jobs(); }).size() == 3);
      // What was on its way when the snapshot came changes nothing.
      store->post(changes(2));
      DurableBatch late;
      late.entries = {entry(2, "late"), entry(3, "late")};
      CHECK(write(*store, std::move(late)).status.has_value());
      add(*store, 4, 9);
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    CHECK(loaded.applied_index == 4);
    CHECK(loaded.jobs.size() == 4);
    CHECK(loaded.base == LogStart{3, 3, {"members", 2}});
    CHECK(loaded.entries == std::vector{entry(4, "e", 9)});
    CHECK(loaded.journal.size() == 1);
    CHECK_FALSE(loaded.is_restored);
    CHECK(sqlite(temp.file("db/state.db"), "PRAGMA integrity_check") == "ok\n");
  }

  TEST_CASE("each piece is answered with the offset that is wanted next") {
    const test::TempDir temp;
    std::unique_ptr<Store> from;
    const StateCopy copy = source(temp, from);
    const std::vector<SnapshotPiece> all = pieces(copy, 20'000);
    REQUIRE(all.size() > 3);
    auto store = open_started(temp.file("db"));

    CHECK(install(*store, all[1]).next_offset == 0);
    CHECK(install(*store, all[0]).next_offset == 20'000);
    CHECK(install(*store, all[0]).next_offset == 20'000);
    CHECK(install(*store, all[2]).next_offset == 20'000);
    CHECK(install(*store, all[1]).next_offset == 40'000);
    SnapshotPiece other = all[0];
    other.start.term = 8;
    CHECK(install(*store, other).next_offset == 20'000);
    CHECK(install(*store, all[2]).next_offset == 0);
    const Loaded loaded = install_all(*store, all);
    const PieceStored again = install(*store, all.back());

    CHECK(loaded.applied_index == 3);
    CHECK(again.next_offset == copy.size);
    REQUIRE_FALSE(again.status.has_value());
    CHECK(again.status.error().code == ErrorCode::kConflict);
    CHECK_FALSE(again.fatal);
  }

  TEST_CASE("a snapshot that is not what was announced is thrown away") {
    const test::TempDir temp;
    std::unique_ptr<Store> from;
    const StateCopy copy = source(temp, from);
    auto store = open_started(temp.file("db"));
    add(*store, 1);
    const std::string right = content(copy.path);
    std::string torn = right;
    torn[torn.size() / 2] ^= 1;
    const std::string rubbish(50'000, 'x');
    const auto whole = [&](const std::string& bytes, std::uint32_t crc, std::int64_t index) {
      return SnapshotPiece{LogStart{index, 3, {}}, bytes.size(), crc, 0, bytes};
    };

    for (const SnapshotPiece& bad :
         {whole(torn, copy.crc, 3), whole(rubbish, crc32c(0, rubbish), 3),
          whole(right, copy.crc, 4)}) {
      const PieceStored refused = install(*store, bad);
      REQUIRE_FALSE(refused.status.has_value());
      CHECK(refused.status.error().code == ErrorCode::kCorrupt);
      CHECK(refused.next_offset == 0);
      CHECK_FALSE(refused.fatal);
    }
    add(*store, 2);
    CHECK(ask(*store, [](Reader& reader) { return reader.jobs(); }).size() == 2);
    CHECK(install_all(*store, {whole(right, copy.crc, 3)}).applied_index == 3);
  }

  TEST_CASE("a backup is made beside writes and never over another file") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    add(*store, 1, 4);
    store->back_up(temp.file("backup.db"), 8);
    const BackedUp made = wait_for<BackedUp>(*store);
    store->back_up(temp.file("backup.db"), 9);
    const BackedUp again = wait_for<BackedUp>(*store);
    store->back_up(temp.file("missing/backup.db"), 10);
    const BackedUp nowhere = wait_for<BackedUp>(*store);

    CHECK(made.status.has_value());
    CHECK(made.tag == 8);
    CHECK(made.copy.index == 1);
    CHECK(made.copy.term == 4);
    REQUIRE_FALSE(again.status.has_value());
    CHECK(again.tag == 9);
    CHECK(again.status.error().code == ErrorCode::kConflict);
    REQUIRE_FALSE(nowhere.status.has_value());
    CHECK(nowhere.status.error().code == ErrorCode::kNotFound);
    CHECK(Reader::open_file(temp.file("backup.db")).has_value());
  }
}

}  // namespace
}  // namespace distcron::store
