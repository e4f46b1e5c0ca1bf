// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_mesh.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include <zmq.hpp>

#include "mesh/gate.h"
#include "mesh/join_token.h"
#include "mesh/peer_member.h"
#include "mesh/peer_sessions.h"
#include "mesh/zap.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

/// An IPv4 address as people write it: a socket for both families names it ::ffff:a.b.c.d.
std::string plain_endpoint(std::string endpoint) {
  constexpr std::string_view kMapped = "tcp://[::ffff:";
  const std::size_t end = endpoint.rfind("]:");
  if (!endpoint.starts_with(kMapped) || end == std::string::npos) return endpoint;
  const std::string address = endpoint.substr(kMapped.size(), end - kMapped.size());
  return "tcp://" + address + endpoint.substr(end + 1);
}

constexpr const char* kZapDomain = "distcron-mesh";
constexpr int kQueueMessages = 1'000;
constexpr int kSocketsMax = 8'192;
constexpr int kZapPerTurn = 64;
constexpr Micros kGuestStay{60'000'000};
constexpr double kMicrosPerSecond = 1e6;

/// At most so many a second, with a store of four seconds.
class Bucket {
 public:
  explicit Bucket(double per_second) : per_second_(per_second), level_(per_second * 4) {}

  bool take(MonoTime now) {
    const double seconds = static_cast<double>((now - last_).count()) / kMicrosPerSecond;
    level_ = std::min(per_second_ * 4, level_ + std::max(0.0, seconds) * per_second_);
    last_ = now;
    if (level_ < 1.0) return false;
    level_ -= 1.0;
    return true;
  }

 private:
  double per_second_ = 0;
  double level_ = 0;
  MonoTime last_{};
};

class ZmqPeerMesh final : public PeerMesh {
 public:
  explicit ZmqPeerMesh(const MeshOptions& options)
      : options_(options),
        desk_(context(), kZapDomain, refusals_,
              [this](const std::string& key) { return is_known(key); }),
        router_(context_, zmq::socket_type::router),
        gate_(context_, router_, refusals_) {
    require_authentication(router_, options.keys, kZapDomain);
    router_.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    router_.set(zmq::sockopt::maxmsgsize, kPeerWireBytesMax * kSpareBytes);
    router_.set(zmq::sockopt::linger, 0);
    router_.set(zmq::sockopt::sndhwm, kQueueMessages);
    router_.set(zmq::sockopt::rcvhwm, kQueueMessages);
    router_.set(zmq::sockopt::router_mandatory, 1);
    router_.set(zmq::sockopt::ipv6, 1);
    watch_tcp(router_);
  }

  Status bind(const std::string& endpoint) {
    if (endpoint.rfind(kTcp, 0) != 0) {
      return fail_hint(ErrorCode::kInvalid, "cannot listen on " + endpoint + " for other agents",
                       "mesh.listen takes tcp://ADDRESS:PORT");
    }
    try {
      router_.bind(endpoint);
      endpoints_.push_back(plain_endpoint(router_.get(zmq::sockopt::last_endpoint)));
    } catch (const zmq::error_t& error) {
      const bool busy = error.num() == EADDRINUSE;
      return fail(busy ? ErrorCode::kUnavailable : ErrorCode::kInvalid,
                  "cannot listen on " + endpoint + " for other agents: " + error.what());
    }
    return {};
  }

  void set_peers(const std::vector<Peer>& peers) override {
    std::map<std::int64_t, std::unique_ptr<PeerMember>> members;
    key_owners_.clear();
    for (const Peer& peer : peers) {
      if (peer.node_id == options_.node_id || peer.node_id <= 0) continue;
      for (const std::string& key : peer.public_keys) {
        if (is_key_text(key)) key_owners_[key] = peer.node_id;
      }
      std::unique_ptr<PeerMember>& member = members[peer.node_id];
      const auto known = members_.find(peer.node_id);
      if (known == members_.end() || known->second == nullptr) {
        if (member) continue;  // named twice
        member = std::make_unique<PeerMember>(context_, options_.keys, peer);
      } else {
        member = std::move(known->second);
        if (member->peer() != peer) member->change(peer, now_.mono);
      }
    }
    members_ = std::move(members);
    next_timer_ = MonoTime{};  // connect to the new ones
    cut_unwanted();
  }

  void set_guests(const std::vector<std::string>& hashes) override {
    guest_hashes_ = {hashes.begin(), hashes.end()};
    cut_unwanted();
  }

