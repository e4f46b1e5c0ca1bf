// SPDX-License-Identifier: Apache-2.0
// StoreThread: the Store that open() makes. Its thread owns both databases from start() to stop();
// before and after that the calling thread does. A second thread, which starts when it is needed,
// owns the files of snapshots. Posting and taking lock a mutex for moments only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "store/copy_thread.h"
#include "store/db_reader.h"
#include "store/incoming.h"
#include "store/log_db.h"
#include "store/state_copy.h"
#include "store/state_db.h"
#include "store/state_dir.h"
#include "store/store.h"

namespace distcron::store {

/// What open() does before there is a thread, and the install of a snapshot on the thread: puts
/// the file of an install that is under way in place of state.db, unless that is done already. No
/// connection may be open.
[[nodiscard]] Status place_install(const StateDir& dir, const LogStart& start);
/// kCorrupt unless `state` is what the install promised.
[[nodiscard]] Status check_installed(const StateDb& state, const LogStart& start);

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

  explicit StoreThread(Parts parts);

  ~StoreThread() override { StoreThread::stop(); }

  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  [[nodiscard]] Result<Loaded> load() override;
  [[nodiscard]] Status save_hard_state(const HardState& hard) override;
  void start() override;
  void post(DurableBatch batch) override;
  void post(planner::Changes changes) override;
  void query(std::function<std::function<void()>(Reader&)> query) override;
  void compact(std::int64_t index, LogConfig config) override;
  [[nodiscard]] LogSize log_size() const override;
  void make_snapshot() override;
  void read_snapshot(std::int64_t index, std::uint64_t offset, std::uint64_t size,
                     std::uint64_t tag) override;
  void install(SnapshotPiece piece) override;
  void back_up(std::string path, std::uint64_t tag) override;

  [[nodiscard]] int wake_fd() const override { return parts_.wake.get(); }

  [[nodiscard]] std::vector<Completion> take_completions() override;
  void stop() override;
  [[nodiscard]] bool is_state_behind() const override;

 private:
  using Query = std::function<std::function<void()>(Reader&)>;

  struct Compaction {
    std::int64_t index = 0;
    LogConfig config;
  };

  struct CopyOrder {
    std::string path;  ///< Of a backup; empty: a snapshot.
    std::uint64_t tag = 0;
  };

  /// A checked snapshot is to become state.db.
  struct Swap {
    LogStart start;
    std::uint64_t size = 0;
  };

  using Work = std::variant<planner::Changes, Query, Compaction, CopyOrder, Swap>;

  void run();
  /// Waits for work, takes all batches and work; false when the thread is to end.
  [[nodiscard]] bool wait();
  void write_batches();
  [[nodiscard]] std::vector<Status> write_group(const std::vector<DurableBatch>& group);
  void do_work();
  void do_beside(Work& work);
  void do_query(const Query& query);
  void write_state();
  void state_failed(const Error& error);
  void work_while_behind();
  void maintain(bool is_last);
  [[nodiscard]] Status checkpoint_log(std::int64_t times, bool is_last);
  [[nodiscard]] Status checkpoint_state(std::int64_t times, bool is_last);
  void finish();
  void push(Completion completion);
  void add_work(Work work);
  /// Notes an error after which nothing is written any more; whether it is one.
  bool note_failure(const Error& error);

  // store_files.cc.
  void do_compaction(const Compaction& order);
  [[nodiscard]] Status compact_now(const Compaction& order);
  void do_copy(const CopyOrder& order);
  void begin_swap(const Swap& order);
  void continue_swap();
  [[nodiscard]] Result<Loaded> swap_now();
  // On the copy thread.
  void copy_snapshot(const FrozenState& from, std::int64_t term, const std::atomic<bool>& stops);
  void take_piece(const SnapshotPiece& piece, const std::atomic<bool>& stops);
  [[nodiscard]] Result<std::string> read_piece(std::int64_t index, std::uint64_t offset,
                                               std::uint64_t size) const;

  Parts parts_;
  std::thread thread_;

  mutable Mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<DurableBatch> posted_batches_ DC_GUARDED_BY(mutex_);
  std::deque<Work> posted_work_ DC_GUARDED_BY(mutex_);
  std::vector<Completion> completions_ DC_GUARDED_BY(mutex_);
  LogSize log_size_ DC_GUARDED_BY(mutex_);
  bool wants_stop_ DC_GUARDED_BY(mutex_) = false;
  bool is_behind_ DC_GUARDED_BY(mutex_) = false;
  std::atomic<std::int64_t> applied_{0};  ///< Written by the thread, a hint to others.

  // The thread's own.
  std::vector<DurableBatch> batches_;
  std::deque<Work> work_;
  bool is_failed_ = false;  ///< A fatal error was reported: nothing is written any more.
  Error failure_;
  std::int64_t retry_millis_ = 0;  ///< Not 0: state.db is behind, this is the present back-off.
  std::optional<Swap> swap_;  ///< Beyond return; parts_.state and reader may be missing meanwhile.
  std::optional<Error> swap_error_;   ///< Why it waits.
  std::int64_t ignored_through_ = 0;  ///< Changes up to here are contained in a snapshot.
  std::int64_t trimmed_at_ = 0;       ///< last_index() at the last cycle.
  std::int64_t log_frames_next_ = 0;
  std::int64_t state_frames_next_ = 0;

  // The copy thread's own.
  std::vector<StateCopy> snapshots_;  ///< By age.
  Incoming incoming_;
  CopyThread copier_;  ///< Last, so that it ends before what it uses.
};

}  // namespace distcron::store
