// SPDX-License-Identifier: Apache-2.0
// The messages between agent and executor: one fixed layout, a text at the end of some. One message
// is one packet of a SOCK_SEQPACKET unix socket; a spawn carries its plan as a sealed memory file.
// Decoding checks everything, as the executor reads it as root. No thread rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "process/spawn_plan.h"

namespace distcron::process {

inline constexpr std::uint16_t kExecVersion = 1;
inline constexpr std::size_t kMessageTextMax = 400;

enum class MessageType : std::uint16_t {
  // agent to executor
  kSpawn = 1,  ///< With a plan descriptor.
  kKill = 2,   ///< code: signal, a: grace in ms or -1.
  kAck = 3,
  kRemove = 4,
  kInventory = 5,  ///< No key.
  kSpool = 6,      ///< No key. a: number of the question; text: a table's name, or none: all names.
  // executor to agent
  kHello = 16,    ///< code: pid, a: has cgroup, b: starts/s; text: boot id, newline, reason.
  kStarted = 17,  ///< code: stub pid, a: its start time, b: wall us, c: boottime us.
  kRunning = 18,  ///< As kStarted.
  kRefused = 19,  ///< code: RefuseReason; text: step, newline, text.
  kEnded = 20,    ///< code: 1 when there is a record.
  kInventoryDone = 21,
  kSpoolFile = 22,  ///< As kSpool; code: errno. With a descriptor of the table, or of a list.
};

/// Why nothing of an attempt has run. kSetup: `text` is "setup_STEP: system's words", `step` the
/// STEP alone.
enum class RefuseReason : std::uint8_t {
  kSpawnFailed,
  kPolicy,
  kLate,
  kDuplicate,
  kSetup,
  kNotReleased
};

struct Message {
  MessageType type = MessageType::kInventory;
  RunKey key;
  std::int32_t code = 0;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t c = 0;
  std::string_view text;  ///< Points into the decoded bytes; cut to kMessageTextMax when encoded.
};

/// Fixed part as it travels, host byte order: both ends are one host.
struct MessageLayout {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t type;
  std::int64_t run_id;
  std::int32_t attempt;
  std::int32_t code;
  std::int64_t a;
  std::int64_t b;
  std::int64_t c;
};

static_assert(sizeof(MessageLayout) == 48);
inline constexpr std::size_t kMessageBytesMax = sizeof(MessageLayout) + kMessageTextMax;

/// Writes `message` into `out` (kMessageBytesMax bytes). Returns the bytes used.
std::size_t encode_message(const Message& message, std::span<std::byte> out);

/// False when `bytes` are not exactly one valid message of this version.
[[nodiscard]] bool decode_message(std::span<const std::byte> bytes, Message& message);

}  // namespace distcron::process
