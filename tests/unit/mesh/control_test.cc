// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "door.h"
#include "mesh/control_client.h"
#include "support/temp_dir.h"

namespace distcron::mesh {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr Millis kPatience{5000};

std::string ipc(const test::TempDir& temp) {
  return "ipc://" + temp.file("control.sock");
}

Result<std::string> ask(const std::string& endpoint, const KeyFile& key, std::string_view text,
                        Millis timeout = kPatience) {
  auto client = ControlClient::connect(endpoint, key);
  if (!client) return fail(client.error());
  return (*client)->request(text, timeout);
}

/// A socket that is not ours, with what its monitor saw.
class RawClient {
 public:
  RawClient() : socket_(context_, zmq::socket_type::dealer), monitor_(context_, 0) {
    socket_.set(zmq::sockopt::linger, 0);
    REQUIRE(zmq_socket_monitor(socket_.handle(), "inproc://raw", ZMQ_EVENT_ALL) == 0);
    monitor_.connect("inproc://raw");
  }

  ~RawClient() { zmq_socket_monitor(socket_.handle(), nullptr, 0); }

  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  zmq::socket_t& socket() { return socket_; }

  /// Waits until the server has cut the connection, or its handshake has failed.
  [[nodiscard]] bool is_cut() {
    monitor_.set(zmq::sockopt::rcvtimeo, 5000);
    zmq::message_t event;
    while (monitor_.recv(event)) {
      std::uint16_t kind = 0;
      std::memcpy(&kind, event.data(), sizeof kind);
      zmq::message_t address;
      static_cast<void>(monitor_.recv(address));
      constexpr int kCut = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
      if ((kind & kCut) != 0) return true;
    }
    return false;
  }

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
};

void use_curve(zmq::socket_t& socket, const KeyPair& pair, const std::string& server_key) {
  socket.set(zmq::sockopt::curve_serverkey, server_key);
  socket.set(zmq::sockopt::curve_publickey, pair.public_key);
  socket.set(zmq::sockopt::curve_secretkey, pair.secret_key);
}

TEST_SUITE("mesh") {
  TEST_CASE("a known key is let in, and its user id is what it proved to own") {
    const test::TempDir temp;
    const KeyPair a = key_pair();
    const KeyPair b = key_pair();
    const Door door({ipc(temp), "tcp://127.0.0.1:*"}, {a.public_key, b.public_key});

    for (const KeyPair* pair : {&a, &b, &a}) {
      const auto reply = ask(ipc(temp), door.key_file(*pair), "hello");
      REQUIRE(reply.has_value());
      CHECK(*reply == pair->public_key + " hello");
    }
    CHECK((fs::status(temp.file("control.sock")).permissions() & fs::perms::all) ==
          static_cast<fs::perms>(0666));
  }

  TEST_CASE("an unknown key is refused quickly, a wrong server key in time; others are served") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    KeyFile wrong_server = door.key_file(known);
    wrong_server.server_key = key_pair().public_key;

    const auto unknown = ask(ipc(temp), door.key_file(key_pair()), "hello");
    const auto astray = ask(ipc(temp), wrong_server, "hello", Millis(500));
    const auto served = ask(ipc(temp), door.key_file(known), "hello");
    door.stop();

    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().code == ErrorCode::kDenied);
    REQUIRE_FALSE(astray.has_value());
    CHECK(astray.error().code == ErrorCode::kUnavailable);
    CHECK(astray.error().hint.find("server_key") != std::string::npos);
    CHECK(served.has_value());
    CHECK(door.served() == 1);
    CHECK(door.counters().refused_keys == 1);
  }

  TEST_CASE("who is refused before it has asked anything is told so, and does not wait for ever") {
    const test::TempDir temp;
    const Door door({ipc(temp)}, {});
    constexpr int kClients = 20;
    std::vector<std::unique_ptr<ControlClient>> clients;
    for (int i = 0; i < kClients; ++i) {
      auto client = ControlClient::connect(ipc(temp), door.key_file(key_pair()));
      REQUIRE(client.has_value());
      clients.push_back(std::move(*client));
    }
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (door.refused() < kClients && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    REQUIRE(door.refused() >= kClients);

    for (auto& client : clients) {
      const auto reply = client->request("hello", kPatience);
      REQUIRE_FALSE(reply.has_value());
      CHECK(reply.error().code == ErrorCode::kDenied);
    }
  }

  TEST_CASE("connections that are cut before they are open are no refusal of the key") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    const Door door({"ipc://" + temp.file("next.sock")}, {known.public_key});
    Result<std::string> reply = fail(ErrorCode::kInvalid, "not asked");
    std::thread asking;
    {
      UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      temp.file("control.sock").copy(static_cast<char*>(address.sun_path), 107);
      REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
              0);
      REQUIRE(::listen(listener.get(), 16) == 0);
      const timeval patience{5, 0};
      ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      asking =
          std::thread([&] { reply = ask(ipc(temp), door.key_file(known), "hi", Millis(20'000)); });
      // Those that say something are sessions, the others only look whether somebody listens.
      for (int cuts = 0; cuts < 4;) {
        const UniqueFd visitor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!visitor) break;  // it gave up
        std::array<char, 64> greeting{};
        if (::recv(visitor.get(), greeting.data(), greeting.size(), 0) > 0) ++cuts;
      }
      // At no time there is nobody who listens.
      fs::rename(temp.file("next.sock"), temp.file("control.sock"));
    }
    asking.join();

    CAPTURE(reply.has_value() ? "" : reply.error().message);
    REQUIRE(reply.has_value());
    CHECK(*reply == known.public_key + " hi");
  }

  TEST_CASE("without an answer to the question of keys nobody is let in") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    const KeyPair server = key_pair();
    zmq::context_t context{1};
    const auto door =
        ControlServer::make(context, server, {ipc(temp)}, [](const auto&) { return true; });
    REQUIRE(door.has_value());

    const auto reply = ask(ipc(temp), {"t", known.public_key, known.secret_key, server.public_key},
                           "hello", Millis(200));

    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().code == ErrorCode::kTimeout);
    CHECK((*door)->receive(1).empty());
  }

  TEST_CASE("mechanisms other than CURVE are refused and the door goes on") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    {
      RawClient null;
      null.socket().connect(ipc(temp));
      null.socket().send(zmq::str_buffer("hello"), zmq::send_flags::none);
      CHECK(null.is_cut());
      RawClient plain;
      plain.socket().set(zmq::sockopt::plain_username, "admin");
      plain.socket().set(zmq::sockopt::plain_password, "admin");
      plain.socket().connect(ipc(temp));
      plain.socket().send(zmq::str_buffer("hello"), zmq::send_flags::none);
      CHECK(plain.is_cut());
    }

    CHECK(ask(ipc(temp), door.key_file(known), "hello").has_value());
    door.stop();

    CHECK(door.served() == 1);
  }

  TEST_CASE("bytes that are no handshake are refused and the door goes on") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    temp.file("control.sock").copy(static_cast<char*>(address.sun_path), 107);
    std::vector<UniqueFd> visitors;
    const std::vector<std::string> greetings = {
        std::string("\x01\x00", 2), std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0", 14),
        "GET / HTTP/1.1\r\n\r\n", std::string(70'000, '\xff')};
    for (const std::string& bytes : greetings) {
      UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
              0);
      CHECK(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
      visitors.push_back(std::move(fd));
    }

    CHECK(ask(ipc(temp), door.key_file(known), "hello").has_value());
    door.stop();

    CHECK(door.served() == 1);
  }

  TEST_CASE("a message beyond the limit cuts its sender and nobody else") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    const std::string large(static_cast<std::size_t>(kMessageBytesMax) + 1, 'x');
    const std::string most(static_cast<std::size_t>(kMessageBytesMax) / 2, 'x');
    RawClient raw;
    use_curve(raw.socket(), known, door.keys().public_key);
    raw.socket().connect(ipc(temp));
    raw.socket().send(zmq::buffer(large), zmq::send_flags::none);
    CHECK(raw.is_cut());

    const auto refused = ask(ipc(temp), door.key_file(known), large);
    const auto taken = ask(ipc(temp), door.key_file(known), most);
    door.stop();

    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::kInvalid);
    CHECK(taken.has_value());
    CHECK(door.served() == 1);
  }

  TEST_CASE("messages of other than one frame are counted and dropped") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    RawClient raw;
    use_curve(raw.socket(), known, door.keys().public_key);
    raw.socket().connect(ipc(temp));
    raw.socket().send(zmq::str_buffer("two"), zmq::send_flags::sndmore);
    raw.socket().send(zmq::str_buffer("frames"), zmq::send_flags::none);
    raw.socket().send(zmq::str_buffer("one"), zmq::send_flags::none);
    zmq::message_t reply;
    raw.socket().set(zmq::sockopt::rcvtimeo, 5000);
    CHECK(raw.socket().recv(reply).has_value());
    door.stop();

    CHECK(door.served() == 1);
    CHECK(door.counters().malformed == 1);
  }

  TEST_CASE("a message of many parts cuts its sender and nobody else") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    RawClient raw;
    use_curve(raw.socket(), known, door.keys().public_key);
    raw.socket().connect(ipc(temp));
    for (int i = 0; i < 10'000; ++i)
      raw.socket().send(zmq::str_buffer("part"), zmq::send_flags::sndmore);
    raw.socket().send(zmq::str_buffer("last"), zmq::send_flags::none);
    CHECK(raw.is_cut());

    const auto served = ask(ipc(temp), door.key_file(known), "one");
    door.stop();

    CHECK(served.has_value());
    CHECK(door.served() == 1);
    CHECK(door.counters().too_many_parts == 1);
    CHECK(door.counters().malformed == 0);
  }

  TEST_CASE("a message that is too long cuts its sender and nobody else") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    for (const std::int64_t size : {kMessageBytesMax + 1, kMessageBytesMax * 5}) {
      RawClient raw;
      use_curve(raw.socket(), known, door.keys().public_key);
      raw.socket().connect(ipc(temp));
      raw.socket().send(zmq::message_t(std::string(static_cast<std::size_t>(size), 'x')),
                        zmq::send_flags::none);
      CHECK(raw.is_cut());
    }

    const auto served = ask(ipc(temp), door.key_file(known), "one");
    door.stop();

    CHECK(served.has_value());
    CHECK(door.served() == 1);
    CHECK(door.counters().too_large == 1);
  }

  TEST_CASE("many clients at once are all answered") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    Door door({ipc(temp)}, {known.public_key});
    constexpr int kClients = 40;
    std::vector<std::unique_ptr<ControlClient>> clients;
    for (int i = 0; i < kClients; ++i) {
      auto client = ControlClient::connect(ipc(temp), door.key_file(known));
      REQUIRE(client.has_value());
      clients.push_back(std::move(*client));
    }
    for (int round = 0; round < 3; ++round) {
      for (auto& client : clients)
        CHECK(client->request("hello", kPatience).has_value());
    }
    door.stop();

    CHECK(door.served() == 3 * kClients);
  }

  TEST_CASE("a client goes on after the agent was started anew") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    const KeyPair server = key_pair();
    auto door = std::make_unique<Door>(std::vector{ipc(temp)}, std::set{known.public_key}, server);
    auto client = ControlClient::connect(ipc(temp), door->key_file(known));
    REQUIRE(client.has_value());
    CHECK((*client)->request("one", kPatience).has_value());
    door.reset();
    door = std::make_unique<Door>(std::vector{ipc(temp)}, std::set{known.public_key}, server);

    bool is_answered = false;
    for (int tries = 0; tries < 20 && !is_answered; ++tries) {
      is_answered = (*client)->request("two", Millis(500)).has_value();
    }

    CHECK(is_answered);
  }

  TEST_CASE("a late answer is not taken for the answer to the next request") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    const KeyPair server = key_pair();
    zmq::context_t context{1};
    auto door = ControlServer::make(context, server, {ipc(temp)}, [](const auto&) { return true; });
    REQUIRE(door.has_value());
    auto client = ControlClient::connect(
        ipc(temp), {"t", known.public_key, known.secret_key, server.public_key});
    REQUIRE(client.has_value());

    std::vector<Incoming> first;
    std::thread slow([&] {
      while (first.size() < 2) {
        for (Incoming& incoming : (*door)->receive(10))
          first.push_back(std::move(incoming));
        for (std::size_t i = 1; i < first.size(); ++i) {
          static_cast<void>((*door)->send(first[0].peer, "late"));
          static_cast<void>((*door)->send(first[i].peer, "answer to " + first[i].bytes));
        }
      }
    });
    const auto late = (*client)->request("one", Millis(100));
    const auto next = (*client)->request("two", kPatience);
    slow.join();

    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == ErrorCode::kTimeout);
    REQUIRE(next.has_value());
    CHECK(*next == "answer to two");
  }

  TEST_CASE("an agent that goes away is told at once, before the time is over") {
    const test::TempDir temp;
    const KeyPair known = key_pair();
    const KeyPair server = key_pair();
    auto context = std::make_unique<zmq::context_t>(1);
    auto door =
        ControlServer::make(*context, server, {ipc(temp)}, [](const auto&) { return true; });
    REQUIRE(door.has_value());
    auto client = ControlClient::connect(
        ipc(temp), {"t", known.public_key, known.secret_key, server.public_key});
    REQUIRE(client.has_value());

    std::thread dying([&] {
      while ((*door)->receive(10).empty())
        std::this_thread::yield();
      door->reset();
      context.reset();
    });
    const auto start = std::chrono::steady_clock::now();
    const auto broken = (*client)->request("one", Millis(20'000));
    dying.join();
    const auto after = (*client)->request("two", Millis(20'000));

    CHECK(std::chrono::steady_clock::now() - start < milliseconds(5000));
    CHECK(broken.error().code == ErrorCode::kTimeout);
    CHECK(after.error().code == ErrorCode::kUnavailable);
  }

  TEST_CASE("where nobody listens the client knows at once") {
    const test::TempDir temp;
    const KeyPair pair = key_pair();
    const KeyFile key{"t", pair.public_key, pair.secret_key, pair.public_key};
    { std::ofstream(temp.file("stale.sock")) << ""; }
    const auto start = std::chrono::steady_clock::now();

    const auto absent = ask(ipc(temp), key, "hello");
    const auto stale = ask("ipc://" + temp.file("stale.sock"), key, "hello");
    const auto closed = ask("tcp://127.0.0.1:1", key, "hello");
    const auto other = ask("http://127.0.0.1", key, "hello");
    const auto no_server =
        ask(ipc(temp), KeyFile{"t", pair.public_key, pair.secret_key, {}}, "hello");

    CHECK(std::chrono::steady_clock::now() - start < milliseconds(2000));
    CHECK(absent.error().code == ErrorCode::kUnavailable);
    CHECK(absent.error().hint.find("distcrond") != std::string::npos);
    CHECK(stale.error().code == ErrorCode::kUnavailable);
    CHECK(closed.error().code == ErrorCode::kUnavailable);
    CHECK(other.error().code == ErrorCode::kInvalid);
    CHECK(no_server.error().code == ErrorCode::kInvalid);
  }

  TEST_CASE("the door takes over a socket that was left, and no other file") {
    const test::TempDir temp;
    const KeyPair keys = key_pair();
    const auto known = [](const std::string&) { return true; };
    const std::string path = temp.file("control.sock");
    {
      UniqueFd left(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(static_cast<char*>(address.sun_path), 107);
      REQUIRE(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    const std::string plain = temp.file("plain");
    { std::ofstream(plain) << "text"; }
    std::array<zmq::context_t, 5> contexts;

    const auto taken = ControlServer::make(contexts[0], keys, {ipc(temp)}, known);
    const auto busy = ControlServer::make(contexts[1], keys, {ipc(temp)}, known);
    const auto file = ControlServer::make(contexts[2], keys, {"ipc://" + plain}, known);
    const auto long_path = ControlServer::make(
        contexts[3], keys, {"ipc://" + temp.file(std::string(120, 'x'))}, known);
    const auto elsewhere =
        ControlServer::make(contexts[4], keys, {"ipc://" + temp.file("no/dir/x.sock")}, known);

    CHECK(taken.has_value());
    REQUIRE_FALSE(busy.has_value());
    CHECK(busy.error().code == ErrorCode::kUnavailable);
    REQUIRE_FALSE(file.has_value());
    CHECK(fs::file_size(plain) == 4);
    REQUIRE_FALSE(long_path.has_value());
    CHECK(long_path.error().code == ErrorCode::kInvalid);
    CHECK(long_path.error().message.find("107") != std::string::npos);
    CHECK_FALSE(elsewhere.has_value());
  }

  TEST_CASE("a reply to a client that has gone is refused") {
    const test::TempDir temp;
    const KeyPair server = key_pair();
    zmq::context_t context{1};
    auto door = ControlServer::make(context, server, {ipc(temp)}, [](const auto&) { return true; });
    REQUIRE(door.has_value());

    const Status gone = (*door)->send(std::string("\0abcde", 6), "reply");
    const Status nonsense = (*door)->send("", "reply");

    REQUIRE_FALSE(gone.has_value());
    CHECK(gone.error().code == ErrorCode::kUnavailable);
    CHECK_FALSE(nonsense.has_value());
    CHECK((*door)->counters().undeliverable == 2);
  }
}

}  // namespace
}  // namespace distcron::mesh
