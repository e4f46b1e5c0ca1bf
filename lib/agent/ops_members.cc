// SPDX-License-Identifier: Apache-2.0
// Operations by which hosts join, leave and are reached.
#include <algorithm>
#include <utility>
#include <vector>

#include "agent/operations.h"
#include "mesh/join_token.h"

namespace distcron::agent {

namespace {

constexpr Micros kPingWait{2'000'000};
constexpr Micros kDayUs{86'400'000'000};
constexpr Micros kTokenMax = 30 * kDayUs;
constexpr std::int32_t kTokenUsesMax = 10'000;

bool is_loopback(const std::string& address) {
  return address.starts_with("tcp://127.") || address.starts_with("tcp://[::1]");
}

double to_ms(Micros span) {
  return static_cast<double>(span.count()) / 1'000.0;
}

}  // namespace

void Operations::node_remove(const Call& call, const wire::NodeRemoveRequest& request) {
  const bool leaves = request.node.empty();
  const auto node = resolve_node(leaves ? facts_.node_name : request.node);
  if (!node) {
    call.refuse(node.error());
    return;
  }
  if (state_.nodes().size() == 1) {
    call.refuse(Error{ErrorCode::kConflict,
                      "node \"" + (*node)->name + "\" is the only one of its cluster", 0,
                      "stop the agent and remove its storage instead"});
    return;
  }
  if (!leaves && !request.force && fleet_.is_reachable((*node)->id)) {
    call.refuse(Error{ErrorCode::kConflict, "node \"" + (*node)->name + "\" is alive", 0,
                      "drain it and let it leave: distcronctl node drain " + (*node)->name +
                          "; or remove it with --force"});
    return;
  }
  submit(call, model::RemoveNode{(*node)->id, leaves});
}

void Operations::node_join_token(const Call& call, const wire::JoinTokenRequest& request) {
  const Micros ttl = request.ttl;
  if (ttl <= Micros(0) || ttl > kTokenMax || request.uses < 1 || request.uses > kTokenUsesMax) {
    call.refuse(Error{ErrorCode::kInvalid,
                      "a join token lives up to 30 days and serves 1 to 10000 hosts",
                      0,
                      {}});
    return;
  }
  std::vector<mesh::JoinServer> servers;
  for (const planner::Node& node : state_.nodes()) {
    if (!node.mesh_keys.empty() && !node.mesh_addresses.empty()) {
      servers.push_back(mesh::JoinServer{node.mesh_keys.back(), node.mesh_addresses});
    }
  }
  constexpr std::size_t kServersMax = 8;
  if (servers.size() > kServersMax) servers.resize(kServersMax);
  const auto token = mesh::make_join_token(state_.cluster().cluster_id, servers);
  const auto text =
      token ? mesh::format_join_token(*token) : Result<std::string>(fail(token.error()));
  if (!text) {
    call.refuse(text.error());
    return;
  }
  model::PutToken put;
  put.token.id = mesh::token_id(token->keys.public_key);
  put.token.hash = mesh::token_hash(token->keys.public_key);
  put.token.role = request.role;
  put.token.expires_at = now_.wall + ttl;
  put.token.uses_left = request.uses;
  put.token.by = call.caller().name;
  wire::JoinTokenReply reply{*text, put.token.id, put.token.expires_at, request.uses, {}};
  const bool is_local = std::all_of(servers.begin(), servers.end(), [](const auto& server) {
    return std::all_of(server.addresses.begin(), server.addresses.end(), is_loopback);
  });
  if (is_local) {
    reply.warning =
        "it names loopback addresses only: hosts elsewhere cannot reach them; set mesh.listen";
  }
  model::Entry entry;
  entry.at = now_.wall;
  entry.actor = call.caller().name;
  entry.note = call.request().note;
  entry.command = std::move(put);
  // Never under a request id: the token is not kept anywhere.
  log_.propose(
      std::move(entry),
      [call, reply = std::move(reply)](const planner::Applied& applied) {
        if (applied.status) {
          call.answer(reply);
        } else {
          call.refuse(applied.status.error());
        }
      },
      Patience::kClient);
}

void Operations::node_join(const Call& call, const wire::NodeJoinRequest& request) {
  const std::vector<const planner::Job*> jobs = state_.jobs_by_name();
  const bool own = std::any_of(jobs.begin(), jobs.end(),
                               [](const planner::Job* job) { return !job->spec->managed; });
  if (!log_.is_alone() || own) {
    call.refuse(Error{ErrorCode::kConflict,
                      !log_.is_alone() ? "this agent is a member of a cluster already"
                                       : "this agent has jobs of its own, which it would lose",
                      0,
                      !log_.is_alone() ? "let it leave first: distcronctl node leave"
                                       : "distcronctl export writes them to files; then remove "
                                         "them, join, and apply them there"});
    return;
  }
  if (call.request().dry_run) {
    call.refuse(Error{ErrorCode::kInvalid,
                      "node join has no --dry-run: only to join shows whether "
                      "the token is good",
                      0, "leave --dry-run out"});
    return;
  }
  facts_.join(request, [call](const Result<wire::NodeJoinReply>& reply) {
    if (reply) {
      call.answer(*reply);
    } else {
      call.refuse(reply.error());
    }
  });
}

void Operations::node_ping(const Call& call, const wire::NodePingRequest& request) {
  const auto node = resolve_node(request.node);
  if (!node) {
    call.refuse(node.error());
    return;
  }
  wire::NodePingReply reply;
  reply.node_id = (*node)->id;
  reply.name = (*node)->name;
  if (reply.node_id == facts_.node_id || call.is_relayed()) {
    call.answer(reply);
    return;
  }
  fleet_.call(
      reply.node_id, call.caller().public_key, wire::encode(call.request()), kPingWait,
      [this, call, reply, asked_at = now_.mono](const Result<std::string>& bytes) {
        if (!bytes) {
          call.refuse(Error{ErrorCode::kTimeout, "node \"" + reply.name + "\" does not answer", 0,
                            "distcronctl cluster status shows who is in touch"});
          return;
        }
        wire::NodePingReply timed = reply;
        timed.rtt_ms = to_ms(now_.mono - asked_at);
        call.answer(timed);
      });
}

}  // namespace distcron::agent
