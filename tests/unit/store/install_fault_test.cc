// SPDX-License-Identifier: Apache-2.0
// Installs of snapshots that are cut short: wherever it happens, the next open finds the old state
// with its log, or the new one with an empty log, and the journal either way.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "store_fixture.h"
#include "support/fault_vfs.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;
using test::FaultPlan;
using test::FaultVfs;

constexpr std::int64_t kOld = 2;
constexpr std::int64_t kNew = 20;

void add(Store& store, std::int64_t index, std::int64_t term) {
  CHECK(write(store, {{entry(index, "e", term)}, {}, {}, 0}).status.has_value());
  planner::Changes made = changes(index);
  made.jobs.push_back(job(index, "job-" + std::to_string(index)));
  CHECK(apply(store, std::move(made)).status.has_value());
}

/// A snapshot of entries 1 to kNew, in pieces.
std::vector<SnapshotPiece> make_pieces(const test::TempDir& temp) {
  auto store = open_started(temp.file("source"));
  for (std::int64_t i = 1; i <= kNew; ++i)
    add(*store, i, 3);
  store->make_snapshot();
  const SnapshotMade made = wait_for<SnapshotMade>(*store);
  REQUIRE(made.status.has_value());
  std::ifstream file(made.copy.path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string bytes = text.str();
  std::vector<SnapshotPiece> all;
  for (std::size_t at = 0; at < bytes.size(); at += 64 * 1024) {
    all.push_back({LogStart{kNew, 3, {"members", 4}}, made.copy.size, made.copy.crc, at,
                   bytes.substr(at, 64 * 1024)});
  }
  return all;
}

/// The old state: entries 1 to kOld applied, two more in the log, a note in the journal.
std::unique_ptr<Store> make_old(const std::string& dir) {
  auto store = open_started(dir);
  for (std::int64_t i = 1; i <= kOld; ++i)
    add(*store, i, 1);
  DurableBatch more;
  more.entries = {entry(kOld + 1), entry(kOld + 2)};
  more.journal.push_back({7, 1, JournalKind::kAccepted, "boot", "claim"});
  more.hard = HardState{3, 2};
  CHECK(write(*store, std::move(more)).status.has_value());
  return store;
}

/// Whether `dir` holds the new state; checks that it holds the whole of one.
bool is_new(const std::string& dir) {
  const Loaded loaded = load(*open_store(dir));
  CHECK(loaded.journal.size() == 1);
  CHECK(loaded.hard == HardState{3, 2});
  CHECK_FALSE(loaded.is_restored);
  CHECK(loaded.jobs.size() == static_cast<std::size_t>(loaded.applied_index));
  for (const char* file : {"/state.db", "/raft.db"})
    CHECK(sqlite(dir + file, "PRAGMA integrity_check") == "ok\n");
  for (const auto& file : fs::directory_iterator(dir))
    CHECK(file.path().filename().string().find("install") == std::string::npos);
  if (loaded.applied_index == kNew) {
    CHECK(loaded.base == LogStart{kNew, 3, {"members", 4}});
    CHECK(loaded.entries.empty());
    return true;
  }
  CHECK(loaded.applied_index == kOld);
  CHECK(loaded.base == LogStart{});
  CHECK(loaded.last_index == kOld + 2);
  return false;
}

struct Outcome {
  bool is_installed = false;
  bool is_fatal = false;
  bool was_reached = false;
};

/// Installs under `plan`, until it is done or something fatal happens.
Outcome install_under(const FaultPlan& plan, Store& store,
                      const std::vector<SnapshotPiece>& pieces) {
  Outcome outcome;
  FaultVfs::set(plan);
  for (const SnapshotPiece& piece : pieces)
    store.install(piece);
  int refused = 0;
  while (!outcome.is_installed && !outcome.is_fatal && refused < 20) {
    for (const Completion& completion : take(store, 1)) {
      outcome.is_installed =
          outcome.is_installed || std::holds_alternative<SnapshotInstalled>(completion);
      const auto* stored = std::get_if<PieceStored>(&completion);
      if (stored == nullptr || stored->status) continue;
      outcome.is_fatal = outcome.is_fatal || stored->fatal;
      ++refused;
      if (stored->fatal) continue;
      // As the sender does: the last piece, or all of them again.
      if (stored->next_offset == 0) {
        for (const SnapshotPiece& piece : pieces)
          store.install(piece);
      } else {
        store.install(pieces.back());
      }
    }
  }
  outcome.was_reached = FaultVfs::counted() >= plan.at;
  return outcome;
}

TEST_SUITE("store") {
  TEST_CASE("an install that an I/O error ends leaves the old or the new state") {
    const FaultVfs vfs;
    const test::TempDir temp;
    const std::vector<SnapshotPiece> pieces = make_pieces(temp);
    for (const auto where : {FaultPlan::Where::kWrite, FaultPlan::Where::kSync}) {
      int olds = 0;
      int news = 0;
      bool was_reached = true;
      for (std::int64_t at = 1; was_reached; ++at) {
        CAPTURE(at);
        const std::string dir = temp.file("db");
        auto store = make_old(dir);
        const Outcome outcome = install_under({.where = where,
                                               .at = at,
                                               .count = 1'000'000,
                                               .sys_errno = EIO,
                                               .is_torn = at % 2 == 0},
                                              *store, pieces);
        store.reset();
        FaultVfs::clear();
        const bool now_new = is_new(dir);
        CHECK((outcome.is_installed || outcome.is_fatal));
        if (outcome.is_installed) CHECK(now_new);
        (now_new ? news : olds) += outcome.is_fatal ? 1 : 0;
        was_reached = outcome.was_reached;
        fs::remove_all(dir);
      }
      // A sync that fails leaves what it was to save; only a lost power would take that away.
      if (where == FaultPlan::Where::kWrite) CHECK(olds > 0);
      CHECK(news > 0);
    }
  }

  TEST_CASE("an install waits while the disk is full and goes on without a restart") {
    const FaultVfs vfs;
    const test::TempDir temp;
    const std::vector<SnapshotPiece> pieces = make_pieces(temp);
    bool was_reached = true;
    for (std::int64_t at = 1; was_reached; ++at) {
      CAPTURE(at);
      const std::string dir = temp.file("db");
      auto store = make_old(dir);
      const Outcome outcome = install_under({.where = FaultPlan::Where::kWrite,
                                             .at = at,
                                             .count = 2,
                                             .sys_errno = ENOSPC,
                                             .is_torn = at % 2 == 0},
                                            *store, pieces);
      FaultVfs::clear();
      CHECK(outcome.is_installed);
      CHECK_FALSE(outcome.is_fatal);
      store->post(DurableBatch{{entry(kNew + 1, "e", 4)}, {}, {}, 0});
      CHECK(wait_for<Durable>(*store).status.has_value());
      CHECK(ask(*store, [](Reader& reader) { return reader.jobs(); }).size() == kNew);
      store.reset();
      CHECK(load(*open_store(dir)).last_index == kNew + 1);
      was_reached = outcome.was_reached;
      fs::remove_all(dir);
    }
  }

  TEST_CASE(
      "a crash between the removal of the old log and the renaming goes on at the next open") {
    const FaultVfs vfs;
    const test::TempDir temp;
    const std::vector<SnapshotPiece> pieces = make_pieces(temp);
    const std::string dir = temp.file("db");
    make_old(dir).reset();
    // The note of an install that is under way, and its file, as step 2 leaves them.
    sqlite(dir + "/raft.db",
           "INSERT INTO meta VALUES('install_index', 20), ('install_term', 3), "
           "('install_config_index', 4), ('install_config', CAST('members' AS BLOB))");
    std::ofstream whole(dir + "/install-20-3.db", std::ios::binary);
    for (const SnapshotPiece& piece : pieces)
      whole << piece.bytes;
    whole.close();
    copy_files(dir, temp.file("noted"));
    fs::remove(dir + "/state.db-wal");
    fs::remove(dir + "/state.db-shm");
    copy_files(dir, temp.file("removed"));
    fs::rename(dir + "/install-20-3.db", dir + "/state.db");
    copy_files(dir, temp.file("renamed"));

    for (const char* name : {"noted", "removed", "renamed"}) {
      CAPTURE(name);
      CHECK(is_new(temp.file(name)));
      CHECK(is_new(temp.file(name)));
    }
  }

  TEST_CASE("an install whose file is lost is refused with the way out") {
    const test::TempDir temp;
    make_old(temp.file("db")).reset();
    sqlite(temp.file("db/raft.db"),
           "INSERT INTO meta VALUES('install_index', 20), ('install_term', 3)");

    const auto store = Store::open(temp.file("db"));

    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().code == ErrorCode::kCorrupt);
    CHECK(store.error().hint.find("new node id") != std::string::npos);
  }

  TEST_CASE("an install that was not complete is forgotten at the next open") {
    const test::TempDir temp;
    const std::vector<SnapshotPiece> pieces = make_pieces(temp);
    auto store = make_old(temp.file("db"));
    store->install(pieces.front());
    CHECK(wait_for<PieceStored>(*store).status.has_value());
    CHECK(fs::exists(temp.file("db/install.part")));
    store.reset();

    CHECK_FALSE(is_new(temp.file("db")));
  }

  TEST_CASE("a copy that the disk has no room for is refused, and works carry on") {
    const FaultVfs vfs;
    const test::TempDir temp;
    for (std::int64_t at = 1; at <= 20; at += 3) {
      CAPTURE(at);
      auto store = make_old(temp.file("db"));
      FaultVfs::set({.where = FaultPlan::Where::kWrite,
                     .at = at,
                     .count = 1'000'000,
                     .sys_errno = at % 2 == 0 ? ENOSPC : EIO});
      store->make_snapshot();
      const SnapshotMade failed = wait_for<SnapshotMade>(*store);
      FaultVfs::clear();
      store->make_snapshot();
      const SnapshotMade made = wait_for<SnapshotMade>(*store);

      CHECK_FALSE(failed.status.has_value());
      CHECK(made.status.has_value());
      CHECK(write(*store, {{entry(kOld + 3)}, {}, {}, 0}).status.has_value());
      store.reset();
      fs::remove_all(temp.file("db"));
    }
  }
}

}  // namespace
}  // namespace distcron::store
