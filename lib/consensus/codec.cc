// SPDX-License-Identifier: Apache-2.0
// Layout: a version byte, then unsigned LEB128 numbers in a fixed order, texts with their length in
// front. Entries carry no index: they follow `prev_index` without a gap.
#include "consensus/codec.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace distcron::consensus {
namespace {

constexpr char kVersion = 1;
/// Ids, terms and indexes stay below it, so that sums of two cannot overflow.
constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 61U;
constexpr std::uint8_t kReject = 1;
constexpr std::uint8_t kForce = 2;
/// Fewest bytes of one entry (term, kind, length) and of one member (id, kind, rank).
constexpr std::size_t kEntryBytesMin = 3;
constexpr std::size_t kMemberBytesMin = 3;

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80U) {
    out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
    value >>= 7U;
  }
  out.push_back(static_cast<char>(value));
}

void put(std::string& out, std::int64_t value) {
  put(out, static_cast<std::uint64_t>(value));
}

void put_text(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out.append(text);
}

/// Reads front to back; after the first failure everything fails.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool byte(std::uint8_t& value) {
    if (rest_.empty()) return false;
    value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] bool number(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t part = 0;
      if (!byte(part)) return false;
      const std::uint64_t bits = part & 0x7fU;
      if (shift == 63 && bits > 1) return false;
      value |= bits << shift;
      if ((part & 0x80U) == 0) return shift == 0 || bits != 0;  // one form of each number
    }
    return false;
  }

  [[nodiscard]] bool number(std::int64_t& value) {
    std::uint64_t raw = 0;
    if (!number(raw) || raw > kNumberMax) return false;
    value = static_cast<std::int64_t>(raw);
    return true;
  }

  /// A count of things that take at least `bytes_each`: never more than the rest can hold.
  [[nodiscard]] bool count(std::size_t& value, std::size_t bytes_each) {
    std::uint64_t raw = 0;
    if (!number(raw) || raw > rest_.size() / bytes_each) return false;
    value = static_cast<std::size_t>(raw);
    return true;
  }

  [[nodiscard]] bool text(std::string& value) {
    std::size_t size = 0;
    if (!count(size, 1)) return false;
    value.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return true;
  }

  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

void put_config(std::string& out, const Config& config) {
  put(out, std::uint64_t{config.members.size()});
  for (const Member& member : config.members) {
    put(out, member.id);
    out.push_back(static_cast<char>(member.kind));
    const auto rank = std::int64_t{member.rank};
    put(out, (static_cast<std::uint64_t>(rank) << 1U) ^ static_cast<std::uint64_t>(rank >> 63));
  }
}

bool read_member(Reader& reader, Member& member) {
  std::uint8_t kind = 0;
  std::uint64_t rank = 0;
  if (!reader.number(member.id) || member.id == 0) return false;
  if (!reader.byte(kind) || kind > static_cast<std::uint8_t>(MemberKind::kWitness)) return false;
  if (!reader.number(rank) || rank > std::numeric_limits<std::uint32_t>::max()) return false;
  member.kind = static_cast<MemberKind>(kind);
  const auto half = static_cast<std::int64_t>(rank >> 1U);
  member.rank = static_cast<std::int32_t>((rank & 1U) == 0 ? half : -half - 1);
  return true;
}

/// Members must rise by id: no member can count twice.
bool read_config(Reader& reader, Config& config) {
  std::size_t count = 0;
  if (!reader.count(count, kMemberBytesMin)) return false;
  config.members.reserve(count);
  NodeId last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Member member;
    if (!read_member(reader, member) || member.id <= last) return false;
    last = member.id;
    config.members.push_back(member);
  }
  return true;
}

