// SPDX-License-Identifier: Apache-2.0
// What is read from the host: users, policy, cgroup mounts; and the output files.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "process/exec_cgroup.h"
#include "process/host_policy.h"
#include "process/job_env.h"
#include "process/output_writer.h"
#include "process/run_files.h"
#include "process/user_lookup.h"
#include "support/seed.h"

namespace distcron::process {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    std::string name = "/tmp/distcron-process.XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }

  ~Folder() { fs::remove_all(path); }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }

  std::string path;
};

struct Users {
  explicit Users(const std::string& passwd_text, const std::string& group_text)
      : passwd(folder.write("passwd", passwd_text)), group(folder.write("group", group_text)) {}

  Lookup find(const std::string& user, const std::string& wanted_group = {}) {
    *info = {};
    return lookup_in_files({passwd.c_str(), group.c_str(), "/nonexistent"}, user, wanted_group, 0,
                           *info);
  }

  Folder folder;
  std::string passwd;
  std::string group;
  std::unique_ptr<UserInfo> info = std::make_unique<UserInfo>();
};

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "broken line\n"
    "alice:x:1000:1000:Alice,,,:/home/alice:/bin/zsh\n"
    "bob:x:1001:1001::/home/bob:\n"
    "evil:x:4294967295:0::/:/bin/sh\n"
    "distcron:x:990:990::/var/lib/distcron:/usr/sbin/nologin\n"
    "alias:x:990:1000::/:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\nalice:x:1000:\nbob:x:1001:\naudio:x:29:alice,bob\ndistcron:x:990:bob\n";

}  // namespace

