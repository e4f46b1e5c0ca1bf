// SPDX-License-Identifier: Apache-2.0
#include "ctl/slow_note.h"

#include <utility>

#include <unistd.h>

namespace distcron::ctl {

SlowNote::SlowNote(std::string text) : text_(std::move(text) + "\n") {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, kSlowAnswer, [this] { return is_over_; })) return;
    const ssize_t written = ::write(STDERR_FILENO, text_.data(), text_.size());
    static_cast<void>(written);
  });
}

SlowNote::~SlowNote() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

}  // namespace distcron::ctl
