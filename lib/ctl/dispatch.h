// SPDX-License-Identifier: Apache-2.0
// One run of distcronctl: command line -> command -> exit code, and the printing of failures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ctl/context.h"
#include "ctl/host.h"
#include "ctl/output.h"

namespace distcron::ctl {

/// What a run needs; all members outlive it.
struct Program {
  Host& host;
  Streams streams;
  /// Makes the way to the agent; connects with the first request only.
  std::function<std::unique_ptr<Client>(const Globals&, Host&, Output&)> make_client;
};

/// Runs `args` (without the program's name) and returns the exit status.
[[nodiscard]] int run_program(const std::vector<std::string>& args, const Program& program);

}  // namespace distcron::ctl
