// SPDX-License-Identifier: Apache-2.0
#include "ctl/storage_dir.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "store/state_dir.h"
#include "support/temp_dir.h"
#include "unit/store/store_fixture.h"

namespace distcron::ctl {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kAgentUser = 64'999;  // nobody's; only its number matters

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A storage directory as a stopped agent leaves it, and a backup of another state.
struct Fixture {
  test::TempDir temp;
  std::string backup = temp.file("backup.db");
  RestoreOrder order;

  Fixture() {
    order.backup = backup;
    order.dir = temp.file("storage");
    order.aside = "before-restore";
    auto store = store::open_started(temp.file("source"));
    CHECK(store::write(*store, {{store::entry(1, "e", 2)}, {}, {}, 0}).status.has_value());
    planner::Changes made = store::changes(1);
    made.jobs.push_back(store::job(1, "kept"));
    made.cluster = planner::Cluster{"prod", "0123", 7, "UTC"};
    CHECK(store::apply(*store, std::move(made)).status.has_value());
    store->back_up(backup, 1);
    REQUIRE(store::wait_for<store::BackedUp>(*store).status.has_value());
  }

  void make_storage() const {
    fs::create_directory(order.dir);
    fs::permissions(order.dir, fs::perms::owner_all);
    for (const char* name : {"raft.db", "raft.db-wal", "state.db", "member.json"}) {
      std::ofstream(order.dir + "/" + name) << "old " << name;
    }
  }

  [[nodiscard]] std::string old(const std::string& name) const {
    return text_of(order.dir + "/before-restore/" + name);
  }
};

TEST_SUITE("ctl") {
  TEST_CASE_FIXTURE(Fixture, "a restore keeps the former databases beside the new state") {
    make_storage();

    const auto restored = restore_storage(order);

    REQUIRE(restored.has_value());
    CHECK(restored->facts.cluster_name == "prod");
    CHECK(restored->kept == order.dir + "/before-restore");
    CHECK(old("raft.db") == "old raft.db");
    CHECK(old("raft.db-wal") == "old raft.db-wal");
    CHECK(old("state.db") == "old state.db");
    CHECK(text_of(order.dir + "/member.json") == "old member.json");
    CHECK_FALSE(fs::exists(order.dir + "/raft.db"));
    CHECK(store::verify_backup(order.dir + "/state.db").has_value());
    CHECK_FALSE(fs::exists(order.dir + "/as-new"));
  }

  TEST_CASE_FIXTURE(Fixture, "a restore into a folder that is not there makes it") {
    const auto restored = restore_storage(order);

    REQUIRE(restored.has_value());
    CHECK(restored->kept.empty());
    CHECK(fs::exists(order.dir + "/state.db"));
    CHECK_FALSE(fs::exists(order.dir + "/before-restore"));
  }

  TEST_CASE_FIXTURE(Fixture, "a restore as new leaves a note of it for the agent") {
    make_storage();
    order.as_new = true;

    REQUIRE(restore_storage(order).has_value());

    CHECK(fs::exists(order.dir + "/as-new"));
    CHECK(fs::file_size(order.dir + "/as-new") == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "a backup that cannot be used changes nothing") {
    make_storage();
    fs::resize_file(backup, fs::file_size(backup) - 4096);
    order.as_new = true;

    const auto restored = restore_storage(order);

    REQUIRE_FALSE(restored.has_value());
    CHECK(restored.error().message.find(backup) != std::string::npos);
    CHECK(text_of(order.dir + "/state.db") == "old state.db");
    CHECK(text_of(order.dir + "/raft.db-wal") == "old raft.db-wal");
    CHECK_FALSE(fs::exists(order.dir + "/as-new"));
    CHECK_FALSE(fs::exists(order.dir + "/before-restore"));
  }

  TEST_CASE_FIXTURE(Fixture, "a restore below a running agent is refused") {
    make_storage();
    const auto agent = store::StateDir::open(order.dir);
    REQUIRE(agent.has_value());

    const auto restored = restore_storage(order);

    REQUIRE_FALSE(restored.has_value());
    CHECK(restored.error().code == ErrorCode::kUnavailable);
    CHECK(text_of(order.dir + "/state.db") == "old state.db");
  }

  TEST_CASE_FIXTURE(Fixture, "what root restores belongs to the user of the folder") {
    if (::geteuid() != 0) {
      MESSAGE("skipped: only root can give files away");
      return;
    }
    make_storage();
    order.as_new = true;
    for (const auto& entry : fs::recursive_directory_iterator(order.dir)) {
      REQUIRE(::lchown(entry.path().c_str(), kAgentUser, kAgentUser) == 0);
    }
    REQUIRE(::lchown(order.dir.c_str(), kAgentUser, kAgentUser) == 0);
    SUBCASE("when it works") {
      REQUIRE(restore_storage(order).has_value());
      CHECK(fs::exists(order.dir + "/before-restore/state.db"));
      CHECK(fs::exists(order.dir + "/as-new"));
    }
    SUBCASE("when the backup is none") {
      fs::resize_file(backup, fs::file_size(backup) - 4096);
      REQUIRE_FALSE(restore_storage(order).has_value());
    }

    CHECK(fs::exists(order.dir + "/lock"));
    for (const auto& entry : fs::recursive_directory_iterator(order.dir)) {
      struct stat info {};

      REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
      CAPTURE(entry.path().string());
      CHECK(info.st_uid == kAgentUser);
      CHECK(info.st_gid == kAgentUser);
    }
  }
}

}  // namespace
}  // namespace distcron::ctl
