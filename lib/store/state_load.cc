// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "model/local_commands.h"
#include "planner/recent_requests.h"
#include "store/job_rows.h"
#include "store/run_row.h"
#include "store/state_db.h"
#include "store/text_lines.h"
#include "wire/codec.h"

namespace distcron::store {
namespace {

Result<planner::Node> node_of_row(const Stmt& row) {
  if (!row.is_null(6)) {
    Result<planner::Node> node = wire::decode<planner::Node>(row.bytes(6));
    if (node) return node;
    return fail(ErrorCode::kCorrupt, node.error().message);
  }
  // Of the first format.
  planner::Node node;
  node.id = row.integer(0);
  node.name = row.text(1);
  node.boot_id = row.text(2);
  node.address = row.text(3);
  node.version = row.text(4);
  parse_lines(row.bytes(5), node.labels);
  return node;
}

}  // namespace

Status StateDb::load(Loaded& loaded) {
  DC_CHECK_OK(load_jobs(loaded));
  DC_CHECK_OK(load_access(loaded));
  DC_CHECK_OK(load_fleet(loaded));
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
  DC_TRY(Stmt keys,
         db_->prepare("SELECT name, public_key, role, run_as, jobs, host FROM access_keys"));
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
    key.host = keys.text(5);
    loaded.keys.push_back(std::move(key));
  }
  DC_TRY(Stmt settings, db_->prepare("SELECT key, value FROM settings"));
  while (true) {
    DC_TRY(const bool row, settings.step());
    if (!row) break;
    loaded.settings.emplace_back(settings.text(0), settings.text(1));
  }
  DC_TRY(Stmt requests,
         db_->prepare("SELECT request_id, at FROM requests ORDER BY id DESC LIMIT ?"));
  requests.bind(1, static_cast<std::int64_t>(planner::RecentRequests::kMax));
  while (true) {
    DC_TRY(const bool row, requests.step());
    if (!row) break;
    loaded.requests.emplace_back(requests.text(0), requests.time(1));
  }
  std::reverse(loaded.requests.begin(), loaded.requests.end());
  return {};
}

Status StateDb::load_fleet(Loaded& loaded) {
  DC_TRY(Stmt nodes, db_->prepare("SELECT id, name, boot_id, address, version, labels, node "
                                  "FROM nodes ORDER BY id"));
  while (true) {
    DC_TRY(const bool row, nodes.step());
    if (!row) break;
    Result<planner::Node> node = node_of_row(nodes);
    if (!node) {
      return fail(
          in_file(*db_, std::move(node).error().within("cannot read node " + nodes.text(0))));
    }
    loaded.nodes.push_back(std::move(*node));
  }
  DC_TRY(Stmt tokens, db_->prepare("SELECT id, token FROM tokens ORDER BY id"));
  while (true) {
    DC_TRY(const bool row, tokens.step());
    if (!row) return {};
    Result<planner::JoinToken> token = wire::decode<planner::JoinToken>(tokens.bytes(1));
    if (!token) {
      return fail(in_file(
          *db_, Error{ErrorCode::kCorrupt,
                      "cannot read join token " + tokens.text(0) + ": " + token.error().message,
                      0,
                      {}}));
    }
    loaded.tokens.push_back(std::move(*token));
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
  DC_TRY(const std::int64_t noted,
         db_->ask("SELECT t.value FROM meta AS i, meta AS t WHERE i.key = 'copied_index' AND "
                  "t.key = 'copied_term' AND i.value = "
                  "(SELECT value FROM meta WHERE key = 'applied_index')"));
  // Local runs have the highest ids, and are few.
  static_assert(model::kLocalIds == 1'099'511'627'776);
  DC_TRY(const std::int64_t of_runs, db_->ask("SELECT max(term) FROM "
                                              "(SELECT term FROM runs WHERE run_id < 1099511627776 "
                                              "ORDER BY run_id DESC LIMIT 10000)"));
  return std::max(noted, of_runs);
}

}  // namespace distcron::store
