// SPDX-License-Identifier: Apache-2.0
// cluster init, pause, resume, stepdown, upgrade and force-quorum.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/danger.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

struct NoOptions {};

struct InitOptions {
  std::string name;
  std::string advertise;
  bool single = false;
};

struct PauseOptions {
  std::optional<std::string> until;
};

struct StepdownOptions {
  std::string to;
};

struct UpgradeOptions {
  bool check = false;
};

struct ForceOptions {
  std::string confirm;
};

void add_no_flags(Flags& flags, NoOptions& o) {
  static_cast<void>(flags);
  static_cast<void>(o);
}

void add_init_flags(Flags& flags, InitOptions& o) {
  flags.add({"name", 0, "NAME", "name of the cluster"}, o.name);
  flags.add({"advertise", 0, "ADDR", "HOST or HOST:PORT at which other hosts reach this one"},
            o.advertise);
  flags.add({"single", 0, "", "let no other host join"}, o.single);
}

void add_pause_flags(Flags& flags, PauseOptions& o) {
  flags.add({"until", 0, "TIME", "go on by itself at this instant"}, o.until);
}

void add_stepdown_flags(Flags& flags, StepdownOptions& o) {
  flags.add({"to", 0, "NODE", "hand over to this one; to the best other one by default"}, o.to);
}

void add_upgrade_flags(Flags& flags, UpgradeOptions& o) {
  flags.add({"check", 0, "", "say whether one more agent may be stopped now"}, o.check);
}

void add_force_flags(Flags& flags, ForceOptions& o) {
  flags.add({"confirm", 0, "NAME", "name of the cluster, instead of the question"}, o.confirm);
}

/// What changed the cluster has no job's name to print.
Outcome print_done(const wire::ChangeReply& reply, Context& context, const std::string& done) {
  const bool is_text = !context.out.is_json() && context.out.format() != Format::kName;
  if (!is_text) return print_changes(reply, context);
  const bool is_same = !reply.items.empty() && reply.items.front().action == "unchanged";
  if (reply.dry_run) {
    context.out.talk("dry run: nothing was stored");
  } else {
    context.out.talk(is_same ? "It is so already." : done);
  }
  return ExitCode::kOk;
}

bool is_loopback(std::string_view address) {
  const std::size_t scheme = address.find("://");
  if (scheme != std::string_view::npos) address.remove_prefix(scheme + 3);
  return address.starts_with("127.") || address.starts_with("[::1]") ||
         address.starts_with("localhost");
}

/// Says where other hosts reach the only node, or what has to be set before they can.
void tell_way_in(const std::string& node, Context& context) {
  wire::NameRequest request;
  request.name = node;
  const auto shown = context.client.request<wire::Op::kNodeShow>(request);
  if (!shown) return;  // it has no row yet, or there is no majority: nothing to say
  std::string reached;
  for (const std::string& address : shown->node.mesh_addresses) {
    if (!is_loopback(address)) reached += (reached.empty() ? "" : ", ") + address;
  }
  if (reached.empty()) {
    context.out.talk("Other hosts cannot reach it: its mesh.listen is on loopback only.");
    context.out.talk(
        "  Set mesh.listen (and mesh.advertise, where hosts see another address) in "
        "distcrond.toml, and restart the agent.");
    return;
  }
  context.out.talk("Other hosts reach it at " + reached + ".");
  context.out.hint("add a host: distcronctl node join-token");
}

Outcome init(const InitOptions& o, Context& context) {
  DC_TRY(const wire::StatusReply status, context.client.request<wire::Op::kClusterStatus>({}));
  if (status.nodes.size() > 1) {
    return fail_hint(ErrorCode::kConflict,
                     "cluster \"" + status.name + "\" has " + std::to_string(status.nodes.size()) +
                         " nodes already",
                     "its name can be changed with: distcronctl cluster settings name NAME");
  }
  std::string name = status.name;
  if (!o.name.empty() || !o.advertise.empty() || o.single) {
    wire::InitRequest request;
    request.name = o.name == status.name ? std::string() : o.name;
    request.advertise = o.advertise;
    request.single = o.single;
    DC_TRY(const wire::ChangeReply set, context.client.request<wire::Op::kClusterInit>(request));
    if (set.dry_run) {
      context.out.talk("dry run: nothing was stored");
    } else if (!o.name.empty()) {
      name = o.name;
    }
  }
  Output& out = context.out;
  if (out.is_json()) {
    wire::StatusReply shown = status;
    shown.name = name;
    out.json_object("ClusterStatus", wire::to_json(shown));
    return ExitCode::kOk;
  }
  if (out.format() == Format::kName) {
    out.line(name);
    return ExitCode::kOk;
  }
  out.talk("Cluster " + name + " has one node and is ready.");
  if (o.single && !context.globals.dry_run) {
    out.talk("No other host may join, until: distcronctl cluster settings single false");
  } else if (!status.nodes.empty()) {
    tell_way_in(status.nodes.front().name, context);
  }
  return ExitCode::kOk;
}

Outcome pause(const PauseOptions& o, Context& context) {
  wire::PauseRequest request;
  DC_TRY(request.until, context.parse_time_if("until", o.until));
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kClusterPause>(request));
  return print_done(reply, context,
                    request.until ? "Paused until " + context.out.day_time(*request.until) + "."
                                  : "Paused. Go on with: distcronctl cluster resume");
}

Outcome resume(const NoOptions& o, Context& context) {
  static_cast<void>(o);
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kClusterResume>({}));
  return print_done(reply, context, "Resumed. Slots of the pause are not made up.");
}

