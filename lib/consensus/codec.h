// SPDX-License-Identifier: Apache-2.0
// Bytes of configurations (in the log) and messages (between members): compact, versioned, safe
// against any input. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "consensus/message.h"

namespace distcron::consensus {

/// `data` of an entry of kind kConfig. kInvalid: malformed.
[[nodiscard]] std::string encode_config(const Config& config);
[[nodiscard]] Result<Config> decode_config(std::string_view bytes);

/// Wire form of a message: versioned, every count bounded by the bytes that follow. kInvalid:
/// malformed or of a newer version.
[[nodiscard]] std::string encode_message(const Message& message);
[[nodiscard]] Result<Message> decode_message(std::string_view bytes);

}  // namespace distcron::consensus
