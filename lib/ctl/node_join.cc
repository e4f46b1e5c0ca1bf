// SPDX-License-Identifier: Apache-2.0
// node join-token and node join.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/changes.h"
#include "ctl/choices.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/places.h"
#include "mesh/keys.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

constexpr Millis kJoinPatience{60'000};

struct TokenOptions {
  std::optional<Millis> ttl;
  std::int64_t uses = 1;
  std::string role;
};

struct JoinOptions {
  std::vector<std::string> tokens;
  std::optional<std::int64_t> id;
  std::string name;
  model::TextMap labels;
};

void add_token_flags(Flags& flags, TokenOptions& o) {
  flags.add({"ttl", 0, "DUR", "how long it is good, 1h by default"}, o.ttl);
  flags.add({"uses", 0, "N", "hosts that may join with it, 1 by default"}, o.uses);
  flags
      .add({"role", 0, "ROLE", "role of the joining host's admin key in the whole cluster"}, o.role)
      .one_of({"viewer", "operator", "editor", "admin"});
}

void add_join_flags(Flags& flags, JoinOptions& o) {
  flags.words({"TOKEN", 1, 1}, o.tokens);
  flags.add({"id", 0, "N", "ask for this node id; the next free one by default"}, o.id);
  flags.add({"name", 0, "NAME", "name of the node; as it is configured by default"}, o.name);
  flags.add({"label", 0, "K=V", "label of the node"}, o.labels);
}

Outcome make_token(const TokenOptions& o, Context& context) {
  wire::JoinTokenRequest request;
  if (o.ttl) request.ttl = *o.ttl;
  if (o.uses < 1 || o.uses > 10'000) return usage("--uses: must be between 1 and 10000");
  request.uses = static_cast<std::int32_t>(o.uses);
  if (!o.role.empty()) request.role = model::parse_enum<model::Role>(o.role);
  DC_TRY(const wire::JoinTokenReply reply,
         context.client.request<wire::Op::kNodeJoinToken>(request));
  Output& out = context.out;
  if (out.is_json()) {
    out.json_object("JoinToken", wire::to_json(reply));
    return ExitCode::kOk;
  }
  out.line(reply.token);
  if (out.format() == Format::kName) return ExitCode::kOk;
  out.talk("Good for " + std::to_string(reply.uses) + (reply.uses == 1 ? " host" : " hosts") +
           " until " + out.day_time(reply.expires_at) + ". It is shown only now.");
  if (!reply.warning.empty()) out.talk("warning: " + reply.warning);
  out.hint("on the new host: distcronctl node join TOKEN");
  return ExitCode::kOk;
}

/// The doors of all members show one key: the key files of this host name it from now on.
void change_key_files(const std::string& server_key, Context& context) {
  const auto used = mesh::find_key_file(key_places(context));
  if (!used) return;
  const std::string dir = used->substr(0, used->rfind('/') + 1);
  for (const std::string& path : {*used, dir + "admin.key", dir + "operator.key"}) {
    if (!context.host.is_readable(path)) continue;
    if (const Status changed = mesh::change_server_key(path, server_key); !changed) {
      context.out.talk(changed.error().message + "; its server_key must become " + server_key);
    }
  }
}

Outcome join(const JoinOptions& o, Context& context) {
  wire::NodeJoinRequest request;
  request.token = o.tokens.front();
  if (request.token == "-") {
    return usage("the token stands on the command line",
                 "or put it into a file and name that in mesh.join_token_file");
  }
  request.id = o.id.value_or(0);
  if (request.id < 0) return usage("--id: must be positive");
  request.name = o.name;
  request.labels = o.labels;
  DC_TRY(const wire::NodeJoinReply reply,
         context.client.request<wire::Op::kNodeJoin>(request, kJoinPatience));
  change_key_files(reply.server_key, context);
  Output& out = context.out;
  if (out.is_json()) {
    out.json_object("Join", wire::to_json(reply));
  } else if (out.format() == Format::kName) {
    out.line(std::to_string(reply.node_id));
  } else {
    out.talk("Joined cluster " + reply.cluster + " as node " + std::to_string(reply.node_id) + ".");
    out.hint("see: distcronctl cluster status");
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec node_join_token_command() {
  return make_command<TokenOptions>(
      {"node join-token",
       "make a token with which a host can join",
       "Prints one line, only this once; it carries the addresses and the public key of the "
       "cluster. Who has it can make one host a member, so hand it over as you would a password. "
       "Without --role the admin key of the new host rules the jobs that are pinned to that host, "
       "and may look at the rest.",
       {{"node join-token", "for one host, within an hour"},
        {"node join-token --uses 20 --ttl 1d -o name > token", "for many"}}},
      add_token_flags, make_token);
}

CommandSpec node_join_command() {
  return make_command<JoinOptions>(
      {"node join",
       "make the host of the asked agent a member of another cluster",
       "On the new host, with its admin key. Its agent must be alone and have no jobs. The key "
       "files of the host are good for the new cluster afterwards.",
       {{"node join TOKEN", "as configured"},
        {"node join TOKEN --name db7 --label role=db", "with a name and a label"}}},
      add_join_flags, join);
}

}  // namespace distcron::ctl
