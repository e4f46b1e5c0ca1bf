// SPDX-License-Identifier: Apache-2.0
#include "wire/codec_impl.h"
#include "wire/node_messages.h"

namespace distcron::wire {

#define DC_CODEC(Type)                      \
  template std::string encode(const Type&); \
  template Result<Type> decode(std::string_view)

DC_CODEC(NodeList);
DC_CODEC(NodeShowReply);
DC_CODEC(NodeSetRequest);
DC_CODEC(NodeDrainRequest);
DC_CODEC(NodeRemoveRequest);
DC_CODEC(JoinTokenRequest);
DC_CODEC(JoinTokenReply);
DC_CODEC(NodeJoinRequest);
DC_CODEC(NodeJoinReply);
DC_CODEC(NodePingRequest);
DC_CODEC(NodePingReply);
DC_CODEC(PauseRequest);
DC_CODEC(StepdownRequest);
DC_CODEC(BackupRequest);
DC_CODEC(BackupReply);
DC_CODEC(ForceQuorumRequest);
DC_CODEC(InitRequest);
DC_CODEC(UpgradeReply);

#undef DC_CODEC

}  // namespace distcron::wire
