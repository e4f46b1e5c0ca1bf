// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "mesh_world.h"

namespace distcron::mesh {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

/// As many chunks as may go; their first character is `mark`.
int send_chunks(MeshNode& from, std::int64_t to, char mark) {
  int count = 0;
  const std::string chunk(kChunkBytes, mark);
  while (count < 100 && from.mesh->send(to, PeerKind::kChunk, chunk, 0))
    ++count;
  return count;
}

bool open_way(MeshWorld& world, MeshNode& from, std::int64_t to) {
  return world.run_until([&] { return from.mesh->chunk_credit(to) > 0; });
}

TEST_SUITE("mesh") {
  TEST_CASE("at most a window of chunks is under way, and the receiver opens it again") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(open_way(world, a, 2));

    b.is_frozen = true;
    const int first = send_chunks(a, 2, 'x');
    const int none = send_chunks(a, 2, 'x');
    const Status refused = a.mesh->send(2, PeerKind::kChunk, "x", 0);
    b.is_frozen = false;
    const bool has_come = world.run_until([&] { return b.inbox.size() == 4; });
    const bool is_open =
        world.run_until([&] { return a.mesh->chunk_credit(2) == PeerMesh::kChunksUnderWayMax; });

    CHECK(first == PeerMesh::kChunksUnderWayMax);
    CHECK(none == 0);
    CHECK(refused.error().code == ErrorCode::kUnavailable);
    CHECK(has_come);
    CHECK(is_open);
    for (const PeerMessage& message : b.inbox) {
      CHECK(message.kind == PeerKind::kChunk);
      CHECK(message.bytes.size() == kChunkBytes);
    }
  }

  TEST_CASE("chunks do not hold up small messages") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(open_way(world, a, 2));
    int turns = 0;
    int chunks = 0;
    Micros slowest{0};

    // As many chunks as go at any time, and a small message each turn.
    const bool is_done = world.run_until([&] {
      chunks += send_chunks(a, 2, 'x');
      const std::size_t had = b.inbox.size();
      const std::string small = "small " + std::to_string(++turns);
      const auto start = std::chrono::steady_clock::now();
      const bool has_come = a.mesh->send(2, PeerKind::kRaft, small, 0).has_value() &&
                            world.run_until([&] { return b.count(PeerKind::kRaft, small) == 1; });
      slowest = std::max(
          slowest, std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - start));
      CHECK(has_come);
      CHECK(b.inbox.size() > had);
      b.inbox.clear();
      return turns >= 100 && chunks >= 100;
    });

    CAPTURE(chunks);
    CAPTURE(slowest.count());
    CHECK(is_done);
    CHECK(slowest < Micros(1'000'000));
  }

  TEST_CASE("chunks that were lost with a connection take no credit with them") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    REQUIRE(open_way(world, a, 2));
    b.is_frozen = true;
    REQUIRE(send_chunks(a, 2, 'x') == PeerMesh::kChunksUnderWayMax);

    b.boot = 2;
    world.start(b, b.address());
    b.is_frozen = false;
    b.mesh->set_peers({a.as_peer()});
    const bool is_open =
        world.run_until([&] { return a.mesh->chunk_credit(2) == PeerMesh::kChunksUnderWayMax; });
    const int again = send_chunks(a, 2, 'y');
    const bool has_come = world.run_until([&] {
      return b.count(PeerKind::kChunk, std::string(kChunkBytes, 'y')) ==
             PeerMesh::kChunksUnderWayMax;
    });

    CHECK(is_open);
    CHECK(again == PeerMesh::kChunksUnderWayMax);
    CHECK(has_come);
  }
}

}  // namespace
}  // namespace distcron::mesh
