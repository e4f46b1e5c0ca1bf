// SPDX-License-Identifier: Apache-2.0
// node label, node set, node drain, node undrain, node leave and node remove.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/choices.h"
#include "ctl/command_list.h"
#include "ctl/danger.h"
#include "ctl/host.h"

namespace distcron::ctl {
namespace {

constexpr Millis kLook{500};
constexpr Millis kLeaveWait{std::chrono::minutes{10}};

struct WordOptions {
  std::vector<std::string> words;
};

struct DrainOptions {
  std::vector<std::string> nodes;
  std::optional<Millis> timeout;
  bool kill = false;
  bool wait = false;
};

struct LeaveOptions {
  std::optional<Millis> timeout;
};

struct RemoveOptions {
  std::vector<std::string> nodes;
  bool force = false;
  std::string confirm;
};

void add_label_flags(Flags& flags, WordOptions& o) {
  flags.words({"NODE K=V... [K-]...", 2, kAnyWords}, o.words);
}

void add_set_flags(Flags& flags, WordOptions& o) {
  flags.words({"NODE KEY=VALUE...", 2, kAnyWords}, o.words);
}

void add_drain_flags(Flags& flags, DrainOptions& o) {
  flags.words({"NODE", 1, 1}, o.nodes);
  flags.add({"timeout", 0, "DUR", "wait at most this long for its runs to end"}, o.timeout);
  flags.add({"kill", 0, "", "end its runs, after --timeout when that is given"}, o.kill);
  flags.add({"wait", 'w', "", "wait until nothing runs there"}, o.wait);
}

void add_undrain_flags(Flags& flags, WordOptions& o) {
  flags.words({"NODE", 1, 1}, o.words);
}

void add_leave_flags(Flags& flags, LeaveOptions& o) {
  flags.add({"timeout", 0, "DUR", "wait at most this long for its runs to end, 10m by default"},
            o.timeout);
}

void add_remove_flags(Flags& flags, RemoveOptions& o) {
  flags.words({"NODE", 1, 1}, o.nodes);
  flags.add({"force", 0, "", "also a node that is alive"}, o.force);
  flags.add({"confirm", 0, "NAME", "the cluster's name, where the last voter goes"}, o.confirm);
}

Outcome label(const WordOptions& o, Context& context) {
  wire::NodeSetRequest request;
  request.node = o.words.front();
  for (auto word = o.words.begin() + 1; word != o.words.end(); ++word) {
    if (word->find('=') == std::string::npos && word->size() > 1 && word->ends_with('-')) {
      request.drop_labels.push_back(word->substr(0, word->size() - 1));
      continue;
    }
    auto pair = parse_pair(*word);
    if (!pair) return usage("\"" + *word + "\" is neither K=V nor K-");
    request.put_labels[std::move(pair->first)] = std::move(pair->second);
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeSet>(request));
  return print_changes(reply, context);
}

Outcome set(const WordOptions& o, Context& context) {
  wire::NodeSetRequest request;
  request.node = o.words.front();
  for (auto word = o.words.begin() + 1; word != o.words.end(); ++word) {
    const auto pair = parse_pair(*word);
    if (!pair) return usage("\"" + *word + "\" is not KEY=VALUE");
    const auto& [key, value] = *pair;
    if (key == "role") {
      request.kind = model::parse_enum<model::MemberKind>(value);
      if (!request.kind)
        return usage("role: unknown value \"" + value + "\"", "one of: auto, standby, witness");
    } else if (key == "eligible") {
      if (value != "true" && value != "false") {
        return usage("eligible: unknown value \"" + value + "\"", "one of: true, false");
      }
      request.eligible = value == "true";
    } else if (key == "rank") {
      const auto rank = parse_integer(value);
      if (!rank || *rank < -1'000'000 || *rank > 1'000'000) {
        return usage("rank: \"" + value + "\" is not a whole number up to 1000000");
      }
      request.rank = static_cast<std::int32_t>(*rank);
    } else {
      return usage("a node has no setting \"" + key + "\"", "one of: role, eligible, rank");
    }
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeSet>(request));
  return print_changes(reply, context);
}

/// True: nothing runs on the node any more. False: `timeout` is over.
Answer<bool> wait_for_empty(const std::string& name, std::optional<Millis> timeout,
                            Context& context) {
  const Millis began = context.host.steady();
  std::int64_t last = -1;
  wire::NameRequest request;
  request.name = name;
  for (;;) {
    DC_TRY(const wire::NodeShowReply node, context.client.request<wire::Op::kNodeShow>(request));
    const std::int64_t running = node.item.running;
    if (running == 0) return true;
    if (running != last) {
      context.out.talk(std::to_string(running) + (running == 1 ? " run is" : " runs are") +
                       " still alive on " + node.item.name);
    }
    last = running;
    if (timeout && context.host.steady() - began >= *timeout) return false;
    context.host.pause(kLook);
  }
}

Outcome drain_and_kill(const DrainOptions& o, Context& context) {
  wire::NodeDrainRequest request;
  request.node = o.nodes.front();
  request.kill = true;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeDrain>(request));
  DC_TRY(const ExitCode exit, print_changes(reply, context));
  if (!o.wait) return exit;
  DC_TRY(const bool is_empty, wait_for_empty(request.node, std::nullopt, context));
  return is_empty ? ExitCode::kOk : ExitCode::kTimeout;
}

Outcome drain(const DrainOptions& o, Context& context) {
  if (o.kill && !o.timeout) return drain_and_kill(o, context);
  wire::NodeDrainRequest request;
  request.node = o.nodes.front();
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeDrain>(request));
  DC_TRY(const ExitCode exit, print_changes(reply, context));
  const bool waits = o.wait || o.timeout;
  if (!waits || context.globals.dry_run) return exit;
  DC_TRY(const bool is_empty, wait_for_empty(request.node, o.timeout, context));
  if (is_empty) return ExitCode::kOk;
  if (o.kill) return drain_and_kill(o, context);
  context.out.problem("distcronctl: its runs have not ended in time; the node stays drained");
  return ExitCode::kTimeout;
}

