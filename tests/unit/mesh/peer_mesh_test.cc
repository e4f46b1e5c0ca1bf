// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "mesh_world.h"

namespace distcron::mesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_SUITE("mesh") {
  TEST_CASE("two agents exchange messages of each kind, with their ids") {
    for (const std::string listen : {"tcp://127.0.0.1:*", "tcp://[::1]:*"}) {
      CAPTURE(listen);
      MeshWorld world;
      MeshNode& a = world.add(1, listen);
      MeshNode& b = world.add(2, listen);
      REQUIRE(world.connect_all());

      CHECK(a.mesh->send(2, PeerKind::kRaft, "append", 0).has_value());
      CHECK(a.mesh->send(2, PeerKind::kRequest, "run job", 42).has_value());
      CHECK(b.mesh->send(1, PeerKind::kReply, "", 42).has_value());

      REQUIRE(world.run_until([&] { return a.inbox.size() == 1 && b.inbox.size() == 2; }));
      CHECK(b.inbox[0].from == 1);
      CHECK(b.inbox[0].kind == PeerKind::kRaft);
      CHECK(b.inbox[0].bytes == "append");
      CHECK(b.inbox[1].kind == PeerKind::kRequest);
      CHECK(b.inbox[1].id == 42);
      CHECK(a.inbox[0].kind == PeerKind::kReply);
      CHECK(a.inbox[0].id == 42);
      CHECK(a.inbox[0].bytes.empty());
      CHECK(a.inbox[0].incarnation == 1);
    }
  }

  TEST_CASE("three agents reach each other, and know round trip and clocks") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    MeshNode& c = world.add(3);
    REQUIRE(world.connect_all());

    for (MeshNode* from : {&a, &b, &c}) {
      for (MeshNode* to : {&a, &b, &c}) {
        if (from != to) CHECK(world.deliver(*from, *to, "hello from " + std::to_string(from->id)));
      }
    }
    const bool is_measured = world.run_until(
        [&] { return a.state_of(2).rtt && a.state_of(3).rtt && b.state_of(3).rtt; });

    REQUIRE(is_measured);
    const PeerState state = a.state_of(2);
    CHECK(state.is_connected);
    CHECK(state.boot == b.boot);
    CHECK(state.last_heard.has_value());
    CHECK(state.rtt < Micros(5'000'000));
    REQUIRE(state.clock_offset.has_value());
    CHECK(std::abs(state.clock_offset->count()) <= state.rtt->count() / 2 + 1'000);
    for (const MeshNode* node : {&a, &b, &c}) {
      CHECK(node->mesh->counters().forged == 0);
      CHECK(node->mesh->counters().missed == 0);
    }
  }

  TEST_CASE("nothing is sent to who is no member, or too long, or not there") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    a.mesh->set_peers({{2, {fresh_keys().public_key}, {"127.0.0.1:1"}}});
    world.turn(milliseconds(1));
    const std::string long_body(kPeerBodyBytesMax + 1, 'x');

    const Status stranger = a.mesh->send(9, PeerKind::kRaft, "x", 0);
    const Status too_long = a.mesh->send(2, PeerKind::kRaft, long_body, 0);
    const Status absent = a.mesh->send(2, PeerKind::kRaft, "x", 0);

