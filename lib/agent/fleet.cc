// SPDX-License-Identifier: Apache-2.0
// Messages between members.
#include "agent/fleet.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr int kMessagesPerTurn = 1'000;
constexpr Micros kJoinWait{10'000'000};
constexpr Micros kTokenGrace{30'000'000};
constexpr std::size_t kAddressesMax = 16;  // of one member
constexpr Micros kMembersWait{3'000'000};

constexpr Micros kEarlyMax{50'000};        // a doubtful clock makes starts at most so early
constexpr Micros kDoubtMax{1'000'000};     // a host whose clock is known less well gets no permit
constexpr Micros kSampleKept{30'000'000};  // the best sample is kept so long
constexpr Micros kSampleMax{120'000'000};

Error error_of(const wire::PeerReply& reply) {
  return Error{static_cast<ErrorCode>(reply.code - 1), reply.message, 0, reply.hint};
}

void put_error(wire::PeerReply& reply, const Error& error) {
  reply.code = static_cast<std::int32_t>(error.code) + 1;
  reply.message = error.message;
  reply.hint = error.hint;
}

wire::JoinReply refused_join(const Error& error) {
  wire::JoinReply reply;
  reply.code = static_cast<std::int32_t>(error.code) + 1;
  reply.message = error.message;
  reply.hint = error.hint;
  return reply;
}

}  // namespace

// --- Link ----------------------------------------------------------------------------------------

void Fleet::send(const consensus::Message& message) {
  const bool is_bulk = message.kind == consensus::MessageKind::kSnapshotChunk;
  // Lost messages are what consensus expects.
  static_cast<void>(mesh_.send(message.to, is_bulk ? mesh::PeerKind::kChunk : mesh::PeerKind::kRaft,
                               consensus::encode_message(message), 0));
}

void Fleet::forward(consensus::NodeId to, std::uint64_t tag, const std::string& entry,
                    bool is_report) {
  wire::PeerRequest request;
  request.ask = static_cast<std::int32_t>(wire::PeerAsk::kPropose);
  request.bytes = entry;
  request.is_report = is_report;
  Call call;
  call.give_up = now_.mono + Replica::kForwardWait;
  call.propose_tag = tag;
  ask(to, request, std::move(call));
}

void Fleet::answer(consensus::NodeId to, std::uint64_t tag, const Result<std::int64_t>& index,
                   consensus::Term term) {
  wire::PeerReply out;
  if (index) {
    out.index = *index;
    out.term = term;
  } else {
    put_error(out, index.error());
  }
  reply(to, tag, out);
}

// --- asking --------------------------------------------------------------------------------------

void Fleet::ask(consensus::NodeId to, const wire::PeerRequest& request, Call call) {
  const std::uint64_t id = ++next_call_;
  if (call.done || call.propose_tag != 0) calls_.emplace(id, std::move(call));
  // What cannot go now is found to be unanswered.
  static_cast<void>(mesh_.send(to, mesh::PeerKind::kRequest, wire::encode(request), id));
}

void Fleet::call(consensus::NodeId to, const std::string& public_key, const std::string& bytes,
                 Micros wait, Answered done) {
  wire::PeerRequest request;
  request.ask = static_cast<std::int32_t>(wire::PeerAsk::kCall);
  request.public_key = public_key;
  request.bytes = bytes;
  Call call;
  call.done = std::move(done);
  call.give_up = now_.mono + wait;
  ask(to, request, std::move(call));
}

void Fleet::reply(consensus::NodeId to, std::uint64_t id, const wire::PeerReply& reply) {
  static_cast<void>(mesh_.send(to, mesh::PeerKind::kReply, wire::encode(reply), id));
}

void Fleet::on_reply(std::uint64_t id, const wire::PeerReply& reply) {
  auto found = calls_.extract(id);
  if (found.empty()) return;
  Call& call = found.mapped();
  if (call.propose_tag != 0) {
    if (reply.code != 0) {
      replica_->on_forwarded(call.propose_tag, fail(error_of(reply)), 0);
    } else {
      replica_->on_forwarded(call.propose_tag, reply.index, reply.term);
    }
  } else if (reply.code != 0) {
    call.done(fail(error_of(reply)));
  } else {
    call.done(reply.bytes);
  }
}

