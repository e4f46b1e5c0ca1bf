// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_frame.h"

namespace distcron::mesh {

namespace {

constexpr std::string_view kMagic = "DCM";
constexpr char kVersion = 1;
constexpr std::size_t kNumberBytes = 8;

// Places in the header; each number has eight bytes, little-endian.
enum Place : std::size_t {
  kKindAt = 4,
  kPartAt = 5,
  kPartsAt = 6,
  kSpareAt = 7,
  kClusterAt = 8,
  kFromAt = 16,
  kBootAt = 24,
  kSeqAt = 32,
  kIncarnationAt = 40,
  kIdAt = 48,
};

static_assert(kIdAt + kNumberBytes == kPeerHeaderBytes);

void put(char* out, std::uint64_t value) {
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    out[i] = static_cast<char>(static_cast<unsigned char>(value >> (8U * i)));
  }
}

void put(char* out, std::int64_t value) {
  put(out, static_cast<std::uint64_t>(value));
}

std::uint64_t number(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8U * i);
  }
  return value;
}

std::int64_t whole(std::string_view bytes, std::size_t at) {
  return static_cast<std::int64_t>(number(bytes, at));
}

}  // namespace

void write_header(const PeerFrame& frame, char* out) {
  kMagic.copy(out, kMagic.size());
  out[kMagic.size()] = kVersion;
  out[kKindAt] = static_cast<char>(frame.kind);
  out[kPartAt] = static_cast<char>(frame.part);
  out[kPartsAt] = static_cast<char>(frame.parts);
  out[kSpareAt] = 0;
  put(out + kClusterAt, frame.cluster);
  put(out + kFromAt, frame.from);
  put(out + kBootAt, frame.boot);
  put(out + kSeqAt, frame.seq);
  put(out + kIncarnationAt, frame.incarnation);
  put(out + kIdAt, frame.id);
}

std::string encode_frame(const PeerFrame& frame, std::string_view body) {
  std::string out(kPeerHeaderBytes, '\0');
  write_header(frame, out.data());
  out.append(body);
  return out;
}

Result<PeerFrame> parse_header(std::string_view bytes) {
  if (bytes.size() < kPeerHeaderBytes || bytes.size() > kPeerMessageBytesMax) {
    return fail(ErrorCode::kInvalid, "a message of " + std::to_string(bytes.size()) + " bytes");
  }
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return fail(ErrorCode::kInvalid, "not a message between agents");
  }
  if (bytes[kMagic.size()] != kVersion) {
    return fail(ErrorCode::kUnavailable, "a message of another version");
  }
  const auto kind = static_cast<unsigned char>(bytes[kKindAt]);
  if (kind < static_cast<std::uint8_t>(PeerKind::kRaft) ||
      kind > static_cast<std::uint8_t>(PeerKind::kCredit)) {
    return fail(ErrorCode::kInvalid, "a message of unknown kind " + std::to_string(kind));
  }
  PeerFrame frame;
  frame.kind = static_cast<PeerKind>(kind);
  frame.part = static_cast<std::uint8_t>(bytes[kPartAt]);
  frame.parts = static_cast<std::uint8_t>(bytes[kPartsAt]);
  if (frame.part >= frame.parts || frame.parts > kPeerPartsMax) {
    return fail(ErrorCode::kInvalid,
                "part " + std::to_string(frame.part) + " of " + std::to_string(frame.parts));
  }
  frame.cluster = number(bytes, kClusterAt);
  frame.from = whole(bytes, kFromAt);
  frame.boot = number(bytes, kBootAt);
  frame.seq = number(bytes, kSeqAt);
  frame.incarnation = whole(bytes, kIncarnationAt);
  frame.id = number(bytes, kIdAt);
  return frame;
}

std::string encode_ping(const Ping& ping) {
  std::string out(kNumberBytes, '\0');
  put(out.data(), ping.sent_at);
  return out;
}

Result<Ping> decode_ping(std::string_view body) {
  if (body.size() != kNumberBytes) return fail(ErrorCode::kInvalid, "not a ping");
  return Ping{whole(body, 0)};
}

std::string encode_pong(const Pong& pong) {
  std::string out(4 * kNumberBytes, '\0');
  put(out.data(), pong.sent_at);
  put(out.data() + kNumberBytes, pong.wall);
  put(out.data() + 2 * kNumberBytes, pong.stream);
  put(out.data() + 3 * kNumberBytes, pong.taken);
  return out;
}

Result<Pong> decode_pong(std::string_view body) {
  if (body.size() != 4 * kNumberBytes) return fail(ErrorCode::kInvalid, "not a pong");
  return Pong{whole(body, 0), whole(body, kNumberBytes), number(body, 2 * kNumberBytes),
              number(body, 3 * kNumberBytes)};
}

}  // namespace distcron::mesh
