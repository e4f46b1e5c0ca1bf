// SPDX-License-Identifier: Apache-2.0
// std::mutex with clang thread-safety annotations (libstdc++'s own is not annotated).
#pragma once

#include <mutex>

#if defined(__clang__)
#define DC_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define DC_THREAD_ATTRIBUTE(x)
#endif
#define DC_GUARDED_BY(m) DC_THREAD_ATTRIBUTE(guarded_by(m))

namespace distcron {

class DC_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() DC_THREAD_ATTRIBUTE(acquire_capability()) { inner_.lock(); }

  void unlock() DC_THREAD_ATTRIBUTE(release_capability()) { inner_.unlock(); }

  /// For std::condition_variable_any only.
  std::mutex& inner() { return inner_; }

 private:
  std::mutex inner_;
};

class DC_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DC_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }

  ~MutexLock() DC_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace distcron
