// SPDX-License-Identifier: Apache-2.0
#include "store/state_db.h"

#include <algorithm>

#include "store/run_row.h"
#include "store/state_schema.h"
#include "store/text_lines.h"
#include "wire/codec.h"

namespace distcron::store {
namespace {

/// What a person would look for: the shell command, the words of argv, or the first line of the
/// script.
std::string command_text(const model::JobSpec& spec) {
  if (!spec.command.empty()) return spec.command;
  if (!spec.script.empty()) return spec.script.substr(0, spec.script.find('\n'));
  std::string text;
  for (const std::string& word : spec.argv)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string schedule_text(const model::JobSpec& spec) {
  std::string text;
  for (const std::string& line : spec.schedule)
    text += (text.empty() ? "" : "\n") + line;
  return text;
}

/// Binds text that may be empty as NULL then; `text` must live until the statement has run.
void bind_or_null(Stmt& stmt, int at, std::string_view text) {
  if (text.empty()) {
    stmt.bind_null(at);
  } else {
    stmt.bind(at, text);
  }
}

Status drop_names(Stmt& drop, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    drop.bind(1, std::string_view(name));
    DC_CHECK_OK(drop.run());
  }
  return {};
}

}  // namespace

namespace {

/// Files up to this size are read as a whole at a start (some 0.1 s): a damaged page is found then,
/// not when somebody asks for what lies on it. What a start needs of a larger one it reads anyway.
constexpr std::int64_t kCheckedBytesMax = 64LL << 20;

Status check_pages(const Db& db) {
  DC_TRY(const std::int64_t pages, db.ask("PRAGMA page_count"));
  DC_TRY(const std::int64_t bytes, db.ask("PRAGMA page_size"));
  if (pages * bytes > kCheckedBytesMax) return {};
  DC_TRY(Stmt check, db.prepare("PRAGMA quick_check(1)"));
  auto row = check.step();
  const std::string found = !row ? row.error().message : *row ? check.text(0) : "no answer";
  if (found == "ok") return {};
  return fail_hint(ErrorCode::kCorrupt, "'" + db.path() + "' is damaged: " + found,
                   "restore a backup, or move it away and join the cluster again");
}

}  // namespace

Result<std::unique_ptr<StateDb>> StateDb::open(const std::string& path) {
  DC_TRY(std::unique_ptr<Db> db, Db::open(path, OpenMode::kOwner));
  // Refuse a foreign file before anything is changed in it.
  DC_TRY([[maybe_unused]] const std::int64_t version, file_version(*db, state_format()));
  DC_CHECK_OK(db->exec("PRAGMA journal_mode = WAL"));
  DC_CHECK_OK(db->exec("PRAGMA synchronous = NORMAL"));
  DC_CHECK_OK(db->exec("PRAGMA cache_size = -16384"));
  DC_CHECK_OK(bring_forward(*db, state_format()));
  DC_CHECK_OK(check_pages(*db));
  std::unique_ptr<StateDb> state(new StateDb(std::move(db)));
  DC_CHECK_OK(state->prepare_jobs());
  DC_CHECK_OK(state->prepare_runs());
  DC_CHECK_OK(state->prepare_rest());
  DC_TRY(state->applied_index_,
         state->db_->ask("SELECT value FROM meta WHERE key = 'applied_index'"));
  DC_TRY(const std::int64_t at, state->db_->ask("SELECT at FROM events ORDER BY id DESC LIMIT 1"));
  state->last_event_at_ = wall_from_micros(at);
  return state;
}

Status StateDb::prepare_jobs() {
  DC_TRY(job_stored_, db_->prepare("SELECT version, updated_at, spec FROM jobs WHERE id = ?"));
  DC_TRY(job_put_, db_->prepare("INSERT OR REPLACE INTO jobs(id, uid, name, enabled, schedule, tz, "
                                "user, command, version, created_at, updated_at, updated_by, "
                                "source_text, spec) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                "?)"));
  DC_TRY(job_state_put_,
         db_->prepare("INSERT OR REPLACE INTO job_state(id, cursor, disabled_until, "
                      "last_started_at, last_ended_at, last_state, last_run_id, failures) "
                      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
  DC_TRY(job_state_drop_,
         db_->prepare("DELETE FROM job_state WHERE id = (SELECT id FROM jobs WHERE uid = ?)"));
  DC_TRY(job_keep_name_, db_->prepare("INSERT OR REPLACE INTO removed_jobs(uid, name) "
                                      "SELECT uid, name FROM jobs WHERE uid = ?"));
  DC_TRY(job_drop_, db_->prepare("DELETE FROM jobs WHERE uid = ?"));
  DC_TRY(version_put_, db_->prepare("INSERT OR REPLACE INTO job_versions(job_uid, version, at, by, "
                                    "note, source_text, spec) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  DC_TRY(version_drop_, db_->prepare("DELETE FROM job_versions WHERE job_uid = ?"));
  DC_TRY(cursor_put_, db_->prepare("UPDATE job_state SET cursor = ?2 WHERE id = "
                                   "(SELECT id FROM jobs WHERE uid = ?1)"));
  return {};
}

Status StateDb::prepare_runs() {
  // What identifies a slot does not change, so that the index of slots is only written once.
  DC_TRY(run_put_,
         db_->prepare("INSERT INTO runs(" DC_RUN_COLUMNS ") VALUES(" DC_RUN_VALUES
                      ") ON CONFLICT(run_id) DO UPDATE SET "
                      "job = excluded.job, job_version = excluded.job_version, "
                      "trigger = excluded.trigger, state = excluded.state, "
                      "reason = excluded.reason, detail = excluded.detail, "
                      "attempt = excluded.attempt, node_id = excluded.node_id, "
                      "node = excluded.node, term = excluded.term, "
                      "fence_index = excluded.fence_index, created_at = excluded.created_at, "
                      "not_before = excluded.not_before, dispatched_at = excluded.dispatched_at, "
                      "started_at = excluded.started_at, ended_at = excluded.ended_at, "
                      "exit_code = excluded.exit_code, signal = excluded.signal, "
                      "pid = excluded.pid, output_bytes = excluded.output_bytes, "
                      "output_truncated = excluded.output_truncated, tail = excluded.tail, "
                      "cpu_user_us = excluded.cpu_user_us, cpu_sys_us = excluded.cpu_sys_us, "
                      "maxrss_kb = excluded.maxrss_kb, kill_by = excluded.kill_by, "
                      "param = excluded.param, extra_env = excluded.extra_env, "
                      "extra_argv = excluded.extra_argv, force = excluded.force, "
                      "facts = excluded.facts, starts = excluded.starts, "
                      "first_started_at = excluded.first_started_at, shards = excluded.shards, "
                      "possible_overlap = excluded.possible_overlap"));
  DC_TRY(run_drop_, db_->prepare("DELETE FROM runs WHERE run_id = ?"));
  DC_TRY(attempt_put_, db_->prepare("INSERT OR REPLACE INTO attempts(" DC_RUN_COLUMNS
                                    ") VALUES(" DC_RUN_VALUES ")"));
  DC_TRY(attempt_drop_, db_->prepare("DELETE FROM attempts WHERE run_id = ?"));
  DC_TRY(history_attempts_drop_,
         db_->prepare("DELETE FROM attempts WHERE run_id IN (SELECT run_id FROM runs WHERE "
                      "job_uid = ? AND state NOT IN ('queued', 'dispatched', 'running'))"));
  DC_TRY(history_drop_, db_->prepare("DELETE FROM runs WHERE job_uid = ? AND state NOT IN "
                                     "('queued', 'dispatched', 'running')"));
  return {};
}

Status StateDb::prepare_rest() {
  DC_TRY(key_put_, db_->prepare("INSERT OR REPLACE INTO access_keys(name, public_key, role, "
                                "run_as, jobs, host) VALUES(?, ?, ?, ?, ?, ?)"));
  DC_TRY(key_drop_, db_->prepare("DELETE FROM access_keys WHERE name = ?"));
  DC_TRY(node_put_, db_->prepare("INSERT OR REPLACE INTO nodes(id, name, boot_id, address, "
                                 "version, labels, kind, state, joined_at, node) "
                                 "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  DC_TRY(token_put_, db_->prepare("INSERT OR REPLACE INTO tokens(id, role, expires_at, uses_left, "
                                  "by, token) VALUES(?, ?, ?, ?, ?, ?)"));
  DC_TRY(token_drop_, db_->prepare("DELETE FROM tokens WHERE id = ?"));
  DC_TRY(setting_drop_, db_->prepare("DELETE FROM settings WHERE key = ?"));
  DC_TRY(setting_put_, db_->prepare("INSERT OR REPLACE INTO settings(key, value) VALUES(?, ?)"));
  DC_TRY(event_put_, db_->prepare("INSERT INTO events(at, type, actor, object, text, request_id) "
                                  "VALUES(?, ?, ?, ?, ?, ?)"));
  DC_TRY(request_put_, db_->prepare("INSERT OR REPLACE INTO requests(request_id, at, reply) "
                                    "VALUES(?, ?, ?)"));
  DC_TRY(meta_put_, db_->prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)"));
  return {};
}

Status StateDb::write(std::span<const planner::Changes> group) {
  if (group.empty()) return {};
  DC_CHECK_OK(db_->begin());
  Status done;
  std::int64_t next_run_id = 0;
  std::int64_t next_job_id = 0;
  for (const planner::Changes& changes : group) {
    if (done) done = write_changes(changes);
    next_run_id = std::max(next_run_id, changes.next_run_id);
    next_job_id = std::max(next_job_id, changes.next_job_id);
  }
  const std::int64_t index = group.back().index;
  if (done) done = put_meta("applied_index", index);
  if (done && next_run_id != 0) done = put_meta("next_run_id", next_run_id);
  if (done && next_job_id != 0) done = put_meta("next_job_id", next_job_id);
  if (done) done = db_->commit();
  if (!done) {
    db_->roll_back();
    return done;
  }
  applied_index_ = index;
  return {};
}

Status StateDb::write_changes(const planner::Changes& changes) {
  for (const planner::Changes::Event& event : changes.events) {
    last_event_at_ = std::max(last_event_at_, event.at);
  }
  DC_CHECK_OK(write_removals(changes));
  for (const planner::Job& job : changes.jobs)
    DC_CHECK_OK(write_job(job, changes));
  for (const model::CursorMove& move : changes.cursors) {
    cursor_put_.bind(1, move.job_uid);
    cursor_put_.bind(2, move.cursor);
    DC_CHECK_OK(cursor_put_.run());
  }
  DC_CHECK_OK(write_runs(changes));
  DC_CHECK_OK(write_access(changes));
  if (changes.cluster) DC_CHECK_OK(put_cluster(*changes.cluster));
  return write_events(changes);
}

Status StateDb::write_removals(const planner::Changes& changes) {
  for (const std::uint64_t uid : changes.removed_history) {
    for (Stmt* drop : {&history_attempts_drop_, &history_drop_, &version_drop_}) {
      drop->bind(1, uid);
      DC_CHECK_OK(drop->run());
    }
  }
  for (const std::uint64_t uid : changes.removed_jobs) {
    for (Stmt* drop : {&job_keep_name_, &job_state_drop_, &job_drop_}) {
      drop->bind(1, uid);
      DC_CHECK_OK(drop->run());
    }
  }
  return {};
}

Status StateDb::write_job(const planner::Job& job, const planner::Changes& changes) {
  const std::string spec = wire::encode(*job.spec);
  const bool is_version = std::find(changes.new_versions.begin(), changes.new_versions.end(),
                                    job.uid) != changes.new_versions.end();
  if (is_version) DC_CHECK_OK(write_version(job, spec, changes));
  DC_CHECK_OK(write_job_state(job));
  {
    // Most changes of a job are those of its state; the long row then stays as it is.
    const StmtScope scope(job_stored_);
    job_stored_.bind(1, job.id);
    DC_TRY(const bool row, job_stored_.step());
    if (row && job_stored_.integer(0) == job.version && job_stored_.time(1) == job.updated_at &&
        job_stored_.bytes(2) == spec) {
      return {};
    }
  }
  const std::string schedule = schedule_text(*job.spec);
  const std::string command = command_text(*job.spec);
  job_put_.bind(1, job.id);
  job_put_.bind(2, job.uid);
  job_put_.bind(3, std::string_view(job.spec->name));
  job_put_.bind(4, job.spec->enabled);
  job_put_.bind(5, std::string_view(schedule));
  job_put_.bind(6, std::string_view(job.spec->tz));
  job_put_.bind(7, std::string_view(job.spec->user));
  job_put_.bind(8, std::string_view(command));
  job_put_.bind(9, job.version);
  job_put_.bind(10, job.created_at);
  job_put_.bind(11, job.updated_at);
  job_put_.bind(12, std::string_view(job.updated_by));
  job_put_.bind(13, std::string_view(job.source_text));
  job_put_.bind_blob(14, spec);
  return job_put_.run();
}

Status StateDb::write_job_state(const planner::Job& job) {
  job_state_put_.bind(1, job.id);
  job_state_put_.bind(2, job.cursor);
  job_state_put_.bind(3, job.disabled_until);
  job_state_put_.bind(4, job.last_started_at);
  job_state_put_.bind(5, job.last_ended_at);
  job_state_put_.bind(6, name_of(job.last_state));
  job_state_put_.bind(7, job.last_run_id);
  job_state_put_.bind(8, job.failures);
  return job_state_put_.run();
}

Status StateDb::write_version(const planner::Job& job, std::string_view spec,
                              const planner::Changes& changes) {
  // The reason that was given stands in the event of the same entry.
  std::string_view note;
  for (const planner::Changes::Event& event : changes.events) {
    if (event.object == job.spec->name) note = event.text;
  }
  version_put_.bind(1, job.uid);
  version_put_.bind(2, job.version);
  version_put_.bind(3, job.updated_at);
  version_put_.bind(4, std::string_view(job.updated_by));
  version_put_.bind(5, note);
  version_put_.bind(6, std::string_view(job.source_text));
  version_put_.bind_blob(7, spec);
  return version_put_.run();
}

Status StateDb::write_runs(const planner::Changes& changes) {
  for (const model::Run& run : changes.runs)
    DC_CHECK_OK(put_run(run_put_, run));
  for (const model::Run& run : changes.ended_attempts)
    DC_CHECK_OK(put_run(attempt_put_, run));
  for (const std::int64_t run_id : changes.removed_runs) {
    for (Stmt* drop : {&attempt_drop_, &run_drop_}) {
      drop->bind(1, run_id);
      DC_CHECK_OK(drop->run());
    }
  }
  return {};
}

Status StateDb::write_access(const planner::Changes& changes) {
  DC_CHECK_OK(drop_names(key_drop_, changes.removed_keys));
  DC_CHECK_OK(drop_names(token_drop_, changes.removed_tokens));
  DC_CHECK_OK(drop_names(setting_drop_, changes.removed_settings));
  for (const model::AccessKey& key : changes.keys) {
    const std::string run_as = format_lines(key.run_as);
    key_put_.bind(1, std::string_view(key.name));
    key_put_.bind(2, std::string_view(key.public_key));
    key_put_.bind(3, name_of(key.role));
    bind_or_null(key_put_, 4, run_as);
    key_put_.bind(5, std::string_view(key.jobs));
    key_put_.bind(6, std::string_view(key.host));
    DC_CHECK_OK(key_put_.run());
  }
  for (const planner::Node& node : changes.nodes)
    DC_CHECK_OK(write_node(node));
  for (const planner::JoinToken& token : changes.tokens)
    DC_CHECK_OK(write_token(token));
  for (const auto& [key, value] : changes.settings) {
    setting_put_.bind(1, std::string_view(key));
    setting_put_.bind(2, std::string_view(value));
    DC_CHECK_OK(setting_put_.run());
  }
  return {};
}

Status StateDb::write_node(const planner::Node& node) {
  const std::string labels = format_lines(node.labels);
  const std::string whole = wire::encode(node);
  node_put_.bind(1, node.id);
  node_put_.bind(2, std::string_view(node.name));
  node_put_.bind(3, std::string_view(node.boot_id));
  node_put_.bind(4, std::string_view(node.address));
  node_put_.bind(5, std::string_view(node.version));
  bind_or_null(node_put_, 6, labels);
  node_put_.bind(7, name_of(node.kind));
  node_put_.bind(8, name_of(node.state));
  node_put_.bind(9, node.joined_at);
  node_put_.bind_blob(10, whole);
  return node_put_.run();
}

Status StateDb::write_token(const planner::JoinToken& token) {
  const std::string whole = wire::encode(token);
  token_put_.bind(1, std::string_view(token.id));
  if (token.role) token_put_.bind(2, name_of(*token.role));
  token_put_.bind(3, token.expires_at);
  token_put_.bind(4, token.uses_left);
  token_put_.bind(5, std::string_view(token.by));
  token_put_.bind_blob(6, whole);
  return token_put_.run();
}

Status StateDb::write_events(const planner::Changes& changes) {
  for (const planner::Changes::Event& event : changes.events) {
    event_put_.bind(1, event.at);
    event_put_.bind(2, std::string_view(event.type));
    event_put_.bind(3, std::string_view(event.actor));
    event_put_.bind(4, std::string_view(event.object));
    event_put_.bind(5, std::string_view(event.text));
    event_put_.bind(6, std::string_view(event.request_id));
    DC_CHECK_OK(event_put_.run());
  }
  if (changes.request_id.empty()) return {};
  request_put_.bind(1, std::string_view(changes.request_id));
  request_put_.bind(2, changes.request_at);
  request_put_.bind_blob(3, changes.request_reply);
  return request_put_.run();
}

Status StateDb::put_meta(std::string_view key, std::int64_t value) {
  meta_put_.bind(1, key);
  meta_put_.bind(2, value);
  return meta_put_.run();
}

Status StateDb::put_meta(std::string_view key, std::string_view value) {
  meta_put_.bind(1, key);
  meta_put_.bind(2, value);
  return meta_put_.run();
}

Status StateDb::put_cluster(const planner::Cluster& cluster) {
  DC_CHECK_OK(put_meta("cluster_name", std::string_view(cluster.name)));
  DC_CHECK_OK(put_meta("cluster_id", std::string_view(cluster.cluster_id)));
  DC_CHECK_OK(put_meta("incarnation", cluster.incarnation));
  return put_meta("cluster_tz", std::string_view(cluster.tz));
}

Status StateDb::trim() {
  DC_TRY(Stmt old_requests,
         db_->prepare("DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - 100000 OR "
                      "at < ?"));
  old_requests.bind(1, last_event_at_ - std::chrono::hours(24));
  DC_CHECK_OK(old_requests.run());
  DC_CHECK_OK(db_->exec("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - 1000000"));
  return db_->exec(
      "DELETE FROM removed_jobs WHERE NOT EXISTS "
      "(SELECT 1 FROM runs WHERE runs.job_uid = removed_jobs.uid)");
}

}  // namespace distcron::store
