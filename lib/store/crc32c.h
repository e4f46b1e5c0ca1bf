// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), eight bytes a step by tables. Pure.
// Source: RFC 3720 appendix B.4 (test values); slicing-by-8, Kounavis and Berry 2005.
#pragma once

#include <cstdint>
#include <string_view>

namespace distcron::store {

/// CRC of `bytes`, going on from `crc` (0 at the start).
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

}  // namespace distcron::store
