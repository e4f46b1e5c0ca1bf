// SPDX-License-Identifier: Apache-2.0
#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/json_text.h"
#include "ctl/output.h"
#include "ctl/version.h"

namespace distcron::ctl {
namespace {

struct Options {
  bool client_only = false;
};

void add_flags(Flags& flags, Options& o) {
  flags.add({"client", 0, "", "only the version of this program; asks no agent"}, o.client_only);
}

Outcome run(const Options& o, Context& context) {
  std::optional<wire::VersionReply> agent;
  if (!o.client_only) {
    auto reply = context.client.request<wire::Op::kVersion>({});
    if (reply) {
      agent = std::move(*reply);
    } else if (reply.error().exit != ExitCode::kUnreachable) {
      return tl::unexpected<Failure>(std::move(reply).error());
    }
  }
  Output& out = context.out;
  if (out.is_json()) {
    JsonObject object;
    object.add_text("client_version", version());
    if (agent) {
      object.add_text("version", agent->version);
      object.add_some("node", agent->node);
      object.add_json("node_id", std::to_string(agent->node_id));
      object.add_some("tz", agent->tz);
    }
    out.json_object("Version", object.text());
    return ExitCode::kOk;
  }
  out.line("distcronctl " + std::string(version()));
  if (agent) {
    out.line("distcrond   " + agent->version + " on " + agent->node + " (node " +
             std::to_string(agent->node_id) + "), default zone " + agent->tz);
  } else if (!o.client_only) {
    out.talk("no agent answers");
  }
  return ExitCode::kOk;
}

}  // namespace

std::string_view version() {
  return DISTCRON_VERSION;
}

CommandSpec version_show_command() {
  return make_command<Options>(
      {"version",
       "show the versions of this program and of the agent",
       "",
       {{"version", "both"}, {"version --client", "without asking an agent"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
