// SPDX-License-Identifier: Apache-2.0
// MeshWorld: several meshes in one thread on loopback, driven until something is true. Raw
// connections of no mesh for what a mesh would not send.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <zmq.hpp>

#include "mesh/peer_mesh.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

inline constexpr std::uint64_t kTestCluster = 77;

inline MeshTime mesh_now() {
  return {MonoTime(std::chrono::duration_cast<Micros>(
              std::chrono::steady_clock::now().time_since_epoch())),
          std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now())};
}

inline KeyPair fresh_keys() {
  Result<KeyPair> keys = make_key_pair();
  REQUIRE(keys.has_value());
  return *keys;
}

/// One agent's mesh, with what it has received.
struct MeshNode {
  std::int64_t id = 0;
  KeyPair keys;
  std::uint64_t boot = 1;
  std::unique_ptr<PeerMesh> mesh;
  std::vector<PeerMessage> inbox;
  bool is_frozen = false;  ///< Its loop does not turn.

  [[nodiscard]] std::string address() const { return mesh->endpoints().at(0); }

  [[nodiscard]] Peer as_peer() const { return {id, {keys.public_key}, {address()}}; }

  [[nodiscard]] int count(PeerKind kind, std::string_view bytes) const {
    int found = 0;
    for (const PeerMessage& message : inbox)
      found += message.kind == kind && message.bytes == bytes ? 1 : 0;
    return found;
  }

  [[nodiscard]] PeerState state_of(std::int64_t peer) const {
    for (const PeerState& state : mesh->peer_states()) {
      if (state.node_id == peer) return state;
    }
    return {};
  }
};

class MeshWorld {
 public:
  MeshNode& add(std::int64_t id, const std::string& listen = "tcp://127.0.0.1:*") {
    MeshNode& node = nodes_[id];
    node.id = id;
    node.keys = fresh_keys();
    start(node, listen);
    return node;
  }

  void start(MeshNode& node, const std::string& listen) {
    node.mesh.reset();
    node.inbox.clear();
    MeshOptions options;
    options.keys = node.keys;
    options.node_id = node.id;
    options.cluster = kTestCluster;
    options.boot = node.boot;
    options.listen = {listen};
    // The port of a mesh that has just gone is free a moment later.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    Result<std::unique_ptr<PeerMesh>> mesh = PeerMesh::make(options);
    while (!mesh && std::chrono::steady_clock::now() < until)
      mesh = PeerMesh::make(options);
    const std::string why = mesh ? "" : mesh.error().message;
    CAPTURE(why);
    REQUIRE(mesh.has_value());
    node.mesh = std::move(*mesh);
  }

  [[nodiscard]] std::vector<Peer> peers() const {
    std::vector<Peer> out;
    for (const auto& [id, node] : nodes_)
      out.push_back(node.as_peer());
    return out;
  }

  /// Tells all about all.
  void introduce() {
    for (auto& [id, node] : nodes_)
      node.mesh->set_peers(peers());
  }

  void turn(std::chrono::milliseconds wait) {
    std::vector<zmq::pollitem_t> items;
    for (auto& [id, node] : nodes_) {
      if (node.is_frozen || !node.mesh) continue;
      for (void* socket : node.mesh->sockets())
        items.push_back({socket, 0, ZMQ_POLLIN, 0});
    }
    zmq::poll(items, wait);
    for (auto& [id, node] : nodes_) {
      if (node.is_frozen || !node.mesh) continue;
      const MeshTime now = mesh_now();
      node.mesh->on_timer(now);
      for (PeerMessage& message : node.mesh->receive(now, 256))
        node.inbox.push_back(std::move(message));
    }
  }

  /// Turns until `is_done`; false when it does not come true within `patience`.
  bool run_until(const std::function<bool()>& is_done,
                 std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!is_done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      turn(std::chrono::milliseconds(5));
    }
    return true;
  }

  bool connect_all() {
    introduce();
    return run_until([this] {
      for (const auto& [id, node] : nodes_) {
        for (const PeerState& state : node.mesh->peer_states()) {
          if (!state.is_connected) return false;
        }
      }
      return true;
    });
  }

  /// Sends until it has arrived: a message may be lost.
  bool deliver(MeshNode& from, MeshNode& to, const std::string& text) {
    return run_until([&] {
      static_cast<void>(from.mesh->send(to.id, PeerKind::kRaft, text, 0));
      turn(std::chrono::milliseconds(1));
      return to.count(PeerKind::kRaft, text) > 0;
    });
  }

 private:
  std::map<std::int64_t, MeshNode> nodes_;
};

/// A connection that obeys no rule.
class RawPeer {
 public:
  RawPeer()
      : socket_(context_, zmq::socket_type::dealer), monitor_(context_, socket_, ZMQ_EVENT_ALL) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::ipv6, 1);
    socket_.set(zmq::sockopt::sndtimeo, 5'000);
  }

  RawPeer& as(const KeyPair& keys, const std::string& server_key) {
    authenticate_as(socket_, keys, server_key);
    return *this;
  }

  RawPeer& to(const std::string& address) {
    socket_.connect(address);
    return *this;
  }

  zmq::socket_t& socket() { return socket_; }

  void send(std::string_view bytes) {
    socket_.send(zmq::message_t(bytes.data(), bytes.size()), zmq::send_flags::none);
  }

  /// Reads the events that wait.
  void look() {
    while (const std::optional<SocketEvent> event = monitor_.take()) {
      constexpr int kFailed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
      if (event->kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) ++opened_;
      if (event->kind == ZMQ_EVENT_DISCONNECTED) ++ended_;
      if ((event->kind & kFailed) != 0) ++failed_;
    }
  }

  [[nodiscard]] bool was_open() {
    look();
    return opened_ > 0;
  }

  [[nodiscard]] bool has_ended() {
    look();
    return ended_ > 0 || failed_ > 0;
  }

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_;
  Monitor monitor_;
  int opened_ = 0;
  int ended_ = 0;
  int failed_ = 0;
};

/// A whole message as a mesh would make it.
inline std::string raw_message(PeerKind kind, std::int64_t from, std::string_view body) {
  PeerFrame frame;
  frame.kind = kind;
  frame.cluster = kTestCluster;
  frame.from = from;
  frame.boot = 5;
  frame.seq = 1;
  frame.incarnation = 1;
  return encode_frame(frame, body);
}

}  // namespace distcron::mesh
