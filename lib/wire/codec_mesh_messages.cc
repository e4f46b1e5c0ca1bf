// SPDX-License-Identifier: Apache-2.0
#include "wire/codec_impl.h"
#include "wire/mesh_messages.h"

namespace distcron::wire {

#define DC_CODEC(Type)                      \
  template std::string encode(const Type&); \
  template Result<Type> decode(std::string_view)

DC_CODEC(PeerRequest);
DC_CODEC(PeerReply);
DC_CODEC(HostState);
DC_CODEC(ReportReply);
DC_CODEC(JoinRequest);
DC_CODEC(JoinReply);

#undef DC_CODEC

}  // namespace distcron::wire
