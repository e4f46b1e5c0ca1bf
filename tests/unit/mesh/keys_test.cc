// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "door.h"
#include "support/temp_dir.h"

namespace distcron::mesh {
namespace {

namespace fs = std::filesystem;

KeyFile sample() {
  const KeyPair pair = key_pair();
  return {"admin@host-a", pair.public_key, pair.secret_key, key_pair().public_key};
}

void touch(const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << "x";
}

TEST_SUITE("mesh") {
  TEST_CASE("key pairs are fresh and of 40 characters") {
    const KeyPair a = key_pair();
    const KeyPair b = key_pair();

    CHECK(is_key_text(a.public_key));
    CHECK(is_key_text(a.secret_key));
    CHECK(a.public_key != b.public_key);
    CHECK_FALSE(is_key_text(a.public_key + "0"));
    CHECK_FALSE(is_key_text(std::string(40, '\'')));
    CHECK_FALSE(is_key_text(""));
  }

  TEST_CASE("a key file comes back as it was saved, with its mode and group") {
    const test::TempDir temp;
    const std::string path = temp.file("admin.key");
    const KeyFile key = sample();
    touch(path);
    fs::permissions(path, fs::perms::all);

    REQUIRE(save_key_file(path, key, 0640, ::getegid()).has_value());
    const auto loaded = load_key_file(path);

    REQUIRE(loaded.has_value());
    CHECK(loaded->name == key.name);
    CHECK(loaded->public_key == key.public_key);
    CHECK(loaded->secret_key == key.secret_key);
    CHECK(loaded->server_key == key.server_key);

    struct stat facts {};

    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0640);
    CHECK(facts.st_gid == ::getegid());
    CHECK(std::distance(fs::directory_iterator(temp.path()), {}) == 1);
  }

  TEST_CASE("what is wrong in a key file is named with its line") {
    const KeyFile key = sample();
    const std::string pair =
        "public_key = '" + key.public_key + "'\nsecret_key = '" + key.secret_key + "'\n";

    struct Row {
      std::string text;
      std::string expected;
    };

    const std::vector<Row> rows = {
        {"# nothing\n", "needs public_key and secret_key"},
        {pair + "colour = \"red\"\n", "f.key:3: unknown key"},
        {pair + "server_key = \"short\"\n", "f.key:3: server_key is not a key"},
        {"name = admin\n" + pair, "f.key:1: the value is not quoted"},
        {"name\n", "f.key:1: not KEY"},
    };

    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto parsed = parse_key_file(row.text, "f.key");
      REQUIRE_FALSE(parsed.has_value());
      CHECK(parsed.error().code == ErrorCode::kInvalid);
      CHECK(parsed.error().message.find(row.expected) != std::string::npos);
    }
    CHECK(parse_key_file("\r\n  # c\n" + pair, "f.key").has_value());
    CHECK(load_key_file("/nonexistent/f.key").error().code == ErrorCode::kNotFound);
  }

  TEST_CASE("the first readable key file wins, and one that was named must be readable") {
    const test::TempDir temp;
    KeyPlaces places;
    places.home = temp.file("home");
    places.state_home = temp.file("state");
    touch(temp.file("state/keys/admin.key"));
    const auto state = find_key_file(places);
    touch(temp.file("home/.config/distcron/client.key"));
    const auto home = find_key_file(places);
    touch(temp.file("env.key"));
    places.environment = temp.file("env.key");
    const auto environment = find_key_file(places);
    places.option = temp.file("absent.key");
    const auto absent = find_key_file(places);

    CHECK(state.value() == temp.file("state/keys/admin.key"));
    CHECK(home.value() == temp.file("home/.config/distcron/client.key"));
    CHECK(environment.value() == temp.file("env.key"));
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().message.find("absent.key") != std::string::npos);
  }

  TEST_CASE("the server's key is made once and kept") {
    const test::TempDir temp;

    const auto made = load_or_make_key(temp.path(), "server");
    const auto kept = load_or_make_key(temp.path(), "server");

    REQUIRE(made.has_value());
    REQUIRE(kept.has_value());
    CHECK(made->secret_key == kept->secret_key);
    CHECK((fs::status(temp.file("server.key")).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
  }

  TEST_CASE("no public key reads as a flag on a command line") {
    for (int i = 0; i < 300; ++i) {
      const auto pair = make_key_pair();
      REQUIRE(pair.has_value());
      CHECK(pair->public_key.front() != '-');
    }
  }
}

}  // namespace
}  // namespace distcron::mesh
