// SPDX-License-Identifier: Apache-2.0
#include "wire/job_messages.h"
#include "wire/json_text.h"

namespace distcron::wire {

template std::string to_json(const model::JobSpec&);
template std::string to_json(const model::Run&);
template std::string to_json(const std::vector<model::Fact>&);
template std::string to_json(const Empty&);
template std::string to_json(const JobTargets&);
template std::string to_json(const ChangeItem&);
template std::string to_json(const ChangeReply&);
template std::string to_json(const RemoveRequest&);
template std::string to_json(const RenameRequest&);
template std::string to_json(const EnableRequest&);
template std::string to_json(const ListRequest&);
template std::string to_json(const JobItem&);
template std::string to_json(const JobList&);
template std::string to_json(const ShowRequest&);
template std::string to_json(const JobDetail&);
template std::string to_json(const ShowReply&);
template std::string to_json(const NextRequest&);
template std::string to_json(const NextItem&);
template std::string to_json(const NextReply&);
template std::string to_json(const VersionItem&);
template std::string to_json(const VersionsReply&);

}  // namespace distcron::wire
