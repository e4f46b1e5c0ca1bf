// SPDX-License-Identifier: Apache-2.0
#include "agent/identity.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "store/file_io.h"

namespace distcron::agent {

namespace {

using Json = nlohmann::json;

std::string path_in(const std::string& dir) {
  return dir + "/member.json";
}

Json member_json(const model::Node& node) {
  return Json{{"id", node.id},
              {"name", node.name},
              {"mesh_keys", node.mesh_keys},
              {"mesh_addresses", node.mesh_addresses}};
}

model::Node member_of(const Json& json) {
  model::Node node;
  node.id = json.at("id").get<std::int64_t>();
  node.name = json.at("name").get<std::string>();
  node.mesh_keys = json.at("mesh_keys").get<model::TextList>();
  node.mesh_addresses = json.at("mesh_addresses").get<model::TextList>();
  return node;
}

Identity identity_of(const Json& json) {
  Identity identity;
  identity.node_id = json.at("node_id").get<std::int64_t>();
  identity.cluster_id = json.at("cluster_id").get<std::string>();
  identity.incarnation = json.at("incarnation").get<std::int64_t>();
  identity.has_joined = json.at("has_joined").get<bool>();
  identity.starts_empty = json.value("starts_empty", false);
  identity.is_forced = json.value("is_forced", false);
  identity.is_restored = json.value("is_restored", false);
  identity.mesh_listen = json.at("mesh_listen").get<std::vector<std::string>>();
  identity.mesh_advertise = json.value("mesh_advertise", std::string());
  for (const Json& member : json.at("members"))
    identity.members.push_back(member_of(member));
  return identity;
}

}  // namespace

Result<std::optional<Identity>> load_identity(const std::string& dir) {
  const std::string path = path_in(dir);
  if (!store::is_there(path)) return std::optional<Identity>();
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  try {
    return std::optional<Identity>(identity_of(Json::parse(text.str())));
  } catch (const Json::exception& error) {
    return fail_hint(ErrorCode::kCorrupt, "cannot read " + path + ": " + error.what(),
                     "empty the storage of this agent and join the cluster again");
  }
}

Status set_aside(const std::string& dir, WallTime now) {
  std::error_code failed;
  const std::string aside = dir + "/before-" + std::to_string(epoch_seconds(now));
  for (const char* name :
       {"state.db", "state.db-wal", "state.db-shm", "raft.db", "raft.db-wal", "raft.db-shm"}) {
    if (failed || !store::is_there(dir + "/" + name)) continue;
    std::filesystem::create_directory(aside, failed);
    if (!failed) std::filesystem::rename(dir + "/" + name, aside + "/" + name, failed);
  }
  if (failed) {
    return fail(ErrorCode::kIo,
                "cannot set the old state aside in " + aside + ": " + failed.message());
  }
  return {};
}

Status save_identity(const std::string& dir, const Identity& identity) {
  Json json{{"node_id", identity.node_id},
            {"cluster_id", identity.cluster_id},
            {"incarnation", identity.incarnation},
            {"has_joined", identity.has_joined},
            {"starts_empty", identity.starts_empty},
            {"is_forced", identity.is_forced},
            {"is_restored", identity.is_restored},
            {"mesh_listen", identity.mesh_listen},
            {"mesh_advertise", identity.mesh_advertise},
            {"members", Json::array()}};
  for (const model::Node& member : identity.members)
    json["members"].push_back(member_json(member));
  const std::string path = path_in(dir);
  const std::string fresh = path + ".new";
  DC_CHECK_OK(store::remove_file(fresh));
  DC_TRY(const UniqueFd fd, store::make_new_file(fresh));
  DC_CHECK_OK(store::write_at(fd.get(), fresh, 0, json.dump(2) + "\n"));
  DC_CHECK_OK(store::sync_file(fd.get(), fresh));
  DC_CHECK_OK(store::rename_file(fresh, path));
  return store::sync_directory_of(path);
}

}  // namespace distcron::agent
