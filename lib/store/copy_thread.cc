// SPDX-License-Identifier: Apache-2.0
#include "store/copy_thread.h"

#include <utility>

#include <pthread.h>

namespace distcron::store {

void CopyThread::post(Work work) {
  {
    const MutexLock lock(mutex_);
    if (stops_) return;
    posted_.push_back(std::move(work));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  wake_.notify_one();
}

void CopyThread::stop() {
  std::thread ending;
  {
    const MutexLock lock(mutex_);
    stops_ = true;
    std::swap(ending, thread_);
  }
  wake_.notify_one();
  if (ending.joinable()) ending.join();
}

void CopyThread::run() {
  ::pthread_setname_np(::pthread_self(), "store-copy");
  while (true) {
    Work work;
    {
      const MutexLock lock(mutex_);
      while (posted_.empty() && !stops_)
        wake_.wait(mutex_);
      if (stops_) {
        posted_.clear();
        return;
      }
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work(stops_);
  }
}

}  // namespace distcron::store