  void set_incarnation(std::int64_t incarnation) override { options_.incarnation = incarnation; }

  std::vector<std::string> endpoints() const override { return endpoints_; }

  std::vector<void*> sockets() override {
    return {router_.handle(), desk_.socket(), gate_.socket()};
  }

  MonoTime next_timer() const override { return next_timer_; }

  void on_timer(const MeshTime& now) override {
    now_ = now;
    if (now.mono < next_timer_) return;
    next_timer_ = now.mono + Micros(1'000'000);
    for (auto& [id, member] : members_) {
      if (member->on_timer(now.mono)) {
        const Ping ping{now.mono.time_since_epoch().count()};
        count_sent(member->send(frame_of(PeerKind::kPing, 0), encode_ping(ping)));
      }
      member->greet_on_spares(frame_of(PeerKind::kCredit, 0));
      next_timer_ = std::min(next_timer_, member->next_timer());
    }
    cut_unwanted();
    read_monitor();
  }

  std::vector<PeerMessage> receive(const MeshTime& now, int limit) override {
    now_ = now;
    std::vector<PeerMessage> out;
    for (int i = 0; i < kZapPerTurn && desk_.answer(); ++i) {
    }
    counters_.refused_keys = desk_.refused();
    try {
      for (int i = 0; i < limit && take(out); ++i) {
      }
      read_monitor();
    } catch (const zmq::error_t&) {
      ++counters_.malformed;
    }
    for (auto& [id, member] : members_) {
      const std::optional<Pong> credit = member->take_credit_owed();
      if (credit) member->send(frame_of(PeerKind::kCredit, 0), encode_pong(*credit));
    }
    return out;
  }

  Status send(std::int64_t to, PeerKind kind, std::string_view bytes, std::uint64_t id) override {
    const auto member = members_.find(to);
    if (member == members_.end()) {
      return fail(ErrorCode::kNotFound, "node " + std::to_string(to) + " is no member");
    }
    const std::size_t most = kind == PeerKind::kChunk ? kPeerPartBytesMax : kPeerBodyBytesMax;
    if (bytes.size() > most) {
      return fail(ErrorCode::kInvalid, "cannot send " + std::to_string(bytes.size()) +
                                           " bytes to node " + std::to_string(to) + ": at most " +
                                           std::to_string(most));
    }
    const PeerFrame frame = frame_of(kind, id);
    const bool is_sent = kind == PeerKind::kChunk
                             ? member->second->send_chunk(frame, bytes, now_.mono)
                             : member->second->send(frame, bytes);
    count_sent(is_sent);
    if (is_sent) return {};
    return fail(ErrorCode::kUnavailable, "node " + std::to_string(to) + " cannot be reached now");
  }

  int chunk_credit(std::int64_t to) override {
    const auto member = members_.find(to);
    if (member == members_.end()) return 0;
    const int credit = member->second->chunk_credit(now_.mono);
    next_timer_ = std::min(next_timer_, member->second->next_timer());
    return credit;
  }

  Status reply_to_guest(const std::string& way_back, std::string_view bytes) override {
    try {
      const std::string frame = encode_frame(frame_of(PeerKind::kJoinReply, 0), bytes);
      zmq::message_t identity(way_back.data(), way_back.size());
      const bool is_sent =
          frame.size() <= kPeerMessageBytesMax && sessions_.has(way_back) &&
          router_.send(identity, zmq::send_flags::sndmore | zmq::send_flags::dontwait) &&
          router_.send(zmq::message_t(frame.data(), frame.size()), zmq::send_flags::dontwait);
      count_sent(is_sent);
      if (is_sent) return {};
    } catch (const zmq::error_t&) {
      ++counters_.unsent;  // EHOSTUNREACH
    }
    return fail(ErrorCode::kUnavailable, "the host that wanted to join has gone");
  }

  std::vector<PeerState> peer_states() const override {
    std::vector<PeerState> out;
    for (const auto& [id, member] : members_)
      out.push_back(member->state());
    return out;
  }

  const PeerCounters& counters() const override { return counters_; }

  Refusals& refusals() override { return refusals_; }

 private:
  zmq::context_t& context() {
    context_.set(zmq::ctxopt::max_sockets, kSocketsMax);
    return context_;
  }

  bool is_known(const std::string& key) const {
    if (key_owners_.count(key) > 0) return true;
    return is_guest(key) && sessions_.guests() < kGuestsMax;
  }

