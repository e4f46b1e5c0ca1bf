// SPDX-License-Identifier: Apache-2.0
#include "store/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace distcron::store {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // Bits reversed.
using Table = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
    table[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t slice = 1; slice < 8; ++slice) {
      const std::uint32_t before = table[slice - 1][byte];
      table[slice][byte] = (before >> 8U) ^ table[0][before & 0xffU];
    }
  }
  return table;
}

constexpr Table kTable = make_table();

std::uint32_t read_le32(const char* at) {
  std::array<unsigned char, 4> b{};
  std::memcpy(b.data(), at, b.size());
  return static_cast<std::uint32_t>(b[0]) | static_cast<std::uint32_t>(b[1]) << 8U |
         static_cast<std::uint32_t>(b[2]) << 16U | static_cast<std::uint32_t>(b[3]) << 24U;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  crc = ~crc;
  while (bytes.size() >= 8) {
    const std::uint32_t low = read_le32(bytes.data()) ^ crc;
    const std::uint32_t high = read_le32(bytes.data() + 4);
    crc = kTable[7][low & 0xffU] ^ kTable[6][(low >> 8U) & 0xffU] ^
          kTable[5][(low >> 16U) & 0xffU] ^ kTable[4][low >> 24U] ^ kTable[3][high & 0xffU] ^
          kTable[2][(high >> 8U) & 0xffU] ^ kTable[1][(high >> 16U) & 0xffU] ^
          kTable[0][high >> 24U];
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) {
    crc = (crc >> 8U) ^ kTable[0][(crc ^ static_cast<unsigned char>(c)) & 0xffU];
  }
  return ~crc;
}

}  // namespace distcron::store