Outcome undrain(const WordOptions& o, Context& context) {
  wire::NameRequest request;
  request.name = o.words.front();
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeUndrain>(request));
  return print_changes(reply, context);
}

Outcome leave(const LeaveOptions& o, Context& context) {
  DC_TRY(const wire::VersionReply self, context.client.request<wire::Op::kVersion>({}));
  DC_TRY(const bool is_sure, confirm(context, "Take node " + self.node + " out of its cluster?"));
  if (!is_sure) {
    context.out.talk("nothing changed");
    return ExitCode::kOk;
  }
  wire::NodeDrainRequest drained;
  drained.node = self.node;
  DC_TRY(const wire::ChangeReply draining, context.client.request<wire::Op::kNodeDrain>(drained));
  static_cast<void>(draining);
  if (!context.globals.dry_run) {
    DC_TRY(const bool is_empty, wait_for_empty(self.node, o.timeout.value_or(kLeaveWait), context));
    if (!is_empty) {
      context.out.problem("distcronctl: its runs have not ended in time; the node stays drained");
      return ExitCode::kTimeout;
    }
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeRemove>({}));
  return print_changes(reply, context);
}

Outcome remove(const RemoveOptions& o, Context& context) {
  wire::NodeRemoveRequest request;
  request.node = o.nodes.front();
  request.force = o.force;
  DC_TRY(const wire::StatusReply status, context.client.request<wire::Op::kClusterStatus>({}));
  std::int64_t voters = 0;
  bool is_voter = false;
  for (const wire::NodeItem& node : status.nodes) {
    if (node.role != "voter") continue;
    ++voters;
    is_voter = is_voter || node.name == request.node || std::to_string(node.id) == request.node;
  }
  if (is_voter && voters == 1) {
    DC_TRY(const bool is_sure, confirm_name(context, o.confirm, status.name,
                                            "This removes the last voter of the cluster."));
    static_cast<void>(is_sure);
  } else {
    DC_TRY(const bool is_sure,
           confirm(context, "Remove node " + request.node + "? Its runs are lost."));
    if (!is_sure) {
      context.out.talk("nothing removed");
      return ExitCode::kOk;
    }
  }
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kNodeRemove>(request));
  return print_changes(reply, context);
}

}  // namespace

CommandSpec node_label_command() {
  return make_command<WordOptions>(
      {"node label",
       "set and remove labels of a host",
       "K=V sets one, K- removes one. Selectors of jobs (--on) read them. A label of the host's "
       "own configuration comes back when it is changed there.",
       {{"node label web2 role=web dc=fra", "set two"}, {"node label web2 dc-", "remove one"}}},
      add_label_flags, label);
}

CommandSpec node_set_command() {
  return make_command<WordOptions>(
      {"node set",
       "say what part a host has in the cluster",
       "role: auto (votes when it is needed), standby (never votes), witness (votes, runs no jobs, "
       "is never the scheduler). eligible=false: it is the scheduler only while no other "
       "can be, for which it waits ten election timeouts. rank: the eligible voter of the lowest "
       "rank and id is the scheduler, 0 by default.",
       {{"node set web9 role=standby", "never a voter"},
        {"node set web2 eligible=false", "the scheduler only as a last resort"},
        {"node set db1 rank=-1", "preferred as scheduler"}}},
      add_set_flags, set);
}

CommandSpec node_drain_command() {
  return make_command<DrainOptions>(
      {"node drain",
       "give a host no new runs",
       "Its runs go on; claims that have not started go to other hosts. With --kill its runs are "
       "ended as when the host is shut down. Exits 7 when they have not ended in time.",
       {{"node drain web2 --wait", "before work on it"},
        {"node drain web2 --timeout 10m --kill", "end what has not ended by then"}}},
      add_drain_flags, drain);
}

CommandSpec node_undrain_command() {
  return make_command<WordOptions>(
      {"node undrain",
       "give a drained host runs again",
       "",
       {{"node undrain web2", "by name"}, {"node undrain 2", "by id"}}},
      add_undrain_flags, undrain);
}

CommandSpec node_leave_command() {
  return make_command<LeaveOptions>(
      {"node leave",
       "take the host of the asked agent out of its cluster",
       "Drains it, waits for its runs, then removes it. Asks first.",
       {{"node leave", "this host"}, {"node leave --timeout 1h --yes", "without being asked"}}},
      add_leave_flags, leave);
}

CommandSpec node_remove_command() {
  return make_command<RemoveOptions>(
      {"node remove",
       "take a host that is gone out of the cluster",
       "Its runs become lost(host_removed), or start elsewhere when they are at-least-once. Its id "
       "is never given again. A node that is alive should leave instead. The last voter goes only "
       "when the name of the cluster is given.",
       {{"node remove web3", "asks first"},
        {"node remove web3 --force --yes", "although it is alive"}}},
      add_remove_flags, remove);
}

}  // namespace distcron::ctl
