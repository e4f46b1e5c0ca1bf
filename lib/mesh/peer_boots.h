// SPDX-License-Identifier: Apache-2.0
// PeerBoots: which of a peer's lives its messages are from. What an earlier life left in buffers
// may come after the first message of the next one; it is dropped. Whoever hears both for the first
// time cannot know their order: so what was taken for the present life loses that place when it
// says nothing for a second while the other speaks. A value; any thread, one at a time.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace distcron::mesh {

class PeerBoots {
 public:
  enum class Heard : std::uint8_t {
    kSame,
    kNew,  ///< The peer was started anew; or it is the first message.
    kOld,  ///< Of an earlier life: to be dropped.
  };

  [[nodiscard]] Heard hear(std::uint64_t boot, MonoTime now) {
    const bool is_same = boot == boot_;
    if (!is_same && boot == previous_ && now - heard_at_ <= kSilent) return Heard::kOld;
    heard_at_ = now;
    if (is_same) return Heard::kSame;
    previous_ = boot_;
    boot_ = boot;
    return Heard::kNew;
  }

  /// 0: nothing was heard.
  [[nodiscard]] std::uint64_t boot() const { return boot_; }

 private:
  static constexpr Seconds kSilent{1};

  std::uint64_t boot_ = 0;
  std::uint64_t previous_ = 0;
  MonoTime heard_at_{};
};

}  // namespace distcron::mesh
