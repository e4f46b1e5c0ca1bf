// SPDX-License-Identifier: Apache-2.0
// How a host becomes a member of a cluster that others made: it shows a join token, is told who it
// is and who the others are, and takes over the key of the control doors. Either at start, before
// privileges are given up (join_cluster blocks), or while the agent runs (Joining does not); the
// databases of the time before are set aside at the next start.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/key_ring.h"
#include "agent/layout.h"
#include "base/result.h"
#include "mesh/join_client.h"
#include "model/job_spec.h"
#include "wire/mesh_messages.h"

namespace distcron::agent {

struct JoinPlan {
  std::string storage_dir;
  std::string keys_dir;
  std::string node_name;
  std::int64_t node_id = 0;  ///< 0: assigned.
  model::TextMap labels;
  std::vector<std::string> mesh_listen;
  std::string mesh_advertise;
  std::string address;  ///< Of the control door.
  std::string version;
  std::string boot_id;
  std::optional<AgentUser> user;
};

/// Nothing to do for a member. kConflict when this agent has jobs of its own. Changes `keys` as
/// the cluster has them.
[[nodiscard]] Status join_cluster(const JoinPlan& plan, const std::string& token_file,
                                  KeyRing& keys);

/// One attempt to join, under way. Loop thread only.
class Joining {
 public:
  /// `endpoints`: where the mesh listens. kInvalid: not a token.
  [[nodiscard]] static Result<std::unique_ptr<Joining>> make(const JoinPlan& plan,
                                                             const std::string& token,
                                                             std::vector<std::string> endpoints,
                                                             const KeyRing& keys);

  /// For zmq::poll; nullptr: none just now.
  [[nodiscard]] void* socket() { return client_->socket(); }

  [[nodiscard]] MonoTime next_timer() const { return client_->next_timer(); }

  /// The cluster's answer, or why there is none.
  [[nodiscard]] std::optional<Result<wire::JoinReply>> poll(MonoTime now);

  /// From the next start on this host is what `reply` says. Durable.
  [[nodiscard]] Status take_over(const wire::JoinReply& reply) const;

 private:
  Joining(JoinPlan plan, std::vector<std::string> endpoints,
          std::unique_ptr<mesh::JoinClient> client)
      : plan_(std::move(plan)), endpoints_(std::move(endpoints)), client_(std::move(client)) {}

  JoinPlan plan_;
  std::vector<std::string> endpoints_;
  std::unique_ptr<mesh::JoinClient> client_;
};

}  // namespace distcron::agent
