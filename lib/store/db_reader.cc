// SPDX-License-Identifier: Apache-2.0
#include "store/db_reader.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "model/local_commands.h"
#include "store/job_rows.h"
#include "store/run_row.h"
#include "wire/codec.h"

namespace distcron::store {
namespace {

constexpr std::int64_t kLimitMax = 1000;
static_assert(model::kLocalIds == 1'099'511'627'776);  // as the statements below have it
/// Up to so many jobs are looked up by index; beyond it the runs are scanned, newest first.
constexpr std::int64_t kPickedByIndexMax = 64;
/// How far a run may have been made before its slot, for the search by time.
constexpr std::chrono::hours kMadeAhead{1};

// Parameters: 1 id below, 2 and 3 times, 4 states as ",a,b,", 5 node, 6 reason, 7 limit,
// 8 id from, 9 whether only picked jobs.
#define DC_RUN_FILTER                                                     \
  " run_id < ?1 AND run_id >= ?8 AND (?2 IS NULL OR scheduled_at >= ?2) " \
  "AND (?3 IS NULL OR scheduled_at <= ?3) "                               \
  "AND (?4 IS NULL OR instr(?4, ',' || state || ',') > 0) "               \
  "AND (?5 IS NULL OR node = ?5) AND (?6 IS NULL OR reason = ?6) "
#define DC_IF_PICKED " AND (?9 = 0 OR job_uid IN (SELECT uid FROM temp.picked)) "
#define DC_BY_PICKED                                                                          \
  " AND run_id IN (SELECT run_id FROM temp.picked CROSS JOIN runs AS r INDEXED BY runs_slot " \
  "ON r.job_uid = picked.uid WHERE r.run_id < ?1 AND r.run_id >= ?8) "
// The latest attempt lies in runs; while it waits for the next one it is in attempts as well.
#define DC_NOT_TWICE                                                          \
  " AND NOT (state = 'queued' AND EXISTS (SELECT 1 FROM attempts AS a WHERE " \
  "a.run_id = runs.run_id AND a.attempt = runs.attempt)) "
#define DC_NEWEST_FIRST " ORDER BY run_id DESC LIMIT ?7"
#define DC_ATTEMPTS_FIRST " ORDER BY run_id DESC, attempt DESC LIMIT ?7"
// Local runs: 10 and 11 time and id below.
#define DC_IF_LOCAL " AND (?10 IS NULL OR created_at < ?10 OR (created_at = ?10 AND run_id < ?11)) "
#define DC_LOCAL_FIRST " ORDER BY created_at DESC, run_id DESC LIMIT ?7"
#define DC_LOCAL_ATTEMPTS_FIRST " ORDER BY created_at DESC, run_id DESC, attempt DESC LIMIT ?7"
#define DC_ALL "SELECT " DC_RUN_COLUMNS " FROM runs WHERE" DC_RUN_FILTER DC_IF_PICKED
#define DC_PICKED \
  "SELECT " DC_RUN_COLUMNS " FROM runs WHERE" DC_RUN_FILTER DC_BY_PICKED " AND ?9 = 1 "
#define DC_ENDED "SELECT " DC_RUN_COLUMNS " FROM attempts WHERE" DC_RUN_FILTER DC_IF_PICKED

Result<std::optional<model::Run>> one_run(Stmt& stmt) {
  DC_TRY(std::vector<model::Run> runs, all_runs(stmt));
  if (runs.empty()) return std::optional<model::Run>();
  return std::optional<model::Run>(std::move(runs.front()));
}

std::string state_words(const std::vector<model::RunState>& states) {
  std::string words = ",";
  for (const model::RunState state : states)
    words += std::string(name_of(state)) + ",";
  return words;
}

}  // namespace

Result<std::unique_ptr<DbReader>> DbReader::make(const Db& db) {
  std::unique_ptr<DbReader> reader(new DbReader(db));
  DC_CHECK_OK(reader->prepare());
  DC_CHECK_OK(reader->prepare_lists());
  return reader;
}

Result<std::unique_ptr<DbReader>> DbReader::make(std::unique_ptr<Db> db) {
  DC_TRY(std::unique_ptr<DbReader> reader, make(*db));
  reader->owned_ = std::move(db);
  return reader;
}

Status DbReader::prepare() {
  DC_CHECK_OK(db_.exec("CREATE TEMP TABLE IF NOT EXISTS picked(uid INTEGER PRIMARY KEY)"));
  DC_TRY(clear_picked_, db_.prepare("DELETE FROM temp.picked"));
  DC_TRY(pick_exact_, db_.prepare("INSERT OR IGNORE INTO temp.picked(uid) "
                                  "SELECT uid FROM jobs WHERE name = ?1 "
                                  "UNION ALL SELECT uid FROM removed_jobs WHERE name = ?1"));
  DC_TRY(pick_glob_, db_.prepare("INSERT OR IGNORE INTO temp.picked(uid) "
                                 "SELECT uid FROM jobs WHERE name GLOB ?1 "
                                 "UNION ALL SELECT uid FROM removed_jobs WHERE name GLOB ?1"));
  DC_TRY(run_, db_.prepare("SELECT " DC_RUN_COLUMNS " FROM runs WHERE run_id = ?"));
  DC_TRY(attempts_, db_.prepare("SELECT " DC_RUN_COLUMNS " FROM attempts WHERE run_id = ? "
                                "ORDER BY attempt"));
  DC_TRY(run_at_, db_.prepare("SELECT " DC_RUN_COLUMNS " FROM runs WHERE job_uid = ? AND "
                              "scheduled_at = ? AND (origin = 'schedule' OR origin GLOB 'local:*') "
                              "ORDER BY incarnation DESC, origin, shard LIMIT 1"));
  DC_TRY(newest_,
         db_.prepare("SELECT " DC_RUN_COLUMNS " FROM runs WHERE run_id = (SELECT run_id FROM runs "
                     "WHERE job_uid IN (SELECT uid FROM temp.picked) "
                     "ORDER BY coalesce(created_at, scheduled_at) DESC, run_id DESC "
                     "LIMIT 1 OFFSET ?)"));
  DC_TRY(versions_, db_.prepare("SELECT version, at, by, note, source_text, spec FROM job_versions "
                                "WHERE job_uid = ? ORDER BY version DESC"));
  DC_TRY(events_, db_.prepare("SELECT at, type, actor, object, text, request_id FROM events "
                              "ORDER BY id DESC LIMIT ?"));
  DC_TRY(reply_, db_.prepare("SELECT reply FROM requests WHERE request_id = ?"));
  return {};
}

Status DbReader::prepare_lists() {
  DC_TRY(runs_[0][0], db_.prepare(DC_ALL DC_NEWEST_FIRST));
  DC_TRY(runs_[0][1], db_.prepare(DC_PICKED DC_NEWEST_FIRST));
  DC_TRY(runs_[1][0], db_.prepare(DC_ENDED " UNION ALL " DC_ALL DC_NOT_TWICE DC_ATTEMPTS_FIRST));
  DC_TRY(runs_[1][1], db_.prepare(DC_ENDED " UNION ALL " DC_PICKED DC_NOT_TWICE DC_ATTEMPTS_FIRST));
  DC_TRY(local_runs_[0][0], db_.prepare(DC_ALL DC_IF_LOCAL DC_LOCAL_FIRST));
  DC_TRY(local_runs_[0][1], db_.prepare(DC_PICKED DC_IF_LOCAL DC_LOCAL_FIRST));
  DC_TRY(local_runs_[1][0],
         db_.prepare(DC_ENDED DC_IF_LOCAL
                     " UNION ALL " DC_ALL DC_IF_LOCAL DC_NOT_TWICE DC_LOCAL_ATTEMPTS_FIRST));
  DC_TRY(local_runs_[1][1],
         db_.prepare(DC_ENDED DC_IF_LOCAL
                     " UNION ALL " DC_PICKED DC_IF_LOCAL DC_NOT_TWICE DC_LOCAL_ATTEMPTS_FIRST));
  DC_TRY(made_from_, db_.prepare("SELECT run_id, coalesce(created_at, scheduled_at) FROM runs "
                                 "WHERE run_id >= ? AND run_id < 1099511627776 "
                                 "ORDER BY run_id LIMIT 1"));
  DC_TRY(oldest_, db_.prepare("SELECT run_id, coalesce(created_at, scheduled_at), "
                              "coalesce(ended_at, scheduled_at), "
                              "state IN ('queued', 'dispatched', 'running') "
                              "FROM runs WHERE run_id >= ? ORDER BY run_id"));
  DC_TRY(surplus_jobs_, db_.prepare("SELECT job_uid FROM runs GROUP BY job_uid "
                                    "HAVING count(*) > ?"));
  DC_TRY(surplus_runs_, db_.prepare("SELECT run_id, state IN ('queued', 'dispatched', 'running') "
                                    "FROM runs WHERE job_uid = ? "
                                    "ORDER BY coalesce(created_at, scheduled_at) DESC, "
                                    "run_id DESC LIMIT -1 OFFSET ?"));
  return {};
}

#undef DC_RUN_FILTER
#undef DC_IF_PICKED
#undef DC_BY_PICKED
#undef DC_NOT_TWICE
#undef DC_NEWEST_FIRST
#undef DC_ATTEMPTS_FIRST
#undef DC_IF_LOCAL
#undef DC_LOCAL_FIRST
#undef DC_LOCAL_ATTEMPTS_FIRST
#undef DC_ALL
#undef DC_PICKED
#undef DC_ENDED

Result<std::int64_t> DbReader::pick_jobs(const std::vector<std::string>& patterns) {
  DC_CHECK_OK(clear_picked_.run());
  for (const std::string& pattern : patterns) {
    const bool is_glob = pattern.find_first_of("*?[") != std::string::npos;
    Stmt& pick = is_glob ? pick_glob_ : pick_exact_;
    pick.bind(1, std::string_view(pattern));
    DC_CHECK_OK(pick.run());
  }
  return db_.ask("SELECT count(*) FROM temp.picked");
}

/// Smallest id below kLocalIds of which the run was made from `since` on: these ids grow with the
/// time at which runs are made, so this is a binary search.
Result<std::int64_t> DbReader::first_id_made(WallTime since) {
  DC_TRY(std::int64_t high,
         db_.ask("SELECT max(run_id) + 1 FROM runs WHERE run_id < 1099511627776"));
  DC_TRY(std::int64_t low, db_.ask("SELECT min(run_id) FROM runs WHERE run_id < 1099511627776"));
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const StmtScope scope(made_from_);
    made_from_.bind(1, middle);
    DC_TRY(const bool row, made_from_.step());
    if (!row || made_from_.time(1) >= since) {
      high = middle;
    } else {
      low = made_from_.integer(0) + 1;
    }
  }
  return low;
}