bool read_entries(Reader& reader, Message& message) {
  std::size_t count = 0;
  if (!reader.count(count, kEntryBytesMin)) return false;
  message.entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Entry entry;
    entry.index = message.prev_index + 1 + static_cast<Index>(i);
    std::uint8_t kind = 0;
    if (!reader.number(entry.term) || !reader.byte(kind) ||
        kind > static_cast<std::uint8_t>(EntryKind::kConfig) || !reader.text(entry.data)) {
      return false;
    }
    entry.kind = static_cast<EntryKind>(kind);
    message.entries.push_back(std::move(entry));
  }
  return true;
}

bool read_snapshot(Reader& reader, Message& message) {
  std::uint64_t crc = 0;
  if (!read_config(reader, message.config) || !reader.number(message.config_index) ||
      !reader.number(message.offset) || !reader.number(message.size) || !reader.number(crc) ||
      crc > std::numeric_limits<std::uint32_t>::max() || !reader.text(message.data)) {
    return false;
  }
  message.crc = static_cast<std::uint32_t>(crc);
  return true;
}

bool read_message(Reader& reader, Message& message) {
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  if (!reader.byte(kind) || kind < static_cast<std::uint8_t>(MessageKind::kPreVote) ||
      kind > static_cast<std::uint8_t>(MessageKind::kReadIndexReply) || !reader.byte(flags) ||
      flags > (kReject | kForce)) {
    return false;
  }
  message.kind = static_cast<MessageKind>(kind);
  message.reject = (flags & kReject) != 0;
  message.force = (flags & kForce) != 0;
  return reader.number(message.from) && reader.number(message.to) &&
         reader.number(message.cluster) && reader.number(message.incarnation) &&
         reader.number(message.term) && reader.number(message.prev_index) &&
         reader.number(message.prev_term) && reader.number(message.commit) &&
         reader.number(message.match) && reader.number(message.hint_index) &&
         reader.number(message.hint_term) && reader.number(message.round) &&
         reader.number(message.context) && read_entries(reader, message) &&
         read_snapshot(reader, message);
}

}  // namespace

std::string encode_config(const Config& config) {
  std::string out(1, kVersion);
  put_config(out, config);
  return out;
}

Result<Config> decode_config(std::string_view bytes) {
  Reader reader(bytes);
  std::uint8_t version = 0;
  Config config;
  if (!reader.byte(version) || version != kVersion) {
    return fail(ErrorCode::kInvalid, "cannot read the members: not version 1");
  }
  if (!read_config(reader, config) || !reader.is_at_end()) {
    return fail(ErrorCode::kInvalid, "cannot read the members: malformed");
  }
  return config;
}

std::string encode_message(const Message& message) {
  std::string out(1, kVersion);
  out.push_back(static_cast<char>(message.kind));
  const unsigned flags = (message.reject ? kReject : 0U) | (message.force ? kForce : 0U);
  out.push_back(static_cast<char>(flags));
  put(out, message.from);
  put(out, message.to);
  put(out, message.cluster);
  put(out, message.incarnation);
  put(out, message.term);
  put(out, message.prev_index);
  put(out, message.prev_term);
  put(out, message.commit);
  put(out, message.match);
  put(out, message.hint_index);
  put(out, message.hint_term);
  put(out, message.round);
  put(out, message.context);
  put(out, std::uint64_t{message.entries.size()});
  for (const Entry& entry : message.entries) {
    put(out, entry.term);
    out.push_back(static_cast<char>(entry.kind));
    put_text(out, entry.data);
  }
  put_config(out, message.config);
  put(out, message.config_index);
  put(out, message.offset);
  put(out, message.size);
  put(out, std::uint64_t{message.crc});
  put_text(out, message.data);
  return out;
}

Result<Message> decode_message(std::string_view bytes) {
  Reader reader(bytes);
  std::uint8_t version = 0;
  Message message;
  if (!reader.byte(version) || version != kVersion) {
    return fail(ErrorCode::kInvalid, "cannot read a message of the cluster: not version 1");
  }
  if (!read_message(reader, message) || !reader.is_at_end()) {
    return fail(ErrorCode::kInvalid, "cannot read a message of the cluster: malformed");
  }
  return message;
}

}  // namespace distcron::consensus
