// SPDX-License-Identifier: Apache-2.0
// PeerMember: what the mesh knows of one peer: the ways to it, the numbers of what went and came,
// and the credits for chunks. Loop thread only.
//
// On a network that loses packets a connection stands still for seconds now and then: what was lost
// in it must come before all that is behind it. So a way that answers late, or breaks, is rough for
// a minute: short messages of the consensus, which do no harm twice, then go over two more
// connections, and the peer goes by the copy that comes first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zmq.hpp>

#include "base/time.h"
#include "mesh/peer_boots.h"
#include "mesh/peer_frame.h"
#include "mesh/peer_link.h"
#include "mesh/peer_mesh.h"

namespace distcron::mesh {

class PeerMember {
 public:
  PeerMember(zmq::context_t& context, const KeyPair& keys, Peer peer);

  [[nodiscard]] const Peer& peer() const { return peer_; }

  /// Other keys or addresses of the same node.
  void change(Peer peer, MonoTime now);

  /// `frame` has kind, cluster, from, boot, incarnation and id; the rest is put here.
  bool send(PeerFrame frame, std::string_view body);
  /// Says something on each further connection that is new: whoever is let in and silent could not
  /// be told from who never was, see Gate. `frame` has the kind kCredit.
  void greet_on_spares(PeerFrame frame);
  bool send_chunk(PeerFrame frame, std::string_view body, MonoTime now);
  [[nodiscard]] int chunk_credit(MonoTime now);

  /// What the header of a message says. False: it is of an earlier boot and must be dropped.
  /// `missed` is how many before it have not come.
  bool hear(const PeerFrame& frame, MonoTime now, std::int64_t& missed);
  /// The whole body, once its last part has come. After a gap what there is is dropped.
  [[nodiscard]] std::optional<std::string> assemble(const PeerFrame& frame, std::string_view body);
  void on_pong(const Pong& pong, const MeshTime& now);
  void on_credit(const Pong& pong);
  void on_chunk(const PeerFrame& frame);
  /// What was taken since this was asked for last; nullopt: nothing new.
  [[nodiscard]] std::optional<Pong> take_credit_owed();

  /// As it stands, for a pong.
  [[nodiscard]] Pong credit() const { return Pong{0, 0, taken_stream_, taken_}; }

  /// True: a ping is due.
  [[nodiscard]] bool on_timer(MonoTime now);
  /// max(): none.
  [[nodiscard]] MonoTime next_timer() const;
  [[nodiscard]] PeerState state() const;

 private:
  void renew_stream(MonoTime now);
  void look_for_trouble(MonoTime now);

  Peer peer_;
  PeerLink link_;
  std::array<PeerLink, 2> spares_;  ///< Open while the way is rough.
  std::array<bool, 2> has_greeted_{};
  PeerLink bulk_;
  PeerState state_;
  PeerBoots boots_;
  std::uint64_t sent_seq_ = 0;
  std::uint64_t heard_seq_ = 0;
  MonoTime next_ping_{};
  std::optional<MonoTime> ping_sent_;  ///< Of the last one, while it is not answered.
  Micros best_rtt_ = Micros::max();    ///< Of this boot of the peer.
  std::uint64_t link_breaks_ = 0;
  bool is_rough_ = false;
  MonoTime rough_until_{};
  PeerFrame last_part_;  ///< Of the message that `parts_` are of; has no more parts: none.
  std::string parts_;

  // Chunks that we send: those of one stream have gone over one connection.
  std::uint64_t stream_ = 1;
  std::uint64_t breaks_ = 0;
  std::uint64_t chunks_sent_ = 0;
  std::uint64_t chunks_taken_ = 0;  ///< As the peer says.
  MonoTime progress_at_{};
  MonoTime used_at_{};

  // Chunks that the peer sends.
  std::uint64_t taken_stream_ = 0;
  std::uint64_t taken_ = 0;
  bool owes_credit_ = false;
};

}  // namespace distcron::mesh
