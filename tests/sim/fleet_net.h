// SPDX-License-Identifier: Apache-2.0
// The network between simulated agents, and the mesh that each life of an agent sees. Messages are
// lost, delayed, doubled and overtake each other; a way between two hosts may be closed in either
// direction. What is closed when a message leaves or arrives is lost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mesh/peer_boots.h"
#include "mesh/peer_mesh.h"
#include "sim/fleet_agenda.h"

namespace distcron::sim {

class FleetMesh;

class FleetNet {
 public:
  FleetNet(Agenda& agenda, std::uint64_t seed) : agenda_(agenda), rng_(seed) {}

  std::int64_t loss_percent = 0;
  std::int64_t double_percent = 0;
  FleetTime delay_max = 2 * kMs;
  std::int64_t late_percent = 0;  ///< Messages that come seconds later.

  void close(std::int64_t from, std::int64_t to) { closed_.emplace(from, to); }

  void open(std::int64_t from, std::int64_t to) { closed_.erase({from, to}); }

  void open_all() { closed_.clear(); }

  [[nodiscard]] bool is_open(std::int64_t from, std::int64_t to) const {
    return !closed_.contains({from, to});
  }

  void attach(std::int64_t id, FleetMesh* mesh) { meshes_[id] = mesh; }

  [[nodiscard]] FleetMesh* mesh_of(std::int64_t id) const {
    const auto found = meshes_.find(id);
    return found == meshes_.end() ? nullptr : found->second;
  }

  struct Packet {
    mesh::PeerMessage message;
    std::int64_t to = 0;
    std::uint64_t boot = 0;
    WallTime wall{};  ///< Of the sender, when it left.
    FleetTime left_at = 0;
  };

  void send(const Packet& packet);

  /// A host that is no member asks `to`, with a token of this hash; `answered` may never be called.
  void knock(std::int64_t to, std::string bytes, std::string token_hash,
             std::function<void(const std::string&)> answered);
  void answer_guest(const std::string& way_back, const std::string& bytes);

  /// Whether so many messages are under way that they must breed.
  [[nodiscard]] bool is_flooded() const { return under_way_ > kUnderWayMax; }

 private:
  static constexpr std::int64_t kUnderWayMax = 20'000;

  void carry(const Packet& packet);

  Agenda& agenda_;
  std::int64_t under_way_ = 0;
  Rng rng_;
  std::set<std::pair<std::int64_t, std::int64_t>> closed_;
  std::map<std::int64_t, FleetMesh*> meshes_;
  std::map<std::string, std::function<void(const std::string&)>> guests_;  ///< By their way back.
};

class FleetMesh final : public mesh::PeerMesh {
 public:
  struct Hooks {
    std::function<void()> wake;
    std::function<mesh::MeshTime()> clock;
  };

  FleetMesh(FleetNet& net, Agenda& agenda, std::int64_t self, std::uint64_t boot, Hooks hooks);
  ~FleetMesh() override;
  FleetMesh(const FleetMesh&) = delete;
  FleetMesh& operator=(const FleetMesh&) = delete;

  /// False: it comes from nobody that is known here.
  bool deliver(const FleetNet::Packet& packet);
  /// Whether `to` knew us when a packet of ours came there.
  void note_reached(std::int64_t to, bool is_known);
  void let_in(mesh::PeerMessage message);

  [[nodiscard]] bool has_messages() const { return !inbox_.empty(); }

  // mesh::PeerMesh
  void set_peers(const std::vector<mesh::Peer>& peers) override;

  void set_guests(const std::vector<std::string>& hashes) override {
    guests_ = {hashes.begin(), hashes.end()};
  }

  void set_incarnation(std::int64_t incarnation) override { static_cast<void>(incarnation); }

  [[nodiscard]] std::vector<std::string> endpoints() const override { return {}; }

  [[nodiscard]] std::vector<void*> sockets() override { return {}; }

  [[nodiscard]] MonoTime next_timer() const override { return MonoTime::max(); }

  void on_timer(const mesh::MeshTime& now) override { static_cast<void>(now); }

  [[nodiscard]] std::vector<mesh::PeerMessage> receive(const mesh::MeshTime& now,
                                                       int limit) override;
  [[nodiscard]] Status send(std::int64_t to, mesh::PeerKind kind, std::string_view bytes,
                            std::uint64_t id) override;

  [[nodiscard]] int chunk_credit(std::int64_t to) override {
    static_cast<void>(to);
    return kChunksUnderWayMax;
  }

  [[nodiscard]] Status reply_to_guest(const std::string& way_back,
                                      std::string_view bytes) override {
    net_.answer_guest(way_back, std::string(bytes));
    return {};
  }

  [[nodiscard]] std::vector<mesh::PeerState> peer_states() const override;

  [[nodiscard]] const mesh::PeerCounters& counters() const override { return counters_; }

  [[nodiscard]] mesh::Refusals& refusals() override { return refusals_; }

 private:
  FleetNet& net_;
  Agenda& agenda_;
  std::int64_t self_;
  std::uint64_t boot_;
  Hooks hooks_;
  std::map<std::int64_t, mesh::PeerState> peers_;
  std::map<std::int64_t, mesh::PeerBoots> boots_;
  std::set<std::string> guests_;
  std::vector<mesh::PeerMessage> inbox_;
  mesh::PeerCounters counters_;
  mesh::Refusals refusals_{"mesh"};
};

}  // namespace distcron::sim
