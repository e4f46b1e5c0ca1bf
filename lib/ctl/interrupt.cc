// SPDX-License-Identifier: Apache-2.0
#include "ctl/interrupt.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>

#include <unistd.h>

namespace distcron::ctl {
namespace {

constexpr int kInterruptedStatus = 130;
std::array<char, 512> note_text{};
volatile std::sig_atomic_t note_size = 0;

extern "C" void on_interrupt(int /*signum*/) {
  const auto size = static_cast<std::size_t>(note_size);
  if (size > 0) {
    const ssize_t written = ::write(STDERR_FILENO, note_text.data(), size);
    static_cast<void>(written);
  }
  ::_exit(kInterruptedStatus);
}

}  // namespace

void handle_interrupts() {
  struct sigaction action {};

  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  static_cast<void>(::sigaction(SIGINT, &action, nullptr));
}

DetachNote::DetachNote(std::string_view note) {
  note_size = 0;
  const std::size_t size = std::min(note.size(), note_text.size() - 1);
  std::memcpy(note_text.data(), note.data(), size);
  note_text[size] = '\n';
  note_size = static_cast<std::sig_atomic_t>(size + 1);
}

DetachNote::~DetachNote() {
  note_size = 0;
}

}  // namespace distcron::ctl
