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
#define DC_ISO_AS(column) DC_ISO(column) " AS " column

// A view whose rows are runs: ids and words as they are, instants as text, the rest by need.
#define DC_RUN_VIEW \
  "run_id, job, " DC_ISO("scheduled_at") " AS scheduled_at, trigger, state, reason, "        \
  "detail, attempt, node, " DC_ISO("started_at") " AS started_at, " DC_ISO("ended_at")       \
  " AS ended_at, (ended_at - started_at) / 1e6 AS seconds, exit_code, signal, output_bytes, " \
  "cpu_user_us / 1e6 AS cpu_user, cpu_sys_us / 1e6 AS cpu_sys, maxrss_kb, tail"

// clang-format off: it would break up every text.
constexpr std::array
    kSteps{Sql{
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
               "version, failures, nullif(last_state, 'queued') AS last_state, "
               "nullif(last_run_id, 0) AS last_run_id, " DC_ISO_AS("last_started_at") ","
                                                                                      " " DC_ISO_AS("last"
                                                                                                    "_end"
                                                                                                    "ed_"
                                                                                                    "at") ", " DC_ISO("cursor") " AS decided_until, " DC_ISO_AS("disabled_until") ", " DC_ISO_AS("created_at") ", " DC_ISO_AS("updated_at") ", "
                                                                                                                                                                                                                                            "updated_"
                                                                                                                                                                                                                                            "by, "
                                                                                                                                                                                                                                            "printf('%"
                                                                                                                                                                                                                                            "016x', "
                                                                                                                                                                                                                                            "uid) AS "
                                                                                                                                                                                                                                            "uid FROM "
                                                                                                                                                                                                                                            "jobs JOIN "
                                                                                                                                                                                                                                            "job_state "
                                                                                                                                                                                                                                            "USING(id);"
                                                                                                                                                                                                                                            "\n"
                                                                                                                                                                                                                                            "CREATE "
                                                                                                                                                                                                                                            "VIEW "
                                                                                                                                                                                                                                            "v_runs AS "
                                                                                                                                                                                                                                            "SELECT"
                                                                                                                                                                                                                                            " " DC_RUN_VIEW
                                                                                                                                                                                                                                            " FROM "
                                                                                                                                                                                                                                            "runs;\n"
                                                                                                                                                                                                                                            "CREATE "
                                                                                                                                                                                                                                            "VIEW "
                                                                                                                                                                                                                                            "v_"
                                                                                                                                                                                                                                            "attempts "
                                                                                                                                                                                                                                            "AS "
                                                                                                                                                                                                                                            "SELECT"
                                                                                                                                                                                                                                            " " DC_RUN_VIEW
                                                                                                                                                                                                                                            " FROM "
                                                                                                                                                                                                                                            "attempts "
                                                                                                                                                                                                                                            "UNION ALL "
                                                                                                                                                                                                                                            "SELECT"
                                                                                                                                                                                                                                            " " DC_RUN_VIEW
                                                                                                                                                                                                                                            " FROM "
                                                                                                                                                                                                                                            "runs "
                                                                                                                                                                                                                                            "WHERE "
                                                                                                                                                                                                                                            "attempt > "
                                                                                                                                                                                                                                            "0 AND NOT "
                                                                                                                                                                                                                                            "EXISTS "
                                                                                                                                                                                                                                            "(SELECT 1 "
                                                                                                                                                                                                                                            "FROM "
                                                                                                                                                                                                                                            "attempts "
                                                                                                                                                                                                                                            "AS "
                                                                                                                                                                                                                                            "earlier "
                                                                                                                                                                                                                                            "WHERE "
                                                                                                                                                                                                                                            "earlier."
                                                                                                                                                                                                                                            "run_id = "
                                                                                                                                                                                                                                            "runs.run_"
                                                                                                                                                                                                                                            "id "
                                                                                                                                                                                                                                            "AND "
                                                                                                                                                                                                                                            "earlier."
                                                                                                                                                                                                                                            "attempt = "
                                                                                                                                                                                                                                            "runs."
                                                                                                                                                                                                                                            "attempt);"
                                                                                                                                                                                                                                            "\n"
                                                                                                                                                                                                                                            "CREATE "
                                                                                                                                                                                                                                            "VIEW "
                                                                                                                                                                                                                                            "v_failing "
                                                                                                                                                                                                                                            "AS SELECT "
                                                                                                                                                                                                                                            "jobs.name "
                                                                                                                                                                                                                                            "AS job, "
                                                                                                                                                                                                                                            "failures, "
                                                                                                                                                                                                                                            "runs."
                                                                                                                                                                                                                                            "state, "
                                                                                                                                                                                                                                            "runs."
                                                                                                                                                                                                                                            "reason, "
                                                                                                                                                                                                                                            "runs.exit_"
                                                                                                                                                                                                                                            "code, "
                                                                                                                                                                                                                                            "runs."
                                                                                                                                                                                                                                            "signal, "
                                                                                                                                                                                                                                            "runs.node,"
                                                                                                                                                                                                                                            " " DC_ISO("runs."
                                                                                                                                                                                                                                                       "ended_"
                                                                                                                                                                                                                                                       "at") " AS ended_at, "
                                                                                                                                                                                                                                                             "runs.run_id, runs.tail FROM job_state JOIN jobs USING(id) "
                                                                                                                                                                                                                                                             "LEFT JOIN runs ON runs.run_id = last_run_id WHERE failures > 0;\n"
                                                                                                                                                                                                                                                             "PRAGMA application_id = 1145271156;\n"
                                                                                                                                                                                                                                                             "PRAGMA user_version = 1;\n"},
           Sql{"ALTER TABLE runs ADD COLUMN shards INTEGER NOT NULL DEFAULT 0;\n"
               "ALTER TABLE runs ADD COLUMN possible_overlap INTEGER NOT NULL DEFAULT 0;\n"
               "ALTER TABLE attempts ADD COLUMN shards INTEGER NOT NULL DEFAULT 0;\n"
               "ALTER TABLE attempts ADD COLUMN possible_overlap INTEGER NOT NULL DEFAULT 0;\n"
               "ALTER TABLE access_keys ADD COLUMN host TEXT NOT NULL DEFAULT '';\n"
               "ALTER TABLE nodes ADD COLUMN kind TEXT NOT NULL DEFAULT 'auto';\n"
               "ALTER TABLE nodes ADD COLUMN state TEXT NOT NULL DEFAULT 'active';\n"
               "ALTER TABLE nodes ADD COLUMN joined_at INTEGER;\n"
               "ALTER TABLE nodes ADD COLUMN node BLOB;\n"
               "CREATE TABLE tokens(id TEXT PRIMARY KEY, role TEXT, expires_at INTEGER NOT NULL, "
               "uses_left INTEGER NOT NULL, by TEXT NOT NULL, token BLOB NOT NULL) WITHOUT ROWID;\n"
               "CREATE VIEW v_nodes AS SELECT id, name, state, kind, address, version, labels, "
               "boot_id, " DC_ISO_AS("joined_at") " FROM nodes;\n"
                                                  "PRAGMA user_version = 2;\n"}};

// clang-format on
// 0x44437374, "DCst".
constexpr FileFormat kFormat{"state.db", 1145271156, kSteps};

#undef DC_RUN_FACTS
#undef DC_ISO
#undef DC_ISO_AS
#undef DC_RUN_VIEW

}  // namespace

const FileFormat& state_format() {
  return kFormat;
}

}  // namespace distcron::store