// --- being asked ---------------------------------------------------------------------------------

void Fleet::on_mesh(const Now& now) {
  now_ = now;
  for (const mesh::PeerMessage& message :
       mesh_.receive(mesh::MeshTime{now.mono, now.wall}, kMessagesPerTurn)) {
    switch (message.kind) {
      case mesh::PeerKind::kRaft:
      case mesh::PeerKind::kChunk:
        on_raft(message);
        break;
      case mesh::PeerKind::kRequest: {
        const auto request = wire::decode<wire::PeerRequest>(message.bytes);
        if (request) {
          on_request(message.from, message.id, *request);
        } else {
          refuse(message.from, mesh::Refusal::kMalformed, "request");
        }
        break;
      }
      case mesh::PeerKind::kReply: {
        const auto answer = wire::decode<wire::PeerReply>(message.bytes);
        if (answer) {
          on_reply(message.id, *answer);
        } else {
          refuse(message.from, mesh::Refusal::kMalformed, "reply");
        }
        break;
      }
      case mesh::PeerKind::kJoin:
        on_guest(message);
        break;
      case mesh::PeerKind::kJoinReply:
      case mesh::PeerKind::kPing:
      case mesh::PeerKind::kPong:
      case mesh::PeerKind::kCredit:
        break;  // the mesh's own
    }
  }
}

void Fleet::on_request(consensus::NodeId from, std::uint64_t id, const wire::PeerRequest& request) {
  const auto answer_bytes = [this, from, id](std::string bytes) {
    wire::PeerReply out;
    out.bytes = std::move(bytes);
    reply(from, id, out);
  };
  // Of a member that was removed the consensus alone is of interest, while its vote still counts;
  // it asks again, until it hears of that in the log.
  const model::Node* sender = state_.find_node(from);
  if (sender != nullptr && !model::is_member(*sender)) return;
  switch (static_cast<wire::PeerAsk>(request.ask)) {
    case wire::PeerAsk::kPropose:
      on_propose(from, id, request);
      return;
    case wire::PeerAsk::kCall:
      on_call_(request.public_key, request.bytes, answer_bytes);
      return;
    case wire::PeerAsk::kReport:
      if (note_report(from, request.bytes)) {
        answer_bytes(
            wire::encode(wire::ReportReply{facts_.life, now_.mono.time_since_epoch().count()}));
      }
      return;
    case wire::PeerAsk::kJoin:
      join_here(request.bytes, request.public_key, answer_bytes);
      return;
    case wire::PeerAsk::kMoved:
      note_moved(from, request.bytes);
      return;
    case wire::PeerAsk::kMembers: {
      wire::JoinReply members;
      members.members = members_to_know();
      answer_bytes(wire::encode(members));
      return;
    }
  }
  wire::PeerReply out;
  put_error(out, Error{ErrorCode::kInvalid, "this member does not know what it is asked for", 0,
                       "the agents are of different versions"});
  reply(from, id, out);
}

void Fleet::join_here(const std::string& bytes, const std::string& token, const Answer& answer) {
  const auto request = wire::decode<wire::JoinRequest>(bytes);
  if (!request) {
    answer(wire::encode(refused_join(request.error())));
    return;
  }
  if (!replica_->is_scheduler()) {
    answer(wire::encode(refused_join(
        Error{ErrorCode::kUnavailable, "the cluster has no scheduler now; try again", 0, {}})));
    return;
  }
  on_join_(*request, token,
           [answer](const wire::JoinReply& reply) { answer(wire::encode(reply)); });
}

void Fleet::on_guest(const mesh::PeerMessage& message) {
  const auto back = [this, way_back = message.way_back](std::string answer) {
    static_cast<void>(mesh_.reply_to_guest(way_back, answer));  // who has gone asks again
  };
  const consensus::NodeId leader = replica_->raft().leader();
  if (replica_->is_scheduler() || leader == 0 || leader == facts_.self) {
    join_here(message.bytes, message.guest, back);
    return;
  }
  wire::PeerRequest request;
  request.ask = static_cast<std::int32_t>(wire::PeerAsk::kJoin);
  request.public_key = message.guest;
  request.bytes = message.bytes;
  Call call;
  call.give_up = now_.mono + kJoinWait;
  call.done = [back](const Result<std::string>& answer) {
    back(answer ? *answer : wire::encode(refused_join(answer.error())));
  };
  ask(leader, request, std::move(call));
}

