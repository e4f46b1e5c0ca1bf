// SPDX-License-Identifier: Apache-2.0
// PeerMesh: the agents' messages to each other. A message that cannot go is dropped, which Raft
// expects. One ROUTER that only receives, and for each peer a DEALER that only sends (for chunks
// another one, so that they hold up nothing). Loop thread only; nothing here blocks.
//
// Who may come in: the keys of set_peers(), and the keys of join tokens (set_guests()). A host that
// joins is no member yet, but nobody unknown is let in for it: the token holds a CURVE key pair of
// its own, of which the cluster keeps the public half, and the joiner shows the token by using it.
// So a port scan meets ZAP and nothing else, and there is no secret to compare or to leak here. A
// guest may send join requests: small, few, and nothing else. His connection is cut otherwise.
//
// The sender in each message is compared with the key that the connection proved. DEALERs have no
// names, so ROUTER_HANDOVER, by which one peer could take another's place, stays off. libzmq cannot
// end the session of a key that is no longer wanted: it is ended here by shutting its TCP down.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "mesh/keys.h"
#include "mesh/peer_frame.h"
#include "mesh/refusals.h"

namespace distcron::mesh {

struct Peer {
  std::int64_t node_id = 0;
  std::vector<std::string> public_keys;  ///< z85; two while they are exchanged, the newer one last.
  std::vector<std::string> addresses;    ///< HOST:PORT or tcp://HOST:PORT, tried in this order.

  bool operator==(const Peer&) const = default;
};

struct PeerMessage {
  std::int64_t from = 0;            ///< Node id, proved by its key; 0: a guest.
  PeerKind kind = PeerKind::kRaft;  ///< kRaft, kRequest, kReply, kChunk or kJoin.
  std::uint64_t id = 0;             ///< Of a request, and of its reply.
  std::int64_t incarnation = 0;     ///< Of the sender; never lower than ours.
  std::string bytes;
  std::string guest;     ///< Which token a guest showed: hash of set_guests().
  std::string way_back;  ///< For reply_to_guest().
};

struct PeerState {
  std::int64_t node_id = 0;
  bool is_connected = false;  ///< Our way to it is open.
  bool is_refused = false;    ///< It was reached last, and does not know our key.
  std::optional<MonoTime> last_heard;
  std::uint64_t boot = 0;  ///< 0: not heard of yet.
  MonoTime boot_since{};   ///< When that boot was first heard of.
  std::int64_t incarnation = 0;
  bool is_rough = false;      ///< It answered late, or a connection broke, in the last minute.
  std::optional<Micros> rtt;  ///< Loop to loop, of the last answered ping.
  std::optional<Micros> clock_offset;  ///< Its UTC minus ours, to within half of `rtt`.
};

/// What was dropped or refused, and why; each counts from the start.
struct PeerCounters {
  std::int64_t sent = 0;
  std::int64_t received = 0;           ///< Handed out by receive().
  std::int64_t unsent = 0;             ///< No connection, or its queue was full.
  std::int64_t refused_keys = 0;       ///< ZAP said no.
  std::int64_t failed_handshakes = 0;  ///< No CURVE, a wrong server key, too slow.
  std::int64_t disconnected = 0;       ///< Connections that ended.
  std::int64_t cut = 0;                ///< Connections that were ended here.
  std::int64_t unauthenticated = 0;    ///< Messages without User-Id.
  std::int64_t removed = 0;            ///< Messages of keys that are no longer wanted.
  std::int64_t forged = 0;             ///< The sender is not the owner of the key.
  std::int64_t malformed = 0;
  std::int64_t too_many_parts = 0;
  std::int64_t too_large = 0;
  std::int64_t other_version = 0;
  std::int64_t other_cluster = 0;
  std::int64_t old_incarnation = 0;
  std::int64_t old_boot = 0;        ///< Late messages of an agent that has been started anew.
  std::int64_t guests_refused = 0;  ///< What guests may not send, or too much of it.
  std::int64_t missed = 0;          ///< Gaps in the numbers of what peers sent.
};

struct MeshOptions {
  KeyPair keys;  ///< The node's one long-term pair.
  std::int64_t node_id = 0;
  std::uint64_t cluster = 0;
  std::int64_t incarnation = 1;
  std::uint64_t boot = 0;           ///< Random, not 0.
  std::vector<std::string> listen;  ///< tcp://ADDRESS:PORT; port * or 0: a free one.
};

/// Both clocks, read once a turn.
struct MeshTime {
  MonoTime mono{};
  WallTime wall{};
};

class PeerMesh {
 public:
  /// Binds. kInvalid: not such an address, or not a key. kUnavailable: in use.
  [[nodiscard]] static Result<std::unique_ptr<PeerMesh>> make(const MeshOptions& options);
  virtual ~PeerMesh() = default;

  /// Who the members are; our own id among them is skipped. New ones are connected to, those with
  /// other addresses or keys anew, and those that are left out can say nothing from now on: what
  /// is still under way from them is dropped, and their connections are cut.
  virtual void set_peers(const std::vector<Peer>& peers) = 0;
  /// Hashes (JoinToken::hash) of the tokens that may be used now.
  virtual void set_guests(const std::vector<std::string>& hashes) = 0;
  virtual void set_incarnation(std::int64_t incarnation) = 0;

  /// The addresses that it listens on, with their ports: tcp://ADDRESS:PORT.
  [[nodiscard]] virtual std::vector<std::string> endpoints() const = 0;
  /// Sockets for zmq::poll, for reading.
  [[nodiscard]] virtual std::vector<void*> sockets() = 0;
  /// When on_timer() is wanted next.
  [[nodiscard]] virtual MonoTime next_timer() const = 0;
  /// Pings, connects anew, cuts guests that have stayed too long. Cheap when it is not time.
  virtual void on_timer(const MeshTime& now) = 0;

  /// At most `limit` messages. Answers the questions of keys and the pings that came in between.
  [[nodiscard]] virtual std::vector<PeerMessage> receive(const MeshTime& now, int limit) = 0;

  /// Never waits. kind: kRaft, kRequest, kReply or kChunk. kNotFound: no such peer. kUnavailable:
  /// no connection, a full queue, or no credit for a chunk. kInvalid: longer than
  /// kPeerBodyBytesMax, a chunk than kPeerPartBytesMax. That it was sent does not mean that it
  /// arrives.
  [[nodiscard]] virtual Status send(std::int64_t to, PeerKind kind, std::string_view bytes,
                                    std::uint64_t id) = 0;
  /// Chunks that may be sent now; 0 for an unknown peer. A chunk opens the way for chunks, so the
  /// first ones may find it closed.
  [[nodiscard]] virtual int chunk_credit(std::int64_t to) = 0;
  /// kUnavailable: the guest has gone.
  [[nodiscard]] virtual Status reply_to_guest(const std::string& way_back,
                                              std::string_view bytes) = 0;

  [[nodiscard]] virtual std::vector<PeerState> peer_states() const = 0;
  [[nodiscard]] virtual const PeerCounters& counters() const = 0;
  /// What came in and had no effect. Who finds such a message later, having read it, adds it.
  [[nodiscard]] virtual Refusals& refusals() = 0;

  static constexpr int kChunksUnderWayMax = 4;  ///< Per peer.
  static constexpr int kGuestsMax = 16;         ///< At once.
  static constexpr int kJoinsPerSecond = 5;     ///< Of all guests together; four times in a burst.
};

}  // namespace distcron::mesh
