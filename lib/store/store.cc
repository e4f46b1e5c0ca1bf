// SPDX-License-Identifier: Apache-2.0
// Opening and loading; the thread's turns are in store_thread.cc.
#include "store/store.h"

#include <utility>

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "store/store_thread.h"

namespace distcron::store {
namespace {

constexpr const char* kStateFile = "state.db";
constexpr const char* kLogFile = "raft.db";

/// The log must reach from what state.db has to what was acknowledged.
Status check_meeting(const StateDir& dir, const LogDb& log, const StateDb& state) {
  const std::int64_t applied = state.applied_index();
  if (applied >= log.base_index() && applied <= log.last_index()) return {};
  const std::string range =
      std::to_string(log.base_index() + 1) + " to " + std::to_string(log.last_index());
  return fail_hint(ErrorCode::kCorrupt,
                   "cannot use '" + dir.path() + "': state.db ends at entry " +
                       std::to_string(applied) + ", but raft.db holds " + range,
                   "restore both files from one backup; with state.db alone the log begins anew");
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& dir_path) {
  DC_TRY(StateDir dir, StateDir::open(dir_path));
  for (const char* name : {kStateFile, kLogFile})
    DC_CHECK_OK(dir.make_file(name));
  DC_TRY(std::unique_ptr<StateDb> state, StateDb::open(dir.file(kStateFile)));
  LogBase base;
  base.index = state->applied_index();
  if (base.index > 0) {
    DC_TRY(base.term, state->newest_term());
  }
  DC_TRY(std::unique_ptr<LogDb> log, LogDb::open(dir.file(kLogFile), base));
  DC_CHECK_OK(check_meeting(dir, *log, *state));
  DC_CHECK_OK(dir.sync());
  DC_TRY(std::unique_ptr<DbReader> reader, DbReader::make(state->db()));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd retry(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!wake || !retry) return fail_errno(ErrorCode::kIo, "cannot make a descriptor", errno);
  return std::unique_ptr<Store>(
      new StoreThread(StoreThread::Parts{std::move(dir), std::move(log), std::move(state),
                                         std::move(reader), std::move(wake), std::move(retry)}));
}

Result<Loaded> StoreThread::load() {
  Loaded loaded;
  DC_CHECK_OK(parts_.state->load(loaded));
  DC_TRY(loaded.unapplied, parts_.log->entries_after(loaded.applied_index));
  loaded.last_index = parts_.log->last_index();
  loaded.term = parts_.log->term();
  DC_TRY(loaded.journal, parts_.log->journal());
  // A log that ever had entries keeps some, whatever is dropped from it.
  loaded.is_restored = loaded.last_index > 0 && parts_.log->base_index() == loaded.last_index;
  return loaded;
}

Status StoreThread::save_term(std::int64_t term) {
  return parts_.log->save_term(term);
}

}  // namespace distcron::store