Result<DbReader::Page> DbReader::page_before(std::int64_t run_id) {
  Page page{.ids_below = model::kLocalIds, .local_until = {}, .local_below = 0};
  if (run_id <= 0) return page;
  if (run_id < model::kLocalIds) {
    page.ids_below = run_id;
    const StmtScope scope(made_from_);
    made_from_.bind(1, run_id);
    DC_TRY(const bool row, made_from_.step());
    if (row) page.local_until = made_from_.time(1);
    return page;
  }
  DC_TRY(const std::optional<model::Run> last, run(run_id));
  if (!last) return Page{.ids_below = 0, .local_until = WallTime::min(), .local_below = 0};
  page.local_until = last->created_at.value_or(last->scheduled_at);
  page.local_below = run_id;
  DC_TRY(page.ids_below, first_id_made(*page.local_until + Micros{1}));
  return page;
}

Result<std::vector<model::Run>> DbReader::runs(const RunFilter& filter) {
  std::int64_t picked = 0;
  if (!filter.jobs.empty()) {
    DC_TRY(picked, pick_jobs(filter.jobs));
    if (picked == 0) return std::vector<model::Run>();
  }
  std::int64_t first_id = std::numeric_limits<std::int64_t>::min();
  if (filter.since) {
    DC_TRY(first_id, first_id_made(*filter.since - kMadeAhead));
  }
  DC_TRY(const Page page, page_before(filter.before_run_id));
  const std::int64_t limit = std::clamp(filter.limit, std::int64_t{1}, kLimitMax);
  const std::string states = state_words(filter.states);
  const bool by_index = picked > 0 && picked <= kPickedByIndexMax;
  const auto list = [&](Lists& lists, std::int64_t from,
                        std::int64_t below) -> Result<std::vector<model::Run>> {
    Stmt& stmt = lists[filter.all_attempts ? 1 : 0][by_index ? 1 : 0];
    const StmtScope scope(stmt);
    stmt.bind(1, below);
    stmt.bind(2, filter.since);
    stmt.bind(3, filter.until);
    if (!filter.states.empty()) stmt.bind(4, std::string_view(states));
    if (!filter.node.empty()) stmt.bind(5, std::string_view(filter.node));
    if (filter.reason) stmt.bind(6, name_of(*filter.reason));
    stmt.bind(7, limit);
    stmt.bind(8, from);
    stmt.bind(9, picked > 0);
    if (&lists == &local_runs_) {
      stmt.bind(10, page.local_until);
      stmt.bind(11, page.local_below);
    }
    return all_runs(stmt);
  };
  DC_TRY(std::vector<model::Run> runs, list(runs_, first_id, page.ids_below));
  DC_TRY(const std::int64_t newest, db_.ask("SELECT max(run_id) FROM runs"));
  if (newest < model::kLocalIds) return runs;
  DC_TRY(std::vector<model::Run> local,
         list(local_runs_, model::kLocalIds, std::numeric_limits<std::int64_t>::max()));
  std::vector<model::Run> both;
  both.reserve(runs.size() + local.size());
  std::merge(std::make_move_iterator(local.begin()), std::make_move_iterator(local.end()),
             std::make_move_iterator(runs.begin()), std::make_move_iterator(runs.end()),
             std::back_inserter(both), [](const model::Run& a, const model::Run& b) {
               return a.created_at.value_or(a.scheduled_at) > b.created_at.value_or(b.scheduled_at);
             });
  if (both.size() > static_cast<std::size_t>(limit)) both.resize(static_cast<std::size_t>(limit));
  return both;
}

