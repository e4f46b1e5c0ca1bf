// SPDX-License-Identifier: Apache-2.0
// What a member may say: the mesh has proved who it is, here is what it has a right to. One that is
// not as it should be must not decide for the scheduler, speak for another host or put something
// into the log that nobody can read.
#include <utility>
#include <variant>

#include "agent/fleet.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

/// Why a member may not have this in the log; empty: it may.
std::string objection_to(const model::Command& command, consensus::NodeId from) {
  if (std::holds_alternative<model::Decide>(command)) return "decision";
  if (std::holds_alternative<model::PruneRuns>(command)) return "end-of-history";
  if (std::holds_alternative<model::InitCluster>(command)) return "new-cluster";
  if (std::holds_alternative<model::RaiseIncarnation>(command)) return "incarnation";
  if (const auto* reports = std::get_if<model::HostReports>(&command)) {
    return reports->node_id == from ? "" : "report-of-another-host";
  }
  if (const auto* local = std::get_if<model::LocalRuns>(&command)) {
    return local->node_id == from ? "" : "local-runs-of-another-host";
  }
  if (const auto* node = std::get_if<model::PutNode>(&command)) {
    return node->id == from ? "" : "facts-of-another-host";
  }
  return {};
}

/// A leader has a term, and the first is 1. (A member that has heard of none yet answers with 0.)
bool is_leader_of_none(const consensus::Message& message) {
  return message.term <= 0 && (message.kind == consensus::MessageKind::kAppend ||
                               message.kind == consensus::MessageKind::kSnapshotChunk ||
                               message.kind == consensus::MessageKind::kTimeoutNow);
}

}  // namespace

void Fleet::refuse(consensus::NodeId from, mesh::Refusal reason, const std::string& why) {
  mesh_.refusals().note(reason, "node=" + std::to_string(from) + " what=" + why);
}

void Fleet::on_raft(const mesh::PeerMessage& message) {
  auto decoded = consensus::decode_message(message.bytes);
  if (!decoded || is_leader_of_none(*decoded)) {
    return refuse(message.from, mesh::Refusal::kMalformed, "consensus");
  }
  // Who sent it is what the mesh proved, never what it says.
  if (decoded->from != message.from) {
    return refuse(message.from, mesh::Refusal::kForgedSender, "consensus");
  }
  const bool is_older = decoded->incarnation < replica_->settings().incarnation;
  const bool is_ours = decoded->cluster == replica_->settings().cluster;
  switch (replica_->receive(std::move(*decoded))) {
    case Heard::kTaken:
      if (!is_ours) refuse(message.from, mesh::Refusal::kOtherCluster, "consensus");
      if (is_ours && is_older) refuse(message.from, mesh::Refusal::kOldIncarnation, "consensus");
      return;
    case Heard::kOldLeader:
      return refuse(message.from, mesh::Refusal::kOldTerm, "consensus");
    case Heard::kSecondLeader:
      return refuse(message.from, mesh::Refusal::kSecondLeader, "consensus");
  }
}

void Fleet::on_propose(consensus::NodeId from, std::uint64_t id, const wire::PeerRequest& request) {
  const auto entry = wire::decode<model::Entry>(request.bytes);
  const std::string objection = entry ? objection_to(entry->command, from) : "unreadable";
  if (objection.empty()) {
    replica_->receive_forward(from, id, request.bytes, request.is_report);
    return;
  }
  refuse(from, entry ? mesh::Refusal::kForbidden : mesh::Refusal::kMalformed,
         "propose-" + objection);
  answer(from, id,
         fail_hint(entry ? ErrorCode::kDenied : ErrorCode::kInvalid,
                   "the scheduler does not take this from another host: " + objection,
                   "the agents may be of different versions"),
         0);
}

}  // namespace distcron::agent
