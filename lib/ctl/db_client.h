// SPDX-License-Identifier: Apache-2.0
// Client that answers from a state.db or a backup of one instead of an agent (--db). Only reads;
// opens the file with the first call.
#pragma once

#include <memory>
#include <string>

#include "ctl/client.h"

namespace distcron::ctl {

[[nodiscard]] std::unique_ptr<Client> make_db_client(std::string path, const Host& host);

}  // namespace distcron::ctl
