// SPDX-License-Identifier: Apache-2.0
#include "mesh/zap.h"

#include <array>
#include <utility>
#include <vector>

#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";
constexpr std::size_t kKeyBytes = 32;

// Frames of a question, after the routing id of who asks.
enum Frame : std::size_t {
  kAsker,
  kDelimiter,
  kVersion,
  kRequestId,
  kDomain,
  kAddress,
  kIdentity,
  kMechanism,
  kCredentials,
  kFrameCount
};

std::string z85_of(const zmq::message_t& raw) {
  std::array<char, kKeyTextBytes + 1> text{};
  if (raw.size() != kKeyBytes) return {};
  ::zmq_z85_encode(text.data(), raw.data<std::uint8_t>(), raw.size());
  return text.data();
}

}  // namespace

ZapDesk::ZapDesk(zmq::context_t& context, std::string domain, Refusals& refusals, IsKnown is_known)
    : socket_(context, zmq::socket_type::router),
      domain_(std::move(domain)),
      refusals_(refusals),
      is_known_(std::move(is_known)) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(kEndpoint);
}

bool ZapDesk::answer() {
  try {
    std::vector<zmq::message_t> frames = read_frames(socket_, kFrameCount);
    if (frames.empty()) return false;
    if (frames.size() <= kMechanism) return true;
    const bool has_key = frames.size() == kFrameCount && frames[kDomain].to_string() == domain_ &&
                         frames[kMechanism].to_string() == "CURVE";
    const std::string public_key = has_key ? z85_of(frames[kCredentials]) : std::string();
    const bool known = !public_key.empty() && is_known_(public_key);
    if (!known) {
      std::string about = "from=" + plain_address(frames[kAddress].to_string());
      if (!public_key.empty()) about += " key=" + public_key;
      refusals_.note(Refusal::kUnknownKey, std::move(about));
    }
    const std::array<std::string, 6> reply{"1.0",
                                           frames[kRequestId].to_string(),
                                           known ? "200" : "400",
                                           known ? "OK" : "unknown key",
                                           known ? public_key : std::string(),
                                           std::string()};
    socket_.send(frames[kAsker], zmq::send_flags::sndmore);
    socket_.send(zmq::message_t(), zmq::send_flags::sndmore);
    for (std::size_t i = 0; i < reply.size(); ++i) {
      const bool last = i + 1 == reply.size();
      socket_.send(zmq::message_t(reply[i].data(), reply[i].size()),
                   last ? zmq::send_flags::none : zmq::send_flags::sndmore);
    }
  } catch (const zmq::error_t&) {
    return false;  // the context ends; who asked is not let in
  }
  return true;
}

}  // namespace distcron::mesh
