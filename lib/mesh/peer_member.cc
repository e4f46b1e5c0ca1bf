// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_member.h"

#include <algorithm>
#include <utility>

#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr Micros kPingEvery{1'000'000};
constexpr Micros kLateAnswer{250'000};  // TCP sends what was lost again after 200 ms
constexpr int kLateFactor = 4;          // times the best round trip, where that is long
constexpr Micros kRoughFor{60'000'000};
constexpr std::size_t kTwiceBytesMax = 4'096;
constexpr Micros kBulkIdle{30'000'000};   // the way for chunks is closed after it
constexpr Micros kBulkStuck{10'000'000};  // without a credit: begin anew

std::vector<LinkTarget> targets_of(const Peer& peer) {
  std::vector<LinkTarget> out;
  for (auto key = peer.public_keys.rbegin(); key != peer.public_keys.rend(); ++key) {
    for (const std::string& address : peer.addresses) {
      out.push_back({tcp_endpoint(address), *key});
    }
  }
  if (out.empty()) out.emplace_back();  // cannot be connected to, but heard
  return out;
}

}  // namespace

PeerMember::PeerMember(zmq::context_t& context, const KeyPair& keys, Peer peer)
    : peer_(std::move(peer)),
      link_(context, keys, targets_of(peer_), LinkLimits{}),
      spares_{PeerLink(context, keys, targets_of(peer_), LinkLimits{}),
              PeerLink(context, keys, targets_of(peer_), LinkLimits{})},
      bulk_(context, keys, targets_of(peer_),
            LinkLimits{.send_queue = PeerMesh::kChunksUnderWayMax}) {
  state_.node_id = peer_.node_id;
}

void PeerMember::change(Peer peer, MonoTime now) {
  peer_ = std::move(peer);
  link_.retarget(targets_of(peer_), now);
  for (PeerLink& spare : spares_)
    spare.retarget(targets_of(peer_), now);
  bulk_.retarget(targets_of(peer_), now);
}

bool PeerMember::send(PeerFrame frame, std::string_view body) {
  bool is_sent = false;
  if (frame.kind == PeerKind::kRaft && body.size() <= kTwiceBytesMax) {
    frame.parts = 1;
    frame.seq = 0;  // does not count: the same message has its number on the first way
    for (PeerLink& spare : spares_)
      is_sent = spare.send(frame, body) || is_sent;
  }
  const std::size_t full = body.empty() ? 0 : (body.size() - 1) / kPeerPartBytesMax;
  frame.parts = static_cast<std::uint8_t>(full + 1);
  for (frame.part = 0; frame.part < frame.parts; ++frame.part) {
    frame.seq = sent_seq_ + 1;
    const std::string_view part = body.substr(frame.part * kPeerPartBytesMax, kPeerPartBytesMax);
    if (!link_.send(frame, part)) return is_sent;
    ++sent_seq_;
  }
  return true;
}

void PeerMember::greet_on_spares(PeerFrame frame) {
  frame.parts = 1;
  for (std::size_t i = 0; i < spares_.size(); ++i) {
    if (!spares_[i].is_connected()) {
      has_greeted_[i] = false;
    } else if (!has_greeted_[i]) {
      has_greeted_[i] = spares_[i].send(frame, encode_pong(credit()));
    }
  }
}

bool PeerMember::send_chunk(PeerFrame frame, std::string_view body, MonoTime now) {
  used_at_ = now;
  if (chunk_credit(now) <= 0) return false;
  frame.id = stream_;
  frame.seq = chunks_sent_ + 1;
  if (!bulk_.send(frame, body)) return false;
  if (chunks_sent_ == chunks_taken_) progress_at_ = now;
  ++chunks_sent_;
  return true;
}

int PeerMember::chunk_credit(MonoTime now) {
  if (!bulk_.is_open()) {
    used_at_ = now;
    bulk_.open(now);
  }
  bulk_.look(now);
  if (bulk_.breaks() != breaks_) renew_stream(now);
  if (!bulk_.is_connected()) return 0;
  return PeerMesh::kChunksUnderWayMax - static_cast<int>(chunks_sent_ - chunks_taken_);
}

bool PeerMember::hear(const PeerFrame& frame, MonoTime now, std::int64_t& missed) {
  missed = 0;
  const PeerBoots::Heard heard = boots_.hear(frame.boot, now);
  if (heard == PeerBoots::Heard::kOld) return false;
  if (heard == PeerBoots::Heard::kNew) {
    state_.boot = frame.boot;
    state_.boot_since = now;
    best_rtt_ = Micros::max();
    heard_seq_ = 0;
    taken_stream_ = 0;
    taken_ = 0;
    owes_credit_ = false;
  }
  state_.last_heard = now;
  state_.incarnation = frame.incarnation;
  if (frame.kind != PeerKind::kChunk) {
    // The first one of a boot that we hear is where counting begins: earlier ones were not for us.
    const bool is_next = heard_seq_ > 0 && frame.seq > heard_seq_;
    if (is_next) missed = static_cast<std::int64_t>(frame.seq - heard_seq_ - 1);
    heard_seq_ = std::max(heard_seq_, frame.seq);
  }
  link_.nudge(now);
  return true;
}