// --- who is there --------------------------------------------------------------------------------

std::vector<model::Node> Fleet::members_to_know() const {
  std::vector<model::Node> out = state_.nodes();
  for (const consensus::Member& member : replica_->config_members()) {
    const model::Node* node = state_.find_node(member.id);
    if (node != nullptr && !model::is_member(*node)) out.push_back(*node);
  }
  return out;
}

void Fleet::refresh_peers() {
  std::vector<mesh::Peer> peers;
  const auto add = [this, &peers](const model::Node& node) {
    if (node.id == facts_.self || node.mesh_keys.empty()) return;
    const bool is_known = std::any_of(peers.begin(), peers.end(), [&node](const mesh::Peer& peer) {
      return peer.node_id == node.id;
    });
    if (is_known) return;
    mesh::Peer peer{node.id, node.mesh_keys, node.mesh_addresses};
    if (const auto moved = moved_.find(node.id); moved != moved_.end()) {
      if (moved->second == node.mesh_addresses) {
        moved_.erase(moved);
      } else {
        peer.addresses.insert(peer.addresses.begin(), moved->second.begin(), moved->second.end());
      }
    }
    peers.push_back(std::move(peer));
  };
  for (const model::Node& node : members_to_know())
    add(node);
  if (!replica_->is_caught_up() && !mutant("log-members-ignored")) {
    for (const model::Node& node : facts_.log_members)
      add(node);
  }
  for (const model::Node& node : told_members_)
    add(node);
  // Until the log has told who is a member, those that the join named are.
  if (state_.find_node(facts_.self) == nullptr) {
    for (const model::Node& node : facts_.first_members)
      add(node);
  }
  std::vector<std::string> guests;
  for (const model::JoinToken& token : state_.tokens()) {
    if (token.uses_left > 0 && token.expires_at > now_.wall) guests.push_back(token.hash);
  }
  // Who used a token up still waits for his answer, and may ask for it again: he is a member.
  for (const std::string& hash : guests_) {
    if (std::find(guests.begin(), guests.end(), hash) == guests.end()) {
      used_tokens_.try_emplace(hash, now_.mono + kTokenGrace);
    }
  }
  std::erase_if(used_tokens_, [this](const auto& item) { return item.second <= now_.mono; });
  guests_ = guests;
  for (const auto& [hash, until] : used_tokens_)
    guests.push_back(hash);
  if (guests != admitted_) {
    admitted_ = std::move(guests);
    mesh_.set_guests(admitted_);
  }
  if (peers == peers_) return;
  peers_ = std::move(peers);
  mesh_.set_peers(peers_);
}

/// A member that was started with other addresses hears nothing of us, also not who leads, until we
/// know them. It proved its key, and we connect to nobody who does not have that key.
void Fleet::note_moved(consensus::NodeId from, const std::string& bytes) {
  auto said = wire::decode<model::Node>(bytes);
  if (!said || said->mesh_addresses.empty() || said->mesh_addresses.size() > kAddressesMax) return;
  moved_[from] = std::move(said->mesh_addresses);
  refresh_peers();
}

/// Tells all that can be reached, while the state has other addresses of this agent.
void Fleet::tell_moved() {
  const model::Node* self = state_.find_node(facts_.self);
  if (self == nullptr || facts_.addresses.empty() || self->mesh_addresses == facts_.addresses) {
    return;
  }
  model::Node moved;
  moved.id = facts_.self;
  moved.mesh_addresses = facts_.addresses;
  wire::PeerRequest request;
  request.ask = static_cast<std::int32_t>(wire::PeerAsk::kMoved);
  request.bytes = wire::encode(moved);
  for (const mesh::Peer& peer : peers_)
    ask(peer.node_id, request, Call{});
}

