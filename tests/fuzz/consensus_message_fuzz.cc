// SPDX-License-Identifier: Apache-2.0
// What members send each other, and configurations of the log: whatever decodes has one form only,
// and a member that receives it neither breaks nor leaves its bounds.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "consensus/codec.h"
#include "consensus/raft.h"

using namespace distcron;
using namespace distcron::consensus;

namespace {

class OneSided : public Dice {
 public:
  std::uint64_t draw() override { return 1; }
};

void receive(Message message) {
  OneSided dice;
  const Config config{{{1, MemberKind::kVoter, 0}, {2, MemberKind::kVoter, 0}}};
  Stored stored{{3, 0}, 1, 1, config, 0, {{2, 2, EntryKind::kCommand, "a"}}, 1};
  auto raft = Raft::make({.self = 1}, stored, dice, MonoTime{});
  if (!raft) __builtin_trap();
  message.to = 1;
  message.cluster = 0;
  message.incarnation = 1;
  Ready ready = (*raft)->step(MonoTime{}, Receive{std::move(message)});
  if (ready.tag != 0) (void)(*raft)->step(MonoTime{}, Durable{ready.tag});
  const Raft& now = **raft;
  if (now.commit_index() > now.last_index()) __builtin_trap();
  if (now.commit_index() < 1 || now.durable_index() > now.last_index()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto config = decode_config(bytes); config && encode_config(*config) != bytes) {
    __builtin_trap();
  }
  if (auto message = decode_message(bytes)) {
    if (encode_message(*message) != bytes) __builtin_trap();
    receive(std::move(*message));
  }
  return 0;
}
