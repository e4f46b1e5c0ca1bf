// SPDX-License-Identifier: Apache-2.0
#include "store/state_schema.h"

#include <array>

namespace distcron::store {
namespace {

// The columns of runs and attempts but the key; run_row.h lists them in the same order.
#define DC_RUN_FACTS                                                                         \
  "job_uid INTEGER NOT NULL, job TEXT NOT NULL, job_version INTEGER NOT NULL, "              \
  "origin TEXT NOT NULL, scheduled_at INTEGER NOT NULL, shard INTEGER NOT NULL, "            \
  "trigger TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, " \
  "attempt INTEGER NOT NULL, node_id INTEGER NOT NULL, node TEXT NOT NULL, "                 \
  "incarnation INTEGER NOT NULL, term INTEGER NOT NULL, fence_index INTEGER NOT NULL, "      \
  "created_at INTEGER, not_before INTEGER, dispatched_at INTEGER, started_at INTEGER, "      \
  "ended_at INTEGER, exit_code INTEGER, signal INTEGER, pid INTEGER NOT NULL, "              \
  "output_bytes INTEGER NOT NULL, output_truncated INTEGER NOT NULL, tail TEXT NOT NULL, "   \
  "cpu_user_us INTEGER NOT NULL, cpu_sys_us INTEGER NOT NULL, maxrss_kb INTEGER NOT NULL, "  \
  "kill_by TEXT NOT NULL, param TEXT, extra_env TEXT, extra_argv TEXT, "                     \
  "force INTEGER NOT NULL, facts TEXT, starts INTEGER NOT NULL, first_started_at INTEGER"

#define DC_ISO(column) "strftime('%Y-%m-%dT%H:%M:%fZ', " column " / 1e6, 'unixepoch')"

// A view whose rows are runs: ids and words as they are, instants as text, the rest by need.
#define DC_RUN_VIEW \
  "run_id, job, " DC_ISO("scheduled_at") " AS scheduled_at, trigger, state, reason, "        \
  "detail, attempt, node, " DC_ISO("started_at") " AS started_at, " DC_ISO("ended_at")       \
  " AS ended_at, (ended_at - started_at) / 1e6 AS seconds, exit_code, signal, output_bytes, " \
  "cpu_user_us / 1e6 AS cpu_user, cpu_sys_us / 1e6 AS cpu_sys, maxrss_kb, tail"

constexpr std::array kSteps{
    Sql{
        R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs(
  id INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  tz TEXT NOT NULL,
  user TEXT NOT NULL,
  command TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  source_text TEXT NOT NULL,
  spec BLOB NOT NULL);
CREATE UNIQUE INDEX jobs_uid ON jobs(uid);
CREATE INDEX jobs_name ON jobs(name);

CREATE TABLE job_state(
  id INTEGER PRIMARY KEY,
  cursor INTEGER NOT NULL,
  disabled_until INTEGER,
  last_started_at INTEGER,
  last_ended_at INTEGER,
  last_state TEXT NOT NULL,
  last_run_id INTEGER NOT NULL,
  failures INTEGER NOT NULL);

CREATE TABLE job_versions(
  job_uid INTEGER NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER NOT NULL,
  by TEXT NOT NULL,
  note TEXT NOT NULL,
  source_text TEXT NOT NULL,
  spec BLOB NOT NULL,
  PRIMARY KEY(job_uid, version));

CREATE TABLE removed_jobs(uid INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE INDEX removed_jobs_name ON removed_jobs(name);

CREATE TABLE runs(
  run_id INTEGER PRIMARY KEY, )sql" DC_RUN_FACTS R"sql();
CREATE UNIQUE INDEX runs_slot ON runs(job_uid, scheduled_at, origin, shard, incarnation);
CREATE INDEX runs_live ON runs(run_id) WHERE state IN ('queued', 'dispatched', 'running');

CREATE TABLE attempts(
  run_id INTEGER NOT NULL, )sql" DC_RUN_FACTS R"sql(,
  PRIMARY KEY(run_id, attempt)) WITHOUT ROWID;

CREATE TABLE access_keys(
  name TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,
  role TEXT NOT NULL,
  run_as TEXT,
  jobs TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE nodes(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  address TEXT NOT NULL,
  version TEXT NOT NULL,
  labels TEXT);

CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE events(
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  object TEXT NOT NULL,
  text TEXT NOT NULL,
  request_id TEXT NOT NULL);

CREATE TABLE requests(
  id INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  reply BLOB NOT NULL);
)sql"
        "CREATE VIEW v_jobs AS SELECT jobs.id, name, enabled, schedule, tz, user, command, "
        "version, "
        "failures, nullif(last_state, 'queued') AS last_state, nullif(last_run_id, 0) AS "
        "last_run_id, " DC_ISO("last_started_at") " AS last_started_at, " DC_ISO("last_ended_at") " AS last_ended_at, " DC_ISO("cursor") " AS decided_until, " DC_ISO("disabled_until") " AS disabled_until, " DC_ISO(
            "created_at") " AS created_at, " DC_ISO("updated_at") " AS updated_at, updated_by, "
                                                                  "printf('%016x', uid) AS uid "
                                                                  "FROM jobs JOIN job_state "
                                                                  "USING(id);\n"
                                                                  "CREATE VIEW v_runs AS "
                                                                  "SELECT " DC_RUN_VIEW
                                                                  " FROM runs;\n"
                                                                  "CREATE VIEW v_attempts AS "
                                                                  "SELECT " DC_RUN_VIEW
                                                                  " FROM attempts UNION ALL "
                                                                  "SELECT " DC_RUN_VIEW
                                                                  " FROM runs WHERE attempt > 0 "
                                                                  "AND NOT EXISTS (SELECT 1 FROM "
                                                                  "attempts AS earlier WHERE "
                                                                  "earlier.run_id = runs.run_id "
                                                                  "AND earlier.attempt = "
                                                                  "runs.attempt);\n"
                                                                  "CREATE VIEW v_failing AS SELECT "
                                                                  "jobs.name AS job, failures, "
                                                                  "runs.state, runs.reason, "
                                                                  "runs.exit_code, runs.signal, "
                                                                  "runs.node, " DC_ISO(
                                                                      "runs.ended_at") " AS "
                                                                                       "ended_at, "
                                                                                       "runs.run_"
                                                                                       "id, "
                                                                                       "runs.tail "
                                                                                       "FROM "
                                                                                       "job_state "
                                                                                       "JOIN jobs "
                                                                                       "USING(id) "
                                                                                       "LEFT JOIN "
                                                                                       "runs "
                                                                                       "ON "
                                                                                       "runs.run_"
                                                                                       "id = "
                                                                                       "last_run_"
                                                                                       "id WHERE "
                                                                                       "failures > "
                                                                                       "0;\n"
                                                                                       "PRAGMA "
                                                                                       "application"
                                                                                       "_id = "
                                                                                       "1145271156;"
                                                                                       "\n"
                                                                                       "PRAGMA "
                                                                                       "user_"
                                                                                       "version = "
                                                                                       "1;\n"}};

// 0x44437374, "DCst".
constexpr FileFormat kFormat{"state.db", 1145271156, kSteps};

#undef DC_RUN_FACTS
#undef DC_ISO
#undef DC_RUN_VIEW

}  // namespace

const FileFormat& state_format() {
  return kFormat;
}

}  // namespace distcron::store
