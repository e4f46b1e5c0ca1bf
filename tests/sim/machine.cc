// SPDX-License-Identifier: Apache-2.0
#include "sim/machine.h"

#include <cstring>

#include "base/hash.h"
#include "consensus/codec.h"

namespace distcron::sim {
namespace {

constexpr std::size_t kCommandBytes = 2 * sizeof(std::uint64_t);

void put(std::string& out, std::uint64_t value) {
  for (unsigned shift = 0; shift < 64; shift += 8)
    out += static_cast<char>(value >> shift & 0xffU);
}

void put_signed(std::string& out, std::int64_t value) {
  put(out, static_cast<std::uint64_t>(value));
}

/// Reads numbers off the front; `is_good` turns false at the end of the bytes.
struct Reader {
  std::string_view rest;
  bool is_good = true;

  std::uint64_t number() {
    if (rest.size() < sizeof(std::uint64_t)) {
      is_good = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest[i])) << (8 * i);
    }
    rest.remove_prefix(sizeof(std::uint64_t));
    return value;
  }

  std::int64_t signed_number() { return static_cast<std::int64_t>(number()); }
};

}  // namespace

std::string encode_command(const Command& command, std::size_t payload) {
  std::string out;
  out.reserve(kCommandBytes + payload);
  put(out, command.client);
  put(out, command.seq);
  out.append(payload, static_cast<char>('a' + command.seq % 26));
  return out;
}

bool decode_command(std::string_view bytes, Command& command) {
  Reader in{.rest = bytes};
  command.client = in.number();
  command.seq = in.number();
  return in.is_good && command.client < kClientsMax;
}

std::uint64_t digest_of(const consensus::Entry& entry) {
  std::uint64_t hash = mix64(static_cast<std::uint64_t>(entry.term)) ^
                       static_cast<std::uint64_t>(entry.kind) << 56U ^ entry.data.size();
  std::string_view rest = entry.data;
  for (; rest.size() >= sizeof(std::uint64_t); rest.remove_prefix(sizeof(std::uint64_t))) {
    std::uint64_t word = 0;
    std::memcpy(&word, rest.data(), sizeof(word));
    hash = mix64(hash ^ word);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, rest.data(), rest.size());
  return mix64(hash ^ word);
}

bool Machine::apply(const consensus::Entry& entry) {
  applied = entry.index;
  term = entry.term;
  digest = mix64(digest ^ digest_of(entry));
  if (entry.kind == consensus::EntryKind::kConfig) {
    auto decoded = consensus::decode_config(entry.data);
    if (!decoded) return false;
    config = *std::move(decoded);
    config_index = entry.index;
  }
  Command command;
  if (entry.kind != consensus::EntryKind::kCommand) return true;
  if (!decode_command(entry.data, command)) return false;
  ClientRow& row = clients[command.client];
  if (command.seq <= row.seq) return true;
  const bool has_gap = command.seq != row.seq + 1 && command.client != kClientsMax - 1;
  if (has_gap) return false;  // the scripted client (the last one) does not repeat what was refused
  row = ClientRow{.seq = command.seq, .index = entry.index};
  return true;
}

std::string Machine::encode(std::size_t pad) const {
  std::string out;
  put_signed(out, applied);
  put_signed(out, term);
  put(out, digest);
  put_signed(out, config_index);
  for (const ClientRow& row : clients) {
    put(out, row.seq);
    put_signed(out, row.index);
  }
  put(out, config.members.size());
  for (const consensus::Member& member : config.members) {
    put_signed(out, member.id);
    put_signed(out, static_cast<std::int64_t>(member.kind));
    put_signed(out, member.rank);
  }
  for (std::size_t i = 0; i < pad; ++i) {
    out += static_cast<char>(mix64(digest + i) & 0xffU);
  }
  return out;
}

bool Machine::decode(std::string_view bytes, Machine& machine) {
  Reader in{.rest = bytes};
  machine.applied = in.signed_number();
  machine.term = in.signed_number();
  machine.digest = in.number();
  machine.config_index = in.signed_number();
  for (ClientRow& row : machine.clients) {
    row.seq = in.number();
    row.index = in.signed_number();
  }
  const std::uint64_t count = in.number();
  machine.config.members.clear();
  for (std::uint64_t i = 0; i < count && in.is_good; ++i) {
    consensus::Member member;
    member.id = in.signed_number();
    member.kind = static_cast<consensus::MemberKind>(in.number());
    member.rank = static_cast<std::int32_t>(in.signed_number());
    machine.config.members.push_back(member);
  }
  // The padding proves that every byte of a long file arrived at its place.
  for (std::size_t i = 0; i < in.rest.size() && in.is_good; ++i) {
    in.is_good = in.rest[i] == static_cast<char>(mix64(machine.digest + i) & 0xffU);
  }
  return in.is_good;
}

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1U ^ (0x82f63b78U & (0U - (crc & 1U)));
  }
  return ~crc;
}

}  // namespace distcron::sim
