// SPDX-License-Identifier: Apache-2.0
// The replicated state machine of the simulated cluster: for each client the last command that it
// took (so that a command sent twice counts once), a digest of everything applied, and the members.
// Small on purpose: it is copied for each snapshot and compared after each entry.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "consensus/message.h"

namespace distcron::sim {

constexpr std::size_t kClientsMax = 8;

struct Command {
  std::uint64_t client = 0;
  std::uint64_t seq = 0;  ///< From 1, without gaps.
};

/// Bytes of a command; `payload` more bytes follow.
[[nodiscard]] std::string encode_command(const Command& command, std::size_t payload);
[[nodiscard]] bool decode_command(std::string_view bytes, Command& command);

/// Digest of an entry by itself.
[[nodiscard]] std::uint64_t digest_of(const consensus::Entry& entry);

struct Machine {
  struct ClientRow {
    std::uint64_t seq = 0;
    consensus::Index index = 0;  ///< Where `seq` was applied.
  };

  consensus::Index applied = 0;
  consensus::Term term = 0;
  std::uint64_t digest = 0;  ///< Of all entries up to `applied`, in order.
  std::array<ClientRow, kClientsMax> clients{};
  consensus::Config config;
  consensus::Index config_index = 0;

  /// Takes the entry after `applied`. False: a client's commands have a gap.
  [[nodiscard]] bool apply(const consensus::Entry& entry);

  /// A snapshot, `pad` bytes longer than it need be.
  [[nodiscard]] std::string encode(std::size_t pad) const;
  /// False: not what encode() wrote.
  [[nodiscard]] static bool decode(std::string_view bytes, Machine& machine);
};

/// CRC-32C (Castagnoli) of RFC 3720, appendix B.4.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

}  // namespace distcron::sim