std::optional<std::string> PeerMember::assemble(const PeerFrame& frame, std::string_view body) {
  if (frame.parts == 1) return std::string(body);  // may come by the other way, between parts
  const PeerFrame last = std::exchange(last_part_, frame);
  const bool goes_on = frame.part == last.part + 1 && frame.parts == last.parts &&
                       frame.seq == last.seq + 1 && frame.boot == last.boot &&
                       frame.kind == last.kind && frame.id == last.id;
  if (frame.part == 0) {
    parts_ = std::string();  // gives the room of a long one back
  } else if (!goes_on) {
    last_part_ = PeerFrame{};
    parts_ = std::string();
    return std::nullopt;
  }
  parts_ += body;
  if (frame.part + 1 < frame.parts) return std::nullopt;
  return std::exchange(parts_, std::string());
}

void PeerMember::on_pong(const Pong& pong, const MeshTime& now) {
  const MonoTime sent_at{Micros(pong.sent_at)};
  if (sent_at > now.mono || now.mono - sent_at > kPingEvery * 60) return;  // not one of ours
  const Micros rtt = now.mono - sent_at;
  state_.rtt = rtt;
  state_.clock_offset = wall_from_micros(pong.wall) - (now.wall - rtt / 2);
  best_rtt_ = std::min(best_rtt_, rtt);
  look_for_trouble(now.mono);
  if (ping_sent_ && sent_at >= *ping_sent_) ping_sent_.reset();
  on_credit(pong);
}

void PeerMember::on_credit(const Pong& pong) {
  const bool is_news =
      pong.stream == stream_ && pong.taken > chunks_taken_ && pong.taken <= chunks_sent_;
  if (!is_news) return;
  chunks_taken_ = pong.taken;
  if (state_.last_heard) progress_at_ = *state_.last_heard;
}

void PeerMember::on_chunk(const PeerFrame& frame) {
  if (frame.id != taken_stream_) taken_ = 0;
  taken_stream_ = frame.id;
  taken_ = std::max(taken_, frame.seq);
  owes_credit_ = true;
}

std::optional<Pong> PeerMember::take_credit_owed() {
  if (!std::exchange(owes_credit_, false)) return std::nullopt;
  return credit();
}

bool PeerMember::on_timer(MonoTime now) {
  if (!link_.is_open() && !link_.next_timer()) link_.open(now);
  link_.on_timer(now);
  for (PeerLink& spare : spares_)
    spare.on_timer(now);
  bulk_.on_timer(now);
  look_for_trouble(now);
  const bool is_waiting = chunks_sent_ > chunks_taken_;
  if (bulk_.is_open() && is_waiting && now - progress_at_ > kBulkStuck) {
    bulk_.open(now);
    renew_stream(now);
  }
  if (bulk_.is_open() && now - used_at_ > kBulkIdle) bulk_.close();
  if (!link_.is_connected() || now < next_ping_) return false;
  next_ping_ = now + kPingEvery;
  if (!ping_sent_) ping_sent_ = now;
  return true;
}

MonoTime PeerMember::next_timer() const {
  MonoTime next = link_.is_connected() ? next_ping_ : MonoTime::max();
  for (const PeerLink* link : {&link_, &spares_[0], &spares_[1], &bulk_}) {
    if (const auto at = link->next_timer()) next = std::min(next, *at);
  }
  return next;
}

PeerState PeerMember::state() const {
  PeerState out = state_;
  out.is_connected = link_.is_connected() || spares_[0].is_connected() || spares_[1].is_connected();
  out.is_refused = link_.is_refused();
  out.is_rough = is_rough_;
  return out;
}

void PeerMember::look_for_trouble(MonoTime now) {
  const Micros late =
      best_rtt_ == Micros::max() ? kLateAnswer : std::max(kLateAnswer, best_rtt_ * kLateFactor);
  const bool is_late = ping_sent_ && now - *ping_sent_ > late;
  const bool is_broken = std::exchange(link_breaks_, link_.breaks()) != link_.breaks();
  if (is_broken) ping_sent_.reset();
  if (is_late || is_broken) rough_until_ = now + kRoughFor;
  const bool was_rough = std::exchange(is_rough_, now < rough_until_);
  for (PeerLink& spare : spares_) {
    if (is_rough_ && !was_rough) spare.open(now);
    if (!is_rough_ && was_rough) spare.close();
  }
}

void PeerMember::renew_stream(MonoTime now) {
  breaks_ = bulk_.breaks();
  ++stream_;
  chunks_sent_ = 0;
  chunks_taken_ = 0;
  progress_at_ = now;
}

}  // namespace distcron::mesh
