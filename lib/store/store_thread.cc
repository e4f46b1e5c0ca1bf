// SPDX-License-Identifier: Apache-2.0
#include "store/store_thread.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <sys/timerfd.h>
#include <unistd.h>

#include <pthread.h>

namespace distcron::store {
namespace {

/// One transaction of raft.db holds at most so many bytes of entries (at least one batch).
constexpr std::size_t kGroupBytesMax = std::size_t{16} << 20U;
constexpr std::size_t kStateGroupMax = 256;

/// Write-ahead logs are moved into their files beyond so many frames of 4 KiB.
constexpr std::int64_t kLogFrames = 1000;
constexpr std::int64_t kStateFrames = 4000;
/// While batches wait, a checkpoint is put off until the log has grown to so many times that.
constexpr std::int64_t kPutOff = 4;

/// A cycle trims the tables of state.db that only grow, and cuts its write-ahead log.
constexpr std::int64_t kCycleEntries = 10'000;

constexpr std::int64_t kRetryMillisMin = 200;
constexpr std::int64_t kRetryMillisMax = 2000;

std::size_t bytes_of(const DurableBatch& batch) {
  std::size_t bytes = 0;
  for (const LogEntry& entry : batch.entries)
    bytes += entry.bytes.size();
  for (const JournalPut& put : batch.journal)
    bytes += put.bytes.size();
  return bytes;
}

void arm(int timer, std::int64_t millis) {
  itimerspec at{};
  at.it_value.tv_sec = millis / 1000;
  at.it_value.tv_nsec = (millis % 1000) * 1'000'000;
  ::timerfd_settime(timer, 0, &at, nullptr);
}

bool has_fired(int timer) {
  std::uint64_t times = 0;
  return ::read(timer, &times, sizeof times) == static_cast<ssize_t>(sizeof times);
}

}  // namespace

StoreThread::StoreThread(Parts parts)
    : parts_(std::move(parts)),
      log_size_(parts_.log->size()),
      trimmed_at_(parts_.log->last_index()),
      incoming_(parts_.dir.path()) {
  applied_ = parts_.state->applied_index();
}

void StoreThread::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void StoreThread::stop() {
  copier_.stop();
  {
    const MutexLock lock(mutex_);
    wants_stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void StoreThread::post(DurableBatch batch) {
  {
    const MutexLock lock(mutex_);
    posted_batches_.push_back(std::move(batch));
  }
  wake_.notify_one();
}

void StoreThread::post(planner::Changes changes) {
  add_work(std::move(changes));
}

void StoreThread::query(Query query) {
  add_work(std::move(query));
}

void StoreThread::add_work(Work work) {
  {
    const MutexLock lock(mutex_);
    posted_work_.push_back(std::move(work));
  }
  wake_.notify_one();
}

LogSize StoreThread::log_size() const {
  const MutexLock lock(mutex_);
  return log_size_;
}

std::vector<Completion> StoreThread::take_completions() {
  std::uint64_t count = 0;
  // The count tells nothing: all completions are taken, and an empty descriptor is no error.
  if (::read(parts_.wake.get(), &count, sizeof count) < 0) count = 0;
  const MutexLock lock(mutex_);
  return std::exchange(completions_, {});
}

bool StoreThread::is_state_behind() const {
  const MutexLock lock(mutex_);
  return is_behind_;
}

void StoreThread::push(Completion completion) {
  {
    const MutexLock lock(mutex_);
    completions_.push_back(std::move(completion));
  }
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the descriptor is readable already.
  if (::write(parts_.wake.get(), &one, sizeof one) < 0) return;
}

void StoreThread::run() {
  ::pthread_setname_np(::pthread_self(), "store");
  while (wait()) {
    continue_swap();
    write_batches();
    do_work();
    maintain(false);
  }
  finish();
}

bool StoreThread::wait() {
  const MutexLock lock(mutex_);
  while (posted_batches_.empty() && posted_work_.empty() && batches_.empty() && !wants_stop_) {
    if (retry_millis_ != 0 || swap_) {
      wake_.wait_for(mutex_, std::chrono::milliseconds(kRetryMillisMin));
      break;
    }
    if (!work_.empty() || (parts_.log->has_garbage() && !is_failed_)) break;
    wake_.wait(mutex_);
  }
  std::move(posted_batches_.begin(), posted_batches_.end(), std::back_inserter(batches_));
  posted_batches_.clear();
  std::move(posted_work_.begin(), posted_work_.end(), std::back_inserter(work_));
  posted_work_.clear();
  return !wants_stop_;
}

void StoreThread::write_batches() {
  while (!batches_.empty()) {
    std::size_t bytes = 0;
    auto end = batches_.begin();
    while (end != batches_.end() && (bytes == 0 || bytes + bytes_of(*end) <= kGroupBytesMax)) {
      bytes += bytes_of(*end);
      ++end;
    }
    const std::vector<DurableBatch> group(std::make_move_iterator(batches_.begin()),
                                          std::make_move_iterator(end));
    batches_.erase(batches_.begin(), end);
    std::vector<Status> statuses = write_group(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      const bool fatal = !statuses[i] && note_failure(statuses[i].error());
      push(Durable{group[i].tag, std::move(statuses[i]), fatal});
    }
  }
}

std::vector<Status> StoreThread::write_group(const std::vector<DurableBatch>& group) {
  if (is_failed_) return std::vector<Status>(group.size(), Status(fail(failure_)));
  // The log is not yet that of the new state.db.
  if (swap_error_) return std::vector<Status>(group.size(), Status(fail(*swap_error_)));
  std::vector<Status> statuses = parts_.log->write(group);
  const MutexLock lock(mutex_);
  log_size_ = parts_.log->size();
  return statuses;
}

bool StoreThread::note_failure(const Error& error) {
  if (!is_fatal(error)) return false;
  if (!is_failed_) failure_ = error;
  is_failed_ = true;
  return true;
}

void StoreThread::do_work() {
  if (work_.empty() || swap_) return;
  if (retry_millis_ != 0) {
    if (has_fired(parts_.retry.get())) write_state();
    if (retry_millis_ != 0) work_while_behind();
    return;
  }
  if (std::holds_alternative<planner::Changes>(work_.front())) {
    write_state();
    return;
  }
  Work work = std::move(work_.front());
  work_.pop_front();
  if (const Swap* order = std::get_if<Swap>(&work)) {
    begin_swap(*order);
  } else {
    do_beside(work);
  }
}

/// Work that leaves the content of state.db as it is.
void StoreThread::do_beside(Work& work) {
  if (const Query* query = std::get_if<Query>(&work)) do_query(*query);
  if (const Compaction* order = std::get_if<Compaction>(&work)) do_compaction(*order);
  if (const CopyOrder* order = std::get_if<CopyOrder>(&work)) do_copy(*order);
}

void StoreThread::do_query(const Query& query) {
  push(QueryDone{query(*parts_.reader)});
}

void StoreThread::work_while_behind() {
  for (Work& work : work_)
    do_beside(work);
  std::erase_if(work_, [](const Work& work) {
    return !std::holds_alternative<planner::Changes>(work) && !std::holds_alternative<Swap>(work);
  });
}

void StoreThread::write_state() {
  std::vector<planner::Changes> group;
  while (!work_.empty() && group.size() < kStateGroupMax) {
    auto* changes = std::get_if<planner::Changes>(&work_.front());
    if (changes == nullptr) break;
    if (changes->index > ignored_through_) group.push_back(std::move(*changes));
    work_.pop_front();
  }
  if (group.empty()) return;
  Status done = is_failed_ ? Status(fail(failure_)) : parts_.state->write(group);
  if (!done) {
    const Error error = done.error();
    for (auto changes = group.rbegin(); changes != group.rend(); ++changes) {
      work_.emplace_front(std::move(*changes));
    }
    state_failed(error);
    return;
  }
  if (retry_millis_ != 0) {
    retry_millis_ = 0;
    const MutexLock lock(mutex_);
    is_behind_ = false;
  }
  applied_ = parts_.state->applied_index();
  push(StateWritten{parts_.state->applied_index(), {}, false});
}

void StoreThread::state_failed(const Error& error) {
  const bool fatal = note_failure(error);
  retry_millis_ = std::clamp(2 * retry_millis_, kRetryMillisMin, kRetryMillisMax);
  arm(parts_.retry.get(), retry_millis_);
  {
    const MutexLock lock(mutex_);
    is_behind_ = true;
  }
  push(StateWritten{parts_.state->applied_index(), fail(error), fatal});
}

void StoreThread::maintain(bool is_last) {
  if (is_failed_ || swap_) return;
  bool is_busy = !work_.empty();
  {
    const MutexLock lock(mutex_);
    is_busy = is_busy || !posted_batches_.empty();
  }
  const std::int64_t times = is_busy && !is_last ? kPutOff : 1;
  Status done;
  if (!is_last && parts_.log->has_garbage()) done = parts_.log->sweep();
  if (done) done = checkpoint_log(times, is_last);
  if (done) done = checkpoint_state(times, is_last);
  if (!done && note_failure(done.error())) {
    push(StateWritten{parts_.state->applied_index(), std::move(done), true});
  }
}

Status StoreThread::checkpoint_log(std::int64_t times, bool is_last) {
  LogDb& log = *parts_.log;
  const std::int64_t frames = log.wal_frames();
  if (!is_last && frames < std::max(times * kLogFrames, log_frames_next_)) return {};
  log_frames_next_ = frames + kLogFrames;  // When it fails, not again at once.
  DC_TRY(const Checkpointed moved, log.checkpoint(SQLITE_CHECKPOINT_PASSIVE));
  if (moved.complete) log_frames_next_ = 0;
  return {};
}

Status StoreThread::checkpoint_state(std::int64_t times, bool is_last) {
  const std::int64_t last = parts_.log->last_index();
  const bool trims = last - trimmed_at_ >= times * kCycleEntries && retry_millis_ == 0;
  const std::int64_t frames = parts_.state->db().wal_frames();
  const bool is_long = frames >= std::max(times * kStateFrames, state_frames_next_);
  if (!trims && !is_last && !is_long) return {};
  state_frames_next_ = frames + kStateFrames;
  if (trims) {
    trimmed_at_ = last;
    DC_CHECK_OK(parts_.state->trim());
  }
  const int mode = trims ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  DC_TRY(const Checkpointed moved, parts_.state->checkpoint(mode));
  if (moved.complete) state_frames_next_ = 0;
  return {};
}

void StoreThread::finish() {
  continue_swap();
  write_batches();
  while (!work_.empty() && retry_millis_ == 0 && !swap_)
    do_work();
  if (retry_millis_ != 0 && !swap_) {
    write_state();
    work_while_behind();
  }
  maintain(true);
}

}  // namespace distcron::store
