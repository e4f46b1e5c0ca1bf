// SPDX-License-Identifier: Apache-2.0
// distcronctl: the command line of DistCron.
#include <clocale>
#include <cstdlib>
#include <string>
#include <vector>

#include "ctl/client.h"
#include "ctl/dispatch.h"
#include "ctl/interrupt.h"
#include "ctl/terminal.h"

int main(int argc, char** argv) {
  using namespace distcron::ctl;
  // Without a locale of UTF-8, wide characters count as bytes.
  if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  handle_interrupts();
  const auto host = make_system_host();
  Terminal terminal(*host);
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  const int status = run_program(args, {*host, terminal.streams(), make_agent_client});
  return terminal.finish() ? status : static_cast<int>(ExitCode::kInternal);
}
