// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet_net.h"

#include <algorithm>

namespace distcron::sim {

void FleetNet::send(const Packet& packet) {
  if (!is_open(packet.message.from, packet.to) || draw_chance(rng_, loss_percent)) return;
  carry(packet);
  if (draw_chance(rng_, double_percent)) carry(packet);
}

void FleetNet::carry(const Packet& packet) {
  FleetTime span = draw_between(rng_, 50, delay_max);
  if (draw_chance(rng_, late_percent)) span += draw_between(rng_, 0, 5 * kSecond);
  ++under_way_;
  agenda_.after(span, [this, packet] {
    --under_way_;
    FleetMesh* const mesh = mesh_of(packet.to);
    if (mesh == nullptr || !is_open(packet.message.from, packet.to)) return;
    const bool is_known = mesh->deliver(packet);
    FleetMesh* const sender = mesh_of(packet.message.from);
    if (sender != nullptr) sender->note_reached(packet.to, is_known);
  });
}

void FleetNet::knock(std::int64_t to, std::string bytes, std::string token_hash,
                     std::function<void(const std::string&)> answered) {
  mesh::PeerMessage message;
  message.kind = mesh::PeerKind::kJoin;
  message.bytes = std::move(bytes);
  message.guest = std::move(token_hash);
  message.way_back = std::to_string(guests_.size());
  guests_[message.way_back] = std::move(answered);
  agenda_.after(draw_between(rng_, 50, delay_max), [this, to, message = std::move(message)] {
    FleetMesh* const mesh = mesh_of(to);
    if (mesh != nullptr) mesh->let_in(message);
  });
}

void FleetNet::answer_guest(const std::string& way_back, const std::string& bytes) {
  if (draw_chance(rng_, loss_percent)) return;
  agenda_.after(draw_between(rng_, 50, delay_max), [this, way_back, bytes] {
    if (const auto& answered = guests_[way_back]) answered(bytes);
  });
}

FleetMesh::FleetMesh(FleetNet& net, Agenda& agenda, std::int64_t self, std::uint64_t boot,
                     Hooks hooks)
    : net_(net), agenda_(agenda), self_(self), boot_(boot), hooks_(std::move(hooks)) {
  net_.attach(self_, this);
}

FleetMesh::~FleetMesh() {
  net_.attach(self_, nullptr);
}

void FleetMesh::set_peers(const std::vector<mesh::Peer>& peers) {
  std::map<std::int64_t, mesh::PeerState> kept;
  for (const mesh::Peer& peer : peers) {
    if (peer.node_id == self_) continue;
    const auto known = peers_.find(peer.node_id);
    kept[peer.node_id] = known != peers_.end() ? known->second : mesh::PeerState{};
    kept[peer.node_id].node_id = peer.node_id;
  }
  peers_ = std::move(kept);
}

bool FleetMesh::deliver(const FleetNet::Packet& packet) {
  const auto found = peers_.find(packet.message.from);
  if (found == peers_.end()) return false;
  mesh::PeerState& peer = found->second;
  const mesh::MeshTime now = hooks_.clock();
  mesh::PeerBoots& boots = boots_[peer.node_id];
  if (boots.hear(packet.boot, now.mono) == mesh::PeerBoots::Heard::kOld) return true;
  peer.boot = packet.boot;
  peer.last_heard = now.mono;
  peer.rtt = Micros(2 * (agenda_.now() - packet.left_at));
  // As pings measure it: to within half of the round trip.
  const FleetTime way = agenda_.now() - packet.left_at;
  if (way < kSecond) peer.clock_offset = packet.wall - now.wall + Micros(way);
  inbox_.push_back(packet.message);
  hooks_.wake();
  return true;
}

void FleetMesh::note_reached(std::int64_t to, bool is_known) {
  const auto found = peers_.find(to);
  if (found != peers_.end()) found->second.is_refused = !is_known;
}

void FleetMesh::let_in(mesh::PeerMessage message) {
  if (!guests_.contains(message.guest)) return;
  inbox_.push_back(std::move(message));
  hooks_.wake();
}

std::vector<mesh::PeerMessage> FleetMesh::receive(const mesh::MeshTime& now, int limit) {
  static_cast<void>(now);
  const auto count = std::min(inbox_.size(), static_cast<std::size_t>(limit));
  const auto cut = inbox_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<mesh::PeerMessage> out(inbox_.begin(), cut);
  inbox_.erase(inbox_.begin(), cut);
  return out;
}

Status FleetMesh::send(std::int64_t to, mesh::PeerKind kind, std::string_view bytes,
                       std::uint64_t id) {
  if (!peers_.contains(to)) return fail(ErrorCode::kNotFound, "no such peer");
  FleetNet::Packet packet;
  packet.message.from = self_;
  packet.message.kind = kind;
  packet.message.id = id;
  packet.message.incarnation = 1;
  packet.message.bytes = std::string(bytes);
  packet.to = to;
  packet.boot = boot_;
  packet.wall = hooks_.clock().wall;
  packet.left_at = agenda_.now();
  net_.send(packet);
  return {};
}

std::vector<mesh::PeerState> FleetMesh::peer_states() const {
  std::vector<mesh::PeerState> out;
  for (const auto& [id, peer] : peers_) {
    out.push_back(peer);
    out.back().is_connected =
        !peer.is_refused && net_.mesh_of(id) != nullptr && net_.is_open(self_, id);
  }
  return out;
}

}  // namespace distcron::sim
