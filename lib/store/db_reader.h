// SPDX-License-Identifier: Apache-2.0
// DbReader: Reader over a connection to state.db, with its own prepared statements. Lives on the
// thread of that connection.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "store/reader.h"
#include "store/sqlite.h"

namespace distcron::store {

class DbReader : public Reader {
 public:
  /// Prepares on `db`, which must outlive the reader.
  [[nodiscard]] static Result<std::unique_ptr<DbReader>> make(const Db& db);
  /// As make(), and owns the connection.
  [[nodiscard]] static Result<std::unique_ptr<DbReader>> make(std::unique_ptr<Db> db);

  [[nodiscard]] Result<std::vector<model::Run>> runs(const RunFilter& filter) override;
  [[nodiscard]] Result<std::optional<model::Run>> run(std::int64_t run_id) override;
  [[nodiscard]] Result<std::vector<model::Run>> attempts(std::int64_t run_id) override;
  [[nodiscard]] Result<std::optional<model::Run>> run_at(std::uint64_t job_uid,
                                                         WallTime scheduled_at) override;
  [[nodiscard]] Result<std::optional<model::Run>> newest_run(const std::string& job,
                                                             std::int64_t back) override;
  [[nodiscard]] Result<std::vector<JobVersion>> job_versions(std::uint64_t job_uid) override;
  [[nodiscard]] Result<std::vector<planner::Changes::Event>> events(std::optional<WallTime> since,
                                                                    std::int64_t limit) override;
  [[nodiscard]] Result<std::optional<std::string>> request_reply(
      const std::string& request_id) override;
  [[nodiscard]] Result<std::vector<std::int64_t>> expired_runs(WallTime older_than,
                                                               std::int64_t per_job,
                                                               std::int64_t limit) override;
  [[nodiscard]] Result<std::vector<planner::Job>> jobs() override;

 private:
  explicit DbReader(const Db& db) : db_(db) {}

  [[nodiscard]] Status prepare();
  [[nodiscard]] Status prepare_lists();
  /// Puts the jobs of these names and globs, removed ones included, into temp.picked; their count.
  [[nodiscard]] Result<std::int64_t> pick_jobs(const std::vector<std::string>& patterns);

  /// Where a page of history begins: ids of local runs tell nothing of the time (local_commands.h).
  struct Page {
    std::int64_t ids_below = 0;
    std::optional<WallTime> local_until;  ///< Local runs that were made before, or then
    std::int64_t local_below = 0;         ///< ... with a smaller id.
  };

  [[nodiscard]] Result<Page> page_before(std::int64_t run_id);
  [[nodiscard]] Result<std::int64_t> first_id_made(WallTime since);
  [[nodiscard]] Status add_old_runs(WallTime older_than, std::size_t limit,
                                    std::vector<std::int64_t>& ids);
  [[nodiscard]] Status add_surplus_runs(std::int64_t per_job, std::size_t limit,
                                        std::vector<std::int64_t>& ids);

  std::unique_ptr<Db> owned_;
  const Db& db_;
  Stmt clear_picked_, pick_exact_, pick_glob_, made_from_;
  using Lists = std::array<std::array<Stmt, 2>, 2>;  ///< [with attempts][by index of picked jobs].
  Lists runs_, local_runs_;
  Stmt run_, attempts_, run_at_, newest_, versions_, events_, reply_;
  Stmt oldest_, surplus_jobs_, surplus_runs_;
};

}  // namespace distcron::store
