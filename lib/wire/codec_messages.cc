// SPDX-License-Identifier: Apache-2.0
#include "wire/codec_impl.h"
#include "wire/job_messages.h"

namespace distcron::wire {

#define DC_CODEC(Type)                      \
  template std::string encode(const Type&); \
  template Result<Type> decode(std::string_view)

DC_CODEC(Request);
DC_CODEC(Reply);
DC_CODEC(Empty);
DC_CODEC(JobTargets);
DC_CODEC(PutJobsRequest);
DC_CODEC(ChangeItem);
DC_CODEC(ChangeReply);
DC_CODEC(RemoveRequest);
DC_CODEC(RenameRequest);
DC_CODEC(EnableRequest);
DC_CODEC(ListRequest);
DC_CODEC(JobItem);
DC_CODEC(JobList);
DC_CODEC(ShowRequest);
DC_CODEC(JobDetail);
DC_CODEC(ShowReply);
DC_CODEC(NextRequest);
DC_CODEC(NextItem);
DC_CODEC(NextReply);
DC_CODEC(VersionItem);
DC_CODEC(VersionsReply);

#undef DC_CODEC

}  // namespace distcron::wire
