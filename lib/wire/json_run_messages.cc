// SPDX-License-Identifier: Apache-2.0
#include "wire/access_messages.h"
#include "wire/json_text.h"
#include "wire/poll_messages.h"

namespace distcron::wire {

template std::string to_json(const RunRequest&);
template std::string to_json(const RunRef&);
template std::string to_json(const RerunRequest&);
template std::string to_json(const KillRequest&);
template std::string to_json(const HistoryRequest&);
template std::string to_json(const RunItem&);
template std::string to_json(const RunList&);
template std::string to_json(const LockItem&);
template std::string to_json(const WaitRequest&);
template std::string to_json(const WaitReply&);
template std::string to_json(const LogsRequest&);
template std::string to_json(const LogsReply&);
template std::string to_json(const ExplainRequest&);
template std::string to_json(const ExplainReply&);
template std::string to_json(const NodeItem&);
template std::string to_json(const SchedulerItem&);
template std::string to_json(const StatusReply&);
template std::string to_json(const VersionReply&);
template std::string to_json(const KeyRequest&);
template std::string to_json(const NameRequest&);
template std::string to_json(const KeyList&);
template std::string to_json(const WhoamiReply&);
template std::string to_json(const SettingRequest&);
template std::string to_json(const SettingItem&);
template std::string to_json(const SettingList&);
template std::string to_json(const EventsRequest&);
template std::string to_json(const EventItem&);
template std::string to_json(const EventList&);

}  // namespace distcron::wire
