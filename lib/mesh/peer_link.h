// SPDX-License-Identifier: Apache-2.0
// PeerLink: the way to one peer, a DEALER that only sends (a guest's also gets the answer). libzmq
// connects anew by itself as long as the peer merely is not there. What libzmq leaves for dead, the
// link makes anew: a peer that refused us (it may not know us yet), another address, another key.
// Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "base/time.h"
#include "mesh/keys.h"
#include "mesh/peer_frame.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

/// A place to try: an address with the key that must answer there.
struct LinkTarget {
  std::string address;  ///< tcp://HOST:PORT
  std::string server_key;

  bool operator==(const LinkTarget&) const = default;
};

struct LinkLimits {
  int send_queue = 1'000;              ///< Messages.
  int receive_queue = 1;               ///< Nobody sends to a DEALER of the mesh:
  std::int64_t receive_bytes = 1'024;  ///< who does so is cut.
};

class PeerLink {
 public:
  /// Does nothing until open(). `context` must outlive it; `targets` is not empty.
  PeerLink(zmq::context_t& context, const KeyPair& keys, std::vector<LinkTarget> targets,
           const LinkLimits& limits);

  /// Begins to connect, also where a connection is: with the target that was used last.
  void open(MonoTime now);
  void close();
  /// Other targets, not empty. A connection to one that stays is kept.
  void retarget(std::vector<LinkTarget> targets, MonoTime now);
  /// Tries the next target now.
  void advance(MonoTime now);

  [[nodiscard]] bool is_open() const { return socket_.has_value(); }

  [[nodiscard]] bool is_connected() const { return is_connected_; }

  [[nodiscard]] const LinkTarget& target() const { return targets_[target_]; }

  /// For zmq::poll; nullptr while there is none.
  [[nodiscard]] void* socket() { return socket_ ? socket_->handle() : nullptr; }

  /// Never waits; false when it cannot go now.
  bool send(const PeerFrame& frame, std::string_view body);
  /// What came back, if something did.
  [[nodiscard]] std::optional<std::string> receive();

  /// Notes now what became of the connection.
  void look(MonoTime now);
  /// Does so from time to time, and tries the next target when it is time.
  void on_timer(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next_timer() const;
  /// The peer is alive, so that an attempt is worth while now.
  void nudge(MonoTime now);

  /// How often the connection ended: what was under way is lost.
  [[nodiscard]] std::uint64_t breaks() const { return breaks_; }

  /// How often the other side has said that it does not know our key.
  [[nodiscard]] int refusals() const { return refusals_; }

  /// It said so after the last connection.
  [[nodiscard]] bool is_refused() const { return is_refused_; }

 private:
  void on_event(const SocketEvent& event, MonoTime now);
  void retry_later(MonoTime now);

  zmq::context_t& context_;
  KeyPair keys_;
  std::vector<LinkTarget> targets_;
  LinkLimits limits_;
  std::optional<zmq::socket_t> socket_;
  std::optional<Monitor> monitor_;
  std::size_t target_ = 0;
  bool is_connected_ = false;
  std::uint64_t breaks_ = 0;
  int refusals_ = 0;
  bool is_refused_ = false;
  MonoTime opened_at_{};
  MonoTime look_at_{};               ///< When the monitor is read next.
  std::optional<MonoTime> next_at_;  ///< When the next target is tried.
  Micros delay_{};                   ///< Before that; grows with each failure.
};

}  // namespace distcron::mesh
