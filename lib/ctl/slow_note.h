// SPDX-License-Identifier: Apache-2.0
// Says on stderr that an answer is being waited for, once that takes long. Owns one thread, which
// ends with the object.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/time.h"

namespace distcron::ctl {

inline constexpr Millis kSlowAnswer{300};

class SlowNote {
 public:
  explicit SlowNote(std::string text);
  ~SlowNote();
  SlowNote(const SlowNote&) = delete;
  SlowNote& operator=(const SlowNote&) = delete;

 private:
  std::string text_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace distcron::ctl