TEST_SUITE("process host") {
  TEST_CASE("a user is found with home, shell and all groups") {
    Users users(kPasswd, kGroup);

    REQUIRE(users.find("alice") == Lookup::kFound);
    CHECK(users.info->uid == 1000);
    CHECK(std::string(users.info->home.data()) == "/home/alice");
    CHECK(std::string(users.info->shell.data()) == "/bin/zsh");
    CHECK(users.info->group_count == 2);
    CHECK(users.info->groups[1] == 29);
    CHECK_FALSE(users.info->is_refused);
    REQUIRE(users.find("alice", "bob") == Lookup::kFound);
    CHECK(users.info->gid == 1001);
    REQUIRE(users.find("") == Lookup::kFound);
    CHECK(std::string(users.info->name.data()) == "root");
  }

  TEST_CASE("unknown users and groups, damaged lines and number -1 are not found") {
    Users users(kPasswd, kGroup);
    CHECK(users.find("carol") == Lookup::kNoUser);
    CHECK(users.find("alice", "wheel") == Lookup::kNoGroup);
    CHECK(users.find("evil") == Lookup::kNoUser);
    CHECK(users.find("broken line") == Lookup::kNoUser);
    CHECK(users.find("alic") == Lookup::kNoUser);
  }

  TEST_CASE("user distcron, its number under another name and members of its group are refused") {
    Users users(kPasswd, kGroup);
    for (const char* name : {"distcron", "alias", "bob"}) {
      CAPTURE(name);
      REQUIRE(users.find(name) == Lookup::kFound);
      CHECK(users.info->is_refused);
    }
    REQUIRE(users.find("alice", "distcron") == Lookup::kFound);
    CHECK(users.info->is_refused);
  }

  TEST_CASE("nsswitch.conf decides whether the files are enough") {
    const Folder folder;
    const auto check = [&](const std::string& text) {
      const std::string path = folder.write("nsswitch", text);
      return is_files_only({"", "", path.c_str()});
    };
    CHECK(check("passwd: files systemd\ngroup:\tfiles # ldap\nhosts: dns\n"));
    CHECK_FALSE(check("passwd: files ldap\n"));
    CHECK_FALSE(check("group: files [NOTFOUND=return] sss\n"));
    CHECK_FALSE(check("initgroups: sss\n"));
    CHECK(is_files_only({"", "", "/nonexistent/nsswitch"}));
  }

  TEST_CASE("the policy's small language is read, and anything else is an error with its line") {
    HostPolicy policy;
    CHECK(
        parse_policy("f",
                     "# c\n[jobs]\ncreated_elsewhere = 'users' # x\nallow_users = [ \"a\", 'b' ,]\n"
                     "deny_users=[]\nmax_running = 12\nallow_privileges = false\n",
                     policy)
            .empty());
    CHECK(policy.created_elsewhere == CreatedElsewhere::kUsers);
    CHECK(policy.allow_users == std::vector<std::string>{"a", "b"});
    CHECK(policy.max_running == 12);
    CHECK_FALSE(policy.allow_privileges);

    struct Row {
      const char* text;
      const char* error;
    };

    const Row rows[] = {
        {"max_running = 1", "f:1: a key stands before the section [jobs]"},
        {"[other]", "f:1: the only section is [jobs]"},
        {"[jobs]\nfoo", "f:2: expected key = value"},
        {"[jobs]\nmax_running = -1", "f:2: max_running is a whole number"},
        {"[jobs]\ncreated_elsewhere = \"some\"",
         "f:2: created_elsewhere is one of \"all\", \"users\", \"none\""},
        {"[jobs]\nallow_users = [\"a\" \"b\"]",
         "f:2: allow_users is a list of texts on one line, such as [\"a\", \"b\"]"},
        {"[jobs]\nallow_users = [\"a\"",
         "f:2: allow_users is a list of texts on one line, such as [\"a\", \"b\"]"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      CHECK(parse_policy("f", row.text, policy) == row.error);
    }
  }

  TEST_CASE("created elsewhere with a list of users needs the user on it") {
    HostPolicy policy;
    policy.created_elsewhere = CreatedElsewhere::kUsers;
    policy.allow_users = {"alice"};
    PolicyView plan;
    plan.header.flags = kPlanCreatedElsewhere | kPlanNoNewPrivs;
    plan.user = "alice";
    CHECK(refusal(policy, plan, "root", 0).empty());
    plan.user = "";
    CHECK(refusal(policy, plan, "root", 0) == "this host's policy does not allow user 'root'");
  }

  TEST_CASE("the cgroup mount is found beside v1 controllers") {
    CHECK(find_cgroup_mount(
              "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
              "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n") ==
          "/sys/fs/cgroup/unified");
    CHECK(find_cgroup_mount("41 31 0:38 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 c rw\n")
              .empty());
    CHECK(find_own_cgroup("9:name=systemd:/\n0::/system.slice/x.service\n") ==
          "/system.slice/x.service");
  }

  TEST_CASE("any sequence of writes keeps head and tail exactly and counts the cut") {
    Rng rng(test::seed());
    for (int round = 0; round < 60; ++round) {
      const Folder folder;
      fs::create_directories(folder.path + "/out/1/1");
      const UniqueFd dir(open((folder.path + "/out/1/1").c_str(), O_RDONLY | O_DIRECTORY));
      const auto limit = static_cast<std::int64_t>(4'096 + rng.below(20'000));
      OutputWriter writer(dir.get(), "out", limit);
      std::string all;
      for (std::uint64_t i = 0; i < rng.below(60); ++i) {
        std::string part(rng.below(3'000), ' ');
        for (char& c : part)
          c = static_cast<char>(rng.below(256));
        writer.append(std::as_bytes(std::span(part)));
        all += part;
      }
      const StoredRunFiles files(folder.path);
      std::string got;
      std::int64_t dropped = 0;
      std::int64_t offset = 0;
      for (;;) {
        const auto chunk = files.read({1, 1}, Stream::kOut, offset,
                                      static_cast<std::int64_t>(1 + rng.below(5'000)));
        REQUIRE(chunk);
        if (chunk->bytes.empty()) break;
        const auto start = static_cast<std::size_t>(chunk->next_offset) - chunk->bytes.size();
        CHECK(all.compare(start, chunk->bytes.size(), chunk->bytes) == 0);
        dropped += chunk->dropped;
        got += chunk->bytes;
        offset = chunk->next_offset;
      }
      const auto total = static_cast<std::int64_t>(all.size());
      CHECK(offset == total);
      CHECK(dropped == writer.count().cut());
      CHECK(static_cast<std::int64_t>(got.size()) == writer.count().kept);
      CHECK(writer.count().written == total);
      CHECK(writer.count().kept <= limit);
      if (total <= limit) CHECK(got == all);
      if (total > limit) CHECK(writer.count().kept * 4 >= limit * 3 - 8);
    }
  }

  TEST_CASE("bytes that could not be written are a gap, and later ones keep their place") {
    const Folder folder;
    fs::create_directories(folder.path + "/out/1/1");
    const std::string path = folder.path + "/out/1/1";
    const UniqueFd dir(open(path.c_str(), O_RDONLY | O_DIRECTORY));
    OutputWriter writer(dir.get(), "out", 4'096);
    const std::string head(2'048, 'h');
    writer.append(std::as_bytes(std::span(head)));
    fs::create_directory(path + "/out.2048");  // opening the next file fails

    writer.append(std::as_bytes(std::span("lost", 4)));
    writer.append(std::as_bytes(std::span("kept", 4)));

    CHECK(writer.first_errno() == EISDIR);
    CHECK(writer.count().cut() == 4);
    fs::remove(path + "/out.2048");
    const StoredRunFiles files(folder.path);
    const auto chunk = files.read({1, 1}, Stream::kOut, 2'048, 100);
    REQUIRE(chunk);
    CHECK(chunk->dropped == 4);
    CHECK(chunk->bytes == "kept");
  }
}

}  // namespace distcron::process
