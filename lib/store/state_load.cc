// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "store/job_rows.h"
#include "store/run_row.h"
#include "store/state_db.h"
#include "store/text_lines.h"

namespace distcron::store {

Status StateDb::load(Loaded& loaded) {
  DC_CHECK_OK(load_jobs(loaded));
  DC_CHECK_OK(load_access(loaded));
  return load_meta(loaded);
}

Status StateDb::load_jobs(Loaded& loaded) {
  DC_TRY(loaded.jobs, read_jobs(*db_));
  DC_TRY(Stmt live, db_->prepare("SELECT " DC_RUN_COLUMNS
                                 " FROM runs WHERE state IN ('queued', 'dispatched', 'running') "
                                 "ORDER BY run_id"));
  Result<std::vector<model::Run>> runs = all_runs(live);
  if (!runs) return fail(in_file(*db_, runs.error()));
  loaded.live_runs = std::move(*runs);
  return {};
}

Status StateDb::load_access(Loaded& loaded) {
  DC_TRY(Stmt keys, db_->prepare("SELECT name, public_key, role, run_as, jobs FROM access_keys"));
  while (true) {
    DC_TRY(const bool row, keys.step());
    if (!row) break;
    model::AccessKey key;
    key.name = keys.text(0);
    key.public_key = keys.text(1);
    const auto role = model::parse_enum<model::Role>(keys.bytes(2));
    if (!role) {
      return fail(in_file(*db_, Error{ErrorCode::kCorrupt,
                                      "key '" + key.name + "' has no role '" + keys.text(2) + "'",
                                      0,
                                      {}}));
    }
    key.role = *role;
    parse_lines(keys.bytes(3), key.run_as);
    key.jobs = keys.text(4);
    loaded.keys.push_back(std::move(key));
  }
  DC_TRY(Stmt nodes, db_->prepare("SELECT id, name, boot_id, address, version, labels FROM nodes "
                                  "ORDER BY id"));
  while (true) {
    DC_TRY(const bool row, nodes.step());
    if (!row) break;
    planner::Node node;
    node.id = nodes.integer(0);
    node.name = nodes.text(1);
    node.boot_id = nodes.text(2);
    node.address = nodes.text(3);
    node.version = nodes.text(4);
    parse_lines(nodes.bytes(5), node.labels);
    loaded.nodes.push_back(std::move(node));
  }
  DC_TRY(Stmt settings, db_->prepare("SELECT key, value FROM settings"));
  while (true) {
    DC_TRY(const bool row, settings.step());
    if (!row) return {};
    loaded.settings.emplace_back(settings.text(0), settings.text(1));
  }
}

Status StateDb::load_meta(Loaded& loaded) {
  DC_TRY(Stmt rows, db_->prepare("SELECT key, value FROM meta"));
  planner::Cluster cluster;
  while (true) {
    DC_TRY(const bool row, rows.step());
    if (!row) break;
    const std::string_view key = rows.bytes(0);
    if (key == "next_run_id") loaded.next_run_id = rows.integer(1);
    if (key == "next_job_id") loaded.next_job_id = rows.integer(1);
    if (key == "cluster_name") cluster.name = rows.text(1);
    if (key == "cluster_id") cluster.cluster_id = rows.text(1);
    if (key == "incarnation") cluster.incarnation = rows.integer(1);
    if (key == "cluster_tz") cluster.tz = rows.text(1);
  }
  if (!cluster.cluster_id.empty()) loaded.cluster = std::move(cluster);
  loaded.applied_index = applied_index_;
  return {};
}

Result<std::int64_t> StateDb::newest_term() const {
  return db_->ask("SELECT max(term) FROM (SELECT term FROM runs ORDER BY run_id DESC LIMIT 10000)");
}

}  // namespace distcron::store
