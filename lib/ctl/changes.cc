// SPDX-License-Identifier: Apache-2.0
#include "ctl/changes.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "ctl/host.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  }
  return text;
}

/// "Added backup-db (v1). Next run Sat 2026-11-21 02:30 CET."
std::string sentence(const wire::ChangeItem& item, bool is_dry, const Output& out) {
  std::string text;
  if (item.action == "created") {
    text = "added " + item.name;
  } else if (item.action == "unchanged") {
    text = item.name + " is as asked already";
  } else {
    text = item.action + " " + item.name;
  }
  if (is_dry) text.insert(0, "would have ");
  text = capitalized(std::move(text));
  if (item.version) text += " (v" + std::to_string(*item.version) + ")";
  text += '.';
  if (item.run_id) text += " Run " + std::to_string(*item.run_id) + ".";
  if (item.next_at) text += " Next run " + out.day_time(*item.next_at) + ".";
  if (item.live_runs > 0) {
    text += " " + std::to_string(item.live_runs) + (item.live_runs == 1 ? " run is" : " runs are") +
            " still alive.";
  }
  return text;
}

}  // namespace

void add_target_flags(Flags& flags, TargetOptions& options, std::string_view usage_text) {
  flags.words({usage_text, 0, kAnyWords}, options.names);
  flags.add({"selector", 'l', "SELECTOR", "jobs by label, such as team=db,env!=test"},
            options.selector);
  flags.add({"all", 0, "", "all jobs"}, options.all);
}

Answer<wire::JobTargets> make_targets(const TargetOptions& options, Context& context,
                                      bool needs_some) {
  wire::JobTargets targets;
  targets.selector = options.selector;
  targets.all = options.all;
  for (const std::string& name : options.names) {
    if (name != "-") {
      targets.names.push_back(name);
      continue;
    }
    DC_TRY(const std::string text, context.host.read_file("-"));
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) targets.names.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  if (needs_some && targets.names.empty() && targets.selector.empty() && !targets.all) {
    return usage("which jobs?", "name them, or use -l SELECTOR or --all");
  }
  return targets;
}

Answer<bool> confirm(Context& context, const std::string& question) {
  if (context.globals.yes || context.globals.dry_run) return true;
  if (context.globals.no_input || !context.host.can_ask()) {
    return usage("cannot ask \"" + question + "\" here", "answer it with --yes");
  }
  const std::string answer = context.host.ask(question + " [y/N] ");
  return answer == "y" || answer == "Y" || answer == "yes";
}

Outcome print_changes(const wire::ChangeReply& reply, Context& context) {
  Output& out = context.out;
  if (out.is_json()) {
    std::vector<std::string> items;
    for (const wire::ChangeItem& item : reply.items)
      items.push_back(wire::to_json(item));
    out.json_list("ChangeList", items, reply.dry_run ? R"(,"dry_run":true)" : "");
    return ExitCode::kOk;
  }
  if (out.format() == Format::kName) {
    for (const wire::ChangeItem& item : reply.items) {
      out.line(item.run_id ? std::to_string(*item.run_id) : item.name);
    }
    return ExitCode::kOk;
  }
  for (const wire::ChangeItem& item : reply.items) {
    out.talk(sentence(item, reply.dry_run, out));
  }
  if (reply.items.empty()) out.talk("nothing to do");
  if (reply.dry_run) out.talk("dry run: nothing was stored");
  return ExitCode::kOk;
}

}  // namespace distcron::ctl
