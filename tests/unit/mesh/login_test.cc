// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "door.h"
#include "mesh/login_server.h"
#include "support/temp_dir.h"

namespace distcron::mesh {
namespace {

namespace fs = std::filesystem;

/// A LoginServer with a loop of its own; the handler runs on that loop.
class Desk {
 public:
  Desk(const std::string& path, LoginServer::Handler handler) {
    auto server = LoginServer::make(path, std::move(handler));
    REQUIRE(server.has_value());
    server_ = std::move(*server);
    thread_ = std::thread([this] {
      while (!stops_) {
        std::vector<pollfd> fds;
        for (const auto& [fd, events] : server_->poll_fds())
          fds.push_back({fd, events, 0});
        ::poll(fds.data(), fds.size(), 10);
        server_->poll();
      }
    });
  }

  ~Desk() {
    stops_ = true;
    thread_.join();
  }

  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

 private:
  std::unique_ptr<LoginServer> server_;
  std::atomic<bool> stops_ = false;
  std::thread thread_;
};

UniqueFd visit(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), 107);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

std::string say(const UniqueFd& fd, std::string_view text) {
  CHECK(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0);
  std::string reply(400, '\0');
  const ssize_t count = ::recv(fd.get(), reply.data(), reply.size(), 0);
  reply.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return reply;
}

TEST_SUITE("mesh") {
  TEST_CASE("a user's key is registered under the uid that the kernel tells") {
    const test::TempDir temp;
    const std::string path = temp.file("login.sock");
    const std::string mine = key_pair().public_key;
    const std::string theirs = key_pair().public_key;
    const Desk desk(
        path,
        [&](std::uint32_t uid, std::uint32_t gid, const std::string& key) -> Result<std::string> {
          if (uid != ::getuid() || gid != ::getgid())
            return fail(ErrorCode::kDenied, "who is this");
          if (key != mine) return fail(ErrorCode::kDenied, "cron.deny names you");
          return theirs;
        });

    const auto granted = login(path, mine);
    const auto refused = login(path, theirs);
    const auto nonsense = login(path, "no key at all");

    REQUIRE(granted.has_value());
    CHECK(*granted == theirs);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::kDenied);
    CHECK(refused.error().message.find("cron.deny names you") != std::string::npos);
    CHECK_FALSE(nonsense.has_value());
    CHECK((fs::status(path).permissions() & fs::perms::all) == static_cast<fs::perms>(0666));
  }

  TEST_CASE("visitors that are slow, silent or talk too much hold up nobody") {
    const test::TempDir temp;
    const std::string path = temp.file("login.sock");
    const std::string key = key_pair().public_key;
    const Desk desk(
        path, [](auto, auto, const std::string& given) { return Result<std::string>(given); });
    std::vector<UniqueFd> silent;
    for (int i = 0; i < 20; ++i)
      silent.push_back(visit(path));

    const UniqueFd slow = visit(path);
    CHECK(::send(slow.get(), key.data(), 10, MSG_NOSIGNAL) == 10);
    const std::string babble = say(visit(path), std::string(1000, 'x'));
    const auto other = login(path, key);
    const std::string reply = say(slow, key.substr(10) + "\n");

    CHECK(babble.empty());
    CHECK(other.has_value());
    CHECK(reply == "ok " + key + "\n");
  }

  TEST_CASE("the login socket takes over one that was left, and no other file") {
    const test::TempDir temp;
    const std::string path = temp.file("login.sock");
    const auto handler = [](auto, auto, const std::string& key) {
      return Result<std::string>(key);
    };
    { std::ofstream(temp.file("plain")) << "text"; }
    auto first = LoginServer::make(path, handler);
    REQUIRE(first.has_value());

    const auto busy = LoginServer::make(path, handler);
    first->reset();
    const auto taken = LoginServer::make(path, handler);
    const auto file = LoginServer::make(temp.file("plain"), handler);
    const auto long_path = LoginServer::make(temp.file(std::string(120, 'x')), handler);

    REQUIRE_FALSE(busy.has_value());
    CHECK(busy.error().code == ErrorCode::kUnavailable);
    CHECK(taken.has_value());
    CHECK_FALSE(file.has_value());
    CHECK(fs::file_size(temp.file("plain")) == 4);
    REQUIRE_FALSE(long_path.has_value());
    CHECK(long_path.error().code == ErrorCode::kInvalid);
    CHECK(login(temp.file("absent"), key_pair().public_key).error().code ==
          ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace distcron::mesh