Result<std::optional<model::Run>> DbReader::run(std::int64_t run_id) {
  run_.bind(1, run_id);
  return one_run(run_);
}

Result<std::vector<model::Run>> DbReader::attempts(std::int64_t run_id) {
  attempts_.bind(1, run_id);
  DC_TRY(std::vector<model::Run> attempts, all_runs(attempts_));
  DC_TRY(std::optional<model::Run> latest, run(run_id));
  const std::int32_t ended = attempts.empty() ? 0 : attempts.back().attempt;
  if (latest && latest->attempt > ended) attempts.push_back(std::move(*latest));
  return attempts;
}

Result<std::optional<model::Run>> DbReader::run_at(std::uint64_t job_uid, WallTime scheduled_at) {
  run_at_.bind(1, job_uid);
  run_at_.bind(2, scheduled_at);
  return one_run(run_at_);
}

Result<std::optional<model::Run>> DbReader::newest_run(const std::string& job, std::int64_t back) {
  DC_CHECK_OK(clear_picked_.run());
  pick_exact_.bind(1, std::string_view(job));
  DC_CHECK_OK(pick_exact_.run());
  newest_.bind(1, std::max(back, std::int64_t{0}));
  return one_run(newest_);
}

Result<std::vector<JobVersion>> DbReader::job_versions(std::uint64_t job_uid) {
  std::vector<JobVersion> versions;
  const StmtScope scope(versions_);
  versions_.bind(1, job_uid);
  while (true) {
    DC_TRY(const bool row, versions_.step());
    if (!row) return versions;
    Result<model::JobSpec> spec = wire::decode<model::JobSpec>(versions_.bytes(5));
    if (!spec) {
      return fail(in_file(db_, Error{ErrorCode::kCorrupt,
                                     "cannot read version " + versions_.text(0) +
                                         " of a job: " + spec.error().message,
                                     0,
                                     {}}));
    }
    versions.push_back({versions_.integer(0), std::move(*spec), versions_.text(4),
                        versions_.time(1), versions_.text(2), versions_.text(3)});
  }
}

