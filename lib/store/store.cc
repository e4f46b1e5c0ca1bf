// SPDX-License-Identifier: Apache-2.0
// Opening and loading; the thread's turns are in store_thread.cc.
#include "store/store.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "store/file_io.h"
#include "store/store_thread.h"

namespace distcron::store {
namespace {

constexpr const char* kStateFile = "state.db";
constexpr const char* kLogFile = "raft.db";

/// The log must reach from what state.db has to what was acknowledged.
Status check_meeting(const StateDir& dir, const LogDb& log, const StateDb& state) {
  const std::int64_t applied = state.applied_index();
  if (applied >= log.base().index && applied <= log.last_index()) return {};
  const std::string range =
      std::to_string(log.base().index + 1) + " to " + std::to_string(log.last_index());
  return fail_hint(ErrorCode::kCorrupt,
                   "cannot use '" + dir.path() + "': state.db ends at entry " +
                       std::to_string(applied) + ", but raft.db holds " + range,
                   "restore both files from one backup; with state.db alone the log begins anew");
}

/// Files that an earlier process made for itself, but that of an install under way.
void remove_leftovers(const StateDir& dir, const LogDb& log) {
  const std::string kept = log.install() ? install_name(*log.install()) : "";
  std::error_code ignored;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(dir.path(), ignored), end; at != end;
       at.increment(ignored)) {
    names.push_back(at->path().filename().string());
  }
  for (const std::string& name : names) {
    const bool is_ours =
        name.starts_with("snapshot-") || name.starts_with("install") || name.starts_with("backup-");
    // It only takes room: the next start tries again.
    if (is_ours && name != kept) static_cast<void>(remove_file(dir.file(name)));
  }
}

Result<std::unique_ptr<StateDb>> open_state(const StateDir& dir, LogDb& log) {
  if (log.install()) DC_CHECK_OK(place_install(dir, *log.install()));
  DC_CHECK_OK(dir.make_file(kStateFile));
  DC_TRY(std::unique_ptr<StateDb> state, StateDb::open(dir.file(kStateFile)));
  if (log.install()) {
    DC_CHECK_OK(check_installed(*state, *log.install()));
    DC_CHECK_OK(log.end_install());
  }
  if (log.is_new()) {
    LogStart start;
    start.index = state->applied_index();
    if (start.index > 0) {
      DC_TRY(start.term, state->newest_term());
    }
    DC_CHECK_OK(log.begin(start));
  }
  return state;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& dir_path) {
  DC_TRY(StateDir dir, StateDir::open(dir_path));
  DC_CHECK_OK(dir.make_file(kLogFile));
  DC_TRY(std::unique_ptr<LogDb> log, LogDb::open(dir.file(kLogFile)));
  remove_leftovers(dir, *log);
  DC_TRY(std::unique_ptr<StateDb> state, open_state(dir, *log));
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
  loaded.base = parts_.log->base();
  loaded.hard = parts_.log->hard();
  loaded.last_index = parts_.log->last_index();
  loaded.is_restored = parts_.log->is_restored();
  DC_TRY(loaded.entries, parts_.log->entries());
  DC_TRY(loaded.journal, parts_.log->journal());
  return loaded;
}

Status StoreThread::save_hard_state(const HardState& hard) {
  return parts_.log->save_hard_state(hard);
}

}  // namespace distcron::store
