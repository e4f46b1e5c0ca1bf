// SPDX-License-Identifier: Apache-2.0
// PeerFrame: the bytes of one message between agents, docs/format/mesh.md. A header of fixed size
// and the body. Pure; knows no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace distcron::mesh {

/// What a message is for. Numbers travel: append only.
enum class PeerKind : std::uint8_t {
  kRaft = 1,       ///< An encoded consensus::Message.
  kRequest = 2,    ///< An operation that is forwarded; `id` is the asker's.
  kReply = 3,      ///< Its answer, with the same `id`.
  kChunk = 4,      ///< Bulk: goes a way of its own, in credits. `id` is the stream, see PeerMesh.
  kJoin = 5,       ///< Of a guest that shows a join token.
  kJoinReply = 6,  ///< The only message that travels towards a guest.
  kPing = 7,       ///< The mesh's own: round trip and clocks.
  kPong = 8,
  kCredit = 9,  ///< The mesh's own: chunks that were taken.
};

struct PeerFrame {
  PeerKind kind = PeerKind::kRaft;
  std::uint8_t part = 0;  ///< Of a long message, sent in parts one right after the other.
  std::uint8_t parts = 1;
  std::uint64_t cluster = 0;  ///< Hash of the cluster's id.
  std::int64_t from = 0;      ///< Node id; 0 for a guest.
  std::uint64_t boot = 0;     ///< Of the sender's agent: another number after each start.
  std::uint64_t seq = 0;      ///< From 1, per sender's boot, receiver and way (chunks: stream).
  std::int64_t incarnation = 0;
  std::uint64_t id = 0;
};

inline constexpr std::size_t kPeerHeaderBytes = 56;
inline constexpr std::int64_t kPeerWireBytesMax = 1 << 20;  ///< ZMQ_MAXMSGSIZE: with CURVE's part.
inline constexpr std::size_t kPeerMessageBytesMax = (1U << 20U) - 64;
inline constexpr std::size_t kPeerPartBytesMax = kPeerMessageBytesMax - kPeerHeaderBytes;
inline constexpr std::uint8_t kPeerPartsMax = 6;
inline constexpr std::size_t kPeerBodyBytesMax = kPeerPartsMax * kPeerPartBytesMax;
inline constexpr std::size_t kJoinBodyBytesMax = 4'096;

/// Writes the header to `out`, which has room for kPeerHeaderBytes.
void write_header(const PeerFrame& frame, char* out);
[[nodiscard]] std::string encode_frame(const PeerFrame& frame, std::string_view body);

/// kInvalid: too short or long, another magic, an unknown kind. kUnavailable: of another version.
[[nodiscard]] Result<PeerFrame> parse_header(std::string_view bytes);

/// `bytes` must outlive the view.
[[nodiscard]] inline std::string_view body_of(std::string_view bytes) {
  return bytes.substr(kPeerHeaderBytes);
}

/// Body of kPing.
struct Ping {
  std::int64_t sent_at = 0;  ///< Micros of the sender's boottime; comes back.
};

/// Body of kPong, and of kCredit (there the times are 0).
struct Pong {
  std::int64_t sent_at = 0;
  std::int64_t wall = 0;     ///< Micros of UTC, of who answers.
  std::uint64_t stream = 0;  ///< Of chunks that were taken last,
  std::uint64_t taken = 0;   ///< and up to which number.
};

[[nodiscard]] std::string encode_ping(const Ping& ping);
[[nodiscard]] Result<Ping> decode_ping(std::string_view body);
[[nodiscard]] std::string encode_pong(const Pong& pong);
[[nodiscard]] Result<Pong> decode_pong(std::string_view body);

}  // namespace distcron::mesh
