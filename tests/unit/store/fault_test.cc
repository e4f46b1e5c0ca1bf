// SPDX-License-Identifier: Apache-2.0
// Disks that fail: at every write and at every sync of a workload, nothing that was acknowledged
// may be lost, and nothing may be acknowledged twice.
#include <cerrno>

#include "store_fixture.h"
#include "support/fault_vfs.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

using test::FaultPlan;
using test::FaultVfs;

struct Outcome {
  std::int64_t acked_log = 0;
  std::int64_t acked_state = 0;
  bool fatal = false;
  bool failed = false;
};

constexpr std::int64_t kSteps = 12;

void note(Outcome& outcome, const Completion& completion) {
  if (const auto* written = std::get_if<StateWritten>(&completion)) {
    outcome.acked_state = std::max(outcome.acked_state, written->index);
    outcome.failed = outcome.failed || !written->status;
    outcome.fatal = outcome.fatal || written->fatal;
  }
}

/// Appends and applies kSteps entries, each tried up to three times, until something fatal happens.
Outcome work(Store& store) {
  Outcome outcome;
  const planner::Job a = job(1, "a");
  for (std::int64_t i = 1; i <= kSteps && !outcome.fatal; ++i) {
    bool is_acked = false;
    for (int tries = 0; tries < 3 && !is_acked && !outcome.fatal; ++tries) {
      store.post(DurableBatch{{entry(i, std::string(3000, 'x'))}, {}, {}, 0});
      bool is_answered = false;
      while (!is_answered) {
        const std::vector<Completion> done = take(store, 1);
        REQUIRE(!done.empty());
        for (const Completion& completion : done) {
          note(outcome, completion);
          const auto* durable = std::get_if<Durable>(&completion);
          if (durable == nullptr) continue;
          is_answered = true;
          is_acked = durable->status.has_value();
          outcome.failed = outcome.failed || !is_acked;
          outcome.fatal = outcome.fatal || durable->fatal;
        }
      }
    }
    if (!is_acked) return outcome;
    outcome.acked_log = i;
    planner::Changes made = changes(i);
    made.jobs = {a};
    made.runs = {run(i, a, at(i))};
    store.post(std::move(made));
  }
  return outcome;
}

/// The work under `plan`, then a restart on a sound disk, which must hold what was acknowledged.
Outcome work_and_restart(const FaultPlan& plan) {
  const test::TempDir temp;
  Outcome outcome;
  {
    auto store = open_started(temp.file("db"));
    FaultVfs::set(plan);
    outcome = work(*store);
    store->stop();
    for (const Completion& completion : store->take_completions())
      note(outcome, completion);
  }
  FaultVfs::clear();
  const Loaded loaded = load(*open_store(temp.file("db")));
  CHECK(loaded.last_index >= outcome.acked_log);
  CHECK(loaded.last_index <= outcome.acked_log + 1);
  CHECK(loaded.applied_index >= outcome.acked_state);
  CHECK(loaded.applied_index <= outcome.acked_log);
  CHECK(loaded.live_runs.size() == static_cast<std::size_t>(loaded.applied_index));
  CHECK(sqlite(temp.file("db/state.db"), "PRAGMA integrity_check") == "ok\n");
  CHECK(sqlite(temp.file("db/raft.db"), "PRAGMA integrity_check") == "ok\n");
  return outcome;
}

TEST_SUITE("store") {
  TEST_CASE("a disk that is full for a while, at every write, costs nothing but time") {
    const FaultVfs vfs;
    bool was_reached = true;
    int failures = 0;
    for (std::int64_t at = 1; was_reached; ++at) {
      CAPTURE(at);
      const Outcome outcome = work_and_restart({.where = FaultPlan::Where::kWrite,
                                                .at = at,
                                                .count = 1,
                                                .sys_errno = ENOSPC,
                                                .is_torn = at % 2 == 0});
      CHECK_FALSE(outcome.fatal);
      CHECK(outcome.acked_log == kSteps);
      was_reached = at < 150;
      failures += outcome.failed ? 1 : 0;
    }
    CHECK(failures > 40);
  }

  TEST_CASE("an I/O error at any write is fatal and loses nothing that was acknowledged") {
    const FaultVfs vfs;
    int fatal = 0;
    for (std::int64_t at = 1; at <= 90; ++at) {
      CAPTURE(at);
      const Outcome outcome = work_and_restart({.where = FaultPlan::Where::kWrite,
                                                .at = at,
                                                .count = 1'000'000,
                                                .sys_errno = EIO,
                                                .is_torn = at % 2 == 0});
      fatal += outcome.fatal ? 1 : 0;
    }
    CHECK(fatal > 40);
  }

  TEST_CASE("a failed sync is fatal at once and is never tried again") {
    const FaultVfs vfs;
    for (std::int64_t at = 1; at <= kSteps; ++at) {
      CAPTURE(at);
      const Outcome outcome = work_and_restart(
          {.where = FaultPlan::Where::kSync, .at = at, .count = 1, .sys_errno = EIO});
      CHECK(outcome.fatal);
      CHECK(outcome.acked_log < kSteps);
    }
  }

  TEST_CASE("a full disk refuses batches and goes on when there is room again") {
    const FaultVfs vfs;
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(write(*store, {{entry(1)}, {}, {}, 0}).status.has_value());
    FaultVfs::set(
        {.where = FaultPlan::Where::kWrite, .at = 1, .count = 1'000'000, .sys_errno = ENOSPC});

    const Durable refused = write(*store, {{entry(2)}, {}, {}, 0});
    const StateWritten behind = apply(*store, changes(1));
    const bool was_behind = store->is_state_behind();
    const auto runs = ask(*store, [](Reader& reader) { return reader.runs({}); });
    FaultVfs::clear();
    const Durable taken = write(*store, {{entry(2)}, {}, {}, 0});
    std::int64_t index = 0;
    while (index == 0) {
      for (const Completion& completion : take(*store, 1)) {
        if (const auto* written = std::get_if<StateWritten>(&completion)) index = written->index;
      }
    }

    REQUIRE_FALSE(refused.status.has_value());
    CHECK_FALSE(refused.fatal);
    CHECK(refused.status.error().sys_errno == ENOSPC);
    CHECK(refused.status.error().message.find("raft.db") != std::string::npos);
    CHECK_FALSE(behind.status.has_value());
    CHECK_FALSE(behind.fatal);
    CHECK(was_behind);
    CHECK(runs.empty());
    CHECK(taken.status.has_value());
    CHECK(index == 1);
    CHECK_FALSE(store->is_state_behind());
  }

  TEST_CASE("a start on a failing disk is refused, and the next one on a sound disk is not") {
    const FaultVfs vfs;
    for (std::int64_t at = 1; at <= 40; ++at) {
      CAPTURE(at);
      const test::TempDir temp;
      FaultVfs::set({.where = FaultPlan::Where::kWrite,
                     .at = at,
                     .count = 1'000'000,
                     .sys_errno = at % 2 == 0 ? EIO : ENOSPC,
                     .is_torn = true});
      const auto first = Store::open(temp.file("db"));
      const bool was_opened = first.has_value();
      if (!was_opened) CHECK(first.error().message.find(".db") != std::string::npos);
      FaultVfs::clear();
      if (!was_opened) CHECK(load(*open_store(temp.file("db"))).last_index == 0);
    }
  }
}

}  // namespace
}  // namespace distcron::store
