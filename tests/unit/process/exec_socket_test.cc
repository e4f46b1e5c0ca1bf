// SPDX-License-Identifier: Apache-2.0
#include "process/exec_socket.h"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "support/temp_dir.h"

namespace distcron::process {
namespace {

/// What a guard holds for its life.
struct Owner {
  UniqueFd lock;
  AgentSocket socket;
};

Owner take_place(const std::string& run_dir, const std::string& path) {
  std::string error;
  Owner owner;
  owner.lock = lock_run_dir(run_dir, error);
  if (owner.lock) owner.socket = listen_for_agent(path, -1, error);
  CHECK(error == "");
  REQUIRE(owner.socket.fd);
  return owner;
}

struct Fixture {
  test::TempDir folder;
  std::string run_dir = folder.file("run");
  std::string path = folder.file("run/exec.sock");

  Fixture() { std::filesystem::create_directory(run_dir); }

  void make_storage_again() const {
    std::filesystem::remove_all(run_dir);
    std::filesystem::create_directory(run_dir);
  }
};

TEST_SUITE("process") {
  TEST_CASE_FIXTURE(Fixture, "an executor that ends removes its socket") {
    const Owner own = take_place(run_dir, path);
    remove_own_socket(path, own.socket, run_dir, own.lock);
    CHECK_FALSE(std::filesystem::exists(path));
  }

  TEST_CASE_FIXTURE(Fixture, "an executor that ends leaves the socket of one in its place") {
    const Owner old = take_place(run_dir, path);
    make_storage_again();
    const Owner fresh = take_place(run_dir, path);

    remove_own_socket(path, old.socket, run_dir, old.lock);

    CHECK(std::filesystem::is_socket(path));
    remove_own_socket(path, fresh.socket, run_dir, fresh.lock);
    CHECK_FALSE(std::filesystem::exists(path));
  }

  TEST_CASE_FIXTURE(Fixture, "a socket of somebody who holds no lock is left as well") {
    const Owner old = take_place(run_dir, path);
    make_storage_again();
    std::string error;
    const AgentSocket fresh = listen_for_agent(path, -1, error);

    remove_own_socket(path, old.socket, run_dir, old.lock);

    CHECK(fresh.fd);
    CHECK(std::filesystem::is_socket(path));
  }

  TEST_CASE_FIXTURE(Fixture, "a socket elsewhere goes although the folder of the lock is gone") {
    const std::string elsewhere = folder.file("exec.sock");
    const Owner own = take_place(run_dir, elsewhere);
    std::filesystem::remove_all(run_dir);

    remove_own_socket(elsewhere, own.socket, run_dir, own.lock);

    CHECK_FALSE(std::filesystem::exists(elsewhere));
  }
}

}  // namespace
}  // namespace distcron::process
