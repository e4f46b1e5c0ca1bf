// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"
#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/help.h"
#include "ctl/output.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> words;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"[COMMAND|TOPIC]", 0, 3}, o.words);
}

std::string resolve_alias(std::string path) {
  if (path.starts_with("job ")) path.erase(0, 4);
  for (const Alias& alias : aliases()) {
    if (alias.name == path) return std::string(alias.path);
  }
  return path;
}

Outcome run(const Options& o, Context& context) {
  if (o.words.empty()) {
    context.out.page(full_help());
    return ExitCode::kOk;
  }
  std::string path;
  for (const std::string& word : o.words)
    path += (path.empty() ? "" : " ") + word;
  if (const CommandSpec* spec = find_command(resolve_alias(path))) {
    context.out.page(command_help(*spec));
    return ExitCode::kOk;
  }
  std::string text = group_help(path);
  if (text.empty()) text = topic_help(path).value_or("");
  if (!text.empty()) {
    context.out.page(text);
    return ExitCode::kOk;
  }
  std::vector<std::string> known = help_topics();
  for (const CommandSpec& spec : all_commands())
    known.emplace_back(spec.text.path);
  std::string near;
  for (const std::string& name : suggest(path, known))
    near += (near.empty() ? "" : ", ") + name;
  return usage("no help on \"" + path + "\"", near.empty() ? "" : "did you mean: " + near);
}

Outcome run_spec(const Options& o, Context& context) {
  static_cast<void>(o);
  context.out.write(spec_json());
  return ExitCode::kOk;
}

}  // namespace

CommandSpec help_show_command() {
  return make_command<Options>({"help",
                                "show help on a command or a topic",
                                "Topics: schedule, output, exit-codes, environment, guarantees.",
                                {{"help run", "one command"}, {"help exit-codes", "a topic"}}},
                               add_flags, run);
}

CommandSpec spec_show_command() {
  return make_command<Options>({"__spec", "print the table of commands as JSON", "", {}}, add_flags,
                               run_spec);
}

}  // namespace distcron::ctl