  bool is_guest(const std::string& key) const {
    return !guest_hashes_.empty() && guest_hashes_.count(token_hash(key)) > 0;
  }

  PeerFrame frame_of(PeerKind kind, std::uint64_t id) const {
    PeerFrame frame;
    frame.kind = kind;
    frame.cluster = options_.cluster;
    frame.from = options_.node_id;
    frame.boot = options_.boot;
    frame.incarnation = options_.incarnation;
    frame.id = id;
    return frame;
  }

  void count_sent(bool is_sent) { ++(is_sent ? counters_.sent : counters_.unsent); }

  void cut_unwanted() {
    counters_.cut += sessions_.cut_unwanted([this](const PeerSessions::Session& session) {
      if (!session.is_guest) return key_owners_.count(session.key) > 0;
      return is_guest(session.key) && now_.mono - session.since < kGuestStay;
    });
  }

  void read_monitor() {
    gate_.read();
    counters_.failed_handshakes = gate_.failed();
    counters_.disconnected = gate_.ended();
  }

  /// Takes one message; false when none waits.
  bool take(std::vector<PeerMessage>& out) {
    std::vector<zmq::message_t> frames = read_frames(router_, kFramesMax);
    if (frames.empty()) return false;
    const std::string routing_id = frames[0].to_string();
    zmq::message_t& body = frames.back();
    if (!sessions_.has(routing_id)) gate_.on_message(body);
    const std::string key = user_id_of(body);
    if (key.empty()) {
      refuse(Refusal::kUnauthenticated, counters_.unauthenticated, body);
      cut(routing_id, body);
      return true;
    }
    const auto owner = key_owners_.find(key);
    const bool is_welcome = owner == key_owners_.end() && is_guest(key);
    if (owner == key_owners_.end() && !is_welcome) {
      refuse(Refusal::kRemovedKey, counters_.removed, body);
      cut(routing_id, body);
      return true;
    }
    if (is_welcome && !sessions_.has(routing_id) && sessions_.guests() >= kGuestsMax) {
      refuse(Refusal::kForbidden, counters_.guests_refused, body);
      cut(routing_id, body);
      return true;
    }
    if (frames.size() > kFramesMax) {
      refuse(Refusal::kTooManyParts, counters_.too_many_parts, body);
      cut(routing_id, body);
      return true;
    }
    if (is_too_large(frames, kPeerMessageBytesMax)) {
      refuse(Refusal::kTooLarge, counters_.too_large, body);
      cut(routing_id, body);
      return true;
    }
    sessions_.note(routing_id, {key, is_welcome, now_.mono, now_.mono, -1, {}}, body);
    const Result<PeerFrame> frame = parse_header({body.data<char>(), body.size()});
    if (frames.size() != 2 || !frame) {
      const bool is_version = !frame && frame.error().code == ErrorCode::kUnavailable;
      if (is_version) {
        refuse(Refusal::kOtherVersion, counters_.other_version, body);
      } else {
        refuse(Refusal::kMalformed, counters_.malformed, body);
      }
      if (is_welcome) cut(routing_id, body);
    } else if (frame->cluster != options_.cluster) {
      refuse(Refusal::kOtherCluster, counters_.other_cluster, body);
    } else if (is_welcome) {
      take_join(routing_id, body, *frame, out);
    } else {
      take_from_member(owner->second, body, *frame, out);
    }
    return true;
  }

  void refuse(Refusal reason, std::int64_t& counter, zmq::message_t& message) {
    ++counter;
    const std::string key = user_id_of(message);
    const auto owner = key_owners_.find(key);
    std::string about = "from=" + address_of(message);
    if (owner != key_owners_.end()) about += " node=" + std::to_string(owner->second);
    if (owner == key_owners_.end() && !key.empty()) about += " key=" + key;
    refusals_.note(reason, std::move(about));
  }

  void cut(const std::string& routing_id, zmq::message_t& frame) {
    if (sessions_.cut(routing_id, frame)) ++counters_.cut;
  }

  void take_join(const std::string& routing_id, zmq::message_t& message, const PeerFrame& frame,
                 std::vector<PeerMessage>& out) {
    const std::string_view body = body_of({message.data<char>(), message.size()});
    const bool is_allowed = frame.kind == PeerKind::kJoin && frame.from == 0 && frame.parts == 1 &&
                            body.size() <= kJoinBodyBytesMax;
    if (!is_allowed || !joins_.take(now_.mono)) {
      refuse(Refusal::kForbidden, counters_.guests_refused, message);
      if (!is_allowed) cut(routing_id, message);
      return;
    }
    PeerMessage join;
    join.kind = PeerKind::kJoin;
    join.incarnation = frame.incarnation;
    join.bytes = body;
    join.guest = token_hash(user_id_of(message));
    join.way_back = routing_id;
    ++counters_.received;
    out.push_back(std::move(join));
  }

