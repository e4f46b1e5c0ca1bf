// SPDX-License-Identifier: Apache-2.0
#include "mesh/join_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include "mesh/peer_frame.h"
#include "mesh/peer_link.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr Micros kAnswerIn{10'000'000};  // then another member is asked
constexpr int kRefusalsEach = 2;         // a member may not know a fresh token yet
constexpr int kAnswersQueued = 4;

class ZmqJoinClient final : public JoinClient {
 public:
  ZmqJoinClient(const JoinOptions& options, std::vector<LinkTarget> targets, MonoTime now)
      : options_(options),
        targets_(static_cast<int>(targets.size())),
        link_(context_, options.token.keys, std::move(targets),
              LinkLimits{4, kAnswersQueued, kPeerWireBytesMax}),
        ends_at_(now + options.patience) {
    link_.open(now);
  }

  void* socket() override { return link_.socket(); }

  MonoTime next_timer() const override {
    MonoTime next = std::min(ends_at_, answer_by_.value_or(ends_at_));
    if (const auto at = link_.next_timer()) next = std::min(next, *at);
    return next;
  }

  std::optional<Result<std::string>> poll(MonoTime now) override {
    while (std::optional<std::string> bytes = link_.receive()) {
      const Result<PeerFrame> frame = parse_header(*bytes);
      if (frame && frame->kind == PeerKind::kJoinReply) return std::string(body_of(*bytes));
    }
    link_.on_timer(now);
    if (link_.refusals() >= kRefusalsEach * targets_) {
      return fail_hint(ErrorCode::kDenied, "cannot join: the cluster refuses the join token",
                       "it has expired or was used; distcronctl node join-token makes another");
    }
    if (now >= ends_at_) return fail(too_late());
    if (answer_by_ && (now >= *answer_by_ || !link_.is_connected())) {
      answer_by_.reset();
      if (link_.is_connected()) link_.advance(now);
    }
    if (!answer_by_ && send()) answer_by_ = now + kAnswerIn;
    return std::nullopt;
  }

 private:
  bool send() {
    if (!link_.is_connected()) return false;
    PeerFrame frame;
    frame.kind = PeerKind::kJoin;
    frame.cluster = options_.cluster;
    frame.boot = options_.boot;
    frame.seq = ++sent_;
    return link_.send(frame, options_.request);
  }

  Error too_late() const {
    std::string places;
    for (const JoinServer& server : options_.token.servers) {
      for (const std::string& address : server.addresses)
        places += (places.empty() ? "" : ", ") + address;
    }
    const std::string why = sent_ > 0 ? "no answer from " : "cannot reach ";
    return Error{ErrorCode::kTimeout, "cannot join: " + why + places, 0,
                 "is an agent of the cluster running there, with mesh.listen on that address?"};
  }

  JoinOptions options_;
  int targets_ = 0;
  zmq::context_t context_{1};
  PeerLink link_;
  MonoTime ends_at_{};
  std::optional<MonoTime> answer_by_;
  std::uint64_t sent_ = 0;
};

}  // namespace

Result<std::unique_ptr<JoinClient>> JoinClient::make(const JoinOptions& options, MonoTime now) {
  if (options.request.size() > kJoinBodyBytesMax) {
    return fail(ErrorCode::kInvalid,
                "cannot join: the request has " + std::to_string(options.request.size()) +
                    " bytes, at most " + std::to_string(kJoinBodyBytesMax) + " are taken");
  }
  std::vector<LinkTarget> targets;
  for (const JoinServer& server : options.token.servers) {
    for (const std::string& address : server.addresses) {
      targets.push_back({tcp_endpoint(address), server.public_key});
    }
  }
  if (targets.empty()) return fail(ErrorCode::kInvalid, "cannot join: the token names nobody");
  try {
    return std::unique_ptr<JoinClient>(
        std::make_unique<ZmqJoinClient>(options, std::move(targets), now));
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kIo, std::string("cannot join: ") + error.what());
  }
}

}  // namespace distcron::mesh
