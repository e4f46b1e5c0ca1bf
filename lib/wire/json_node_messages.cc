// SPDX-License-Identifier: Apache-2.0
#include "wire/json_text.h"
#include "wire/node_messages.h"

namespace distcron::wire {

template std::string to_json(const NodeList&);
template std::string to_json(const NodeShowReply&);
template std::string to_json(const JoinTokenReply&);
template std::string to_json(const NodeJoinReply&);
template std::string to_json(const NodePingReply&);
template std::string to_json(const UpgradeReply&);

}  // namespace distcron::wire
