// SPDX-License-Identifier: Apache-2.0
// StateDb: state.db as its owner sees it. Writes the changes of applied entries, with the applied
// index in the same transaction; reads back what a start needs. NORMAL: after a crash it may have
// lost its last transactions, which the log still has. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/completion.h"
#include "store/sqlite.h"

namespace distcron::store {

class StateDb {
 public:
  /// Opens or makes `path`, an existing (maybe empty) file.
  [[nodiscard]] static Result<std::unique_ptr<StateDb>> open(const std::string& path);

  /// Index of the last entry whose changes are stored.
  [[nodiscard]] std::int64_t applied_index() const { return applied_index_; }

  /// One transaction. On an error nothing of `group` is stored.
  [[nodiscard]] Status write(std::span<const planner::Changes> group);

  /// Fills everything but what comes from the log.
  [[nodiscard]] Status load(Loaded& loaded);
  /// A term not lower than that of any run, for a log that begins anew.
  [[nodiscard]] Result<std::int64_t> newest_term() const;

  /// Bounds the tables that only grow: requests (24 h, 100 000 rows), events (1 000 000 rows),
  /// names of removed jobs without runs.
  [[nodiscard]] Status trim();

  [[nodiscard]] Result<Checkpointed> checkpoint(int mode) { return db_->checkpoint(mode); }

  [[nodiscard]] const Db& db() const { return *db_; }

 private:
  explicit StateDb(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  [[nodiscard]] Status prepare_jobs();
  [[nodiscard]] Status prepare_runs();
  [[nodiscard]] Status prepare_rest();
  [[nodiscard]] Status write_changes(const planner::Changes& changes);
  [[nodiscard]] Status write_removals(const planner::Changes& changes);
  [[nodiscard]] Status write_job(const planner::Job& job, const planner::Changes& changes);
  [[nodiscard]] Status write_job_state(const planner::Job& job);
  [[nodiscard]] Status write_version(const planner::Job& job, std::string_view spec,
                                     const planner::Changes& changes);
  [[nodiscard]] Status write_runs(const planner::Changes& changes);
  [[nodiscard]] Status write_access(const planner::Changes& changes);
  [[nodiscard]] Status write_node(const planner::Node& node);
  [[nodiscard]] Status write_token(const planner::JoinToken& token);
  [[nodiscard]] Status write_events(const planner::Changes& changes);
  [[nodiscard]] Status put_meta(std::string_view key, std::int64_t value);
  [[nodiscard]] Status put_meta(std::string_view key, std::string_view value);
  [[nodiscard]] Status put_cluster(const planner::Cluster& cluster);
  [[nodiscard]] Status load_jobs(Loaded& loaded);
  [[nodiscard]] Status load_access(Loaded& loaded);
  [[nodiscard]] Status load_fleet(Loaded& loaded);
  [[nodiscard]] Status load_meta(Loaded& loaded);

  std::unique_ptr<Db> db_;
  Stmt job_stored_, job_put_, job_state_put_, job_drop_, job_state_drop_, job_keep_name_;
  Stmt version_put_, version_drop_, cursor_put_;
  Stmt run_put_, run_drop_, attempt_put_, attempt_drop_, history_drop_, history_attempts_drop_;
  Stmt key_put_, key_drop_, node_put_, token_put_, token_drop_, setting_put_, setting_drop_;
  Stmt event_put_, request_put_, meta_put_;
  std::int64_t applied_index_ = 0;
  WallTime last_event_at_{};  ///< Dates rows that carry no instant of their own.
};

}  // namespace distcron::store
