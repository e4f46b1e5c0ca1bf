// SPDX-License-Identifier: Apache-2.0
// CopyThread: does long work with files, one piece after the other, beside the thread that commits.
// It starts with the first piece. post() and stop() by the owner's threads; stop() once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace distcron::store {

class CopyThread {
 public:
  using Work = std::function<void(const std::atomic<bool>& stops)>;

  CopyThread() = default;

  ~CopyThread() { stop(); }

  CopyThread(const CopyThread&) = delete;
  CopyThread& operator=(const CopyThread&) = delete;

  /// After stop(): dropped.
  void post(Work work);
  /// Asks the present work to end, drops the rest and joins. Idempotent.
  void stop();

 private:
  void run();

  std::atomic<bool> stops_{false};
  Mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Work> posted_ DC_GUARDED_BY(mutex_);
  std::thread thread_ DC_GUARDED_BY(mutex_);
};

}  // namespace distcron::store
