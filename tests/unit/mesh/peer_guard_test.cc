// SPDX-License-Identifier: Apache-2.0
// What comes in from outside that no agent would send.
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/unique_fd.h"
#include "mesh/peer_sessions.h"
#include "mesh/zap.h"
#include "mesh_world.h"

namespace distcron::mesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

UniqueFd dial(const std::string& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  static_cast<void>(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to));
  return fd;
}

TEST_SUITE("mesh") {
  TEST_CASE("an unknown key, a wrong server key and no key at all come in nowhere") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    const KeyPair unknown_keys = fresh_keys();
    RawPeer unknown;
    unknown.as(unknown_keys, a.keys.public_key).to(a.address());
    RawPeer astray;
    astray.as(b.keys, fresh_keys().public_key).to(a.address());
    RawPeer null;
    null.to(a.address());
    RawPeer plain;
    plain.socket().set(zmq::sockopt::plain_username, "admin");
    plain.socket().set(zmq::sockopt::plain_password, "admin");
    plain.to(a.address());

    const bool all_ended = world.run_until([&] {
      return unknown.has_ended() && astray.has_ended() && null.has_ended() && plain.has_ended();
    });

    CHECK(all_ended);
    for (RawPeer* raw : {&unknown, &astray, &null, &plain})
      CHECK_FALSE(raw->was_open());
    CHECK(world.run_until([&] { return a.mesh->counters().failed_handshakes >= 3; }));
    CHECK(a.mesh->counters().refused_keys == 1);
    CHECK(a.mesh->counters().received == 0);
    const Refusals::Tally& stranger = a.mesh->refusals().of(Refusal::kUnknownKey);
    CHECK(stranger.count == 1);
    CHECK(stranger.last == "from=127.0.0.1 key=" + unknown_keys.public_key);
    // Those that hear that the other side wants CURVE may be faster to go than to be cut.
    const Refusals& refusals = a.mesh->refusals();
    CHECK(world.run_until([&] {
      return refusals.of(Refusal::kHandshake).count + refusals.of(Refusal::kLeft).count >= 3;
    }));
    // Who has gone before its coming was read is not named.
    const std::string& last = refusals.of(Refusal::kHandshake).last;
    CHECK((last.starts_with("from=127.0.0.1:") || last.starts_with("from=? ")));
    CHECK(world.deliver(b, a, "still served"));
  }

  TEST_CASE("bytes that are no handshake are refused and the mesh goes on") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    std::vector<UniqueFd> visitors;
    const std::vector<std::string> greetings = {
        std::string("\x01\x00", 2), std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0", 14),
        "GET / HTTP/1.1\r\n\r\n", std::string(70'000, '\xff'), ""};
    for (const std::string& bytes : greetings) {
      UniqueFd fd = dial(a.address());
      world.turn(milliseconds(1));
      CHECK(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0);
      visitors.push_back(std::move(fd));
    }

    REQUIRE(world.connect_all());
    CHECK(world.deliver(b, a, "served"));
    // The last one says nothing: it has its time.
    CHECK(world.run_until([&] { return a.mesh->refusals().of(Refusal::kHandshake).count >= 5; },
                          seconds(15)));
    CHECK(a.mesh->refusals().of(Refusal::kHandshake).last.ends_with("why=too-slow"));
    CHECK(a.mesh->refusals().of(Refusal::kHandshake).count == 5);
  }

  TEST_CASE("who only looks whether somebody listens is refused nothing") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    const std::int64_t before = a.mesh->counters().disconnected;

    dial(a.address()).reset();

    CHECK(world.run_until([&] { return a.mesh->counters().disconnected > before; }));
    CHECK(world.run_until([&] { return a.mesh->refusals().of(Refusal::kLeft).count == 1; }));
    CHECK(a.mesh->refusals().of(Refusal::kHandshake).count == 0);
    CHECK(world.deliver(b, a, "served"));
  }

  TEST_CASE("a message of many parts is not kept, and cuts its sender") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    MeshNode& c = world.add(3);
    REQUIRE(world.connect_all());
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());

    for (int i = 0; i < 10'000; ++i)
      raw.socket().send(zmq::str_buffer("part"), zmq::send_flags::sndmore);
    raw.send("last");

    CHECK(world.run_until([&] { return raw.has_ended(); }));
    CHECK(a.mesh->counters().too_many_parts == 1);
    CHECK(a.mesh->refusals().of(Refusal::kTooManyParts).last == "from=127.0.0.1 node=2");
    CHECK(a.mesh->counters().received == 0);
    CHECK(world.deliver(c, a, "served"));
  }

  TEST_CASE("a message that is too long cuts its sender, and tells who it was") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    MeshNode& c = world.add(3);
    REQUIRE(world.connect_all());
    for (const std::size_t size : {kPeerMessageBytesMax + 1, kPeerMessageBytesMax * 3}) {
      RawPeer raw;
      raw.as(b.keys, a.keys.public_key).to(a.address());
      raw.send(std::string(size, 'x'));
      CHECK(world.run_until([&] { return raw.has_ended(); }));
    }
    CHECK(a.mesh->counters().too_large == 2);
    CHECK(a.mesh->refusals().of(Refusal::kTooLarge).last == "from=127.0.0.1 node=2");

    RawPeer raw;  // as ZeroMQ does it
    raw.as(b.keys, a.keys.public_key).to(a.address());
    raw.send(std::string(kPeerMessageBytesMax * 5, 'x'));
    CHECK(world.run_until([&] { return raw.has_ended(); }));
    CHECK(a.mesh->counters().received == 0);
    CHECK(world.deliver(c, a, "served"));
  }

  TEST_CASE("a sender other than the owner of the key is dropped and counted") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    world.add(3);
    REQUIRE(world.connect_all());
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());

    raw.send(raw_message(PeerKind::kRaft, 3, "I am node 3"));
    raw.send(raw_message(PeerKind::kRaft, 0, "I am nobody"));
    raw.send(raw_message(PeerKind::kRaft, 2, "I am node 2"));

    REQUIRE(world.run_until([&] { return a.count(PeerKind::kRaft, "I am node 2") == 1; }));
    CHECK(a.mesh->counters().forged == 2);
    CHECK(a.mesh->counters().received == 1);
  }

  TEST_CASE("malformed messages are dropped and counted, and the sender is heard further") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());
    const std::string good = raw_message(PeerKind::kRaft, 2, "good");
    std::string other_kind = good;
    other_kind[4] = 99;
    std::string other_magic = good;
    other_magic[0] = 'X';
    std::string other_version = good;
    other_version[3] = 2;

    for (const std::string& bytes :
         {std::string(), std::string("short"), good.substr(0, kPeerHeaderBytes - 1), other_kind,
          other_magic, other_version, raw_message(PeerKind::kPing, 2, "no ping"),
          raw_message(PeerKind::kPong, 2, ""), raw_message(PeerKind::kCredit, 2, "?"),
          raw_message(PeerKind::kJoin, 2, ""), raw_message(PeerKind::kJoinReply, 2, "")}) {
      raw.send(bytes);
    }
    raw.socket().send(zmq::str_buffer("two"), zmq::send_flags::sndmore);
    raw.send(good);
    raw.send(good);

    REQUIRE(world.run_until([&] { return a.count(PeerKind::kRaft, "good") == 1; }));
    CHECK(a.mesh->counters().malformed == 11);
    CHECK(a.mesh->counters().other_version == 1);
    CHECK(a.mesh->counters().received == 1);
    CHECK_FALSE(raw.has_ended());
  }

  TEST_CASE("a message beyond the limit cuts its sender and nobody else") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    MeshNode& c = world.add(3);
    REQUIRE(world.connect_all());
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());

    raw.send(std::string(static_cast<std::size_t>(kPeerWireBytesMax) + 1, 'x'));

    CHECK(world.run_until([&] { return raw.has_ended(); }));
    CHECK(world.run_until([&] { return a.mesh->counters().disconnected >= 1; }));
    CHECK(a.mesh->counters().received == 0);
    CHECK(c.state_of(1).is_connected);
    CHECK(world.deliver(c, a, "served"));
  }

  TEST_CASE("while nobody answers the question of keys nobody is let in") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    a.mesh->set_peers({b.as_peer()});
    a.is_frozen = true;
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());

    const bool was_open = world.run_until([&] { return raw.was_open(); }, milliseconds(300));
    a.is_frozen = false;

    CHECK_FALSE(was_open);
    CHECK(world.run_until([&] { return raw.was_open(); }));
  }

  TEST_CASE("a socket that wants keys asks in a domain, and enforces it") {
    zmq::context_t context{1};
    zmq::socket_t door(context, zmq::socket_type::router);
    require_authentication(door, fresh_keys(), "distcron-mesh");
    constexpr int kZapEnforceDomain = 93;  // not named without the draft API
    int enforces = 0;
    std::size_t size = sizeof enforces;

    CHECK(door.get(zmq::sockopt::zap_domain) == "distcron-mesh");
    CHECK(::zmq_getsockopt(door.handle(), kZapEnforceDomain, &enforces, &size) == 0);
    CHECK(enforces == 1);
    CHECK(door.get(zmq::sockopt::mechanism) == ZMQ_CURVE);
  }

  TEST_CASE("a door whose context has no desk for keys lets nobody in") {
    zmq::context_t context{1};
    const KeyPair server = fresh_keys();
    zmq::socket_t door(context, zmq::socket_type::router);
    door.set(zmq::sockopt::linger, 0);
    door.set(zmq::sockopt::rcvtimeo, 300);
    require_authentication(door, server, "distcron-mesh");
    door.bind("tcp://127.0.0.1:*");
    RawPeer raw;
    raw.as(fresh_keys(), server.public_key).to(door.get(zmq::sockopt::last_endpoint));
    raw.socket().set(zmq::sockopt::sndtimeo, 0);
    static_cast<void>(raw.socket().send(zmq::str_buffer("hello"), zmq::send_flags::dontwait));

    zmq::message_t message;
    const bool has_come = door.recv(message).has_value();

    CHECK_FALSE(has_come);
    CHECK_FALSE(raw.was_open());
  }

  TEST_CASE("a desk answers only for its own domain, and there is one of it in a context") {
    zmq::context_t context{1};
    Refusals refusals("mesh");
    ZapDesk desk(context, "distcron-mesh", refusals, [](const auto&) { return true; });
    CHECK_THROWS_AS(ZapDesk(context, "other", refusals, [](const auto&) { return true; }),
                    zmq::error_t);
    const KeyPair server = fresh_keys();
    zmq::socket_t door(context, zmq::socket_type::router);
    door.set(zmq::sockopt::linger, 0);
    require_authentication(door, server, "distcron-control");
    door.bind("tcp://127.0.0.1:*");
    RawPeer raw;
    raw.as(fresh_keys(), server.public_key).to(door.get(zmq::sockopt::last_endpoint));

    const auto until = std::chrono::steady_clock::now() + seconds(5);
    while (!raw.has_ended() && std::chrono::steady_clock::now() < until) {
      zmq::pollitem_t item{desk.socket(), 0, ZMQ_POLLIN, 0};
      zmq::poll(&item, 1, milliseconds(5));
      desk.answer();
    }

    CHECK(raw.has_ended());
    CHECK_FALSE(raw.was_open());
    CHECK(desk.refused() == 1);
  }

  TEST_CASE("a member that opens many connections is remembered by the newest of them") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    std::vector<std::unique_ptr<RawPeer>> raws;
    constexpr int kConnections = static_cast<int>(PeerSessions::kPerKeyMax) + 4;
    for (int i = 0; i < kConnections; ++i) {
      raws.push_back(std::make_unique<RawPeer>());
      raws.back()->as(b.keys, a.keys.public_key).to(a.address());
      raws.back()->send(raw_message(PeerKind::kRaft, 2, "hi"));
      REQUIRE(world.run_until([&] { return a.count(PeerKind::kRaft, "hi") == i + 1; }));
    }

    a.mesh->set_peers({});
    const bool newest_ends = world.run_until([&] { return raws.back()->has_ended(); });
    // The oldest is not known any more; it is cut as soon as it says something.
    raws.front()->send(raw_message(PeerKind::kRaft, 2, "hi"));
    const bool oldest_ends = world.run_until([&] { return raws.front()->has_ended(); });

    CHECK(newest_ends);
    CHECK(oldest_ends);
    CHECK(a.mesh->counters().removed >= 1);
    CHECK(a.count(PeerKind::kRaft, "hi") == kConnections);
  }
}

}  // namespace
}  // namespace distcron::mesh
