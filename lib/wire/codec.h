// SPDX-License-Identifier: Apache-2.0
// The byte form of model types and messages: one version byte, then msgpack. A struct is a map by
// the keys of its visit_fields; members that equal the default are left out, unknown keys are
// skipped, absent ones keep the default. Enums and Mode are integers, WallTime and Millis int64
// (us, ms), Bytes int64, the command of an Entry the pair [number, map].
// Pure. Decoding trusts nothing: sizes are believed only as far as bytes are there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace distcron::wire {

inline constexpr char kWireVersion = 1;
/// Limits of decode(); above them the bytes are refused.
inline constexpr std::size_t kMessageBytesMax = std::size_t{4} << 20U;
inline constexpr std::size_t kDepthMax = 16;           ///< Arrays and maps within each other.
inline constexpr std::uint32_t kMembersMax = 200'000;  ///< Of one array or map.
inline constexpr std::size_t kValuesMax = std::size_t{1} << 20U;  ///< In all, keys included.

/// Implemented for model::Entry, JobSpec, Run, HostReport, std::vector<model::Fact> and every
/// struct of wire/messages.h and wire/run_messages.h. Never fails.
template <class T>
[[nodiscard]] std::string encode(const T& value);

/// As encode(). kInvalid names the member that does not fit.
template <class T>
[[nodiscard]] Result<T> decode(std::string_view bytes);

}  // namespace distcron::wire