Result<std::vector<planner::Changes::Event>> DbReader::events(std::optional<WallTime> since,
                                                              std::int64_t limit) {
  std::vector<planner::Changes::Event> events;
  const StmtScope scope(events_);
  events_.bind(1, std::clamp(limit, std::int64_t{1}, kLimitMax));
  while (true) {
    DC_TRY(const bool row, events_.step());
    // Entries are numbered in the order of the log, in which the time grows.
    if (!row || (since && events_.time(0) < *since)) return events;
    events.push_back({events_.time(0), events_.text(1), events_.text(2), events_.text(3),
                      events_.text(4), events_.text(5)});
  }
}

Result<std::optional<std::string>> DbReader::request_reply(const std::string& request_id) {
  const StmtScope scope(reply_);
  reply_.bind(1, std::string_view(request_id));
  DC_TRY(const bool row, reply_.step());
  if (!row) return std::optional<std::string>();
  return std::optional<std::string>(reply_.text(0));
}

Result<std::vector<std::int64_t>> DbReader::expired_runs(WallTime older_than, std::int64_t per_job,
                                                         std::int64_t limit) {
  std::vector<std::int64_t> ids;
  if (limit <= 0) return ids;
  const auto most = static_cast<std::size_t>(limit);
  DC_CHECK_OK(add_old_runs(older_than, most, ids));
  if (ids.size() < most) DC_CHECK_OK(add_surplus_runs(per_job, most, ids));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Status DbReader::add_old_runs(WallTime older_than, std::size_t limit,
                              std::vector<std::int64_t>& ids) {
  std::int64_t from = std::numeric_limits<std::int64_t>::min();
  while (ids.size() < limit) {
    const StmtScope scope(oldest_);
    oldest_.bind(1, from);
    DC_TRY(bool row, oldest_.step());
    if (!row) return {};
    // Runs are numbered as they are made, those of each host that made them alone in a range of
    // its own, so that all later ones of a range are younger.
    const std::int64_t first = oldest_.integer(0);
    const std::int64_t next = first < model::kLocalIds
                                  ? model::kLocalIds
                                  : (first / model::kLocalIdsOfNode + 1) * model::kLocalIdsOfNode;
    while (row && oldest_.integer(0) < next && oldest_.time(1) < older_than && ids.size() < limit) {
      const bool is_live = oldest_.integer(3) != 0;
      if (!is_live && oldest_.time(2) < older_than) ids.push_back(oldest_.integer(0));
      DC_TRY(row, oldest_.step());
    }
    from = next;
  }
  return {};
}

Status DbReader::add_surplus_runs(std::int64_t per_job, std::size_t limit,
                                  std::vector<std::int64_t>& ids) {
  const StmtScope scope(surplus_jobs_);
  surplus_jobs_.bind(1, per_job);
  while (ids.size() < limit) {
    DC_TRY(const bool job, surplus_jobs_.step());
    if (!job) return {};
    const StmtScope inner(surplus_runs_);
    surplus_runs_.bind(1, surplus_jobs_.integer(0));
    surplus_runs_.bind(2, per_job);
    while (ids.size() < limit) {
      DC_TRY(const bool row, surplus_runs_.step());
      if (!row) break;
      if (surplus_runs_.integer(1) == 0) ids.push_back(surplus_runs_.integer(0));
    }
  }
  return {};
}

Result<std::vector<planner::Job>> DbReader::jobs() {
  return read_jobs(db_);
}

}  // namespace distcron::store