    REQUIRE_FALSE(stranger.has_value());
    CHECK(stranger.error().code == ErrorCode::kNotFound);
    REQUIRE_FALSE(too_long.has_value());
    CHECK(too_long.error().code == ErrorCode::kInvalid);
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().code == ErrorCode::kUnavailable);
    CHECK(a.mesh->counters().unsent == 1);
    CHECK(a.mesh->chunk_credit(9) == 0);
  }

  TEST_CASE("bodies of each length arrive whole and in order, up to the longest") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    const std::vector<std::size_t> lengths = {
        0, kPeerPartBytesMax, kPeerPartBytesMax + 1, 2 * kPeerPartBytesMax, kPeerBodyBytesMax, 1};

    for (std::size_t i = 0; i < lengths.size(); ++i) {
      std::string body(lengths[i], static_cast<char>('a' + i));
      if (!body.empty()) body.back() = 'z';
      REQUIRE(a.mesh->send(2, PeerKind::kRequest, body, i).has_value());
    }

    REQUIRE(world.run_until([&] { return b.inbox.size() == lengths.size(); }));
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      CAPTURE(i);
      std::string body(lengths[i], static_cast<char>('a' + i));
      if (!body.empty()) body.back() = 'z';
      CHECK(b.inbox[i].id == i);
      CHECK((b.inbox[i].bytes == body));
    }
    CHECK(b.mesh->counters().missed == 0);
  }

  TEST_CASE("on a way that answers late, short messages of the consensus go three times") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(world.run_until([&] { return a.state_of(2).rtt.has_value(); }));
    CHECK_FALSE(a.state_of(2).is_rough);
    b.is_frozen = true;
    REQUIRE(world.run_until([&] { return a.state_of(2).is_rough; }));
    b.is_frozen = false;

    int tries = 0;
    const bool is_doubled = world.run_until([&] {
      const std::string text = "vote " + std::to_string(++tries);
      static_cast<void>(a.mesh->send(2, PeerKind::kRaft, text, 0));
      return b.count(PeerKind::kRaft, "vote 1") == 1 &&
             std::any_of(b.inbox.begin(), b.inbox.end(), [&](const PeerMessage& message) {
               return b.count(PeerKind::kRaft, message.bytes) == 3;
             });
    });
    CHECK(is_doubled);

    // What is long, or must not come twice, goes once, also with copies of others in between.
    const std::string full(3 * kPeerPartBytesMax, 'p');
    REQUIRE(a.mesh->send(2, PeerKind::kRequest, "run", 5).has_value());
    REQUIRE(a.mesh->send(2, PeerKind::kRaft, "beat", 0).has_value());
    REQUIRE(a.mesh->send(2, PeerKind::kRaft, full, 0).has_value());
    REQUIRE(world.run_until([&] {
      return b.count(PeerKind::kRaft, full) == 1 && b.count(PeerKind::kRaft, "beat") == 3;
    }));
    CHECK(b.count(PeerKind::kRequest, "run") == 1);
    CHECK(b.mesh->counters().missed == 0);
    CHECK(b.mesh->counters().malformed == 0);
  }

  TEST_CASE("a long message of which a part is missing is dropped, and the next one arrives") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    b.is_frozen = true;
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());
    PeerFrame frame;
    frame.cluster = kTestCluster;
    frame.from = 2;
    frame.incarnation = 1;
    frame.boot = 9;
    frame.parts = 3;
    const auto send = [&](std::uint8_t part, std::uint64_t seq, const std::string& body) {
      frame.part = part;
      frame.seq = seq;
      raw.send(encode_frame(frame, body));
    };

    send(0, 1, "a");
    send(2, 3, "c");  // the second has not come
    send(1, 4, "b");
    send(0, 5, "d");
    send(1, 7, "e");  // a gap in the numbers
    send(2, 8, "f");
    send(0, 9, "g");
    send(0, 10, "h");  // another one begins
    send(1, 11, "i");
    send(2, 12, "j");

    REQUIRE(world.run_until([&] { return !a.inbox.empty(); }));
    CHECK(a.inbox.size() == 1);
    CHECK(a.inbox[0].bytes == "hij");
    CHECK(a.mesh->counters().missed == 2);
  }

  TEST_CASE("an agent that was started anew is reached again, and known by another boot") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(world.deliver(b, a, "before"));
    const MonoTime first_boot = a.state_of(2).boot_since;
    const std::string address = b.address();

    b.boot = 2;
    world.start(b, address);
    b.mesh->set_peers({a.as_peer()});
    const auto start = std::chrono::steady_clock::now();

    CHECK(world.deliver(a, b, "to the new one"));
    CHECK(world.deliver(b, a, "from the new one"));
    CHECK(std::chrono::steady_clock::now() - start < seconds(5));
    CHECK(a.state_of(2).boot == 2);
    CHECK(a.state_of(2).boot_since > first_boot);
  }

  TEST_CASE("a peer that moves to another address is reached there") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(world.deliver(a, b, "at the old place"));
    REQUIRE(world.deliver(b, a, "from the old place"));
    const std::uint64_t boot = a.state_of(2).boot;

    world.start(b, "tcp://[::1]:*");
    world.introduce();

    CHECK(world.deliver(a, b, "at the new place"));
    CHECK(a.state_of(2).boot == boot);
  }

  TEST_CASE("the addresses of a peer are tried in turn") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    Peer peer = b.as_peer();
    peer.addresses.insert(peer.addresses.begin(), {"127.0.0.1:1", "tcp://no address at all"});
    a.mesh->set_peers({peer});
    b.mesh->set_peers({a.as_peer()});

    CHECK(world.deliver(a, b, "found"));
  }

  TEST_CASE("a peer that did not know us at first lets us in as soon as it does") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    a.mesh->set_peers({b.as_peer()});
    REQUIRE(world.run_until([&] { return b.mesh->counters().refused_keys > 0; }));
    CHECK(world.run_until([&] { return a.state_of(2).is_refused; }));
    CHECK_FALSE(a.state_of(2).is_connected);

    b.mesh->set_peers({a.as_peer()});

    CHECK(world.deliver(a, b, "now"));
    CHECK(world.run_until([&] { return !a.state_of(2).is_refused; }));
  }

  TEST_CASE("who is removed is cut off within 5 s, and what he still says is dropped") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    MeshNode& c = world.add(3);
    REQUIRE(world.connect_all());
    REQUIRE(world.deliver(b, a, "as a member"));
    REQUIRE(world.deliver(c, a, "as a member"));
    RawPeer silent;
    silent.as(b.keys, a.keys.public_key).to(a.address());
    silent.send(raw_message(PeerKind::kRaft, 2, "once"));
    REQUIRE(world.run_until([&] { return a.count(PeerKind::kRaft, "once") == 1; }));

    // One more message is on its way when the word of the removal comes.
    REQUIRE(b.mesh->send(1, PeerKind::kRaft, "too late", 0).has_value());
    a.mesh->set_peers({c.as_peer()});
    const auto start = std::chrono::steady_clock::now();
    const bool is_cut = world.run_until(
        [&] { return silent.has_ended() && !b.state_of(1).is_connected; }, seconds(5));

    CHECK(is_cut);
    CHECK(std::chrono::steady_clock::now() - start < seconds(5));
    CHECK(a.mesh->counters().cut >= 2);
    CHECK(world.run_until([&] { return a.mesh->counters().refused_keys > 0; }));
    CHECK(world.run_until([&] { return b.state_of(1).is_refused; }));
    CHECK_FALSE(c.state_of(1).is_refused);
    CHECK(a.count(PeerKind::kRaft, "too late") == 0);
    CHECK(a.mesh->send(2, PeerKind::kRaft, "x", 0).error().code == ErrorCode::kNotFound);
    CHECK(a.mesh->peer_states().size() == 1);
    CHECK(world.deliver(c, a, "still a member"));
    CHECK(c.state_of(1).is_connected);
  }

  TEST_CASE("while a key is exchanged both are good, then only the new one") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(world.deliver(a, b, "old key"));
    const KeyPair old = b.keys;
    const KeyPair fresh = fresh_keys();
    const std::string address = b.address();

    a.mesh->set_peers({{2, {old.public_key, fresh.public_key}, {address}}});
    CHECK(a.state_of(2).is_connected);
    CHECK(world.deliver(a, b, "both keys, still the old one"));
    CHECK(world.deliver(b, a, "both keys, still the old one"));
    b.keys = fresh;
    b.boot = 2;
    world.start(b, address);
    b.mesh->set_peers({a.as_peer()});
    CHECK(world.deliver(a, b, "both keys, now the new one"));
    CHECK(world.deliver(b, a, "both keys, now the new one"));
    a.mesh->set_peers({{2, {fresh.public_key}, {address}}});
    RawPeer late;
    late.as(old, a.keys.public_key).to(a.address());

    CHECK(world.run_until([&] { return late.has_ended(); }));
    CHECK_FALSE(late.was_open());
    CHECK(world.deliver(b, a, "new key"));
    CHECK(world.deliver(a, b, "new key"));
  }

  TEST_CASE("messages of another cluster, an earlier incarnation or an earlier boot are dropped") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    RawPeer raw;
    raw.as(b.keys, a.keys.public_key).to(a.address());
    PeerFrame frame;
    frame.cluster = kTestCluster;
    frame.from = 2;
    frame.incarnation = 2;
    frame.boot = 11;
    frame.seq = 1;
    a.mesh->set_incarnation(2);

    b.is_frozen = true;  // or its pings would be another boot in between
    raw.send(encode_frame(frame, "right"));
    frame.boot = 12;
    raw.send(encode_frame(frame, "right"));
    frame.boot = 11;
    raw.send(encode_frame(frame, "wrong"));
    frame.boot = 12;
    frame.seq = 5;
    frame.incarnation = 1;
    raw.send(encode_frame(frame, "wrong"));
    frame.incarnation = 2;
    frame.cluster = kTestCluster + 1;
    raw.send(encode_frame(frame, "wrong"));
    frame.cluster = kTestCluster;
    raw.send(encode_frame(frame, "right"));

    REQUIRE(world.run_until([&] { return a.count(PeerKind::kRaft, "right") == 3; }));
    const PeerCounters& counters = a.mesh->counters();
    CHECK(a.count(PeerKind::kRaft, "wrong") == 0);
    CHECK(counters.old_boot == 1);
    CHECK(counters.old_incarnation >= 1);
    CHECK(counters.other_cluster == 1);
    CHECK(counters.missed == 3);
  }

  TEST_CASE("a mesh says which address is taken, and which is none") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshOptions options;
    options.keys = fresh_keys();
    options.node_id = 2;
    options.boot = 1;

    options.listen = {a.address()};
    const auto busy = PeerMesh::make(options);
    options.listen = {"ipc:///tmp/x.sock"};
    const auto other = PeerMesh::make(options);
    options.listen = {"tcp://127.0.0.1:*", "tcp://[::1]:*"};
    const auto both = PeerMesh::make(options);
    options.keys.secret_key.clear();
    const auto no_key = PeerMesh::make(options);

    REQUIRE_FALSE(busy.has_value());
    CHECK(busy.error().code == ErrorCode::kUnavailable);
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == ErrorCode::kInvalid);
    REQUIRE(both.has_value());
    CHECK((*both)->endpoints().size() == 2);
    CHECK_FALSE(no_key.has_value());
  }
}

}  // namespace
}  // namespace distcron::mesh