  void take_from_member(std::int64_t node_id, zmq::message_t& message, const PeerFrame& frame,
                        std::vector<PeerMessage>& out) {
    const auto found = members_.find(node_id);
    if (frame.from != node_id || found == members_.end()) {
      return refuse(Refusal::kForgedSender, counters_.forged, message);
    }
    if (frame.incarnation < options_.incarnation) {
      return refuse(Refusal::kOldIncarnation, counters_.old_incarnation, message);
    }
    PeerMember& member = *found->second;
    std::int64_t missed = 0;
    if (frame.boot == 0 || !member.hear(frame, now_.mono, missed)) {
      return refuse(Refusal::kOldBoot, counters_.old_boot, message);
    }
    counters_.missed += missed;
    const std::string_view body = body_of({message.data<char>(), message.size()});
    switch (frame.kind) {
      case PeerKind::kChunk:
        member.on_chunk(frame);
        hand_out(frame, std::string(body), out);
        break;
      case PeerKind::kRaft:
      case PeerKind::kRequest:
      case PeerKind::kReply:
        if (auto whole = member.assemble(frame, body)) hand_out(frame, std::move(*whole), out);
        break;
      case PeerKind::kPing:
        if (!on_ping(member, body)) refuse(Refusal::kMalformed, counters_.malformed, message);
        break;
      case PeerKind::kPong:
      case PeerKind::kCredit:
        if (!on_pong(member, frame.kind, body)) {
          refuse(Refusal::kMalformed, counters_.malformed, message);
        }
        break;
      case PeerKind::kJoin:
      case PeerKind::kJoinReply:
        refuse(Refusal::kMalformed, counters_.malformed, message);  // no use for members
        break;
    }
  }

  void hand_out(const PeerFrame& frame, std::string bytes, std::vector<PeerMessage>& out) {
    ++counters_.received;
    out.push_back(
        PeerMessage{frame.from, frame.kind, frame.id, frame.incarnation, std::move(bytes), {}, {}});
  }

  /// False: it is none.
  bool on_ping(PeerMember& member, std::string_view body) {
    const Result<Ping> ping = decode_ping(body);
    if (!ping) return false;
    Pong pong = member.credit();
    pong.sent_at = ping->sent_at;
    pong.wall = epoch_micros(now_.wall);
    count_sent(member.send(frame_of(PeerKind::kPong, 0), encode_pong(pong)));
    return true;
  }

  /// False: it is none.
  bool on_pong(PeerMember& member, PeerKind kind, std::string_view body) {
    const Result<Pong> pong = decode_pong(body);
    if (!pong) return false;
    if (kind == PeerKind::kPong) {
      member.on_pong(*pong, now_);
    } else {
      member.on_credit(*pong);
    }
    return true;
  }

  MeshOptions options_;
  zmq::context_t context_{1};
  Refusals refusals_{"mesh"};
  ZapDesk desk_;
  zmq::socket_t router_;
  Gate gate_;
  std::vector<std::string> endpoints_;
  std::map<std::int64_t, std::unique_ptr<PeerMember>> members_;
  std::map<std::string, std::int64_t> key_owners_;
  std::set<std::string> guest_hashes_;
  PeerSessions sessions_;
  Bucket joins_{kJoinsPerSecond};
  MeshTime now_{};
  MonoTime next_timer_{};
  PeerCounters counters_;
};

}  // namespace

Result<std::unique_ptr<PeerMesh>> PeerMesh::make(const MeshOptions& options) {
  if (!is_key_text(options.keys.public_key) || !is_key_text(options.keys.secret_key) ||
      options.boot == 0 || options.node_id <= 0) {
    return fail(ErrorCode::kInvalid, "cannot open the mesh: no key, no node id or no boot id");
  }
  try {
    auto mesh = std::make_unique<ZmqPeerMesh>(options);
    for (const std::string& endpoint : options.listen)
      DC_CHECK_OK(mesh->bind(endpoint));
    return std::unique_ptr<PeerMesh>(std::move(mesh));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kIo, std::string("cannot open the mesh: ") + error.what());
  }
}

}  // namespace distcron::mesh
