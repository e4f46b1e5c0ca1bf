// SPDX-License-Identifier: Apache-2.0
#include "agent/join.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include <zmq.hpp>

#include "agent/clock.h"
#include "agent/fleet.h"
#include "agent/identity.h"
#include "agent/log.h"
#include "agent/mesh_addresses.h"
#include "base/hash.h"
#include "mesh/join_client.h"
#include "mesh/peer_mesh.h"
#include "store/file_io.h"
#include "store/reader.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr Millis kPause{500};
constexpr Micros kPatience{120'000'000};
constexpr Micros kTokenWait{5'000'000};

Result<std::string> read_token(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return fail_errno(ErrorCode::kNotFound, "cannot read the join token in " + path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A host that has jobs of its own does not lose them by joining.
Status check_alone(const std::string& dir) {
  const std::string database = dir + "/state.db";
  if (!store::is_there(database)) return {};
  DC_TRY(const std::unique_ptr<store::Reader> reader, store::Reader::open_file(database));
  DC_TRY(const std::vector<planner::Job> jobs, reader->jobs());
  const auto own = std::count_if(jobs.begin(), jobs.end(),
                                 [](const planner::Job& job) { return !job.spec->managed; });
  if (own == 0) return {};
  return fail_hint(
      ErrorCode::kConflict,
      "cannot join: this agent has " + std::to_string(own) +
          " jobs of its own, which it would lose",
      "distcronctl export writes them to files; remove " + dir + ", join, and apply them there");
}

/// The addresses that the mesh will listen on; a port that is free to choose is chosen here.
Result<std::vector<std::string>> choose_endpoints(const JoinPlan& plan, const KeyRing& keys) {
  mesh::MeshOptions options;
  options.keys = keys.mesh;
  options.node_id = 1;
  options.cluster = 1;
  options.boot = 1;
  options.listen = plan.mesh_listen;
  DC_TRY(const std::unique_ptr<mesh::PeerMesh> mesh, mesh::PeerMesh::make(options));
  return mesh->endpoints();
}

wire::JoinRequest make_request(const JoinPlan& plan, const std::vector<std::string>& endpoints,
                               const KeyRing& keys) {
  wire::JoinRequest request;
  request.node.id = plan.node_id;
  request.node.name = plan.node_name;
  request.node.boot_id = plan.boot_id;
  request.node.address = plan.address;
  request.node.version = plan.version;
  request.node.labels = plan.labels;
  request.node.feature_level = model::kFeatureLevel;
  request.node.mesh_addresses = mesh_addresses(endpoints, plan.mesh_advertise);
  request.node.mesh_keys = {keys.mesh.public_key};
  request.admin_key = keys.admin_public_key;
  request.operator_key = keys.operator_public_key;
  return request;
}

/// The server's key file may lie in a folder of root's: then its text is replaced where it is.
Status save_server_key(const std::string& dir, const wire::JoinReply& reply) {
  const std::string path = dir + "/server.key";
  const mesh::KeyFile key{"server", reply.server_public_key, reply.server_secret_key, {}};
  if (mesh::save_key_file(path, key, 0600, static_cast<gid_t>(-1))) return {};
  std::ofstream file(path, std::ios::trunc);
  if (!(file << mesh::format_key_file(key)) || !file.flush()) {
    return fail_errno(ErrorCode::kIo, "cannot write " + path, errno);
  }
  return {};
}

Result<wire::JoinReply> ask(Joining& joining) {
  SystemClock clock;
  while (true) {
    const MonoTime now = clock.read().mono;
    if (auto answer = joining.poll(now)) return std::move(*answer);
    std::vector<zmq::pollitem_t> items;
    if (joining.socket() != nullptr) {
      items.push_back(zmq::pollitem_t{joining.socket(), 0, ZMQ_POLLIN, 0});
    }
    const auto wait = std::chrono::ceil<Millis>(joining.next_timer() - now);
    zmq::poll(items, std::clamp(wait, Millis(1), kPause));
  }
}

bool is_passing(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

}  // namespace

Result<std::unique_ptr<Joining>> Joining::make(const JoinPlan& plan, const std::string& token,
                                               std::vector<std::string> endpoints,
                                               const KeyRing& keys) {
  SystemClock clock;
  SystemRandom random;
  mesh::JoinOptions options;
  DC_TRY(options.token, mesh::parse_join_token(token));
  options.cluster = stable_hash(options.token.cluster_id);
  options.boot = random.draw();
  options.request = wire::encode(make_request(plan, endpoints, keys));
  options.patience = kPatience;
  DC_TRY(std::unique_ptr<mesh::JoinClient> client,
         mesh::JoinClient::make(options, clock.read().mono));
  return std::unique_ptr<Joining>(new Joining(plan, std::move(endpoints), std::move(client)));
}

std::optional<Result<wire::JoinReply>> Joining::poll(MonoTime now) {
  const auto answer = client_->poll(now);
  if (!answer) return std::nullopt;
  if (!*answer) return Result<wire::JoinReply>(fail(answer->error()));
  auto reply = wire::decode<wire::JoinReply>(**answer);
  if (reply && reply->code != 0) {
    return Result<wire::JoinReply>(fail_hint(static_cast<ErrorCode>(reply->code - 1),
                                             "cannot join: " + reply->message, reply->hint));
  }
  return reply;
}

Status Joining::take_over(const wire::JoinReply& reply) const {
  DC_CHECK_OK(save_server_key(plan_.keys_dir, reply));
  Identity identity;
  identity.node_id = reply.node_id;
  identity.cluster_id = reply.cluster_id;
  identity.incarnation = reply.incarnation;
  identity.has_joined = true;
  identity.starts_empty = true;
  identity.mesh_listen = endpoints_;
  identity.members = reply.members;
  DC_CHECK_OK(save_identity(plan_.storage_dir, identity));
  const std::string path = plan_.storage_dir + "/member.json";
  if (plan_.user && ::chown(path.c_str(), plan_.user->uid, plan_.user->gid) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot give " + path + " to the agent", errno);
  }
  return {};
}

Status join_cluster(const JoinPlan& plan, const std::string& token_file, KeyRing& keys) {
  DC_TRY(const std::optional<Identity> known, load_identity(plan.storage_dir));
  if (known && known->has_joined) return {};
  DC_TRY(const std::string text, read_token(token_file));
  DC_TRY(const mesh::JoinToken token, mesh::parse_join_token(text));
  if (known && known->cluster_id == token.cluster_id) return {};
  DC_CHECK_OK(check_alone(plan.storage_dir));
  DC_TRY(const std::vector<std::string> endpoints, choose_endpoints(plan, keys));
  log_info("join", "asking to join the cluster " + token.cluster_id);
  SystemClock clock;
  const MonoTime begun = clock.read().mono;
  while (true) {
    DC_TRY(const std::unique_ptr<Joining> joining, Joining::make(plan, text, endpoints, keys));
    const auto reply = ask(*joining);
    if (reply) {
      DC_CHECK_OK(joining->take_over(*reply));
      DC_TRY(keys, load_or_make_keys(plan.keys_dir, plan.user));
      log_info("join", "joined as node " + std::to_string(reply->node_id));
      return {};
    }
    // A member may not have heard of a fresh token yet.
    const MonoTime now = clock.read().mono;
    const bool is_fresh = reply.error().code == ErrorCode::kDenied && now < begun + kTokenWait;
    const bool goes_on = is_fresh || (is_passing(reply.error().code) && now < begun + kPatience);
    if (!goes_on) return fail(reply.error());
    ::poll(nullptr, 0, static_cast<int>(kPause.count()));
  }
}

}  // namespace distcron::agent
