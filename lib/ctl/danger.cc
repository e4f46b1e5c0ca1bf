// SPDX-License-Identifier: Apache-2.0
#include "ctl/danger.h"

#include "ctl/host.h"

namespace distcron::ctl {

Answer<bool> confirm_name(Context& context, const std::string& given, const std::string& name,
                          std::string_view what) {
  if (context.globals.dry_run) return true;
  if (!given.empty()) {
    if (given == name) return true;
    return usage("--confirm: the cluster is not named \"" + given + "\"");
  }
  if (context.globals.no_input || !context.host.can_ask()) {
    return usage(std::string(what) + " It needs the name of the cluster",
                 "confirm it with --confirm NAME; --yes is not enough");
  }
  const std::string answer =
      context.host.ask(std::string(what) + "\nType the name of the cluster to go on: ");
  if (answer == name) return true;
  return usage("that is not the name of the cluster: nothing changed");
}

}  // namespace distcron::ctl
