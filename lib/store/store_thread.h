// SPDX-License-Identifier: Apache-2.0
// StoreThread: the Store that open() makes. Its thread owns both databases from start() to stop();
// before and after that the calling thread does. Posting and taking lock a mutex for moments only.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "store/db_reader.h"
#include "store/log_db.h"
#include "store/state_db.h"
#include "store/state_dir.h"
#include "store/store.h"

namespace distcron::store {

class StoreThread : public Store {
 public:
  struct Parts {
    StateDir dir;
    std::unique_ptr<LogDb> log;
    std::unique_ptr<StateDb> state;
    std::unique_ptr<DbReader> reader;
    UniqueFd wake;   ///< eventfd: completions wait.
    UniqueFd retry;  ///< timerfd: state.db may be tried again.
  };

  explicit StoreThread(Parts parts) : parts_(std::move(parts)) {}

  ~StoreThread() override { StoreThread::stop(); }

  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  [[nodiscard]] Result<Loaded> load() override;
  void start() override;
  void post(DurableBatch batch) override;
  void post(planner::Changes changes) override;
  void query(std::function<std::function<void()>(Reader&)> query) override;

  [[nodiscard]] int wake_fd() const override { return parts_.wake.get(); }

  [[nodiscard]] std::vector<Completion> take_completions() override;
  [[nodiscard]] Status save_term(std::int64_t term) override;
  void stop() override;
  [[nodiscard]] bool is_state_behind() const override;

 private:
  using Query = std::function<std::function<void()>(Reader&)>;
  using Work = std::variant<planner::Changes, Query>;

  void run();
  /// Waits for work, takes all batches and work; false when the thread is to end.
  [[nodiscard]] bool wait();
  void write_batches();
  void do_work();
  void do_query(Query& query);
  void write_state();
  void state_failed(const Error& error);
  void serve_queries_behind();
  void maintain(bool is_last);
  [[nodiscard]] Status checkpoint_log(std::int64_t times, bool is_last);
  [[nodiscard]] Status checkpoint_state(std::int64_t times, bool is_last);
  void finish();
  void push(Completion completion);

  Parts parts_;
  std::thread thread_;

  mutable Mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<DurableBatch> posted_batches_ DC_GUARDED_BY(mutex_);
  std::deque<Work> posted_work_ DC_GUARDED_BY(mutex_);
  std::vector<Completion> completions_ DC_GUARDED_BY(mutex_);
  bool wants_stop_ DC_GUARDED_BY(mutex_) = false;
  bool is_behind_ DC_GUARDED_BY(mutex_) = false;

  // The thread's own.
  std::vector<DurableBatch> batches_;
  std::deque<Work> work_;
  bool is_failed_ = false;  ///< A fatal error was reported: nothing is written any more.
  Error failure_;
  std::int64_t retry_millis_ = 0;  ///< Not 0: state.db is behind, this is the present back-off.
  std::int64_t dropped_at_ = 0;    ///< last_index() at the last cycle.
  std::int64_t bytes_at_ = 0;      ///< bytes() after the last cycle.
  std::int64_t log_frames_next_ = 0;
  std::int64_t state_frames_next_ = 0;
};

}  // namespace distcron::store