/// Who was away while others joined does not know them, and lets none of them speak: if one of them
/// leads, it never hears of a leader. Any member that it knows can tell.
void Fleet::ask_for_members() {
  const consensus::NodeId leader = replica_->raft().leader();
  const model::Node* known = state_.find_node(leader);
  if (known != nullptr && model::is_member(*known) && replica_->raft().has_quorum()) {
    told_members_.clear();
  }
  if (leader != 0 || mutant("members-not-asked")) return;
  wire::PeerRequest request;
  request.ask = static_cast<std::int32_t>(wire::PeerAsk::kMembers);
  for (const mesh::Peer& peer : peers_) {
    const model::Node* node = state_.find_node(peer.node_id);
    if (node != nullptr && !model::is_member(*node)) continue;
    Call call;
    call.give_up = now_.mono + kMembersWait;
    call.done = [this](const Result<std::string>& answer) {
      const auto reply = answer ? wire::decode<wire::JoinReply>(*answer)
                                : Result<wire::JoinReply>(fail(answer.error()));
      if (!reply || replica_->raft().leader() != 0) return;
      told_members_ = reply->members;
      refresh_peers();
    };
    ask(peer.node_id, request, std::move(call));
  }
}

std::optional<mesh::PeerState> Fleet::peer_state(consensus::NodeId id) const {
  for (const mesh::PeerState& peer : mesh_.peer_states()) {
    if (peer.node_id == id) return peer;
  }
  return std::nullopt;
}

bool Fleet::is_reachable(consensus::NodeId id) const {
  const auto peer = peer_state(id);
  return peer && peer->is_connected;
}

bool Fleet::note_report(consensus::NodeId from, const std::string& bytes) {
  auto said = wire::decode<wire::HostState>(bytes);
  if (!said) return false;
  Seen& seen = seen_[from];
  const bool is_old = said->boot != 0 && said->boot == seen.said.boot && said->life == seen.life &&
                      said->permit < seen.said.permit;
  if (is_old) return false;  // was long under way
  if (seen.life != said->life || !seen.heard_at ||
      now_.mono - *seen.heard_at > facts_.suspect_after) {
    seen.alive_since = now_.mono;
  }
  seen.life = said->life;
  seen.heard_at = now_.mono;
  if (seen.said.can_start != said->can_start) report_soon();  // looks at all hosts, too
  seen.said = std::move(*said);
  take_sample(seen, from);
  return seen.said.boot != 0;
}

/// The permit was issued after we said what is echoed and before it came here. Of those two, the
/// start that follows from the former is never too early; half of the way may be taken off.
void Fleet::take_sample(Seen& seen, consensus::NodeId from) const {
  const wire::HostState& said = seen.said;
  ClockSample sample;
  sample.boot = said.boot;
  sample.at = now_.mono;
  if (from != facts_.self) {
    if (said.boot == 0 || said.echo_life != facts_.life) return;
    const MonoTime issued_after{Micros(said.echo_clock + said.echo_age)};
    const Micros doubt = std::max(now_.mono - issued_after, Micros(0));
    const Micros off = std::min(doubt / 2, kEarlyMax);
    sample.ahead = MonoTime(Micros(said.permit)) - issued_after - off;
    sample.doubt = doubt - off;
  }
  const bool is_better = !seen.clock || seen.clock->boot != sample.boot ||
                         sample.doubt <= seen.clock->doubt ||
                         now_.mono - seen.clock->at > kSampleKept;
  if (is_better) seen.clock = sample;
}

std::optional<planner::HostPermit> Fleet::permit_of(const Seen& seen, const Now& now) const {
  const bool is_known = seen.clock && seen.said.boot != 0 && seen.clock->boot == seen.said.boot &&
                        seen.clock->doubt <= kDoubtMax && now.mono - seen.clock->at <= kSampleMax;
  if (!is_known) return std::nullopt;
  const MonoTime there = now.mono + seen.clock->ahead;
  const Micros age = there - MonoTime(Micros(seen.said.permit));
  return planner::HostPermit{seen.said.boot, seen.said.permit, age};
}

void Fleet::on_echo(consensus::NodeId from, const std::string& bytes) {
  const auto said = wire::decode<wire::ReportReply>(bytes);
  if (!said) return;
  const bool is_new = !echo_ || echo_->from != from || echo_->said.life != said->life;
  echo_ = Echo{from, *said, now_.mono};
  if (is_new) report();  // its permits count from now on
}

}  // namespace distcron::agent
