// SPDX-License-Identifier: Apache-2.0
#include "support/fault_vfs.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>

#include <sqlite3.h>

namespace distcron::test {
namespace {

struct Shared {
  std::mutex mutex;
  FaultPlan plan;
  std::int64_t counted = 0;
};

Shared& shared() {
  static Shared state;
  return state;
}

sqlite3_vfs* real_vfs = nullptr;

enum class Verdict : std::uint8_t { kPass, kFail, kTear };

/// Counts one operation and says what becomes of it.
Verdict judge(FaultPlan::Where where) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  if (where != state.plan.where) return Verdict::kPass;
  ++state.counted;
  const std::int64_t past = state.counted - state.plan.at;
  if (state.plan.at == 0 || past < 0 || past >= state.plan.count) return Verdict::kPass;
  return state.plan.is_torn && past == 0 ? Verdict::kTear : Verdict::kFail;
}

int write_error() {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  return state.plan.sys_errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

/// Our file, followed in memory by the real one.
struct File {
  sqlite3_file base;
};

sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

int close_file(sqlite3_file* f) {
  return real_of(f)->pMethods->xClose(real_of(f));
}

int read_file(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
  return real_of(f)->pMethods->xRead(real_of(f), to, size, at);
}

int write_file(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
  const Verdict verdict = judge(FaultPlan::Where::kWrite);
  if (verdict == Verdict::kTear) real_of(f)->pMethods->xWrite(real_of(f), from, size / 2, at);
  if (verdict != Verdict::kPass) return write_error();
  return real_of(f)->pMethods->xWrite(real_of(f), from, size, at);
}

int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  if (judge(FaultPlan::Where::kWrite) != Verdict::kPass) return write_error();
  return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

int sync_file(sqlite3_file* f, int flags) {
  if (judge(FaultPlan::Where::kSync) != Verdict::kPass) return SQLITE_IOERR_FSYNC;
  return real_of(f)->pMethods->xSync(real_of(f), flags);
}

int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

int lock_file(sqlite3_file* f, int level) {
  return real_of(f)->pMethods->xLock(real_of(f), level);
}

int unlock_file(sqlite3_file* f, int level) {
  return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

int check_lock(sqlite3_file* f, int* out) {
  return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

int control(sqlite3_file* f, int op, void* arg) {
  return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

int sector_size(sqlite3_file* f) {
  return real_of(f)->pMethods->xSectorSize(real_of(f));
}

int traits(sqlite3_file* f) {
  return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

int shm_map(sqlite3_file* f, int page, int size, int extend, volatile void** out) {
  if (extend != 0 && judge(FaultPlan::Where::kWrite) != Verdict::kPass) {
    return write_error() == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_SHMSIZE;
  }
  return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

int shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return real_of(f)->pMethods->xShmLock(real_of(f), offset, count, flags);
}

void shm_barrier(sqlite3_file* f) {
  real_of(f)->pMethods->xShmBarrier(real_of(f));
}

int shm_unmap(sqlite3_file* f, int drop) {
  return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

const sqlite3_io_methods kMethods = {
    2,         close_file,  read_file,  write_file, truncate_file, sync_file, file_size,
    lock_file, unlock_file, check_lock, control,    sector_size,   traits,    shm_map,
    shm_lock,  shm_barrier, shm_unmap,  nullptr,    nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* f, int flags, int* out) {
  File* file = new (f) File{};
  const int rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, out);
  if (real_of(f)->pMethods != nullptr) file->base.pMethods = &kMethods;
  return rc;
}

sqlite3_vfs our_vfs;

}  // namespace

FaultVfs::FaultVfs() {
  real_vfs = sqlite3_vfs_find("unix");
  our_vfs = *real_vfs;
  our_vfs.zName = "faults";
  our_vfs.pNext = nullptr;
  our_vfs.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  our_vfs.xOpen = open_file;
  clear();
  sqlite3_vfs_register(&our_vfs, 1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&our_vfs);
  sqlite3_vfs_register(real_vfs, 1);
}

void FaultVfs::set(const FaultPlan& plan) {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  state.plan = plan;
  state.counted = 0;
}

std::int64_t FaultVfs::counted() {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  return state.counted;
}

}  // namespace distcron::test
