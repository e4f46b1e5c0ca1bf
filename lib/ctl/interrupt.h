// SPDX-License-Identifier: Apache-2.0
// Ctrl-C: ends the program at once with 130, after saying what goes on without it. One note at a
// time, set by the main thread; the handler only writes and exits.
#pragma once

#include <string_view>

namespace distcron::ctl {

/// Installs the handler of SIGINT.
void handle_interrupts();

/// While it lives, Ctrl-C writes `note` (cut at 511 bytes) on stderr before the program ends.
class DetachNote {
 public:
  explicit DetachNote(std::string_view note);
  ~DetachNote();
  DetachNote(const DetachNote&) = delete;
  DetachNote& operator=(const DetachNote&) = delete;
};

}  // namespace distcron::ctl
