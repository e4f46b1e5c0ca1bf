// SPDX-License-Identifier: Apache-2.0
// Fleet: a World of several hosts whose silence and load the test decides.
#pragma once

#include <string>

#include "unit/planner/world.h"

namespace distcron::planner {

struct Fleet : World {
  /// Hosts web1 to webN, of which web1 is there from the start.
  explicit Fleet(int hosts = 3) {
    for (int i = 2; i <= hosts; ++i)
      join("web" + std::to_string(i));
    for (int i = 1; i <= hosts; ++i)
      situation.nodes.push_back(alive(i));
  }

  static HostSituation alive(std::int64_t id) {
    HostSituation host;
    host.node_id = id;
    return host;
  }

  static std::string key_text(const std::string& seed) {
    std::string text = seed;
    text.resize(40, 'k');
    return text;
  }

  Applied put_token(std::string id, int uses = 1, std::optional<model::Role> role = {}) {
    model::JoinToken token;
    token.id = std::move(id);
    token.hash = "h";
    token.uses_left = uses;
    token.role = role;
    token.expires_at = situation.now + std::chrono::hours{1};
    token.by = "admin";
    return apply(model::PutToken{token});
  }

  static model::AddNode joiner(const std::string& name, std::string token = "t") {
    model::AddNode command;
    command.node.name = name;
    command.node.boot_id = "boot-" + name;
    command.node.mesh_keys = {key_text("mesh-" + name)};
    command.token_id = std::move(token);
    command.token_hash = "h";
    command.admin_key = key_text("admin-" + name);
    command.operator_key = key_text("oper-" + name);
    return command;
  }

  Applied join(const std::string& name) {
    put_token("t");
    return apply(joiner(name));
  }

  void hush(std::int64_t id) {
    HostSituation& host = situation.nodes.at(static_cast<std::size_t>(id) - 1);
    host.is_alive = false;
    host.silent_since = situation.now;
  }

  void wake(std::int64_t id) { situation.nodes.at(static_cast<std::size_t>(id) - 1) = alive(id); }

  Applied boot(std::int64_t id, std::string boot_id) {
    model::PutNode command = node(std::move(boot_id));
    command.id = id;
    command.name = "web" + std::to_string(id);
    return apply(std::move(command));
  }

  /// As World::start and so on, by the host that has the run.
  Applied tell(std::int64_t run_id, model::ReportKind kind,
               model::RunState outcome = model::RunState::kOk) {
    model::HostReport line;
    line.kind = kind;
    line.run_id = run_id;
    line.attempt = run(run_id).attempt;
    line.outcome = outcome;
    line.started_at = situation.now;
    if (kind == model::ReportKind::kEnded) line.ended_at = situation.now;
    model::HostReports command;
    command.node_id = run(run_id).node_id;
    command.reports.push_back(line);
    return apply(std::move(command));
  }
};

}  // namespace distcron::planner