Outcome stepdown(const StepdownOptions& o, Context& context) {
  wire::StepdownRequest request;
  request.node = o.to;
  DC_TRY(const wire::ChangeReply reply,
         context.client.request<wire::Op::kClusterStepdown>(request));
  return print_done(reply, context, "The scheduler hands over.");
}

Outcome upgrade(const UpgradeOptions& o, Context& context) {
  if (!o.check) {
    return usage("cluster upgrade changes nothing by itself",
                 "upgrade the package host by host, and ask before each: distcronctl cluster "
                 "upgrade --check");
  }
  DC_TRY(const wire::UpgradeReply reply, context.client.request<wire::Op::kClusterUpgrade>({}));
  Output& out = context.out;
  const ExitCode exit = reply.ready ? ExitCode::kOk : ExitCode::kNegative;
  if (out.is_json()) {
    out.json_object("UpgradeCheck", wire::to_json(reply));
    return exit;
  }
  Table table;
  table.columns = {{"id", Align::kRight}, {"name"}, {"version"}, {"level", Align::kRight}};
  std::vector<std::string> names;
  for (const wire::UpgradeItem& item : reply.items) {
    names.push_back(item.name);
    table.rows.push_back(
        {std::to_string(item.id), item.name, item.version, std::to_string(item.feature_level)});
  }
  if (Status printed = out.table(std::move(table), names); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  out.talk(reply.ready ? "One agent may be stopped now." : "Not now: " + reply.why + ".");
  return exit;
}

Outcome force_quorum(const ForceOptions& o, Context& context) {
  DC_TRY(const wire::StatusReply status, context.client.request<wire::Op::kClusterStatus>({}));
  DC_TRY(const bool is_sure,
         confirm_name(context, o.confirm, status.name,
                      "The asked agent becomes the only member. Nothing tells the others: if "
                      "hosts of the old majority are started again with their old storage, they "
                      "are a cluster too, go on scheduling beside this one, and jobs run twice. "
                      "To prevent that, stop their agents for good now, and empty their storage "
                      "before they join again."));
  static_cast<void>(is_sure);
  wire::ForceQuorumRequest request;
  request.confirm = status.name;
  DC_TRY(const wire::ChangeReply reply,
         context.client.request<wire::Op::kClusterForceQuorum>(request));
  return print_done(reply, context,
                    "This node is the cluster now. Empty the storage of the others before their "
                    "agents start again: with the old one they would schedule beside it.");
}

}  // namespace

CommandSpec cluster_init_command() {
  return make_command<InitOptions>(
      {"cluster init",
       "name a cluster that has one node",
       "An agent that was started is a complete cluster of one node already, so nothing has to be "
       "made: this gives it a name and says whether other hosts can reach it. Where it listens for "
       "them is a setting of the agent, mesh.listen in distcrond.toml; where they reach it, if "
       "that "
       "is another address, is mesh.advertise there or else --advertise. It stays a cluster of one "
       "node until a host joins, and with --single for good.",
       {{"cluster init --name prod", "give it a name"},
        {"cluster init --advertise cron1.example", "tell other hosts this address"},
        {"cluster init --single", "a host on its own: no other may join"},
        {"cluster init", "only look, and see how other hosts reach it"}}},
      add_init_flags, init);
}

CommandSpec cluster_pause_command() {
  return make_command<PauseOptions>(
      {"cluster pause",
       "let no schedule make runs for a while",
       "Slots are recorded as skipped(paused). What runs goes on, retries wait, and run is refused "
       "unless it is forced.",
       {{"cluster pause", "until somebody resumes"},
        {"cluster pause --until +2h --reason 'storage is moved'", "for two hours"}}},
      add_pause_flags, pause);
}

CommandSpec cluster_resume_command() {
  return make_command<NoOptions>(
      {"cluster resume",
       "end a pause of the cluster",
       "Slots of the pause are not made up.",
       {{"cluster resume", "now"}, {"cluster resume --reason 'moved'", "with a reason"}}},
      add_no_flags, resume);
}

CommandSpec cluster_stepdown_command() {
  return make_command<StepdownOptions>(
      {"cluster stepdown",
       "let another node be the scheduler",
       "The preferred node takes the role back when it has been well for a while; node set "
       "eligible=false prevents that.",
       {{"cluster stepdown", "to the best other voter"},
        {"cluster stepdown --to web3", "to one of them"}}},
      add_stepdown_flags, stepdown);
}

CommandSpec cluster_upgrade_command() {
  return make_command<UpgradeOptions>(
      {"cluster upgrade",
       "say whether one more agent may be stopped for its upgrade",
       "Exits 0 when it may, 1 when not.",
       {{"cluster upgrade --check", "for people"},
        {"cluster upgrade --check -q && apt-get install distcron", "on each host"}}},
      add_upgrade_flags, upgrade);
}

CommandSpec cluster_force_quorum_command() {
  return make_command<ForceOptions>(
      {"cluster force-quorum",
       "make the asked agent the whole cluster when the majority is lost for good",
       "What the others decided since they were last heard is lost; at-most-once runs that may "
       "have happened become unknown(restored). Never do it while another part of the cluster "
       "may still work. The old majority is not told: when enough of its hosts are started again "
       "with their old storage, they go on scheduling beside this node, and jobs run twice. So "
       "stop and disable their agents first, and empty their storage before they join again. "
       "--yes is not enough.",
       {{"cluster force-quorum", "asks for the name of the cluster"},
        {"cluster force-quorum --confirm prod", "without being asked"}}},
      add_force_flags, force_quorum);
}

}  // namespace distcron::ctl
