// SPDX-License-Identifier: Apache-2.0
#include "wire/access_messages.h"
#include "wire/codec_impl.h"
#include "wire/poll_messages.h"

namespace distcron::wire {

#define DC_CODEC(Type)                      \
  template std::string encode(const Type&); \
  template Result<Type> decode(std::string_view)

DC_CODEC(RunRequest);
DC_CODEC(RunRef);
DC_CODEC(RerunRequest);
DC_CODEC(KillRequest);
DC_CODEC(HistoryRequest);
DC_CODEC(RunItem);
DC_CODEC(RunList);
DC_CODEC(LockRequest);
DC_CODEC(LockItem);
DC_CODEC(LockList);
DC_CODEC(WaitRequest);
DC_CODEC(WaitReply);
DC_CODEC(LogsRequest);
DC_CODEC(LogsReply);
DC_CODEC(ExplainRequest);
DC_CODEC(ExplainReply);
DC_CODEC(NodeItem);
DC_CODEC(SchedulerItem);
DC_CODEC(StatusReply);
DC_CODEC(VersionReply);
DC_CODEC(KeyRequest);
DC_CODEC(NameRequest);
DC_CODEC(KeyList);
DC_CODEC(WhoamiReply);
DC_CODEC(SettingRequest);
DC_CODEC(SettingItem);
DC_CODEC(SettingList);
DC_CODEC(EventsRequest);
DC_CODEC(EventItem);
DC_CODEC(EventList);

#undef DC_CODEC

}  // namespace distcron::wire
