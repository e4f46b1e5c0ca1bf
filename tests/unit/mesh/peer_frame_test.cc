// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_frame.h"

#include <limits>

#include <doctest/doctest.h>

namespace distcron::mesh {
namespace {

TEST_SUITE("mesh") {
  TEST_CASE("a header comes back as it was, and its bytes are those of the document") {
    PeerFrame frame;
    frame.kind = PeerKind::kChunk;
    frame.cluster = 0x0807060504030201U;
    frame.from = -2;
    frame.boot = std::numeric_limits<std::uint64_t>::max();
    frame.seq = 1;
    frame.incarnation = std::numeric_limits<std::int64_t>::min();
    frame.id = 0xffU;
    frame.part = 2;
    frame.parts = 3;

    const std::string bytes = encode_frame(frame, "body");
    const auto parsed = parse_header(bytes);

    REQUIRE(parsed.has_value());
    CHECK(bytes.size() == kPeerHeaderBytes + 4);
    CHECK(bytes.substr(0, 16) == std::string("DCM\x01\x04\2\3\0\1\2\3\4\5\6\7\x08", 16));
    CHECK(body_of(bytes) == "body");
    CHECK(parsed->kind == frame.kind);
    CHECK(parsed->cluster == frame.cluster);
    CHECK(parsed->from == -2);
    CHECK(parsed->boot == frame.boot);
    CHECK(parsed->seq == 1);
    CHECK(parsed->incarnation == frame.incarnation);
    CHECK(parsed->id == 0xffU);
    CHECK(parsed->part == 2);
    CHECK(parsed->parts == 3);
  }

  TEST_CASE("pings and pongs come back as they were, and other sizes are refused") {
    const auto ping = decode_ping(encode_ping({-5}));
    const auto pong = decode_pong(encode_pong({1, -2, 3, 4}));

    REQUIRE(ping.has_value());
    CHECK(ping->sent_at == -5);
    REQUIRE(pong.has_value());
    CHECK(pong->sent_at == 1);
    CHECK(pong->wall == -2);
    CHECK(pong->stream == 3);
    CHECK(pong->taken == 4);
    CHECK_FALSE(decode_ping("").has_value());
    CHECK_FALSE(decode_ping("123456789").has_value());
    CHECK_FALSE(decode_pong(encode_ping({1})).has_value());
  }

  TEST_CASE("a part that a message cannot have is refused") {
    std::string bytes = encode_frame({}, "");
    int accepted = 0;
    for (int part = 0; part < 32; ++part) {
      for (int parts = 0; parts < 256; ++parts) {
        bytes[5] = static_cast<char>(part);
        bytes[6] = static_cast<char>(parts);
        accepted += parse_header(bytes) ? 1 : 0;
      }
    }

    CHECK(accepted == 1 + 2 + 3 + 4 + 5 + 6);
  }

  TEST_CASE("each kind but those of the list is refused") {
    std::string bytes = encode_frame({}, "");
    int accepted = 0;
    for (int kind = 0; kind < 256; ++kind) {
      bytes[4] = static_cast<char>(kind);
      accepted += parse_header(bytes) ? 1 : 0;
    }
    bytes[4] = 1;
    bytes.resize(kPeerMessageBytesMax + 1);

    CHECK(accepted == 9);
    CHECK_FALSE(parse_header(bytes).has_value());
    CHECK_FALSE(parse_header("").has_value());
  }
}

}  // namespace
}  // namespace distcron::mesh
