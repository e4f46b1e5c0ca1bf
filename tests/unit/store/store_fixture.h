// SPDX-License-Identifier: Apache-2.0
// What the store's tests share: making entries, jobs and runs, and waiting for completions.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <poll.h>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include "model/job_spec.h"
#include "store/store.h"

namespace distcron::store {

inline WallTime at(std::int64_t seconds) {
  return wall_from_seconds(1'800'000'000 + seconds);
}

inline LogEntry entry(std::int64_t index, std::string bytes = "entry", std::int64_t term = 1) {
  return {index, term, std::move(bytes)};
}

inline planner::Job job(std::int64_t id, const std::string& name) {
  model::JobSpec spec;
  spec.name = name;
  spec.schedule = {"*/5 * * * *"};
  spec.tz = "Europe/Berlin";
  spec.command = "echo " + name;
  planner::Job job;
  job.id = id;
  job.uid = 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(id);
  job.version = 1;
  job.cursor = at(0);
  job.created_at = at(-100);
  job.updated_at = at(-100);
  job.updated_by = "admin";
  job.source_text = "# the " + name + "\n";
  job.spec = std::make_shared<const model::JobSpec>(std::move(spec));
  return job;
}

inline model::Run run(std::int64_t id, const planner::Job& job, WallTime scheduled_at,
                      model::RunState state = model::RunState::kRunning) {
  model::Run run;
  run.run_id = id;
  run.job_uid = job.uid;
  run.job = job.spec->name;
  run.job_version = job.version;
  run.origin = "schedule";
  run.scheduled_at = scheduled_at;
  run.created_at = scheduled_at;
  run.state = state;
  run.attempt = 1;
  run.node = "host-a";
  run.term = 3;
  if (model::is_final(state)) run.ended_at = scheduled_at + Seconds(2);
  return run;
}

inline planner::Changes changes(std::int64_t index) {
  planner::Changes changes;
  changes.index = index;
  return changes;
}

/// Waits until `count` completions are there, at most 10 s.
inline std::vector<Completion> take(Store& store, std::size_t count) {
  std::vector<Completion> all;
  while (all.size() < count) {
    pollfd waiting{store.wake_fd(), POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) break;
    for (Completion& completion : store.take_completions())
      all.push_back(std::move(completion));
  }
  return all;
}

inline Durable write(Store& store, DurableBatch batch) {
  store.post(std::move(batch));
  std::vector<Completion> done = take(store, 1);
  REQUIRE(done.size() == 1);
  REQUIRE(std::holds_alternative<Durable>(done[0]));
  return std::get<Durable>(std::move(done[0]));
}

inline StateWritten apply(Store& store, planner::Changes changes) {
  store.post(std::move(changes));
  std::vector<Completion> done = take(store, 1);
  REQUIRE(done.size() == 1);
  REQUIRE(std::holds_alternative<StateWritten>(done[0]));
  return std::get<StateWritten>(std::move(done[0]));
}

/// Asks a question on the store thread and waits for the answer.
template <class Ask>
auto ask(Store& store, Ask question) {
  using Answer = decltype(question(std::declval<Reader&>()));
  auto answer = std::make_shared<std::unique_ptr<Answer>>();
  store.query([question, answer](Reader& reader) -> std::function<void()> {
    auto found = std::make_shared<Answer>(question(reader));
    return [found, answer] { *answer = std::make_unique<Answer>(std::move(*found)); };
  });
  while (*answer == nullptr) {
    std::vector<Completion> done = take(store, 1);
    REQUIRE(!done.empty());
    for (Completion& completion : done) {
      if (auto* query = std::get_if<QueryDone>(&completion)) query->deliver();
    }
  }
  REQUIRE((*answer)->has_value());
  return std::move(***answer);
}

inline std::unique_ptr<Store> open_store(const std::string& dir) {
  Result<std::unique_ptr<Store>> store = Store::open(dir);
  const std::string error = store ? "" : store.error().message;
  CAPTURE(error);
  REQUIRE(store.has_value());
  return std::move(*store);
}

inline std::unique_ptr<Store> open_started(const std::string& dir) {
  std::unique_ptr<Store> store = open_store(dir);
  store->start();
  return store;
}

inline Loaded load(Store& store) {
  Result<Loaded> loaded = store.load();
  const std::string error = loaded ? "" : loaded.error().message;
  CAPTURE(error);
  REQUIRE(loaded.has_value());
  return std::move(*loaded);
}

/// What a power cut leaves: a copy of the files as they are.
inline void copy_files(const std::string& from, const std::string& to) {
  std::filesystem::create_directory(to);
  std::filesystem::permissions(to, std::filesystem::perms::owner_all);
  for (const auto& file : std::filesystem::directory_iterator(from)) {
    std::filesystem::copy(file.path(), to + "/" + file.path().filename().string());
  }
}

/// Waits for a completion of one kind and lets the others go by.
template <class Wanted>
Wanted wait_for(Store& store) {
  while (true) {
    std::vector<Completion> done = take(store, 1);
    REQUIRE(!done.empty());
    for (Completion& completion : done) {
      if (auto* wanted = std::get_if<Wanted>(&completion)) return std::move(*wanted);
    }
  }
}

/// Runs SQL with SQLite itself, as a person would; rows as "a|b", one a line.
inline std::string sqlite(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  std::string out;
  char* error = nullptr;
  sqlite3_exec(
      db, sql,
      [](void* to, int columns, char** values, char** /*names*/) {
        auto& text = *static_cast<std::string*>(to);
        for (int i = 0; i < columns; ++i) {
          if (i > 0) text += '|';
          text += values[i] != nullptr ? values[i] : "";
        }
        text += '\n';
        return 0;
      },
      &out, &error);
  if (error != nullptr) out += std::string("error: ") + error;
  sqlite3_free(error);
  sqlite3_close(db);
  return out;
}

}  // namespace distcron::store
