// SPDX-License-Identifier: Apache-2.0
// Refusals: what one door of the agent has refused, counted by reason, and the lines for the log
// that tell of it. A line of each reason at once, then one in ten seconds at most with the number
// of what came between: whoever knocks ten thousand times fills no disk. Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace distcron::mesh {

/// Why something had no effect. The names are shown to people and scripts.
enum class Refusal : std::uint8_t {
  kUnknownKey,       ///< ZAP said no.
  kHandshake,        ///< No CURVE, another server key, no ZMTP 3, too slow.
  kUnauthenticated,  ///< A message without a proved key.
  kRemovedKey,       ///< A session of a key that is no longer wanted.
  kForgedSender,     ///< The sender that it names does not own the key.
  kMalformed,
  kTooManyParts,
  kTooLarge,
  kOtherVersion,
  kOtherCluster,
  kOldIncarnation,
  kOldBoot,
  kOldTerm,       ///< What only a leader says, from a term that is over.
  kSecondLeader,  ///< What only the leader says, from another member in the same term.
  kForbidden,     ///< What this sender has no right to: a guest, or a member for another host.
  kLeft,  ///< Went by itself before it was let in, also who only looked whether somebody listens.
};
inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kLeft) + 1;

/// "unknown_key"
[[nodiscard]] std::string_view name_of(Refusal reason);

/// Counted, but no line is worth it.
[[nodiscard]] constexpr bool is_quiet(Refusal reason) {
  return reason == Refusal::kLeft;
}

/// It also happens where all are as they should be, such as after an election or a restart.
[[nodiscard]] constexpr bool is_usual(Refusal reason) {
  return reason == Refusal::kOldBoot || reason == Refusal::kOldTerm;
}

struct RefusalLine {
  Refusal reason = Refusal::kUnknownKey;
  std::string text;
};

class Refusals {
 public:
  /// Of one reason.
  struct Tally {
    std::int64_t count = 0;
    std::string last;    ///< key=value words about the last one: who, where, why.
    WallTime last_at{};  ///< When take_lines() first saw it.
  };

  /// `door` stands in the lines: mesh or control.
  explicit Refusals(std::string door) : door_(std::move(door)) {}

  /// `about`: key=value words without what a stranger may choose freely.
  void note(Refusal reason, std::string about);

  /// Lines that are due now. Cheap when nothing was refused since the last call.
  [[nodiscard]] std::vector<RefusalLine> take_lines(MonoTime now, WallTime wall);

  [[nodiscard]] const Tally& of(Refusal reason) const {
    return entries_[static_cast<std::size_t>(reason)].tally;
  }

  [[nodiscard]] const std::string& door() const { return door_; }

  static constexpr Seconds kLineEvery{10};

 private:
  struct Entry {
    Tally tally;
    std::int64_t seen = 0;    ///< Of the count, by take_lines().
    std::int64_t logged = 0;  ///< Of the count, in lines.
    MonoTime next_line{};
  };

  std::string door_;
  std::array<Entry, kRefusalCount> entries_;
  bool has_news_ = false;
};

}  // namespace distcron::mesh
