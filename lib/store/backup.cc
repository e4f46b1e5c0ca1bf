// SPDX-License-Identifier: Apache-2.0
#include "store/backup.h"

#include <atomic>

#include "store/file_io.h"
#include "store/state_dir.h"

namespace distcron::store {
namespace {

constexpr std::uint64_t kCopyStep = std::uint64_t{1} << 20U;

Status copy_file(const std::string& from, const std::string& to) {
  DC_TRY(const UniqueFd source, open_to_read(from));
  DC_TRY(const UniqueFd copy, make_new_file(to));
  std::uint64_t offset = 0;
  while (true) {
    DC_TRY(const std::string bytes, read_at(source.get(), from, offset, kCopyStep));
    DC_CHECK_OK(write_at(copy.get(), to, offset, bytes));
    offset += bytes.size();
    if (bytes.size() < kCopyStep) return sync_file(copy.get(), to);
  }
}

Error renamed(Error error, const std::string& from, const std::string& to) {
  const std::size_t at = error.message.find(from);
  if (at != std::string::npos) error.message.replace(at, from.size(), to);
  return error;
}

}  // namespace

Result<CopyFacts> verify_backup(const std::string& path) {
  const std::atomic<bool> never{false};
  return examine_copy(path, Examination::kFull, never);
}

Result<CopyFacts> restore_backup(const std::string& path, const std::string& dir_path) {
  // Says what is wrong with the file before anything is made.
  DC_TRY([[maybe_unused]] const CopyFacts facts, verify_backup(path));
  DC_TRY(const StateDir dir, StateDir::open(dir_path));
  for (const char* name : {"state.db", "raft.db"}) {
    if (!is_there(dir.file(name))) continue;
    return fail_hint(ErrorCode::kConflict,
                     "cannot restore to '" + dir_path + "': there is a " + name + " already",
                     "move the directory away, or name another one");
  }
  const std::string part = dir.file("install.part");
  DC_CHECK_OK(remove_file(part));
  Status done = copy_file(path, part);
  // What was read first may have changed since; this is what stays.
  Result<CopyFacts> restored = done ? verify_backup(part) : Result<CopyFacts>(fail(done.error()));
  for (const char* log : {"state.db-wal", "state.db-shm"}) {
    if (restored && done) done = remove_file(dir.file(log));
  }
  if (restored && done) done = rename_file(part, dir.file("state.db"));
  if (restored && done) done = dir.sync();
  if (restored && done) return restored;
  static_cast<void>(remove_file(part));
  return fail(renamed(done ? restored.error() : done.error(), part, path));
}

}  // namespace distcron::store
