// SPDX-License-Identifier: Apache-2.0
// node list, node show and node ping.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/node_text.h"
#include "ctl/watch.h"
#include "model/selector.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

constexpr Millis kPingPause{1'000};

struct ListOptions {
  std::string selector;
  bool watch = false;
};

struct ShowOptions {
  std::vector<std::string> nodes;
};

struct PingOptions {
  std::vector<std::string> nodes;
  std::int64_t count = 1;
};

void add_list_flags(Flags& flags, ListOptions& o) {
  flags.add({"selector", 'l', "SELECTOR", "nodes by name and label, such as role=db,dc!=test"},
            o.selector);
  flags.add({"watch", 0, "", "show it again whenever it changes, until Ctrl-C"}, o.watch);
}

void add_show_flags(Flags& flags, ShowOptions& o) {
  flags.words({"NODE", 1, 1}, o.nodes);
}

void add_ping_flags(Flags& flags, PingOptions& o) {
  flags.words({"[NODE...]", 0, kAnyWords}, o.nodes);
  flags.add({"count", 'n', "COUNT", "this many times, once by default"}, o.count);
}

Answer<wire::NodeList> chosen_nodes(const ListOptions& o, Context& context) {
  const auto selector = model::parse_selector(o.selector);
  if (!selector) return usage("--selector: " + selector.error().message, selector.error().hint);
  DC_TRY(wire::NodeList nodes, context.client.request<wire::Op::kNodeList>({}));
  std::erase_if(nodes.items, [&](const wire::NodeItem& node) {
    return !model::matches(*selector, node.name, node.labels);
  });
  return nodes;
}

Outcome print_nodes(const wire::NodeList& nodes, const ListOptions& o, Output& out) {
  std::vector<std::string> texts;
  // One document for each change: with -o jsonl a line.
  if (out.is_json() && o.watch) {
    out.json_object("NodeList", wire::to_json(nodes));
    return ExitCode::kOk;
  }
  if (out.is_json()) {
    for (const wire::NodeItem& node : nodes.items)
      texts.push_back(wire::to_json(node));
    out.json_list("NodeList", texts);
    return ExitCode::kOk;
  }
  for (const wire::NodeItem& node : nodes.items)
    texts.push_back(node.name);
  if (Status printed = out.table(node_table(nodes.items), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

Outcome list(const ListOptions& o, Context& context) {
  const auto look = [&o, &context]() -> Answer<Sight> {
    DC_TRY(wire::NodeList nodes, chosen_nodes(o, context));
    Sight sight;
    wire::NodeList facts = nodes;
    forget_measures(facts.items);
    sight.facts = wire::to_json(facts);
    sight.print = [&o, &context, nodes = std::move(nodes)] {
      return print_nodes(nodes, o, context.out);
    };
    return sight;
  };
  if (o.watch) return watch_changes(context, look);
  DC_TRY(const Sight sight, look());
  return sight.print();
}

std::string node_text(const wire::NodeShowReply& reply, const Output& out) {
  const wire::NodeItem& item = reply.item;
  const model::Node& node = reply.node;
  std::string text;
  const auto line = [&text](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    text += key;
    text.append(key.size() < 12 ? 12 - key.size() : 1, ' ');
    text += printable(value) + "\n";
  };
  line("name", item.name);
  line("id", std::to_string(item.id));
  line("state", item.state);
  line("draining", item.draining && item.state != "draining" ? "yes" : "");
  line("role", item.role);
  line("wanted", std::string(model::name_of(node.kind)));
  line("eligible", node.eligible ? "yes" : "no: only as a last resort");
  line("rank", std::to_string(node.rank));
  line("labels", labels_text(node.labels));
  line("running", std::to_string(item.running));
  line("version", item.version + ", feature level " + std::to_string(node.feature_level));
  line("address", item.address);
  std::string mesh;
  for (const std::string& address : node.mesh_addresses)
    mesh += (mesh.empty() ? "" : ", ") + address;
  line("mesh", mesh);
  line("joined", out.time(node.joined_at));
  line("booted", out.time(node.booted_at));
  line("lag", std::to_string(item.lag_entries) + " entries");
  line("clock", fixed(item.clock_offset_ms) + " ms off");
  line("round trip", fixed(item.rtt_ms) + " ms");
  const std::string way = item.link == "lossy"     ? "lossy: messages go over three connections"
                          : item.link == "refused" ? "refused: it does not know this member's key"
                                                   : item.link;
  line("link", way);
  if (!reply.refused) return text;
  line("refused", std::string(reply.refused->items.empty() ? "nothing" : "as follows") + " since " +
                      out.time(reply.refused->since));
  for (const wire::RefusedItem& refused : reply.refused->items) {
    line("", std::to_string(refused.count) + " " + refused.reason + " at the " + refused.door +
                 " door, last " + out.time(refused.last_at) + ": " + refused.last);
  }
  return text;
}

Outcome show(const ShowOptions& o, Context& context) {
  wire::NameRequest request;
  request.name = o.nodes.front();
  DC_TRY(const wire::NodeShowReply reply, context.client.request<wire::Op::kNodeShow>(request));
  Output& out = context.out;
  if (out.is_json()) {
    out.json_object("Node", wire::to_json(reply));
  } else if (out.format() == Format::kName) {
    out.line(reply.item.name);
  } else {
    out.write(node_text(reply, out));
  }
  return ExitCode::kOk;
}

/// The names that were given, or all that are there.
Answer<std::vector<std::string>> pinged_nodes(const PingOptions& o, Context& context) {
  std::vector<std::string> names = o.nodes;
  if (!names.empty()) return names;
  DC_TRY(const wire::NodeList nodes, context.client.request<wire::Op::kNodeList>({}));
  for (const wire::NodeItem& node : nodes.items)
    names.push_back(node.name);
  return names;
}

Outcome ping(const PingOptions& o, Context& context) {
  if (o.count < 1) return usage("--count: must be 1 or more");
  DC_TRY(const std::vector<std::string> names, pinged_nodes(o, context));
  Output& out = context.out;
  ExitCode exit = ExitCode::kOk;
  std::vector<std::string> items;
  for (std::int64_t i = 0; i < o.count; ++i) {
    if (i > 0) context.host.pause(kPingPause);
    for (const std::string& name : names) {
      wire::NodePingRequest request;
      request.node = name;
      const auto reply = context.client.request<wire::Op::kNodePing>(request);
      if (reply) {
        items.push_back(wire::to_json(*reply));
        if (!out.is_json()) out.line(reply->name + ": " + fixed(reply->rtt_ms) + " ms");
        continue;
      }
      const ErrorCode code = reply.error().error.code;
      const bool is_silent = code == ErrorCode::kTimeout || code == ErrorCode::kUnavailable;
      if (!is_silent || reply.error().exit == ExitCode::kUnreachable) {
        return tl::unexpected<Failure>(reply.error());
      }
      exit = ExitCode::kNegative;
      out.problem(name + ": " + reply.error().error.message);
    }
  }
  if (out.is_json()) out.json_list("PingList", items);
  return exit;
}

}  // namespace

CommandSpec node_list_command() {
  return make_command<ListOptions>(
      {"node list",
       "list the hosts of the cluster",
       "States: alive, suspect (silent for a moment), dead, draining. Roles: voter, standby, "
       "witness. For --watch, clocks, round trips and entries behind alone are no change; with -o "
       "json or jsonl it prints one document for each change.",
       {{"node list", "all of them"},
        {"node list --watch", "and every change of them"},
        {"node list -l role=db -o wide", "some, with labels, addresses and clocks"}}},
      add_list_flags, list);
}

CommandSpec node_show_command() {
  return make_command<ShowOptions>({"node show",
                                    "show one host of the cluster",
                                    "With what its agent has refused since its start: strangers' "
                                    "keys, forged and malformed messages, by reason. Absent while "
                                    "that host cannot be reached.",
                                    {{"node show web2", "by name"}, {"node show 2", "by id"}}},
                                   add_show_flags, show);
}

CommandSpec node_ping_command() {
  return make_command<PingOptions>(
      {"node ping",
       "measure the way between agents",
       "The asked agent sends a message to each node and waits for its answer. Exits 1 when one is "
       "silent.",
       {{"node ping", "all nodes"}, {"node ping web2 web3 -n 5", "two of them, five times"}}},
      add_ping_flags, ping);
}

}  // namespace distcron::ctl
